from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import zoo
from zoo.analysis.projection import read_picture
from zoo.models.folder import write_model
from zoo.models.model import Model
from zoo_core import DataError, UsageError


def test_a_picture_that_the_model_drew_is_found_again(model: Model, tmp_path: Path) -> None:
    zoo.to_pictures(model.sample(3, seed=77))[2].save(tmp_path / "given.png")
    found = zoo.project(model, tmp_path / "given.png", starts=3, steps=60, searched=48, out=tmp_path / "out.png")
    assert found.error <= found.nearest_sample
    assert found.error < 40
    assert found.error == min(found.errors)
    with torch.no_grad():
        assert torch.allclose(model.generator(found.latent[None])[0], found.image, atol=1e-4)
    assert len(found.to_json()["latent"]) == 6
    assert (tmp_path / "out.png").is_file()
    assert (found.how, found.searched) == ("by 60 steps of optimization", 48)


def test_latents_stay_where_the_generator_has_seen_some(model: Model) -> None:
    black = Image.new("RGB", (40, 30))
    found = zoo.project(model, black, starts=2, steps=40, searched=8)
    assert float(found.latent.norm()) <= 1.2 * 6**0.5 + 1e-4
    model.generator.latent = "uniform"
    assert float(zoo.project(model, black, starts=2, steps=40, searched=8).latent.abs().max()) <= 1


@pytest.mark.parametrize("classes", [0, 3])
def test_an_encoder_answers_at_once_and_steps_refine_it(classes: int, tmp_path: Path) -> None:
    options = {f"{role}.width": 4 for role in ("generator", "encoder", "discriminator")}
    conditional = {"algorithm.conditional": True} if classes else {}
    given: dict[str, Any] = {"size": 16, "num_classes": classes}
    created = zoo.create("bigan", **given, options={**options, **conditional, "generator.latent_dim": 6})
    bigan = zoo.load(write_model(created, tmp_path / "model"))
    picture = zoo.to_pictures(bigan.sample(1, seed=5))[0]
    label = 2 if classes else None
    found = zoo.project(tmp_path / "model", picture, searched=8, label=label)
    target = read_picture(picture, 16, 3)[None]
    labels = torch.tensor([2]) if classes else None
    with torch.no_grad():
        code = bigan.others["encoder"](target, labels)
        assert torch.allclose(found.latent, code[0], atol=1e-5)
        assert torch.allclose(found.image, bigan.generator(code, labels)[0], atol=1e-4)
    assert (found.how, found.errors) == ("by the encoder", (found.error,))
    assert (found.searched, zoo.project(bigan, picture, label=label).searched) == (8, 32)
    assert found.to_json()["how"] == "by the encoder"
    refined = zoo.project(bigan, picture, searched=8, label=label, steps=20)
    assert refined.how == "by the encoder and 20 steps of optimization"
    assert refined.error < found.error


def test_pictures_are_cut_square_and_laid_on_white() -> None:
    picture = Image.new("RGBA", (60, 20), (255, 0, 0, 0))
    assert torch.equal(read_picture(picture, 16, 3), torch.ones(3, 16, 16))
    assert read_picture(picture, 16, 1).shape == (1, 16, 16)


def test_bad_input(model: Model, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(DataError, match="is no picture that can be read"):
        zoo.project(model, tmp_path / "text.png")
    with pytest.raises(DataError, match="does not exist"):
        zoo.project(model, tmp_path / "none.png")
    with pytest.raises(UsageError, match="number of starts"):
        zoo.project(model, tmp_path / "text.png", starts=0)
    with pytest.raises(UsageError, match="number of steps must be at least 1"):
        zoo.project(model, tmp_path / "text.png", steps=0)
