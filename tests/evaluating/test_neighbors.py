"""A model that replays training images is called out, one that draws new ones is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import zoo
from helpers.browser import count_colors, measure, needs_chromium, screenshot
from helpers.metrics import pictures, plain, replaying
from zoo_core import DataError, UsageError

pytest.importorskip("faiss")
pytest.importorskip("scipy")


def found(images: Tensor, **choices: object) -> zoo.Results:
    options = {"dataset": "ellipses", "features": "scattering", "samples": 150, **choices}
    return zoo.neighbors(replaying(images), **options)  # type: ignore[arg-type]


def test_a_copier_is_called_out() -> None:
    results = found(pictures("train"))
    assert results.details["copies"]
    assert results.metrics == {"memorized_share_pixels": 1.0, "memorized_share_features": 1.0}
    plain(results.to_json())


def test_so_is_one_that_adds_noise_and_one_that_copies_a_quarter() -> None:
    noise = 0.03 * torch.randn(pictures().shape, generator=torch.Generator().manual_seed(0))
    noisy = found((pictures() + noise).clamp(-1, 1))
    assert noisy.details["copies"]
    some = found(torch.cat([pictures("fresh")[:150], pictures("train")[:50]]), held_out="test", samples=300)
    assert some.details["copies"]
    assert 0.15 <= some.metrics["memorized_share_pixels"] < 0.4


@pytest.mark.parametrize("held_out", [None, "test"])
def test_one_that_draws_new_pictures_is_not(held_out: str | None) -> None:
    results = found(pictures("fresh"), held_out=held_out)
    assert not results.details["copies"]
    assert results.metrics["memorized_share_pixels"] < 0.1
    assert results.protocol["held_out"] == (held_out or "training images, each against all others")


def test_smooth_pictures_are_near_to_everything_and_copies_of_nothing() -> None:
    mean = pictures().mean(0, keepdim=True)
    blurred = 0.3 * pictures("fresh") + 0.7 * mean
    results = found(blurred)
    assert not results.details["copies"]


def test_too_few_for_a_conclusion() -> None:
    with pytest.raises(UsageError, match="99 samples are too few"):
        found(pictures("fresh"), samples=99)
    with pytest.raises(DataError, match="12 training images are too few"):
        found(pictures("fresh"), split="few")


def test_the_picture_and_the_page(tmp_path: Path) -> None:
    results = found(pictures("train"), page=tmp_path / "see", shown=5)
    png, page = (Path(file) for file in results.details["files"])
    with Image.open(png) as picture:
        pixels = np.asarray(picture).astype(int)
    assert pixels.shape == (4 + 5 * 132, 4 + 7 * 132, 3)
    sample, copied = pixels[4:132, 4:132], pixels[4:132, 136:264]
    assert np.abs(sample - copied).max() <= 1
    text = page.read_text()
    assert text.count("<img ") == 5 * 7
    assert text.count("away</figcaption>") == 5 * 6
    assert text.count("<svg") == 2
    assert "This model copies training images" in text
    assert "nearest distance by the mean of the 50 nearest" in text  # the protocol
    assert "http" not in text.replace("http-equiv", "")


@needs_chromium
@pytest.mark.parametrize(("width", "dark"), [(390, False), (1280, True)])
def test_the_page_in_a_browser(width: int, dark: bool, tmp_path: Path) -> None:
    page = Path(found(pictures("train"), page=tmp_path, shown=3).details["files"][1])
    seen = measure(page, width, dark=dark)
    assert seen["images"] == seen["decoded"] == seen["described"] == 3 * 7
    assert (seen["drawings"], seen["requests"]) == (2, [])
    assert seen["wider"] <= 0
    pixels = screenshot(page, width, 1600, dark=dark).reshape(-1, 3)
    assert count_colors(pixels) > 200  # histograms, and pictures of many colors
