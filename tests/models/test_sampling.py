"""Samples: image i depends on the seed and i alone; grids and folders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import zoo
from helpers.training import Heard, samples
from zoo.files import TEMPORARY
from zoo.models import model as model_module
from zoo.models.sampling import sample_to
from zoo_core import UnknownNameError, UsageError, ZooError


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    with samples():
        yield


def create(recipe: str = "dcgan", **options: Any) -> zoo.Model:
    chosen = {"generator.width": 4, "generator.latent_dim": 4, "discriminator.width": 4} if recipe == "dcgan" else {}
    return zoo.create(recipe, size=16, num_classes=3, options={**chosen, **options})


@pytest.fixture(params=["dcgan", "plain", "conditional"])
def model(request: pytest.FixtureRequest) -> zoo.Model:
    return create(request.param)


def test_an_image_depends_on_the_seed_and_its_number_alone(model: zoo.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    hundred = model.sample(100, seed=3)
    assert hundred.shape == (100, 3, 16, 16)
    assert hundred.dtype == torch.float32
    assert hundred.abs().max() <= 1
    for n in (1, 31, 32, 33, 64):
        torch.manual_seed(n)
        assert model.sample(n, seed=3).equal(hundred[:n])
    assert torch.cat(list(model.batches(100, seed=3))).equal(hundred)
    assert len({image.numpy().tobytes() for image in hundred}) == 100
    assert not model.sample(2, seed=4).equal(hundred[:2])


def test_what_a_network_draws_by_itself_follows_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    model = create("plain")
    forward = model.generator.forward
    monkeypatch.setattr(model.generator, "forward", lambda z, labels=None: forward(z + torch.randn_like(z), labels))
    before = torch.get_rng_state()
    fifty = model.sample(50, seed=2)
    assert torch.get_rng_state().equal(before)
    torch.manual_seed(9)
    assert model.sample(40, seed=2).equal(fifty[:40])
    assert not model.sample(40, seed=1).equal(fifty[:40])


def test_another_chunk_size_changes_nothing_that_can_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    model = create()
    expected = model.sample(40)
    monkeypatch.setattr(model_module, "CHUNK", 5)
    torch.testing.assert_close(model.sample(40), expected, rtol=0, atol=1e-5)


def test_labels() -> None:
    model = create("conditional")
    in_turn = model.sample(6)
    ones = model.sample(6, label=1)
    assert ones[[1, 4]].equal(in_turn[[1, 4]])
    assert not ones[[0, 2]].equal(in_turn[[0, 2]])
    assert model.sample(6, label="1").equal(ones)
    with pytest.raises(UnknownNameError, match="unknown label '3'; valid: 0, 1, 2"):
        model.sample(1, label="3")
    with pytest.raises(UnknownNameError, match="unknown label '-1'"):
        model.sample(1, label=-1)
    with pytest.raises(UsageError, match="unconditional"):
        create().sample(1, label="cat")
    with pytest.raises(UsageError, match="cannot draw 0 images"):
        model.sample(0)


@pytest.mark.parametrize("name", ["a.png", "B.PNG", "c.jpg", "d.webp", "ü ñ/e.gif", "f.bmp", "g.tiff"])
def test_grids(name: str, tmp_path: Path) -> None:
    written = sample_to(create(), tmp_path / name, 10)
    with Image.open(written) as picture:
        assert picture.size == (4 * 132 + 4, 3 * 132 + 4)
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(TEMPORARY)]


def test_a_grid_shows_the_samples(tmp_path: Path) -> None:
    model = create()
    picture = np.asarray(Image.open(sample_to(model, tmp_path / "a.png", 5, seed=7)))
    expected = ((model.sample(5, seed=7) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    picture = picture[4:].reshape(2, 132, 3 * 132 + 4, 3)[:, :128, 4:].reshape(2, 128, 3, 132, 3)[:, ::8, :, :128:8]
    assert (picture[0, :, 0] == expected[0]).all()
    assert (picture[1, :, 1] == expected[4]).all()
    assert (picture[1, :, 2] == 255).all()


def test_numbers_below_the_pictures(tmp_path: Path) -> None:
    plain = Image.open(sample_to(create(), tmp_path / "a.png", 4))
    numbered = Image.open(sample_to(create(), tmp_path / "b.png", 4, numbered=True))
    assert numbered.size == (plain.width, plain.height + 64)


def test_gray_grids(tmp_path: Path) -> None:
    gray = zoo.create("dcgan", size=16, channels=1, options={"generator.width": 4, "discriminator.width": 4})
    assert Image.open(sample_to(gray, tmp_path / "a.png", 3)).mode == "L"


def test_folders(tmp_path: Path) -> None:
    model = create()
    heard = Heard()
    folder = sample_to(model, tmp_path / "many ones", 35, seed=1, report=heard)
    assert sorted(path.name for path in folder.iterdir()) == [f"{i:05d}.png" for i in range(35)]
    (tmp_path / "empty").mkdir()
    few = sample_to(model, tmp_path / "empty", 2, seed=1)
    assert (few / "00001.png").read_bytes() == (folder / "00001.png").read_bytes()
    expected = ((model.sample(35, seed=1)[34] + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 0).numpy()
    assert (np.asarray(Image.open(folder / "00034.png")) == expected).all()


def test_places_that_will_not_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = create()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "a.png").mkdir()
    for name, words in (
        ("full", "is not an empty folder"),
        ("file", "is not an empty folder"),
        ("a.png", "is a folder"),
        ("a.svg", "no picture format that can be written; valid: .png"),
        ("a.tar.gz", "no picture format"),
    ):
        with pytest.raises(UsageError, match=words):
            sample_to(model, tmp_path / name, 2)
    for name in ("file/a.png", "file/folder"):
        with pytest.raises(ZooError, match="cannot be written"):
            sample_to(model, tmp_path / name, 2)
    with pytest.raises(UsageError, match=r"too many for one grid; the most is 4096\nname a folder"):
        sample_to(model, tmp_path / "b.png", 5000)
    with pytest.raises(UsageError, match="cannot draw -1 images"):
        sample_to(model, tmp_path / "new", -1)
    monkeypatch.chdir(tmp_path / "a.png")
    with pytest.raises(UsageError, match="current folder"):
        sample_to(model, Path("."), 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "file", "full"]
