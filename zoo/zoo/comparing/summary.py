"""From measurements to a table: mean and spread over seeds, and everything as CSV."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..files import atomic_file
from .measuring import Point
from .trials import Trial

LOSSES = ("d_loss", "g_loss", "d_real", "d_fake")
COLUMNS = (
    *("recipe", "seed", "images", "seconds", "distance", "diversity", "nearest", "collapsed", "diverged", *LOSSES),
    *("images_per_s", "generator_parameters", "discriminator_parameters"),
)


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation (over n − 1; None for a single value) of `values`, one for each seed."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float | None:
        """None where there is no value."""
        return statistics.fmean(self.values) if self.values else None

    @property
    def deviation(self) -> float | None:
        """None below two values."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"mean": self.mean, "deviation": self.deviation, "values": list(self.values)}


@dataclass(frozen=True)
class Row:
    """What became of one recipe, over its seeds.

    Args:
        distance, diversity, nearest: at the last measurement, of seeds that were measured that often and did not diverge.
        best: the best distance on the way.
        seeds: how many are done.
        diverged, collapsed: how many of them diverged, or ended collapsed.
        images_per_s: of training alone.
        parameters: of generator and discriminator.
    """

    recipe: str
    distance: Spread
    best: Spread
    diversity: Spread
    nearest: Spread
    seeds: int
    diverged: int
    collapsed: int
    images_per_s: Spread
    parameters: tuple[int, int]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            key: value.to_json() if isinstance(value, Spread) else list(value) if isinstance(value, tuple) else value
            for key, value in vars(self).items()
        }


def summarize(recipe: str, trials: Sequence[Trial], points: int, *, lower_is_better: bool = True) -> Row:
    """Return the row of a recipe; `points` is how many measurements make a trial whole."""
    best = min if lower_is_better else max
    whole = [trial for trial in trials if len(trial.points) >= points and not trial.diverged]
    last = [trial.points[-1] for trial in whole]
    return Row(
        recipe,
        distance=Spread(tuple(point.distance for point in last)),
        best=Spread(tuple(best(point.distance for point in trial.points) for trial in whole)),
        diversity=Spread(tuple(point.diversity for point in last)),
        nearest=Spread(tuple(point.nearest for point in last)),
        seeds=sum(1 for trial in trials if trial.diverged or len(trial.points) >= points),
        diverged=sum(1 for trial in trials if trial.diverged),
        collapsed=sum(1 for point in last if point.collapsed),
        images_per_s=Spread(tuple(_speed(trial.points[-1]) for trial in trials if trial.points)),
        parameters=max((trial.parameters for trial in trials), default=(0, 0)),
    )


def write_csv(path: Path, trials: Sequence[Trial], metrics: Mapping[tuple[str, int], Sequence[Mapping[str, float]]]) -> None:
    """A line for each measurement, with the losses of the last reading before it; one more where a trial diverged."""
    with atomic_file(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        for trial in trials:
            read = metrics.get((trial.recipe, trial.seed), ())
            for point in trial.points:
                writer.writerow(_line(trial, point, read))
            if trial.diverged:
                images = read[-1]["images"] if read else ""
                writer.writerow({"recipe": trial.recipe, "seed": trial.seed, "images": images, "diverged": trial.diverged})


def _line(trial: Trial, point: Point, metrics: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    before = [line for line in metrics if line.get("images", 0) <= point.images]
    losses = {name: before[-1][name] for name in LOSSES if before and name in before[-1]}
    generator, discriminator = trial.parameters
    return {
        "recipe": trial.recipe,
        "seed": trial.seed,
        **{name: getattr(point, name) for name in ("images", "seconds", "distance", "diversity", "nearest")},
        "collapsed": int(point.collapsed),
        **losses,
        "images_per_s": round(_speed(point), 2),
        "generator_parameters": generator,
        "discriminator_parameters": discriminator,
    }


def _speed(point: Point) -> float:
    return point.images / max(point.seconds, 1e-9)
