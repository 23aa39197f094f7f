"""TensorBoard gets what it is told, and says in words where it cannot write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from zoo_core import Tracker, ZooError, registry

pytest.importorskip("tensorboard")


def tracker(folder: Path, images: int = 0) -> Tracker:
    made: Tracker = registry.create("trackers", "tensorboard", folder=folder, images=images, config={"recipe": "dcgan"})
    return made


def recorded(folder: Path) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(folder / "tensorboard")).Reload()


def test_numbers_and_pictures_arrive(tmp_path: Path) -> None:
    made = tracker(tmp_path)
    made.scalars({"d_loss": 0.5, "g_loss": 1.5}, 64)
    made.scalars({"d_loss": 0.25}, 128)
    picture = torch.arange(48, dtype=torch.uint8).view(3, 4, 4)
    made.picture("samples", picture, 128)
    made.close()
    found = recorded(tmp_path)
    assert [(e.step, e.value) for e in found.Scalars("d_loss")] == [(64, 0.5), (128, 0.25)]
    assert [(e.step, e.value) for e in found.Scalars("g_loss")] == [(64, 1.5)]
    (image,) = found.Images("samples")
    assert (image.step, image.width, image.height) == (128, 4, 4)


def test_what_a_lost_sitting_recorded_is_gone(tmp_path: Path) -> None:
    first = tracker(tmp_path)
    for images in (64, 128, 192):
        first.scalars({"d_loss": float(images)}, images)
    first.close()
    second = tracker(tmp_path, images=128)
    second.scalars({"d_loss": 7.0}, 160)
    second.close()
    assert [(e.step, e.value) for e in recorded(tmp_path).Scalars("d_loss")] == [(64, 64.0), (160, 7.0)]


def test_a_folder_that_cannot_be_written_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "tensorboard").write_text("")
    with pytest.raises(ZooError, match="tensorboard cannot be written: "):
        tracker(tmp_path)


def test_it_says_what_it_needs() -> None:
    cls = registry.load("trackers", "tensorboard")
    assert (cls.requires, cls.extra) == ("tensorboard", "dcgan-zoo[tensorboard]")
