"""What counts as training: the device's time, and no pause."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from helpers.packs import pictures
from helpers.training import samples, train
from zoo.runs.run import read_log
from zoo.training.control import Clock


class Device:
    """Works through what it is told, one thing after the other, while the host goes on; time passes for who waits."""

    def __init__(self) -> None:
        self.time = self.busy_until = 0.0

    def launch(self, seconds: float) -> None:
        self.busy_until = max(self.time, self.busy_until) + seconds

    def wait(self) -> None:
        self.time = max(self.time, self.busy_until)


def clock_of(device: Device) -> Clock:
    return Clock(device.wait, lambda: device.time)


def test_the_device_s_time_counts_and_not_that_of_the_host_alone() -> None:
    device = Device()
    clock = clock_of(device)
    for _ in range(100):
        device.launch(0.01)
        device.time += 0.001  # the host is ten times as fast
    assert clock.total() == pytest.approx(0.1)
    clock.wait()
    assert clock.total() == pytest.approx(1.0)


def test_a_pause_does_not_count_and_what_was_begun_before_it_does() -> None:
    device = Device()
    clock = clock_of(device)
    device.launch(2.0)
    with clock.paused():
        device.time += 5.0
        with clock.paused():  # saving, within an evaluation
            device.time += 5.0
        device.time += 5.0
    assert clock.total() == pytest.approx(2.0)
    assert clock.lap() == pytest.approx(2.0)
    device.launch(1.0)
    with suppress(KeyError), clock.paused():
        device.time += 5.0
        {}["what goes wrong in a pause"]
    assert clock.lap() == pytest.approx(1.0)
    assert clock.lap() == pytest.approx(0.0)


def test_a_whole_training_waits_for_its_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step takes the device 20 ms, of which the host knows nothing until it waits."""
    device: dict[str, float] = {"busy_until": 0.0}

    def synchronize(where: Any) -> None:
        time.sleep(max(0.0, device["busy_until"] - time.monotonic()))

    from zoo.training.engine import Engine

    step = Engine.step

    def launch(self: Engine, *given: Any, **named: Any) -> None:
        step(self, *given, **named)
        device["busy_until"] = max(time.monotonic(), device["busy_until"]) + 0.02

    monkeypatch.setattr("zoo.training.callbacks.synchronize", synchronize)
    monkeypatch.setattr(Engine, "step", launch)
    data = pictures(tmp_path / "pictures", 20, colored={0})
    with samples():
        run = train("linear", data, tmp_path / "run", images=30 * 8)
        assert run.seconds >= 30 * 0.02
        assert run.seconds < 30 * 0.02 + 3
        begun = time.monotonic()
        timed = train("linear", data, tmp_path / "timed", minutes=0.6 / 60)
        assert timed.seconds >= 0.6
        assert time.monotonic() - begun < 30
    assert all(line["images_per_s"] > 0 for line in read_log(run.path / "metrics.jsonl") if "images_per_s" in line)


def test_drawing_and_saving_are_no_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from zoo.training.callbacks import Callbacks

    draw = Callbacks.draw

    def slowly(self: Callbacks, **given: Any) -> None:
        with self.clock.paused():
            time.sleep(0.2)
        draw(self, **given)

    monkeypatch.setattr(Callbacks, "draw", slowly)
    with samples():
        data = pictures(tmp_path / "pictures", 20, colored={0})
        run = train("linear", data, tmp_path / "run", images=160, options={"training.samples_every": 16})
    assert len(list((run.path / "samples").glob("*.png"))) == 10
    assert run.seconds < 10 * 0.2
