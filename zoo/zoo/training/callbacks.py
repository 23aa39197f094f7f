"""What a training does beside learning: readings, sample grids, evaluations, checkpoints."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from zoo_core import Generator, Tracker, TrainingError

from ..devices import Runtime
from ..files import atomic_file
from ..models.grids import grid_picture
from ..models.model import Model
from ..packs import to_images
from ..progress import Reporter, Task
from ..randomness import generator_for, preserve_rng_state
from ..runs.budget import Budget
from ..runs.checkpoints import checkpoints
from ..runs.config import RunConfig
from ..runs.evaluation import Evaluation, better
from .batches import Batches
from .health import CHECK, ensure_finite, ensure_finite_weights
from .recorder import Recorder
from .saving import save_checkpoint
from .state import State

SAMPLES, REAL = 64, 256  # images of a sample grid, and real images whose distances are taken


@dataclass
class Callbacks:
    """Everything that a training writes into its run folder and tells others while it runs, and when."""

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
    saved: int | None = field(init=False)
    measured: int = field(init=False, default=-1)

    def __post_init__(self) -> None:
        self.saved = self.state.step if checkpoints(self.folder / "checkpoints") else None
        self.task.update(self.budget.done(self.state))  # a resumed run begins in the middle
        log, writes = self.folder / "metrics.jsonl", self.runtime.is_main
        self.recorder = Recorder(log, self.state, len(self.batches.pack), self.task, self.tracker, self.report, writes)

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

    @cached_property
    def real_spread(self) -> float:
        """The mean distance of all pairs of 256 real images."""
        pack = self.batches.pack
        chosen = torch.randperm(len(pack), generator=generator_for(self.batches.seed, "diversity"))[:REAL]
        return spread(to_images(pack.gather(chosen.sort().values)))

    def save(self) -> None:
        """Write a checkpoint, unless there is one of this step."""
        ensure_finite(self.state.meter.means(self.runtime), self.state.step)
        if self.state.step != self.saved:
            save_checkpoint(self.folder / "checkpoints", self.state, self.runtime, self.config.training.keep)
            self.saved = self.state.step

    def draw(self, *, final: bool = False) -> None:
        """Write a sample grid, and how different the samples are, in units of real images.

        The latents are always the same, so that grids can be compared. A collapsed generator draws the same for every
        latent, and its samples lie close together: distances between pixels tell a collapse, and little about quality.
        """
        if not self.runtime.is_main:
            return
        generator: Generator = self.state.evaluated()
        samples = Model(generator, None).sample(SAMPLES)
        picture = save_samples(samples, self.folder / "samples", self.state.images)
        self.recorder.measure(self.state, "diversity", spread(samples) / max(self.real_spread, 1e-12), final=final)
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


def save_samples(samples: Tensor, folder: Path, images: int) -> Tensor:
    """Write the grid `folder`/<images shown>.png of images [N, C, S, S] in [−1, 1]; returns it, uint8 [C, H, W]."""
    picture = grid_picture(samples)
    with atomic_file(folder / f"{images:09d}.png") as temporary:
        picture.save(temporary)
    pixels = torch.from_numpy(np.array(picture))
    return pixels.unsqueeze(0) if pixels.ndim == 2 else pixels.permute(2, 0, 1)


def spread(images: Tensor) -> float:
    """Mean Euclidean distance of all pairs of images [N, C, S, S] in [−1, 1]; 0 for fewer than two."""
    return float(torch.pdist(images.detach().float().flatten(1)).mean()) if len(images) > 1 else 0.0


def passed(before: int, now: int, every: int) -> bool:
    """Whether a multiple of `every` lies in (before, now]."""
    return before // every != now // every
