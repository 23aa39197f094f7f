"""What a resumed run may change and what it may not."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import zoo
from helpers.packs import pictures
from helpers.training import Heard, differing, newest, resume, samples, train
from zoo.runs.run import read_run
from zoo.training.continuing import resume_config
from zoo_core import UnknownNameError, UsageError


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A run, the folder of pictures that it was trained on, and a cache, to be copied."""
    folder = tmp_path_factory.mktemp("resume")
    patch = pytest.MonkeyPatch()
    patch.setenv("ZOO_CACHE", str(folder / "cache"))
    pictures(folder / "pictures", 20, colored={0})
    with samples():
        train("dcgan", folder / "pictures", folder / "run", images=16, options={"training.samples_every": 1000})
        yield folder
    patch.undo()


@pytest.fixture
def place(finished: Path, tmp_path: Path, cache: Path) -> Path:
    shutil.copytree(finished / "run", tmp_path / "run")
    shutil.copytree(finished / "cache", cache)
    shutil.copytree(finished / "pictures", tmp_path / "pictures")  # modification times included
    return tmp_path


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"recipe": "dcgan-paper"}, "recipe: 'dcgan' in the run, 'dcgan-paper' now"),
    ({"dataset": "faces"}, "dataset: 'folder' in the run, 'faces' now"),
    ({"size": 32}, "training.size: 16 in the run, 32 now"),
    ({"channels": 1}, "channels: 3 in the run, 1 now"),
    ({"batch": 16}, "training.batch: 8 in the run, 16 now"),
    ({"seed": 1}, "seed: 0 in the run, 1 now"),
    ({"options": {"generator.width": 8}}, "generator.width: 4 in the run, 8 now"),
    ({"options": {"discriminator.slope": "0.1"}}, "discriminator.slope: 0.2 in the run, 0.1 now"),
    ({"options": {"training.ema": "0.9"}}, "training.ema: 0.999 in the run, 0.9 now"),
    ({"options": {"training.latent": "uniform"}}, "training.latent: 'normal' in the run, 'uniform' now"),
    ({"options": {"optimizer.generator.lr": "1e-3"}}, "optimizer.generator.lr: 0.0002 in the run, 0.001 now"),
    ({"options": {"optimizer.beta1": 0.9}}, "optimizer.discriminator.beta1: 0.5 in the run, 0.9 now"),
    ({"options": {"optimizer.beta1": 0.9}}, "optimizer.generator.beta1: 0.5 in the run, 0.9 now"),
]


@pytest.mark.parametrize(("choices", "line"), REFUSED)
def test_refused_with_the_difference(choices: dict[str, Any], line: str, place: Path) -> None:
    with pytest.raises(UsageError) as caught:
        resume(place / "run", images=32, **choices)
    assert "was begun otherwise:" in caught.value.message
    assert f"\n  {line}" in caught.value.message
    assert newest(place / "run").name == "step-00000002"


def test_several_differences_are_all_named(place: Path) -> None:
    with pytest.raises(UsageError, match=r"seed(.|\n)*batch: 8 in the run, 4 now") as caught:
        resume(place / "run", batch=4, seed=3, options={"algorithm.updates": "alternate"})
    assert caught.value.message.count("in the run") == 3


def test_the_drawn_faces_own_options(place: Path) -> None:
    config = zoo.plan("dcgan", dataset="faces", size=16, options={"dataset.count": 20}).config
    with pytest.raises(UsageError, match=r"dataset.count: 20 in the run, 30 now"):
        resume_config(place, config, None, {}, {"dataset.count": "30"})


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"generator.widht": 8}, UnknownNameError, "unknown option of generator 'widht'; did you mean width"),
        ({"nonsense": 8}, UnknownNameError, "unknown option 'nonsense'"),
        ({"training.batch": "eight"}, UsageError, "training.batch must be int, not 'eight'"),
        ({"training.keep": 0}, UsageError, "training.keep is 0; it must be at least 1"),
    ],
)
def test_bad_options(options: dict[str, Any], kind: type[Exception], words: str, place: Path) -> None:
    with pytest.raises(kind, match=words):
        resume(place / "run", options=options)


def test_an_out_folder_makes_no_sense(place: Path) -> None:
    with pytest.raises(UsageError, match="stays in its own folder"):
        resume(place / "run", out=place / "other")


def test_all_the_same_values_are_no_difference(place: Path) -> None:
    run = resume(
        place / "run",
        images=32,
        recipe="dcgan",
        dataset="folder",
        size=16,
        channels=3,
        batch=8,
        seed=0,
        options={"generator.width": "4", "optimizer.lr": "2e-4", "optimizer.discriminator.beta1": 0.5},
    )
    assert run.images == 32


def test_qualified_names_are_the_same_names(place: Path) -> None:
    assert resume(place / "run", images=24, recipe="dcgan-zoo:dcgan", dataset="dcgan-zoo:folder").finished


def test_logging_may_change(place: Path) -> None:
    options = {"training.log_every": 1, "training.samples_every": 8, "training.checkpoint_minutes": 60, "training.keep": 5}
    run = resume(place / "run", images=40, options=options)
    assert run.config.training.log_every == 1
    assert len(list((run.path / "samples").iterdir())) == 4  # 16, 24, 32, 40
    assert read_run(run.path).config.training.keep == 5


def test_pictures_that_moved(place: Path) -> None:
    (place / "pictures").rename(place / "moved away")
    heard = Heard()
    run = resume(place / "run", images=32, data=place / "moved away", report=heard)
    assert run.finished
    assert run.config.dataset is not None
    assert run.config.dataset["data"] == str(place / "moved away")
    assert resume(place / "run", images=40).finished  # now known where they are


def test_the_pack_is_found_again(place: Path) -> None:
    first = train("dcgan", place / "pictures", place / "other", images=16)
    heard = Heard()
    assert resume(first.path, images=32, report=heard).finished
    assert "from the cache" in heard.text


def test_other_pictures_are_refused(place: Path) -> None:
    (place / "pictures" / "cat" / "0001.png").unlink()
    with pytest.raises(UsageError, match=r"the pictures are not those that the run was begun with\n.*data=.DIR"):
        resume(place / "run", images=32, data=place / "pictures")
    assert newest(place / "run").name == "step-00000002"


def test_other_labels_are_other_data(place: Path) -> None:
    run = train("conditional", place / "pictures", place / "labeled", images=16)
    (place / "pictures" / "cat" / "0001.png").rename(place / "pictures" / "cat" / "9999.png")
    with pytest.raises(UsageError, match="the pictures are not those"):
        resume(run.path, images=32)


def test_device_and_processes_are_no_part_of_a_run(place: Path) -> None:
    straight = train("dcgan", place / "pictures", place / "straight", images=32)
    assert resume(place / "run", images=32, device="auto").finished
    if not torch.cuda.is_available():
        assert [d for d in differing(straight.path, place / "run") if d != "meter"] == []
        with pytest.raises(UsageError, match=r"there is no device 'cuda' here; valid: auto, cpu"):
            resume(place / "run", images=40, device="cuda")
