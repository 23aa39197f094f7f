"""What a training says, before it begins and while it runs: `metrics.jsonl`, the progress line, a tracker."""

from __future__ import annotations

import json
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from torch.nn.modules.batchnorm import _BatchNorm

from zoo_core import Tracker, UsageError, registry

from ..devices import Runtime
from ..files import translate_errors
from ..progress import Reporter, Task
from ..runs.budget import Budget
from ..runs.config import RunConfig
from ..runs.log import cut_log
from .health import History, detect_problems, ensure_finite
from .state import State

TICK = 0.5  # least seconds between two updates of the progress line without a reading


def check_tracker(name: str | None) -> None:
    """Raise `UsageError` unless `name` is a tracker that can be used here, or None."""
    if name is None:
        return
    found: type[Tracker] = registry.load("trackers", name)
    if found.requires and find_spec(found.requires) is None:
        hint = f'install it with: pip install "{found.extra or found.requires}"'
        raise UsageError(f"--track {name} needs {found.requires}, which is not installed", hint=hint)


def describe(config: RunConfig, budget: Budget, folder: Path, state: State, runtime: Runtime, *, resumes: bool) -> str:
    """Say what is about to happen, in a few lines."""
    assert config.image is not None
    sizes = [f"{role} {sum(p.numel() for p in net.parameters()) / 1e6:.1f} M" for role, net in state.networks.items()]
    sizes[0] += " parameters"
    verb = f"resuming at {state.images:,} images" if resumes else "training"
    size, kind, count = config.image.size, "gray" if config.image.channels == 1 else "color", config.facts["count"]
    processes = f", {runtime.world} processes" if runtime.world > 1 else ""
    lines = [
        f"{verb}: {config.recipe['name']} on {count:,} images, {size}×{size} {kind}, for {budget} "
        f"({budget.total(count):,.0f} {budget.unit})",
        f"{', '.join(sizes)}; batch {config.training.batch}, seed {config.seed}, {runtime.device} in {runtime.precision}"
        f"{processes}",
        f"run folder: {folder} (Ctrl-C saves and stops)",
    ]
    return "\n".join([*lines, _describe_processes(config, state, runtime)] if runtime.world > 1 else lines)


def _describe_processes(config: RunConfig, state: State, runtime: Runtime) -> str:
    """Say what several processes have in common and what each has by itself."""
    share = config.training.batch // runtime.world
    text = f"{runtime.world} processes of {share} images each: gradients are averaged, weights are the same"
    if not any(isinstance(m, _BatchNorm) for network in state.networks.values() for m in network.modules()):
        return text
    if config.training.sync_bn and runtime.device.type == "cuda":
        return f"{text}, and so are batch statistics"
    why = "; torch synchronizes them on GPUs only" if config.training.sync_bn else ""
    return f"{text}, but batch normalization sees the {share // config.training.accumulate} images of its own process{why}"


def ended_schedules(config: RunConfig, budget: Budget) -> str:
    """Say which learning rates are 0 before the budget is spent, as those of a run that goes on for longer; "" for none."""
    ends = {role: s["schedule_images"] for role, s in config.optimizer.items() if s["schedule"] != "constant"}
    ends = {role: end for role, end in ends.items() if end < int(budget.total(config.facts["count"]))}
    if not ends or budget.kind == "minutes":
        return ""
    return f"nothing is learned by {' and '.join(ends)} from {min(ends.values()):,} images on: the schedule ends there"


class Recorder:
    """Writes the lines of `metrics.jsonl`, keeps the progress line alive between them, and warns of problems.

    A reading is a line with losses, one for each `training.log_every` steps. Any other line is a measure: of the samples'
    diversity, or an evaluation.

    Args:
        path: the file; lines of a sitting whose checkpoint is lost are cut off.
        state: where the training is when it begins.
        count: images in the dataset.
        writes: whether this process writes at all.
    """

    def __init__(
        self, path: Path, state: State, count: int, task: Task, tracker: Tracker | None, report: Reporter, writes: bool
    ) -> None:
        self.path, self.count, self.task, self.tracker, self.report, self.writes = path, count, task, tracker, report, writes
        self.read, self.told = (time.monotonic(), state.images), time.monotonic()
        self.shown: dict[str, str] = {}
        self.history = History.of(cut_log(path, state.meter.start, state.step) if writes else [])
        self.seen = {warning.kind for warning in detect_problems(self.history)}

    def record(self, state: State, means: dict[str, float], done: float) -> None:
        """Write a reading down and show it; raises `TrainingError` where a mean is not finite."""
        ensure_finite(means, state.step)
        now = time.monotonic()
        speed = (state.images - self.read[1]) / max(now - self.read[0], 1e-9)
        self.read = (now, state.images)
        numbers = {name: round(value, 6) for name, value in means.items()}
        self._write(state, {**numbers, "images_per_s": round(speed, 2)})
        self._track({**means, "images_per_s": speed}, state.images)
        words = {"d_real": "D(real)", "d_fake": "D(fake)"}
        shown = ("d_loss", "g_loss", "d_real", "d_fake")
        self.shown.update({words.get(name, name): f"{means[name]:.3f}" for name in shown if name in means})
        self.shown["images_per_s"] = f"{speed:.0f}"
        self._tell(done, now)

    def measure(self, state: State, name: str, value: float, *, final: bool = False) -> None:
        """Write a measure down, and show it from now on.

        One that is `final` is only taken because the budget is spent: going on takes it away again. If there is one of this
        step already, it is not written twice.
        """
        if final and any(line["step"] == state.step and name in line for line in self.history.measures[-4:]):
            return
        self._write(state, {name: round(value, 6), **({"final": True} if final else {})})
        self._track({name: value}, state.images)
        self.shown[name] = f"{value:.3f}"

    def stopped(self, state: State, why: str) -> None:
        """Write down why the training cannot go on."""
        self._write(state, {"stopped": why, "final": True})

    def warmed(self, state: State) -> None:
        """Say how long the first steps took, which compiled the networks, and count the speed from here."""
        now = time.monotonic()
        self.report.note(f"compiled, with the first steps, in {now - self.read[0]:.0f} s; images/s are counted from here")
        self.read = (now, state.images)

    def _track(self, values: dict[str, float], images: int) -> None:
        if self.writes and self.tracker is not None:
            self.tracker.scalars(values, images)

    def _write(self, state: State, values: dict[str, Any]) -> None:
        """Write a line, with the kinds of problems that there are; new ones are said."""
        if not self.writes:
            return
        line: dict[str, Any] = {
            "step": state.step,
            "images": state.images,
            "epoch": round(state.images / self.count, 4),
            "seconds": round(state.seconds, 3),
            **values,
        }
        self.history.add(line)
        found = detect_problems(self.history)
        if found:
            line["signs"] = [warning.kind for warning in found]
        with translate_errors(self.path), open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        for warning in found:
            if warning.kind not in self.seen:
                self.report.warn(f"{warning.words}; {warning.advice}")
        self.seen = {warning.kind for warning in found}

    def tick(self, done: float) -> None:
        """Show how far it is, now and then, with what the last reading said."""
        now = time.monotonic()
        if now - self.told >= TICK:
            self._tell(done, now)

    def _tell(self, done: float, now: float) -> None:
        self.told = now
        self.task.update(done, **self.shown)
