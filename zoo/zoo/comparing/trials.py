"""One recipe with one seed: trained in stages, measured after each, and taken up again where it was left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from zoo_core import CheckpointError, TrainingError, ZooError

from ..files import atomic_file, remove_folder, write_json
from ..loading import load
from ..metrics.measuring import Criterion
from ..models.grids import grid_picture
from ..progress import Reporter, Task
from ..runs.budget import Budget
from ..runs.checkpoints import checkpoints, newest_checkpoint
from ..runs.log import read_log
from ..runs.run import Run, is_complete, is_run, read_run
from ..training.planning import Plan, plan
from ..training.train import execute
from .measuring import Point, Reference, measure
from .settings import Settings

SHOWN = 25
"""Samples kept as a picture at each measurement, of latents that are always the same."""


@dataclass(frozen=True)
class Trial:
    """The training of one recipe with one seed, as far as it is.

    Args:
        points: the measurements so far.
        diverged: what was said when it diverged, "" if it did not.
        parameters: of generator and discriminator, in that order; zeros before the first measurement.
        interrupted: the signal that stopped it, "" if none did.
    """

    recipe: str
    seed: int
    points: tuple[Point, ...] = ()
    diverged: str = ""
    parameters: tuple[int, int] = (0, 0)
    interrupted: str = field(default="", compare=False)

    def done(self, settings: Settings) -> bool:
        """Whether nothing is left to do."""
        return bool(self.diverged) or len(self.points) >= settings.points


@dataclass(frozen=True)
class Place:
    """Where a trial's files lie, below the folder of the comparison."""

    out: Path
    recipe: str
    seed: int

    @property
    def name(self) -> str:
        """Of its run folder."""
        return f"{self.recipe.replace(':', '@')}-seed-{self.seed}"

    @property
    def run(self) -> Path:
        """The run folder."""
        return self.out / "runs" / self.name

    @property
    def record(self) -> Path:
        """The measurements."""
        return self.out / "measurements" / f"{self.name}.json"

    def samples(self, number: int) -> Path:
        """The picture of samples at measurement `number`, from 1."""
        return self.out / "samples" / f"{self.name}-{number}.png"

    def metrics(self) -> list[dict[str, float]]:
        """The readings of the losses so far."""
        path = self.run / "metrics.jsonl"
        return [line for line in read_log(path) if "d_loss" in line or "g_loss" in line] if path.exists() else []


def read_trial(place: Place) -> Trial:
    """Return what was measured so far; an empty trial where nothing was, or the file is damaged."""
    try:
        stored = json.loads(place.record.read_text(encoding="utf-8"))
        points = tuple(Point(**point) for point in stored["points"])
        generator, discriminator = stored["parameters"]
        return Trial(place.recipe, place.seed, points, str(stored["diverged"]), (int(generator), int(discriminator)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Trial(place.recipe, place.seed)


def run_trial(
    place: Place,
    first: Plan,
    settings: Settings,
    reference: Reference,
    criterion: Criterion,
    *,
    report: Reporter,
    workers: int | None,
) -> Trial:
    """Train and measure what is left of a trial.

    Args:
        first: how its recipe is trained.

    Raises:
        ZooError: the training cannot go on, for another reason than that it diverged.
    """
    trial = read_trial(place)
    while not trial.done(settings):
        number = len(trial.points) + 1
        try:
            run = _train(place, first, settings.stage(number), _Named(report, place), workers)
        except TrainingError as error:
            if "diverged" not in error.message:  # such as no memory: nothing that a comparison could learn from
                raise
            trial = replace(trial, diverged=error.message)
        else:
            if run is not None and not run.finished:
                return replace(trial, interrupted=run.signal or "an interruption")
            trial = _measure(trial, place, number, settings, reference, criterion, str(first.device))
        said = {"diverged": trial.diverged, "parameters": list(trial.parameters)}
        write_json(place.record, {"points": [asdict(point) for point in trial.points], **said})
    return trial


def _train(place: Place, first: Plan, budget: Budget, report: Reporter, workers: int | None) -> Run | None:
    """Bring the run up to a budget; None where it is there already."""
    if not is_run(place.run):
        remove_folder(place.run)  # all that a process left that was killed before it began
        config = replace(first.config, seed=place.seed)
        command = f"{first.command} --seed {place.seed}" if place.seed else first.command
        mine = replace(first, config=config, folder=place.run, budget=budget, command=command)
        return execute(mine, report=report, workers=workers)
    if _reached(place.run, budget):
        return None
    wanted: dict[str, Any] = {budget.kind: budget.amount}
    stored, dataset = read_run(place.run).config.dataset, first.config.dataset
    if stored is not None and dataset is not None and stored["data"] != dataset["data"]:
        wanted["data"] = dataset["data"]  # the same pictures lie elsewhere now
    return execute(plan(resume=place.run, device=str(first.device), **wanted), report=report, workers=workers)


def _reached(folder: Path, budget: Budget) -> bool:
    if not checkpoints(folder / "checkpoints") or not is_complete(folder):
        return False
    try:
        _, counters, _ = newest_checkpoint(folder / "checkpoints", Reporter())
    except CheckpointError:
        return False
    return bool(counters["seconds" if budget.kind == "minutes" else "images"] >= budget.total(1))


def _measure(
    trial: Trial,
    place: Place,
    number: int,
    settings: Settings,
    reference: Reference,
    criterion: Criterion,
    device: str,
) -> Trial:
    model = load(place.run, device=device)
    _, counters, _ = newest_checkpoint(place.run / "checkpoints", Reporter())
    with atomic_file(place.samples(number)) as temporary:
        grid_picture(model.sample(SHOWN)).save(temporary)
    try:
        found = measure(model, criterion, reference, settings.samples)
    except ZooError as error:
        return replace(trial, diverged=f"{error.message} after {counters['images']:,} images")
    point = Point(counters["images"], round(counters["seconds"], 3), *found)
    counts = [sum(p.numel() for p in net.parameters()) if net else 0 for net in (model.generator, model.discriminator)]
    return replace(trial, points=(*trial.points, point), parameters=(counts[0], counts[1]))


class _Named(Reporter):
    """Passes on warnings and progress, under the trial's name; what each stage opens with would be said too often."""

    def __init__(self, report: Reporter, place: Place) -> None:
        self.report, self.label = report, f"{place.recipe}, seed {place.seed}"

    def warn(self, text: str) -> None:
        self.report.warn(f"{self.label}: {text}")

    @contextmanager
    def task(self, label: str, total: float | None = None, unit: str = "") -> Iterator[Task]:
        with self.report.task(f"{self.label}" if label == "training" else label, total, unit) as task:
            yield task
