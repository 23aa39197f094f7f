"""What the tabs compute, without a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import zoo
from helpers.painting.fixtures import cache, model, pack, painted
from zoo.demo import markup
from zoo.demo.limits import PIXELS, limit_count, read_number, read_whole
from zoo.demo.subjects import Kept, Subject, open_subjects, stack
from zoo.demo.verdicts import find_nearest, find_ready_pack, judge_picture, open_upload, square
from zoo.models.model import Model
from zoo.packs import to_images
from zoo_core import DataError, UsageError

__all__ = ["cache", "model", "pack", "painted"]


@pytest.fixture
def subject(model: Model) -> Subject:
    return Subject("painter", model, model, None)


def test_a_kept_picture_is_the_picture(subject: Subject) -> None:
    z = torch.randn(3, 6)
    kept = [Kept.of(latent, subject, 0, "a") for latent in z]
    assert torch.equal(stack(kept), z)
    assert kept[0] == Kept.of(z[0], subject, 0, "a")
    assert subject.fits(kept[0])
    assert torch.equal(subject.first(5).z, zoo.randomness.latents_for(subject.model.generator, 5, [0])[0])  # type: ignore[attr-defined]
    other = zoo.create("mlp-gan", size=16, options={"generator.width": 8, "generator.latent_dim": 7})
    assert not Subject("other", other, other, None).fits(kept[0])


def test_each_picture_is_of_its_class() -> None:
    made = zoo.create("cdcgan", size=16, num_classes=3, options={"generator.width": 4, "discriminator.width": 4})
    subject = Subject("conditional", made, made, None)
    z = subject.first().z.expand(3, -1)
    drawn = subject.draw(z, [0, 1, 2])
    for label in range(3):
        assert torch.allclose(drawn[label], made.sample(1, label=label)[0], atol=1e-5)
    assert subject.classes == ("0", "1", "2")


def test_names_of_several_models(model: Model, painted: Path) -> None:
    found = open_subjects([model, str(painted / "model"), painted / "model"], "cpu")
    assert [subject.name for subject in found] == ["model 1", "model", "model (3)"]
    with pytest.raises(UsageError, match="from 1 to 4 models, not 0"):
        open_subjects([], "cpu")


def test_words_are_words() -> None:
    found = markup.words("<script>alert(1)</script> ${value} {{x}} `y`", heading='<b title="a">')
    assert "<script" not in found
    assert "<b" not in found
    for sign in ("$", "{", "`"):
        assert sign not in found
    tile = markup.Tile(Image.new("L", (2, 2)), '"><img src=x onerror=alert(1)>', "0")
    assert "<img src=x" not in markup.tiles([tile], heading="<i>")


@pytest.mark.parametrize("value", [None, "", "x", 1.5, -1, 11, float("nan"), float("inf"), [3]])
def test_numbers_that_are_none(value: Any) -> None:
    with pytest.raises(UsageError, match="the count must be a whole number from 0 to 10"):
        read_whole(value, "the count", 0, 10)


def test_numbers() -> None:
    assert read_whole(3.0, "it", 0, 10) == 3
    assert read_number(0.5, "it", 0, 1) == 0.5
    with pytest.raises(UsageError, match="it must be from 0 to 1"):
        read_number(float("nan"), "it", 0, 1)
    assert limit_count(64, 64) == 64
    assert limit_count(64, 512) == PIXELS // 512**2
    assert limit_count(64, 4096) == 1


def test_pictures_that_are_handed_in(tmp_path: Path) -> None:
    Image.new("RGBA", (30, 20), "red").save(tmp_path / "ok.png")
    assert open_upload(str(tmp_path / "ok.png")).mode == "RGB"
    Image.new("1", (10_000, 10_000)).save(tmp_path / "huge.png")
    (tmp_path / "none.png").write_bytes(b"x" * 100)
    for name, message in (
        ("huge.png", "is 100 megapixels; the most is 40"),
        ("none.png", "cannot be read"),
        ("no.png", "cannot"),
    ):
        with pytest.raises(DataError, match=message):
            open_upload(str(tmp_path / name))


def test_the_nearest_training_picture_and_the_verdict(subject: Subject, pack: zoo.Pack) -> None:
    image = to_images(pack.gather(torch.tensor([17])))[0]
    nearest, error = find_nearest(pack, image)
    assert error == 0
    assert torch.equal(nearest, image)
    verdict = judge_picture(subject, image, pack)
    assert verdict is not None
    assert verdict.real is not None
    assert "of real images. It takes it for" in str(verdict)
    alone = judge_picture(subject, image, None)
    assert alone is not None
    assert alone.logit == pytest.approx(verdict.logit)
    assert "not at hand" in str(alone)
    subject.model.discriminator = None
    assert judge_picture(subject, image, pack) is None


def test_a_pack_is_found_where_it_lies_ready(
    subject: Subject, pack: zoo.Pack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = find_ready_pack(subject)
    assert found is not None
    assert found.path == pack.path
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "empty"))
    assert find_ready_pack(subject) is None
    assert not list((tmp_path / "empty").rglob("pack.json"))  # nothing was built


def test_a_picture_is_seen_as_the_model_sees_pictures(subject: Subject) -> None:
    seen = square(Image.new("RGB", (90, 30), "white"), subject.model)
    assert seen.shape == (3, 16, 16)
    assert bool((seen == 1).all())
