"""What a training says while it runs: `metrics.jsonl`, the progress line, TensorBoard."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from zoo_core import TrainingError, UsageError, ZooError

from ..files import atomic_file, explained
from ..reporting import Task
from .state import State

NAMES = ("d_loss", "g_loss", "d_real", "d_fake")


class Tracker(Protocol):
    """Somewhere else that numbers and pictures go."""

    def scalars(self, values: dict[str, float], step: int) -> None:
        """Record numbers."""

    def picture(self, name: str, image: Tensor, step: int) -> None:
        """Record a uint8 picture [C, H, W]."""

    def close(self) -> None:
        """Write out what is left."""


class TensorBoard:
    """Writes for TensorBoard; raises `UsageError` where it is not installed."""

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard.writer import SummaryWriter
        except ImportError as error:
            raise UsageError(
                "--track tensorboard needs TensorBoard, which is not installed",
                hint='install it with: pip install "dcgan-zoo[tensorboard]"',
            ) from error
        self.writer: Any = SummaryWriter(str(folder))

    def scalars(self, values: dict[str, float], step: int) -> None:
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)

    def picture(self, name: str, image: Tensor, step: int) -> None:
        self.writer.add_image(name, image, step)

    def close(self) -> None:
        self.writer.close()


class Meter:
    """Sums over the steps since the last reading, kept on the device so that no step waits for one."""

    def __init__(self, device: torch.device) -> None:
        self.sums = torch.zeros(len(NAMES), device=device)
        self.counts = dict.fromkeys(NAMES, 0)

    def add(self, **values: Tensor) -> None:
        """Add scalars by name."""
        for name, value in values.items():
            self.sums[NAMES.index(name)] += value.detach()
            self.counts[name] += 1

    def read(self, accelerator: Any) -> dict[str, float]:
        """The mean of each since the last reading, over all processes; names without a value are left out."""
        sums = accelerator.reduce(self.sums, "mean") if accelerator.num_processes > 1 else self.sums
        means = {
            name: total / self.counts[name] for name, total in zip(NAMES, sums.tolist(), strict=True) if self.counts[name]
        }
        self.sums.zero_()
        self.counts = dict.fromkeys(NAMES, 0)
        return means


class Recorder:
    """Writes one line of `metrics.jsonl` for each reading.

    Args:
        path: the file; lines behind `state.step`, of a sitting whose checkpoint is lost, are cut off.
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
        self.last = (time.monotonic(), state.images)
        if writes:
            cut_metrics(path, state.step)

    def record(self, state: State, means: dict[str, float], done: float) -> None:
        """Write a reading down and show it.

        Raises:
            TrainingError: a loss is not finite.
            ZooError: the file cannot be written.
        """
        now = time.monotonic()
        speed = (state.images - self.last[1]) / max(now - self.last[0], 1e-9)
        self.last = (now, state.images)
        bad = [name for name, value in means.items() if not math.isfinite(value)]
        if bad:
            raise TrainingError(
                f"{bad[0]} is {means[bad[0]]} at step {state.step}: the training diverged",
                hint="try a lower learning rate (--set optimizer.lr=1e-4) or --precision fp32",
            )
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
        shown = {name.replace("d_real", "D(real)").replace("d_fake", "D(fake)"): f"{v:.3f}" for name, v in means.items()}
        self.task.update(done, **shown, images_per_s=f"{speed:.0f}")


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
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ZooError(f"{path} cannot be read: {error.strerror}") from error
    for line in text.splitlines():
        try:
            value = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(value, dict) and "step" in value:
            lines.append(value)
    return lines
