"""What a training does beside learning: readings, progress, samples, evaluations, checkpoints."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from zoo_core import Generator, Tracker, TrainingError
from zoo_core.words import plural

from ..devices import Runtime, synchronize
from ..files import atomic_file, translate_errors
from ..models.grids import grid_picture
from ..models.model import STATISTICS, Model
from ..packs import to_images
from ..progress import Reporter, Task
from ..randomness import generator_for, preserve_rng_state
from ..runs.budget import Budget
from ..runs.checkpoints import checkpoints
from ..runs.config import RunConfig
from ..runs.evaluation import better
from ..runs.run import cut_log, read_run, write_run
from .batches import Batches
from .choosing import Change
from .control import Clock
from .forecast import FIRST, Forecast, crosses, next_grid
from .health import CHECK, DivergenceError, History, detect_problems, ensure_finite, ensure_finite_weights
from .state import State, save_checkpoint
from .watching import UNWATCHED, Watch, find_collapse

LEAST = 1.0  # seconds between two readings on a GPU
TICK = 0.5  # least seconds between two updates of the progress line without a reading
FEW = 128  # latents from which batch-norm statistics of an early grid are estimated
SAMPLES, REAL = 64, 256  # images of a sample grid, and real images whose distances are taken


@dataclass
class Callbacks:
    """Everything that a training writes into its run folder and tells others while it runs, and when.

    A reading is a line of `metrics.jsonl` with losses, one for each `training.log_every` steps. Any other line is a measure:
    of the samples' diversity, or an evaluation. Lines of a sitting whose checkpoint is lost are cut off.
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
    watch: Watch | None = None
    display: Callable[[Image.Image, int], None] | None = None  # hears each grid, and the images shown until then
    measured: int = -1

    def __post_init__(self) -> None:
        self.saved = self.state.step if checkpoints(self.folder / "checkpoints") else None
        self.drawn = any((self.folder / "samples").glob("[0-9]*.png"))
        self.begun = self.saved_at = self.state.seconds
        every, count = self.config.training.samples_every, len(self.batches.pack)
        self.forecast = Forecast(self.budget, self.state, every, count)
        self.shown: dict[str, str] = {}
        self.show()  # a resumed run begins in the middle
        self.log = self.folder / "metrics.jsonl"
        self.clock = Clock(partial(synchronize, self.runtime.device))
        self.read, self.told = (0.0, self.state.images), time.monotonic()
        # A reading waits for the device, which on a fast one is to be rare.
        self.least = LEAST if self.runtime.device.type == "cuda" else 0.0
        self.read_at = self.state.seconds
        self.writer = ThreadPoolExecutor(1, thread_name_prefix="grids")  # a grid is compressed while training goes on
        self.writing: Future[None] | None = None
        lines = cut_log(self.log, self.state.meter.start, self.state.step) if self.runtime.is_main else []
        self.history = History.of(lines)
        self.language = getattr(self.state.losses.get("loss"), "language", "scores")
        self.seen = {warning.kind for warning in detect_problems(self.history, self.language)}

    def run(self, loop: Callable[[], bool]) -> bool:
        """Run the loop and write what belongs to its end; returns whether the budget is spent."""
        with self.writer:
            try:
                finished = loop()
                if finished and self.state.step != self.state.meter.start:
                    self.record()  # and no reset: a larger budget goes on as if nothing had happened
            except TrainingError as error:
                self._write({"stopped": error.message, "final": True})
                raise
            self.show()
            self.save()  # first: a measure may take long, fail or be interrupted
            if finished:
                self.evaluate(final=True)
                self.draw(final=True)
            self._finish_writing()
        return finished

    def record(self) -> None:
        """Write a reading down and show it; raises `TrainingError` where a mean is not finite."""
        state, means = self.state, self.state.meter.means(self.runtime)
        ensure_finite(means, state.step)
        now = self.clock.total()  # the means are there, so the device has done all of it
        speed = (state.images - self.read[1]) / max(now - self.read[0], 1e-9)
        self.read, self.read_at = (now, state.images), state.seconds
        numbers = {name: round(value, 6) for name, value in means.items()}
        self._write({**numbers, "images_per_s": round(speed, 2)}, {**means, "images_per_s": speed})
        judged = ("d_real", "d_fake") if self.language == "probabilities" else ("real_logit", "fake_logit")
        words = dict(zip(judged, ("D(real)", "D(fake)"), strict=True))
        shown = ("d_loss", "g_loss", *judged)
        self.shown["images_per_s"] = f"{speed:.0f}" if speed >= 10 else f"{speed:.1f}"  # first: it stays in narrow windows
        self.shown.update({words.get(name, name): f"{means[name]:.3f}" for name in shown if name in means})
        self.tick(now=True)

    def measure(self, name: str, value: float, *, final: bool = False, **more: float) -> None:
        """Write a measure down, and show it from now on. One that is `final` is only taken because the budget is spent:
        going on takes it away again, and it is not written twice for one step. `more` stands in the same line.
        """
        if final and any(line["step"] == self.state.step and name in line for line in self.history.measures[-4:]):
            return
        self._write({name: round(value, 6), **more, **({"final": True} if final else {})}, {name: value, **more})
        self.shown[name] = f"{value:.3f}"

    def note_warm_up(self) -> None:
        """Say how long the first steps took, which compiled the networks, and count the speed from here."""
        self.clock.wait()
        now = self.clock.total()
        self.report.note(f"compiled, with the first steps, in {now - self.read[0]:.0f} s; images/s are counted from here")
        self.read = self.forecast.mark = (now, self.state.images)

    def note_threads(self, change: Change) -> None:
        """Say that another number of threads computes from here on, and write it down."""
        self.report.note(str(change))
        self.forecast.restart(self.clock.total())
        speeds = {str(number): round(speed, 2) for number, speed in change.speeds.items()}
        self._write({"threads": {"before": change.before, "after": change.after, "images_per_s": speeds}})
        self._note_machine("threads", change.after)

    def note_refusal(self) -> None:
        """Write down that steps are not captured after all."""
        self._note_machine("graphs", False)

    def _note_machine(self, key: str, value: Any) -> None:
        if self.runtime.is_main:
            record = read_run(self.folder)
            write_run(self.folder, replace(record, machine={**record.machine, key: value}))

    def _write(self, values: dict[str, Any], tracked: dict[str, float] | None = None) -> None:
        """Write a line, with the kinds of problems that there are; new ones are said."""
        if not self.runtime.is_main:
            return
        state = self.state
        line: dict[str, Any] = {"step": state.step, "images": state.images}
        line["epoch"] = round(state.images / len(self.batches.pack), 4)
        line.update({"seconds": round(state.seconds, 3), **values})
        self.history.add(line)
        found = detect_problems(self.history, self.language)
        if found:
            line["signs"] = [warning.kind for warning in found]
        with translate_errors(self.log), open(self.log, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        for warning in found:
            if warning.kind not in self.seen:
                self.report.warn(f"{warning.words}; {warning.advice}")
        self.seen |= {warning.kind for warning in found}  # said once a sitting, however often it comes and goes
        if tracked and self.tracker is not None:
            self.tracker.scalars(tracked, state.images)

    def tick(self, *, now: bool = False) -> None:
        """Show how far it is, now or every now and then, with what the last reading said."""
        if now or time.monotonic() - self.told >= TICK:
            self.told = time.monotonic()
            self.show()

    def show(self) -> None:
        """Show how far it is; where minutes are counted, how many images that were."""
        amount = plural(self.state.images, "image") if self.budget.unit == "seconds" else ""
        self.task.update(self.budget.done(self.state), amount=amount, **self.shown)

    def after_step(self, before: int) -> None:
        """Do what is due after a step; `before` is how many images had been shown before it."""
        state, settings = self.state, self.config.training
        is_time = state.seconds - self.read_at >= self.least
        if state.step % settings.log_every == 0 and is_time:
            self.record()
            state.meter.reset(state.step)
            if self.least:
                ensure_finite_weights(state.tensors(), state.step)
        elif state.step % CHECK == 0 and not self.least:
            ensure_finite(state.meter.means(self.runtime), state.step)
        if state.step % CHECK == 0 and not self.least:
            ensure_finite_weights(state.tensors(), state.step)
        if self.forecast.is_due(self.clock.total()):
            self.clock.wait()
            if words := self.forecast.look(self.clock.total(), state, seen=self.drawn):
                self.report.note(words)
        if crosses(before, state.images, settings.samples_every):
            self.draw()
        elif state.images >= next_grid(before, settings.samples_every):
            self.draw(early=True)
        if self.watch is not None:
            if self.watch.settle(self.begun, state.seconds, state.images, self.budget.total(len(self.batches.pack))):
                self.note_watch()
            if self.watch.due(before, state.images):
                self.evaluate()

    @cached_property
    def real_spread(self) -> float:
        """The mean distance of all pairs of 256 real images."""
        pack = self.batches.pack
        chosen = torch.randperm(len(pack), generator=generator_for(self.batches.seed, "diversity"))[:REAL]
        return spread(to_images(pack.gather(chosen.sort().values)))

    def save_if_due(self) -> None:
        """Write a checkpoint when it is time to; the first one comes early, and with it a grid where there is none."""
        state, minutes = self.state, self.config.training.checkpoint_minutes
        early = state.seconds - self.begun >= FIRST
        if state.seconds - self.saved_at >= minutes * 60 or (early and self.saved is None):
            self.save()
            self.saved_at = state.seconds
        if early and not self.drawn:
            self.draw(early=True)

    def save(self) -> None:
        """Write a checkpoint, unless there is one of this step."""
        with self.clock.paused():
            self._finish_writing()  # nothing that comes before a checkpoint is drawn again after it
            ensure_finite(self.state.meter.means(self.runtime), self.state.step)
            if self.state.step != self.saved:
                save_checkpoint(self.folder / "checkpoints", self.state, self.runtime, self.config.training.keep)
                self.saved = self.state.step

    def draw(self, *, final: bool = False, early: bool = False) -> None:
        """Write a sample grid of the same latents each time, and how different the samples are, in units of real images.

        A collapsed generator draws the same for every latent. Distances between pixels tell that, and little about quality.
        `early` ones are for the eye alone and cost little: what has hardly begun is not judged, nor what the clock asks for.
        """
        self.drawn = True
        if not self.runtime.is_main:
            return
        with self.clock.paused():
            self._finish_writing()
            generator: Generator = self.state.inference_copy(latents=FEW if early else STATISTICS)
            samples = Model(generator, None).sample(SAMPLES)
            picture = grid_picture(samples)
            self.writing = self.writer.submit(save_samples, picture, self.folder / "samples", self.state.images)
            if self.display is not None:
                self.display(picture, self.state.images)
            if not early:
                self.measure("diversity", spread(samples) / max(self.real_spread, 1e-12), final=final)
            if self.tracker is not None:
                self.tracker.picture("samples", to_tensor(picture), self.state.images)

    def _finish_writing(self) -> None:
        """Wait until the last grid is on disk; raises what went wrong with it."""
        if self.writing is not None:
            writing, self.writing = self.writing, None
            writing.result()

    def evaluate(self, *, final: bool = False) -> None:
        """Measure, unless it was done at this step; keep a checkpoint of the best. Raises `DivergenceError` for a collapse
        that can be rescued.
        """
        watch, state = self.watch, self.state
        if final and watch is not None and watch.unsettled:
            self.report.note(UNWATCHED)
        if watch is None or self.measured == state.step or (final and not watch.spacing):
            return
        ensure_finite_weights(state.tensors(), state.step)
        began = time.monotonic()
        with self.clock.paused():
            why = self._evaluate(watch, final=final)
        done, total = self.budget.done(state), self.budget.total(len(self.batches.pack))
        if self.runtime.is_main:
            watch.count(time.monotonic() - began, state.seconds, done, total, state.images)
            self.note_watch()
        if self.runtime.world > 1 and watch.paced:  # the clocks of several processes differ, and the spacing may not
            watch.spacing = [(int(a), int(b)) for a, b in json.loads(self.runtime.from_main(json.dumps(watch.spacing)))]
        if why:
            raise DivergenceError(why)

    def note_watch(self) -> None:
        """Write down what watching costs, and how it is spaced, before that holds."""
        if self.runtime.is_main and self.watch is not None:
            write_run(self.folder, replace(read_run(self.folder), watch=self.watch.to_json(self.state.seconds)))

    def _evaluate(self, watch: Watch, *, final: bool) -> str:
        """Measure; return why the training has collapsed, "" where it has not, the same in all processes."""
        evaluation, state, value = watch.evaluation, self.state, math.nan
        if self.runtime.is_main:
            with preserve_rng_state(self.runtime.device):
                generator = state.inference_copy()
                diversity = spread(Model(generator, None).sample(SAMPLES)) / max(self.real_spread, 1e-12)
                value = round(float(evaluation.measure(generator)), 6)  # as it is written down, from where it is read again
            if math.isfinite(value):
                self.measure(evaluation.name, value, final=final, diversity=round(diversity, 6))
            else:
                self.report.warn(f"{evaluation.name} is {value} at {state.images:,} images")
        self.measured, before = state.step, (state.best, state.anchor)
        agreed = self.runtime.greatest(-math.inf if math.isnan(value) else value)[0]
        state.best = better(evaluation, agreed, state.step, state.best)
        if not final:
            state.anchor = better(evaluation, agreed, state.step, state.anchor)
        if (state.best, state.anchor) != before:
            self.saved = None  # a checkpoint of this step that is there already says nothing of it
            self.save()
        if final or not watch.rescues:
            return ""
        lower = evaluation.lower_is_better
        lines = [line for line in self.history.measures if "diversity" in line and not line.get("final")]
        return self.runtime.from_main(find_collapse(evaluation.name, lines, lower_is_better=lower))


def save_samples(picture: Image.Image, folder: Path, images: int) -> None:
    """Write the grid `folder`/<images shown>.png."""
    with atomic_file(folder / f"{images:09d}.png") as temporary:
        picture.save(temporary)


def to_tensor(picture: Image.Image) -> Tensor:
    """Return a grid's pixels, uint8 [C, H, W]."""
    pixels = torch.from_numpy(np.array(picture))
    return pixels.unsqueeze(0) if pixels.ndim == 2 else pixels.permute(2, 0, 1)


def spread(images: Tensor) -> float:
    """Mean Euclidean distance of all pairs of images [N, C, S, S] in [−1, 1]; 0 for fewer than two."""
    return float(torch.pdist(images.detach().float().flatten(1)).mean()) if len(images) > 1 else 0.0
