"""What a training says while it runs: `metrics.jsonl`, the progress line, TensorBoard."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from zoo_core import TrainingError, UsageError, ZooError

from ..files import atomic_file, explained
from ..reporting import Task
from .state import State

TICK = 0.5
"""Least seconds between two updates of the progress line without a reading."""


class Tracker(Protocol):
    """Somewhere else that numbers and pictures go."""

    def scalars(self, values: dict[str, float], step: int) -> None:
        """Record numbers."""

    def picture(self, name: str, image: Tensor, step: int) -> None:
        """Record a uint8 picture [C, H, W]."""

    def close(self) -> None:
        """Write out what is left."""


class TensorBoard:
    """Writes for TensorBoard, which must be installed (see `check_tracker`).

    Args:
        folder: where the event files go.
        images: real images shown so far; what an earlier sitting recorded behind them is not shown any more.

    Raises:
        ZooError: a method cannot write.
    """

    def __init__(self, folder: Path, images: int = 0) -> None:
        from torch.utils.tensorboard.writer import SummaryWriter

        self.folder = folder
        with explained(folder):
            self.writer: Any = SummaryWriter(str(folder), purge_step=images)  # type: ignore[no-untyped-call]

    def scalars(self, values: dict[str, float], step: int) -> None:
        with explained(self.folder):
            for name, value in values.items():
                self.writer.add_scalar(name, value, step)

    def picture(self, name: str, image: Tensor, step: int) -> None:
        with explained(self.folder):
            self.writer.add_image(name, image, step)

    def close(self) -> None:
        with explained(self.folder):
            self.writer.close()


def check_tracker(name: str | None) -> None:
    """Raise `UsageError` unless `name` is a tracker that can be used here, or None."""
    if name is None:
        return
    if name != "tensorboard":
        raise UsageError(f"unknown tracker {name!r}; valid: tensorboard", hint="for example: --track tensorboard")
    if find_spec("tensorboard") is None:
        raise UsageError(
            "--track tensorboard needs TensorBoard, which is not installed",
            hint='install it with: pip install "dcgan-zoo[tensorboard]"',
        )


def ensure_finite(means: Mapping[str, float], step: int) -> None:
    """Raise `TrainingError` unless all means are finite numbers."""
    bad = [name for name, value in means.items() if not math.isfinite(value)]
    if bad:
        raise TrainingError(
            f"{bad[0]} is {means[bad[0]]} at step {step}: the training diverged",
            hint="try a lower learning rate (--set optimizer.lr=1e-4) or --precision fp32",
        )


class Recorder:
    """Writes one line of `metrics.jsonl` for each reading, and keeps the progress line alive between them.

    Args:
        path: the file; lines behind the meter's beginning, of a sitting whose checkpoint is lost, are cut off.
        state: where the training is when it begins.
        count: images in the dataset.
        task: the progress line.
        tracker: takes the same numbers; None for nobody.
        writes: whether this process writes at all.
    """

    def __init__(
        self, path: Path, state: State, count: int, task: Task, tracker: Tracker | None, *, writes: bool = True
    ) -> None:
        self.path, self.count, self.task, self.tracker, self.writes = path, count, task, tracker, writes
        self.read, self.told = (time.monotonic(), state.images), time.monotonic()
        self.shown: dict[str, str] = {}
        if writes:
            cut_metrics(path, state.meter.start)

    def record(self, state: State, means: dict[str, float], done: float) -> None:
        """Write a reading down and show it.

        Raises:
            TrainingError: a mean is not finite.
            ZooError: the file cannot be written.
        """
        ensure_finite(means, state.step)
        now = time.monotonic()
        speed = (state.images - self.read[1]) / max(now - self.read[0], 1e-9)
        self.read = (now, state.images)
        line = {
            "step": state.step,
            "images": state.images,
            "epoch": round(state.images / self.count, 4),
            "seconds": round(state.seconds, 3),
            **{name: round(value, 6) for name, value in means.items()},
            "images_per_s": round(speed, 2),
        }
        if self.writes:
            with explained(self.path), open(self.path, "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            if self.tracker is not None:
                self.tracker.scalars({**means, "images_per_s": speed}, state.images)
        words = {"d_real": "D(real)", "d_fake": "D(fake)"}
        self.shown = {words.get(name, name): f"{value:.3f}" for name, value in means.items()}
        self.shown["images_per_s"] = f"{speed:.0f}"
        self._tell(done, now)

    def tick(self, done: float) -> None:
        """Show how far it is, now and then, with what the last reading said."""
        now = time.monotonic()
        if now - self.told >= TICK:
            self._tell(done, now)

    def _tell(self, done: float, now: float) -> None:
        self.told = now
        self.task.update(done, **self.shown)


def cut_metrics(path: Path, step: int) -> None:
    """Keep the whole lines up to `step`; a line that a killed process left half-written goes too."""
    if not path.exists():
        return
    kept = [json.dumps(line) for line in read_metrics(path) if line["step"] <= step]
    with atomic_file(path) as temporary:
        temporary.write_text("".join(line + "\n" for line in kept), encoding="utf-8")


def read_metrics(path: Path) -> list[dict[str, float]]:
    """All whole lines of a `metrics.jsonl`; raises `ZooError` where it cannot be read."""
    lines = []
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ZooError(f"{path} cannot be read: {error.strerror}") from error
    for line in text.splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict) and isinstance(value.get("step"), int):
            lines.append(value)
    return lines
