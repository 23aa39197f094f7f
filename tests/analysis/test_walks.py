from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
import torch
from PIL import Image

import zoo
from helpers.painting import painted_model
from zoo.analysis.samples import draw
from zoo.analysis.walks import interpolate
from zoo.models.model import Model
from zoo.randomness import latents_for
from zoo_core import UsageError


def test_a_row_for_each_pair_of_latents(model: Model, tmp_path: Path) -> None:
    found = zoo.walk(model, latents=4, steps=5, seed=3, out=tmp_path / "walk.png")
    assert found.images.shape == (3, 5, 3, 16, 16)
    ends = latents_for(model.generator, 3, range(4))
    assert torch.allclose(found.latents[:, 0], ends[:3], atol=1e-5)
    assert torch.allclose(found.latents[:, -1], ends[1:], atol=1e-5)
    assert torch.allclose(found.images[0, 0], model.sample(1, seed=3)[0], atol=1e-5)
    with Image.open(tmp_path / "walk.png") as picture:
        assert picture.width >= 5 * 64


def test_spherical_walks_keep_the_length_of_latents() -> None:
    a, b = torch.randn(2, 1, 50, generator=torch.Generator().manual_seed(0))
    a, b = a / a.norm(), b / b.norm()
    assert torch.allclose(interpolate(a, b, 7).norm(dim=2), torch.ones(1, 7), atol=1e-5)
    assert interpolate(a, b, 7, "linear").norm(dim=2).min() < 0.9
    assert torch.allclose(interpolate(a, a, 3), a.expand(1, 3, 50), atol=1e-5)


def test_a_jump_is_told_from_an_even_path() -> None:
    model = painted_model()
    forward = model.generator.forward
    model.generator.forward = lambda z, labels=None: forward(z / 10, labels)  # type: ignore[method-assign]
    even = zoo.walk(model, steps=12, how="linear").smoothness["pixels"]
    model.generator.forward = lambda z, labels=None: forward(z.sign() * 3, labels)  # type: ignore[method-assign]
    jumping = zoo.walk(model, steps=12, how="linear").smoothness["pixels"]
    assert jumping.path > 1.5 * even.path
    assert jumping.jump > 1.5 * even.jump
    assert jumping.worst >= jumping.jump


def test_an_animation(model: Model, tmp_path: Path) -> None:
    found = zoo.walk(model, latents=3, steps=4, out=tmp_path / "walk.gif")
    with Image.open(tmp_path / "walk.gif") as picture:
        assert picture.n_frames > 1  # equal neighbors become one frame
    assert set(found.to_json()["smoothness"]) == {"pixels", "features"}


def test_without_a_discriminator_pixels_remain() -> None:
    found = zoo.walk(painted_model(discriminator=False), latents=2, steps=3)
    assert set(found.smoothness) == {"pixels"}


@pytest.mark.parametrize(("latent", "end"), [("normal", 2.0), ("uniform", 1.0)])
def test_along_one_number(model: Model, latent: Literal["normal", "uniform"], end: float) -> None:
    model.generator.latent = latent
    found = zoo.walk(model, latents=3, steps=5, along="1", seed=2)
    own = latents_for(model.generator, 2, range(3))
    assert found.images.shape == (3, 5, 3, 16, 16)
    assert found.latents[:, :, 1].equal(torch.linspace(-end, end, 5).expand(3, 5))
    others = [n for n in range(own.shape[1]) if n != 1]
    assert found.latents[:, :, others].equal(own[:, None, others].expand(-1, 5, -1))
    assert found.to_json()["interpolation"] == "along 1"
    assert set(found.smoothness) == {"pixels", "features"}


def test_along_numbers_of_which_the_largest_counts(model: Model) -> None:
    found = zoo.walk(model, latents=2, along="1-3")
    assert found.images.shape == (2, 3, 3, 16, 16)
    assert found.latents[:, :, 1:4].argmax(2).tolist() == [[0, 1, 2]] * 2
    assert found.latents[:, :, 0].equal(latents_for(model.generator, 0, range(2))[:, :1].expand(2, 3))
    assert found.smoothness == {}  # values have no order


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        *(({"along": text}, "are no numbers of this latent") for text in ("x", "-1", "3-1", "2-2", "0-999", "9" * 99, "²")),
        ({"latents": 1}, "the number of latents"),
        ({"steps": 2}, "the number of steps"),
        ({"how": "cubic"}, "unknown interpolation"),
        ({"out": "walk.mp4"}, "does not end like a picture"),
        ({"label": "cat"}, "unconditional"),
    ],
)
def test_bad_input(model: Model, choices: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        zoo.walk(model, **choices)  # type: ignore[arg-type]


def test_an_image_depends_on_its_own_latent_alone(model: Model) -> None:
    z = latents_for(model.generator, 0, range(40))
    assert torch.equal(draw(model, z)[33], draw(model, z[33:34])[0])
