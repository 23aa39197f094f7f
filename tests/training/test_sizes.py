"""Images whose size is no power of two: everything that is done with a model works at 24×24 and 48×48 too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import zoo
from helpers.packs import pictures
from helpers.training import differing, resume, train
from zoo.analysis import attribute_classifier
from zoo.devices import Runtime
from zoo.metrics.extractors import StageFeatures
from zoo.runs.config import RunConfig
from zoo.training.memory import bytes_of_step, refuse_too_large
from zoo_core import ImageSpec, TrainingError

SMALL = {"generator.width": 4, "generator.latent_dim": 4, "discriminator.width": 4, "training.batch": 8}
PYRAMID = ("generator.coarsest", "discriminator.coarsest")
HIDDEN = {f"{role}.{key}": n for role in ("generator", "discriminator") for key, n in (("width", 4), ("hidden", 8))}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("sizes")
    data = pictures(place / "pictures", 30, colored={0}, side=30)
    return train("dcgan", data, place / "run", size=24, images=80).path


def test_it_trains_and_resumes_bit_for_bit(run: Path) -> None:
    broken = run.with_name("broken")
    train("dcgan", run.with_name("pictures"), broken, size=24, images=80, stop_at=40)
    assert resume(broken).images == 80
    assert differing(run, broken) == []
    with Image.open(max((run / "samples").glob("*.png"))) as grid:
        assert (grid.width - 4) % (24 * 5 + 4) == 0  # whole images, each pixel five times as large, with 4 between


def test_samples_are_those_of_the_exported_folder(run: Path, tmp_path: Path) -> None:
    model = zoo.load(run)
    assert list(model.generator.stages()) == ["3x3", "6x6", "12x12"]
    images = model.sample(5, seed=1)
    assert images.shape == (5, 3, 24, 24)
    folder = zoo.export(run, tmp_path / "model")
    assert zoo.load(folder).sample(5, seed=1).equal(images)


def test_it_is_looked_into(run: Path, tmp_path: Path) -> None:
    found = zoo.walk(run, latents=2, steps=3, out=tmp_path / "walk.gif")
    assert found.images.shape == (1, 3, 3, 24, 24)
    with Image.open(tmp_path / "walk.gif") as picture:
        assert picture.size == (144, 144)  # each pixel six times as large, none larger than another
    looked = zoo.features(run, count=24, shown=2, each=2)
    assert looked.trained.stage == "3x3"
    assert looked.trained.gradients.isfinite().all()


def test_the_probes_features(run: Path) -> None:
    discriminator = zoo.load(run).discriminator
    assert discriminator is not None
    x = torch.rand(2, 3, 24, 24) * 2 - 1
    found = StageFeatures(discriminator)(x)
    maps = discriminator.features(x)
    assert [tuple(stage.shape[1:]) for stage in maps] == [(4, 12, 12), (8, 6, 6), (16, 3, 3)]
    assert found.shape == (2, 4 * 16 + 8 * 16 + 16 * 9)  # maps smaller than the grid of 4×4 stay as they are
    assert found[:, -144:].equal(maps[2].flatten(1))


@pytest.mark.slow
def test_its_report(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LEAST_STEPS", "MOST_STEPS"):
        monkeypatch.setattr(attribute_classifier, name, 20)
    found = zoo.report(run, searched=64, out=tmp_path / "report.html")
    assert (tmp_path / "report.html").stat().st_size > 10_000
    assert found is not None


@pytest.mark.parametrize(
    ("recipe", "size", "options"),
    [
        ("dcgan-paper", 24, SMALL),
        ("dcgan-imagenet32", 48, SMALL),
        ("bigan", 48, {**SMALL, "encoder.width": 4, "discriminator.hidden": 8}),
        ("mlp-gan", 20, {"generator.width": 8, "discriminator.width": 8, "training.batch": 8}),
        ("lapgan", 48, {**dict.fromkeys(PYRAMID, 6), **HIDDEN, "training.batch": 8}),
    ],
)
def test_other_recipes_learn(recipe: str, size: int, options: dict[str, Any], tmp_path: Path) -> None:
    data = pictures(tmp_path / "pictures", 12, colored={0}, side=size)
    done = train(recipe, data, tmp_path / "run", size=size, images=16, options=options)
    assert (done.finished, done.images) == (True, 16)
    assert zoo.load(done.path).sample(2, seed=1).shape == (2, 3, size, size)


def test_large_images_are_refused_where_memory_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    config = RunConfig.resolve("dcgan", size=512).with_image(ImageSpec(512, 3))
    each, fixed = bytes_of_step(config) or (0, 0)
    assert each > 512 * 512 * 4 * 64  # at least the first map, of 64 × 256 × 256, four times over
    runtime = Runtime(torch.device("cpu"))
    monkeypatch.setattr("zoo.training.memory.free_memory", lambda device: 33 * each + fixed)
    refuse_too_large(config, runtime)
    monkeypatch.setattr("zoo.training.memory.free_memory", lambda device: 14 * each + fixed)
    with pytest.raises(TrainingError, match=r"minibatch of 32 needs about .*\nthis would fit: batch=8;"):
        refuse_too_large(config, runtime)
