"""Samples that are compared with data have their classes as often as the data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

import zoo
from zoo.metrics.images import generate_images
from zoo.models.class_mix import spread_classes
from zoo.models.model import Model
from zoo_core import ModelError


@pytest.mark.parametrize("classes", [1, 2, 3, 7, 1000])
def test_equal_classes_come_in_turn(classes: int) -> None:
    assert spread_classes((40,) * classes, range(3000)).tolist() == [i % classes for i in range(3000)]


@pytest.mark.parametrize("counts", [(90, 10), (1, 2, 3), (0, 5, 1), (18_900, 6_400, 10_000)])
def test_classes_come_as_often_as_in_the_data_and_evenly(counts: tuple[int, ...]) -> None:
    order = spread_classes(counts, range(2000))
    for length in (100, 777, 2000):
        found = order[:length].bincount(minlength=len(counts))
        assert all(abs(int(n) - length * count / sum(counts)) <= 1.5 for n, count in zip(found, counts, strict=True))
    assert order[1234] == spread_classes(counts, [1234])  # however many are asked for


def pictures(folder: Path) -> Path:
    """Nine black pictures in one folder, three white ones in another."""
    for name, count, level in (("black", 9, 0), ("white", 3, 255)):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            Image.new("RGB", (16, 16), (level, level, (level + i) % 256)).save(folder / name / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("mix")
    options = {"generator.width": 4, "discriminator.width": 4, "generator.latent_dim": 4}
    where = {"dataset": "folder", "data": pictures(place / "pictures"), "size": 16, "batch": 6, "out": place / "run"}
    return zoo.train("cdcgan", **where, images=12, options=options, watch=False).path


def labels_drawn(model: Model, count: int) -> list[int]:
    """Return the labels that the generator is given for so many samples of a measurement."""
    seen: list[int] = []
    hook = model.generator.register_forward_pre_hook(lambda _m, given: seen.extend(given[1].tolist()))
    list(generate_images(model, count).pieces(0, torch.device("cpu")))
    hook.remove()
    return seen[:count]


def test_a_model_knows_how_often_its_data_have_each_class(run: Path, tmp_path: Path) -> None:
    model = zoo.load(run)
    assert model.config["class_counts"] == [9, 3]
    assert labels_drawn(model, 64).count(1) == 16  # a quarter
    assert model.labels_of(range(4)).tolist() == [0, 1, 0, 1]  # type: ignore[union-attr]  # samples to look at, in turn
    kept = model.save_pretrained(tmp_path / "model")
    assert labels_drawn(zoo.load(kept), 64) == labels_drawn(model, 64)
    assert labels_drawn(model.with_sampler("truncation", {"psi": 0.5}), 32).count(1) == 8


@pytest.mark.parametrize("wrong", [[0, 0], [9], [9, -3]])
def test_counts_that_cannot_be(run: Path, tmp_path: Path, wrong: list[int]) -> None:
    kept = zoo.load(run).save_pretrained(tmp_path / "model")
    config = json.loads((kept / "config.json").read_text())
    (kept / "config.json").write_text(json.dumps({**config, "class_counts": wrong}))
    with pytest.raises(ModelError, match="class_counts"):
        zoo.load(kept)
