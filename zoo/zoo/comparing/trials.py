"""One recipe with one seed: trained in stages, measured after each, and taken up again where it was left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from zoo_core import TrainingError, ZooError

from ..documents import read_document
from ..files import write_json
from ..loading import load
from ..models.grids import save_grid
from ..progress import SILENT, Reporter
from ..runs.checkpoints import newest_checkpoint
from ..runs.run import read_log
from ..schemas import ListOf, Number, Row, Whole
from ..training.planning import Plan
from .measuring import Point, Reference, measure
from .settings import Settings
from .training import NamedReporter, has_diverged, train_to

_POINT = {"images": Whole(0), "seconds": Number(0), **dict.fromkeys(("distance", "diversity", "nearest"), Number())}
_SCHEMA = {"points": ListOf(_POINT), "diverged": str, "parameters": Row((Whole(0), Whole(0)))}
SHOWN = 25  # samples kept as a picture at each measurement, of latents that are always the same


@dataclass(frozen=True)
class Trial:
    """The training of one recipe with one seed, as far as it is; its files lie in `out`, the folder of the comparison."""

    out: Path
    recipe: str
    seed: int
    points: tuple[Point, ...] = ()
    diverged: str = ""  # what was said when it did
    parameters: tuple[int, int] = (0, 0)  # of generator and discriminator; zeros before the first measurement
    readings: Sequence[Mapping[str, float]] = field(default=(), compare=False, repr=False)  # lines of `metrics.jsonl`
    interrupted: str = field(default="", compare=False)  # the signal that stopped it

    def __str__(self) -> str:
        return f"{self.recipe}, seed {self.seed}"

    @property
    def run(self) -> Path:
        """The run folder."""
        return self.out / "runs" / f"{self.recipe.replace(':', '@')}-seed-{self.seed}"

    @property
    def record(self) -> Path:
        """The file of the measurements."""
        return self.out / "measurements" / f"{self.run.name}.json"

    def samples(self, number: int) -> Path:
        """Return the picture of samples at measurement `number`, from 1."""
        return self.out / "samples" / f"{self.run.name}-{number}.png"

    def done(self, settings: Settings) -> bool:
        """Return whether nothing is left to do."""
        return bool(self.diverged) or len(self.points) >= settings.points


def read_trial(out: Path, recipe: str, seed: int) -> Trial:
    """Return what was measured so far; an empty trial where nothing was, or the file is damaged."""
    trial = Trial(out, recipe, seed)
    log = trial.run / "metrics.jsonl"
    readings = [line for line in read_log(log) if "d_loss" in line or "g_loss" in line] if log.exists() else []
    trial = replace(trial, readings=readings)
    try:
        stored = read_document(trial.record, _SCHEMA, error=ZooError)
        points = tuple(Point(**point) for point in stored["points"])
    except (ZooError, TypeError):
        return trial
    return replace(trial, points=points, diverged=stored["diverged"], parameters=tuple(stored["parameters"]))


def run_trial(
    trial: Trial, first: Plan, settings: Settings, reference: Reference, *, report: Reporter, workers: int | None
) -> Trial:
    """Train and measure what is left of a trial; `first` says how its recipe is trained.

    Raises `ZooError` where the training cannot go on, for another reason than that it diverged.
    """
    while not trial.done(settings):
        try:
            budget, named = settings.stage(len(trial.points) + 1), NamedReporter(report, str(trial))
            run = train_to(trial.run, first, trial.seed, budget, report=named, workers=workers)
        except TrainingError as error:
            if not has_diverged(error):  # nothing that a comparison could learn from
                raise
            trial = replace(trial, diverged=error.message)
        else:
            if run is not None and not run.finished:
                return replace(trial, interrupted=run.signal or "an interruption")
            trial = _measure(trial, settings, reference, str(first.device))
        points = [asdict(point) for point in trial.points]
        write_json(trial.record, {"points": points, "diverged": trial.diverged, "parameters": list(trial.parameters)})
    return trial


def _measure(trial: Trial, settings: Settings, reference: Reference, device: str) -> Trial:
    model = load(trial.run, device=device)
    _, counters, _ = newest_checkpoint(trial.run / "checkpoints", SILENT)
    save_grid(model.sample(SHOWN), trial.samples(len(trial.points) + 1))
    try:
        found = measure(model, settings.criterion, reference, settings.samples)
    except ZooError as error:
        return replace(trial, diverged=f"{error.message} after {counters['images']:,} images")
    point = Point(counters["images"], round(counters["seconds"], 3), *found)
    counts = [sum(p.numel() for p in net.parameters()) if net else 0 for net in (model.generator, model.discriminator)]
    return replace(trial, points=(*trial.points, point), parameters=(counts[0], counts[1]))
