"""From measurements to a table: mean and spread over seeds, and everything as CSV."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..files import atomic_file
from .trials import Trial

LOSSES = ("d_loss", "g_loss", "d_real", "d_fake")
COLUMNS = (
    *("recipe", "seed", "images", "seconds", "distance", "diversity", "nearest", "collapsed", "diverged", *LOSSES),
    *("images_per_s", "generator_parameters", "discriminator_parameters"),
)


@dataclass(frozen=True)
class Spread:
    """Mean, standard deviation (over n − 1) and the values themselves, one for each seed; None where there are too few."""

    mean: float | None
    deviation: float | None
    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Summarize values."""
        found = tuple(values)
        mean, deviation = statistics.fmean(found) if found else None, statistics.stdev(found) if len(found) > 1 else None
        return cls(mean, deviation, found)


@dataclass(frozen=True)
class Row:
    """What became of one recipe, over its seeds; measures are of the seeds that came to the end and did not diverge."""

    recipe: str
    distance: Spread  # at the last measurement
    best: Spread  # distance on the way
    diversity: Spread
    nearest: Spread
    seeds: int  # that are done
    diverged: int  # of them
    collapsed: int  # of them, at the end
    images_per_s: Spread  # of training alone
    parameters: tuple[int, int]  # of generator and discriminator

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def summarize(recipe: str, trials: Sequence[Trial], points: int, *, lower_is_better: bool = True) -> Row:
    """Return the row of a recipe; `points` is how many measurements make a trial whole."""
    best = min if lower_is_better else max
    whole = [trial for trial in trials if len(trial.points) >= points and not trial.diverged]
    last = [trial.points[-1] for trial in whole]
    diverged = sum(bool(trial.diverged) for trial in trials)
    return Row(
        recipe,
        distance=Spread.of(point.distance for point in last),
        best=Spread.of(best(point.distance for point in trial.points) for trial in whole),
        diversity=Spread.of(point.diversity for point in last),
        nearest=Spread.of(point.nearest for point in last),
        seeds=diverged + len(whole),
        diverged=diverged,
        collapsed=sum(point.collapsed for point in last),
        images_per_s=Spread.of(trial.points[-1].images_per_s for trial in trials if trial.points),
        parameters=max((trial.parameters for trial in trials), default=(0, 0)),
    )


def write_csv(path: Path, trials: Sequence[Trial]) -> None:
    """A line for each measurement, with the losses of the last reading before it; one more where a trial diverged."""
    with atomic_file(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        for trial in trials:
            common = {"recipe": trial.recipe, "seed": trial.seed}
            sizes = dict(zip(COLUMNS[-2:], trial.parameters, strict=True))
            for point in trial.points:
                before = [line for line in trial.readings if line.get("images", 0) <= point.images]
                losses = {name: before[-1][name] for name in LOSSES if before and name in before[-1]}
                more = {"collapsed": int(point.collapsed), "images_per_s": round(point.images_per_s, 2)}
                writer.writerow({**common, **asdict(point), **losses, **more, **sizes})
            if trial.diverged:
                images = trial.readings[-1]["images"] if trial.readings else ""
                writer.writerow({**common, "images": images, "diverged": trial.diverged})
