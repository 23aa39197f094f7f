"""The first minutes of a training: early grids, the first checkpoint, how long it will take, and what is left when it is
stopped at once.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

import zoo
from helpers.packs import pictures
from helpers.training import Heard, differing, measures, readings, resume, samples, train
from zoo.runs.budget import Budget
from zoo.runs.checkpoints import checkpoints
from zoo.training import forecast
from zoo.training.forecast import Forecast, next_grid, round_images
from zoo.training.state import State
from zoo_core import CheckpointError


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return pictures(tmp_path / "pictures", 20, colored={0})


def grids(run: Path) -> list[int]:
    return sorted(int(file.stem) for file in (run / "samples").glob("[0-9]*.png"))


@pytest.mark.parametrize(
    ("every", "expected"),
    [
        (10_000, [1000, 2000, 4000, 8000, 10_000, 20_000, 30_000]),
        (3000, [1000, 2000, 3000, 6000, 9000]),
        (8000, [1000, 2000, 4000, 8000, 16_000]),
        (400, [400, 800, 1200]),
    ],
)
def test_grids_come_early_and_then_evenly(every: int, expected: list[int]) -> None:
    found, images = list[int](), 0
    while len(found) < len(expected):
        images = next_grid(images, every)
        found.append(images)
    assert found == expected


def test_early_grids_are_drawn_and_not_judged(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast, "EARLY", 16)
    options = {"training.samples_every": 120}
    with samples():
        whole = train("linear", data, tmp_path / "whole", images=240, options=options)
        assert grids(whole.path) == [16, 32, 64, 120, 240]
        assert [line["images"] for line in measures(whole.path)] == [120, 240]
        train("linear", data, tmp_path / "cut", images=240, options=options, stop_at=40)
        assert grids(tmp_path / "cut") == [16, 32]
        resume(tmp_path / "cut")
    assert differing(whole.path, tmp_path / "cut") == []
    assert readings(whole.path) == readings(tmp_path / "cut")
    assert measures(whole.path) == measures(tmp_path / "cut")
    for name in grids(whole.path):
        one, other = (run / "samples" / f"{name:09d}.png" for run in (whole.path, tmp_path / "cut"))
        assert one.read_bytes() == other.read_bytes()


def test_the_clock_sees_to_something_to_see(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow a recipe is: a first checkpoint and a first grid, once, which change nothing else."""
    with samples():
        straight = train("linear", data, tmp_path / "straight", images=80)
        assert grids(straight.path) == [80]
        monkeypatch.setattr("zoo.training.callbacks.FIRST", 1e-9)
        drawn: list[list[int]] = []
        saved: list[list[str]] = []

        class Looking(Heard):
            def _update(self, done: float) -> None:
                drawn.append(grids(tmp_path / "early"))
                saved.append([path.name for path in checkpoints(tmp_path / "early" / "checkpoints")])

        monkeypatch.setattr("zoo.training.callbacks.TICK", 0.0)
        early = train("linear", data, tmp_path / "early", images=80, report=Looking())
        assert grids(early.path) == [8, 80]
        assert saved[-2] == ["step-00000001"]
        assert differing(straight.path, early.path) == []
        assert measures(straight.path) == measures(early.path)
        resume(early.path, images=160)  # there is something to see already
        assert grids(early.path) == [8, 80, 160]


def test_a_run_is_sampled_while_it_trains(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoo.training.callbacks.FIRST", 1e-9)
    monkeypatch.setattr("zoo.training.callbacks.TICK", 0.0)
    found: list[Any] = []

    class Curious(Heard):
        def _update(self, done: float) -> None:
            try:
                found.append(zoo.load(tmp_path / "run").sample(2))
            except CheckpointError as error:
                found.append(error)

    with samples():
        train("linear", data, tmp_path / "run", images=32, report=Curious())
    assert isinstance(found[0], CheckpointError)
    assert found[0].message == f"{tmp_path / 'run'} is being trained, and nothing of it is saved yet"
    assert "within the first minute" in found[0].hint
    assert found[-1].shape == (2, 3, 16, 16)


class Impatient(Heard):
    """Presses Ctrl-C twice at 24 images."""

    def _update(self, done: float) -> None:
        if done >= 24:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)


