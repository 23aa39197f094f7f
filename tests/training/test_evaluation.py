"""The hook for periodic evaluation: when it is called, what it sees, and which checkpoint it keeps."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from helpers.packs import pictures
from helpers.training import Heard, differing, measures, readings, resume, samples, train
from zoo.runs.checkpoints import best_checkpoint, checkpoints, step_of
from zoo.runs.evaluation import Best, Evaluation, better
from zoo_core import Generator, UsageError


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    with samples():
        yield


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return pictures(tmp_path / "pictures", 20, colored={0})


def evaluation(values: list[float], every: int = 16, **more: Any) -> Evaluation:
    """Gives one value after the other, and disturbs all random states."""

    def measure(generator: Generator) -> float:
        assert not generator.training
        assert generator(generator.sample_latent(2)).shape == (2, *generator.image.shape)
        random.random(), np.random.rand(), torch.rand(1)
        for parameter in generator.parameters():
            parameter.data.zero_()  # it is a copy
        return values.pop(0)

    return Evaluation("distance", measure, every, **more)


def steps(run: Path) -> list[int]:
    return [step_of(path) for path in checkpoints(run / "checkpoints")]


def test_the_best_stays(data: Path, tmp_path: Path) -> None:
    values = [5.0, 3.0, 4.0, 6.0, 7.0]
    run = train("dropout", data, tmp_path / "run", images=80, evaluation=evaluation(values), options={"training.keep": 1})
    assert values == []
    found = [(line["step"], line["distance"]) for line in measures(run.path) if "distance" in line]
    assert found == [(2, 5.0), (4, 3.0), (6, 4.0), (8, 6.0), (10, 7.0)]
    assert steps(run.path) == [4, 10]
    best = best_checkpoint(run.path / "checkpoints")
    assert best is not None
    assert (best[0].name, best[1]) == ("step-00000004", Best("distance", 3.0, 4))


def test_measuring_disturbs_nothing(data: Path, tmp_path: Path) -> None:
    plain = train("dropout", data, tmp_path / "plain", images=64)
    watched = train("dropout", data, tmp_path / "watched", images=64, evaluation=evaluation([3.0, 1.0, 2.0, 4.0]))
    assert [key for key in differing(plain.path, watched.path) if key not in ("best", "anchor")] == []
    assert readings(plain.path) == readings(watched.path)


def test_a_resumed_run_remembers_its_best(data: Path, tmp_path: Path) -> None:
    options = {"training.keep": 1}
    run = train("dropout", data, tmp_path / "run", images=32, evaluation=evaluation([1.0, 2.0]), options=options)
    resume(run.path, images=64, evaluation=evaluation([3.0, 4.0]))
    assert steps(run.path) == [2, 8]
    resume(run.path, images=96, evaluation=evaluation([0.5, 4.0]))
    assert steps(run.path) == [10, 12]
    resume(run.path, images=112)  # nobody measures: the best stays
    assert steps(run.path) == [10, 14]


def test_the_end_is_measured_too_and_only_once(data: Path, tmp_path: Path) -> None:
    values = [2.0, 1.0, 9.0]
    run = train("linear", data, tmp_path / "run", images=24, evaluation=evaluation(values))
    assert values == [9.0]
    assert [line.get("final", False) for line in measures(run.path) if "distance" in line] == [False, True]


def test_what_is_no_number_is_said_and_not_the_best(data: Path, tmp_path: Path) -> None:
    heard = Heard()
    run = train("linear", data, tmp_path / "run", images=32, report=heard, evaluation=evaluation([float("nan"), 2.0]))
    assert "distance is nan at 16 images" in heard.text
    assert [line["distance"] for line in measures(run.path) if "distance" in line] == [2.0]


def test_none_was_measured(data: Path, tmp_path: Path) -> None:
    run = train("linear", data, tmp_path / "run", images=16)
    assert best_checkpoint(run.path / "checkpoints") is None
    assert best_checkpoint(tmp_path) is None


def test_which_is_better() -> None:
    falls, rises = evaluation([]), evaluation([], lower_is_better=False)
    first = better(falls, 2.0, 1, None)
    assert first == Best("distance", 2.0, 1)
    assert better(falls, 2.0, 2, first) is first
    assert better(falls, 1.0, 2, first) == Best("distance", 1.0, 2)
    assert better(falls, float("nan"), 2, first) is first
    assert better(falls, float("inf"), 2, None) is None
    assert better(rises, 3.0, 2, first) == Best("distance", 3.0, 2)
    assert better(rises, 1.0, 2, first) is first
    assert better(falls, 9.0, 2, Best("other", 1.0, 1)) == Best("distance", 9.0, 2)
    with pytest.raises(UsageError, match="every 0 images"):
        evaluation([], every=0)


def test_what_was_trained_is_saved_before_it_is_measured_at_the_end(data: Path, tmp_path: Path) -> None:
    def fail(generator: Generator) -> float:
        raise ValueError("no features today")

    with pytest.raises(ValueError, match="no features today"):
        train("dropout", data, tmp_path / "run", images=48, evaluation=Evaluation("distance", fail, 1000))
    assert steps(tmp_path / "run") == [6]


def test_a_best_that_is_found_at_a_saved_step_is_written(data: Path, tmp_path: Path) -> None:
    run = train("dropout", data, tmp_path / "run", images=48)
    assert best_checkpoint(run.path / "checkpoints") is None
    (run.path / "model" / "config.json").unlink()
    resume(run.path, evaluation=evaluation([3.0]))
    best = best_checkpoint(run.path / "checkpoints")
    assert best is not None
    assert best[1] == Best("distance", 3.0, 6)
