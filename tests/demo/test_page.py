"""The page in a real browser: every tab is played with, nothing is asked for elsewhere, and the console has no error."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load

import zoo
from helpers.playing import Played, browser_page, find_barriers, needs_browser, open_browser
from helpers.served import Served, place, served
from zoo.packs import to_uint8
from zoo.randomness import latents_for
from zoo.reports.pictures import grid

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ["place", "served"]
pytestmark = [pytest.mark.slow, needs_browser]

TABS = ("Walk", "Arithmetic", "Directions", "Inside", "Real or not", "Training")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as found:
        yield found


@pytest.fixture
def played(served: Served, browser: Browser) -> Iterator[Played]:
    """A page of the server; what went wrong in it fails the test."""
    with browser_page(served.address, browser=browser, within=served.within) as found:
        sample(found.page, 0).wait_for()
        yield found


def sample(page: Page, number: int, model: int = 0):  # type: ignore[no-untyped-def]
    return page.get_by_role("button", name=f"Keep sample {number}", exact=True).nth(model)


def keep(page: Page, *numbers: int) -> None:
    for number in numbers:
        sample(page, number).click()
        page.get_by_role("button", name=f"seed 0, number {number}", exact=False).wait_for()


def show(page: Page, tab: str) -> None:
    page.get_by_role("tab", name=tab, exact=True).click()


def download(page: Page, name: str, number: int = 0) -> bytes:
    """Return what a link saves, once it is there."""
    link = page.get_by_role("link", name=f"Download {name}").nth(number)
    link.wait_for()
    return base64.b64decode((link.get_attribute("href") or "").partition("base64,")[2])


def test_samples_are_those_of_zoo_sample(played: Played) -> None:
    model = zoo.load("dcgan-faces")
    with Image.open(io.BytesIO(download(played.page, "samples-0.png"))) as picture:
        expected = np.asarray(grid(to_uint8(model.sample(16)), scale=1), np.int16)
        assert np.abs(np.asarray(picture, np.int16) - expected).max() <= 1
    latents = load(download(played.page, "latents-0.safetensors"))["latents"]
    assert torch.equal(latents, latents_for(model.generator, 0, range(16)))
    played.page.get_by_role("button", name="Another").click()
    assert torch.equal(
        load(download(played.page, "latents-1.safetensors"))["latents"], latents_for(model.generator, 1, range(16))
    )


def test_a_walk_goes_between_kept_pictures(played: Played) -> None:
    page = played.page
    keep(page, 2, 5)
    show(page, "Walk")
    page.get_by_role("button", name="Walk", exact=True).click()
    path = load(download(page, "walk.safetensors"))["latents"]
    expected = latents_for(zoo.load("dcgan-faces").generator, 0, [2, 5])
    assert torch.allclose(path[[0, -1]], expected, atol=1e-5)
    with Image.open(io.BytesIO(download(page, "walk.gif"))) as film:
        assert film.n_frames > 4  # type: ignore[attr-defined]


def test_pictures_are_dragged_into_a_sum(played: Played) -> None:
    page = played.page
    keep(page, 0, 3, 5)
    show(page, "Arithmetic")
    kept = page.locator("#zoo-shelf [data-pick]")
    for number, zone in enumerate("AB"):
        kept.nth(number).drag_to(page.locator(f'[data-zone="{zone}"]'))
        page.locator(f'[data-zone="{zone}"] img').wait_for()
    page.locator('[data-zone="C"]').get_by_role("button", name="Put the chosen one here").press("Enter")  # by keyboard
    z = load(download(page, "arithmetic.safetensors"))["latents"][0]
    a, b, c = latents_for(zoo.load("dcgan-faces").generator, 0, [0, 3, 5])
    assert torch.allclose(z, a - b + c, atol=1e-5)
    assert page.get_by_text("Its latents are others than those of the pictures.").count() == 1  # the run's
    page.get_by_role("button", name="take seed 0, number 0 out of A").click()
    page.locator('[data-zone="A"] img').wait_for(state="detached")


def test_sliders_move_a_picture(played: Played) -> None:
    page = played.page
    show(page, "Directions")
    page.get_by_role("button", name="Find directions").click()
    before = load(download(page, "moved.safetensors"))["latents"][0]
    vectors = load(download(page, "directions-sefa.safetensors"))
    slider = page.get_by_role("slider", name="sefa 1")
    for _ in range(5):
        slider.press("ArrowRight")
    page.get_by_role("img", name="sefa 1 +0.5").wait_for()
    after = load(download(page, "moved.safetensors"))["latents"][0]
    assert torch.allclose(after - before, 0.5 * vectors["scales"][0] * vectors["vectors"][0], atol=1e-5)
    page.get_by_role("button", name="Keep this one").click()
    page.get_by_role("button", name="kept 1: seed 0, number 0; sefa 1 +0.5").wait_for()
    page.get_by_role("button", name="Reset", exact=True).click()
    page.get_by_role("img", name="after: seed 0, number 0", exact=True).wait_for()


def test_a_map_is_silenced_by_a_click(played: Played) -> None:
    page = played.page
    show(page, "Inside")
    page.get_by_role("button", name="Look inside").click()
    before = download(page, "inside.png")
    page.get_by_role("button", name="map 2", exact=True).click()
    page.get_by_role("button", name="map 2, silenced").wait_for()
    assert download(page, "inside.png") != before
    assert page.get_by_role("img", name="feature").count() == 6
    page.get_by_role("button", name="Restore all maps").click()
    page.get_by_text("no map is silenced").wait_for()
    assert download(page, "inside.png") == before


def test_a_picture_is_judged(played: Played, place: Path, tmp_path: Path) -> None:
    page = played.page
    show(page, "Real or not")
    page.get_by_label("Look for its latent").uncheck()
    (tmp_path / "none.png").write_bytes(b"not a picture")
    Image.new("1", (10_000, 10_000)).save(tmp_path / "huge.png")
    for name, message in (("none.png", "this picture cannot be read"), ("huge.png", "is 100 megapixels; the most is 40")):
        page.locator("input[type=file]").last.set_input_files(tmp_path / name)
        page.get_by_text(message).first.wait_for()
        page.get_by_label("Clear", exact=True).last.click()
    known = next((place / "pictures").rglob("*.png"))  # one that the run was trained on
    page.locator("input[type=file]").last.set_input_files(known)
    page.get_by_text("nearest training picture: 0 of 255 levels away").wait_for()
    assert page.get_by_text("higher than those of").count() == 2
    page.get_by_label("Look for its latent").check()
    page.get_by_role("button", name="Take a sample instead").click()
    page.get_by_role("button", name="Keep the nearest that the model draws").first.click()
    page.get_by_role("button", name="kept 1: found for a picture").wait_for()


def test_a_runs_training_is_shown(played: Played) -> None:
    page = played.page
    show(page, "Training")
    page.get_by_role("img", name="losses over real images shown").wait_for()
    page.get_by_text("not training now").wait_for()
    page.get_by_role("button", name="Make a film of its samples").click()
    with Image.open(io.BytesIO(download(page, "training.gif"))) as film:
        assert film.n_frames >= 2  # type: ignore[attr-defined]


def test_two_sessions_keep_what_is_theirs_on_a_phone_too(served: Served, browser: Browser, played: Played) -> None:
    keep(played.page, 1)
    phone = {"width": 390, "height": 844, "has_touch": True, "is_mobile": True}
    with browser_page(served.address, browser=browser, within=served.within, **phone) as other:
        sample(other.page, 4).tap()
        other.page.get_by_role("button", name="seed 0, number 4").wait_for()
        assert other.page.locator("#zoo-shelf [data-pick]").count() == 1
        assert other.overflow() == 0
    assert played.page.locator("#zoo-shelf [data-pick]").count() == 1
    played.page.get_by_role("button", name="seed 0, number 1").wait_for()


@pytest.mark.parametrize("dark", [False, True])
def test_no_barrier_is_serious(served: Served, browser: Browser, dark: bool) -> None:
    with browser_page(served.address, browser=browser, within=served.within, dark=dark) as found:
        page = found.page
        sample(page, 0).wait_for()
        keep(page, 0)
        barriers = [*find_barriers(page)]
        for tab in TABS:
            show(page, tab)
            page.get_by_role("tabpanel", name=tab).or_(page.locator('[role="tabpanel"]:visible')).first.wait_for()
            page.wait_for_timeout(500)  # the tab fades in
            barriers += find_barriers(page)
        gradios_own = "label-content-name-mismatch"  # of the area that files are dropped on
        assert [line for line in barriers if gradios_own not in line] == []