def test_stopped_at_once_before_anything_was_saved(data: Path, tmp_path: Path) -> None:
    run = tmp_path / "a run"
    with samples():
        with pytest.raises(KeyboardInterrupt) as stopped:
            train("linear", data, run, images=80, report=Impatient())
        again = f"zoo train --resume '{run}'"
        assert str(stopped.value) == f"stopped at once; nothing was saved yet\nbegin this run again: {again}"
        with pytest.raises(CheckpointError, match=r"nothing of .* was saved(.|\n)*zoo.train\(resume="):
            zoo.load(run)
        assert resume(run).finished


def test_stopped_at_once_after_something_was_saved(data: Path, tmp_path: Path) -> None:
    with samples():
        train("linear", data, tmp_path / "run", images=80, stop_at=8)
        with pytest.raises(KeyboardInterrupt, match=r"step-0000000\d is whole(.|\n)*zoo train --resume") as stopped:
            resume(tmp_path / "run", report=Impatient())
    assert "nothing was saved" not in str(stopped.value)


def test_who_stops_a_slow_step_hears_that_it_will_end(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoo.training.control.SLOW", 0.0)
    monkeypatch.setattr("zoo.training.callbacks.Callbacks.save", lambda self: time.sleep(1.0))
    heard = Heard(stop_at=16)
    with samples():
        train("linear", data, tmp_path / "run", images=80, report=heard)
    assert "stopping once all is saved; Ctrl-C again stops at once" in heard.lines


def look(budget: Budget, speed: float, *, begun: int = 0, seen: bool = False, every: int = 10_000) -> str:
    """What is foretold after the first seconds of a training of so many images/s."""
    state = cast(State, SimpleNamespace(step=begun // 32, images=begun, seconds=begun / speed))
    found = Forecast(budget, state, every, 10_000)
    assert not found.is_due(1.0)
    for seconds in (2.0, 5.0):
        assert found.is_due(seconds)
        state.images, state.seconds = begun + int(seconds * speed), begun / speed + seconds
        words = found.look(seconds, state, seen=seen)
    assert not found.is_due(1000.0)
    return words


@pytest.mark.parametrize(
    ("words", "foretold"),
    [
        (
            look(Budget("epochs", 25), 41),
            "about 1 h 40 min at 41 images/s, first pictures in 15 s; for less: --minutes 10",
        ),
        (look(Budget("images", 20_000), 41), "about 8 min at 41 images/s, first pictures in 15 s"),
        (look(Budget("minutes", 10), 41), "about 25,000 images in 10 minutes at 41 images/s, first pictures in 15 s"),
        (look(Budget("images", 10**6), 4000), "about 4 min at 4,000 images/s, first pictures soon"),
        (
            look(Budget("images", 10**6), 1.5),
            "about 9 days at 1.3 images/s, first pictures in 15 s; for less: --minutes 10",
        ),
        (
            look(Budget("images", 250_000), 41, begun=100_000, seen=True),
            "about 1 h more at 41 images/s, next pictures in 4 min",
        ),
        (look(Budget("images", 300), 41), ""),
        (look(Budget("minutes", 0.2), 41), ""),
    ],
)
def test_what_is_foretold(words: str, foretold: str) -> None:
    assert words == foretold
    assert len(words) <= 80


def test_another_speed_is_foretold_early_only() -> None:
    state = cast(State, SimpleNamespace(step=0, images=0, seconds=0.0))
    found = Forecast(Budget("images", 10_000), state, 10_000, 1000)
    found.look(2.0, state, seen=False)
    state.images = 100
    assert "at 33 images/s" in found.look(5.0, state, seen=False)
    found.restart(20.0)
    assert not found.is_due(21.0)
    found.look(22.0, state, seen=True)
    state.images = 400
    assert "at 100 images/s, next pictures" in found.look(25.0, state, seen=True)
    found.restart(500.0)
    assert not found.is_due(1000.0)


def test_round_numbers() -> None:
    assert [round_images(n) for n in (0.5, 7, 123, 24_600, 1_260_000)] == [1, 7, 120, 25_000, 1_300_000]


def test_a_real_training_says_it_once(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WARM", "LOOK", "BRIEF"):
        monkeypatch.setattr(forecast, name, 1e-9)
    heard = Heard()
    with samples():
        train("linear", data, tmp_path / "run", images=160, report=heard)
    said = [line for line in heard.lines if "images/s, first pictures" in line]
    assert len(said) == 1
    assert said[0].startswith("about ")
