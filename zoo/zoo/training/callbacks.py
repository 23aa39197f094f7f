"""What a training does beside learning: readings, sample grids, evaluations, checkpoints."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from zoo_core import Generator, Tracker, TrainingError

from ..devices import Runtime
from ..models.model import Model
from ..progress import Reporter, Task
from ..randomness import preserve_rng_state
from ..runs.budget import Budget
from ..runs.checkpoints import checkpoints
from ..runs.config import RunConfig
from ..runs.evaluation import Evaluation, better
from .batches import Batches
from .diversity import Distance
from .health import CHECK, ensure_finite, ensure_finite_weights
from .recorder import Recorder
from .samples import SAMPLES, save_samples
from .saving import save_checkpoint
from .state import State


@dataclass
class Callbacks:
    """Everything that a training writes while it runs, and when.

    Args:
        folder: the run folder.
        config, budget, state, batches, runtime: of the training.
        task, report, tracker: who hears of it.
        evaluation: what to measure now and then; None for nothing.
    """

    folder: Path
    config: RunConfig
    budget: Budget
    state: State
    batches: Batches
    runtime: Runtime
    task: Task
    report: Reporter
    tracker: Tracker | None = None
    evaluation: Evaluation | None = None
    recorder: Recorder = field(init=False)
    distance: Distance = field(init=False)
    saved: int | None = field(init=False)
    measured: int = field(init=False, default=-1)

    def __post_init__(self) -> None:
        self.saved = self.state.step if checkpoints(self.folder / "checkpoints") else None
        self.distance = Distance(self.batches)
        self.task.update(self.budget.done(self.state))  # a resumed run begins in the middle
        self.recorder = Recorder(
            self.folder / "metrics.jsonl",
            self.state,
            len(self.batches.pack),
            self.task,
            self.tracker,
            report=self.report,
            writes=self.runtime.is_main,
        )

    def run(self, loop: Callable[[], bool]) -> bool:
        """Run the loop and write what belongs to its end; returns whether the budget is spent."""
        try:
            finished = loop()
            meter = self.state.meter
            if finished and self.state.step != meter.start:  # not reset: a larger budget goes on as if nothing had happened
                self.recorder.record(self.state, meter.means(self.runtime), self.budget.done(self.state))
        except TrainingError as error:
            self.recorder.stopped(self.state, error.message)
            raise
        self.task.update(self.budget.done(self.state))
        if finished:
            self.evaluate(final=True)
        self.save()
        if finished:
            self.draw(final=True)
        return finished

    def tick(self) -> None:
        """Show how far the training is, now and then."""
        self.recorder.tick(self.budget.done(self.state))

    def after_step(self, before: int) -> None:
        """Do what is due after a step; `before` is how many images had been shown before it."""
        state, settings = self.state, self.config.training
        if state.step % settings.log_every == 0:
            self.recorder.record(state, state.meter.means(self.runtime), self.budget.done(state))
            state.meter.reset(state.step)
        elif state.step % CHECK == 0:
            ensure_finite(state.meter.means(self.runtime), state.step)
        if state.step % CHECK == 0:
            ensure_finite_weights(state.tensors(), state.step)
        if passed(before, state.images, settings.samples_every):
            self.draw()
        if self.evaluation is not None and passed(before, state.images, self.evaluation.every):
            self.evaluate()

    def save(self) -> None:
        """Write a checkpoint, unless there is one of this step."""
        ensure_finite(self.state.meter.means(self.runtime), self.state.step)
        if self.state.step != self.saved:
            save_checkpoint(self.folder / "checkpoints", self.state, self.runtime, self.config.training.keep)
            self.saved = self.state.step

    def draw(self, *, final: bool = False) -> None:
        """Write a sample grid, and how different the samples are."""
        if not self.runtime.is_main:
            return
        generator: Generator = self.state.evaluated()
        samples = Model(generator, None).sample(SAMPLES)
        picture = save_samples(samples, self.folder / "samples", self.state.images)
        self.recorder.measure(self.state, "diversity", self.distance.ratio(samples), final=final)
        if self.tracker is not None:
            self.tracker.picture("samples", picture, self.state.images)

    def evaluate(self, *, final: bool = False) -> None:
        """Measure, unless it was done at this step; keep a checkpoint of the best."""
        evaluation, state = self.evaluation, self.state
        if evaluation is None or self.measured == state.step:
            return
        value = math.nan
        if self.runtime.is_main:
            with preserve_rng_state(self.runtime.device):
                value = float(evaluation.measure(state.evaluated()))
            if math.isfinite(value):
                self.recorder.measure(state, evaluation.name, value, final=final)
            else:
                self.report.warn(f"{evaluation.name} is {value} at {state.images:,} images")
        self.measured, before = state.step, state.best
        agreed = self.runtime.greatest(-math.inf if math.isnan(value) else value)[0]
        state.best = better(evaluation, agreed, state.step, before)
        if state.best != before:
            self.save()


def passed(before: int, now: int, every: int) -> bool:
    """Whether a multiple of `every` lies in (before, now]."""
    return before // every != now // every
