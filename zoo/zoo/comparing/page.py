"""The report of a comparison: one HTML file that needs no other file, no script and no network."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from ..models.curves import NETWORKS, curve
from ..packs import Pack
from ..randomness import generator_for
from ..reports.figures import COLORS, GRAY, Curves, Line, svg
from ..reports.page import Picture, number, write_page
from ..reports.pictures import grid
from .measuring import COLLAPSED, REPEATING, Point, Reference
from .settings import Settings
from .summary import Row
from .trials import SHOWN, Place, Trial

_TEMPLATE = Path(__file__).with_name("report.html")


@dataclass(frozen=True)
class Report:
    """What a page tells.

    Args:
        described: what `comparison.json` holds.
        trials, places: one for each recipe and seed, in the same order.
        metrics: (recipe, seed) → lines of `metrics.jsonl`.
    """

    described: Mapping[str, Any]
    settings: Settings
    reference: Reference
    rows: Sequence[Row]
    trials: Sequence[Trial]
    places: Sequence[Place]
    metrics: Mapping[tuple[str, int], Sequence[Mapping[str, float]]]
    pack: Pack

    @property
    def colors(self) -> dict[str, str]:
        """Of the recipes, in the order in which they were named."""
        return {row.recipe: COLORS[i % len(COLORS)] for i, row in enumerate(self.rows)}


def write_report(path: Path, report: Report) -> None:
    """Write the report; raises `ZooError` where it cannot be written."""
    means = [row.distance.mean for row in report.rows if row.distance.mean is not None]
    info = report.pack.info
    write_page(
        path,
        _TEMPLATE,
        title=f"{', '.join(report.colors)} on {info['dataset']['name'].rpartition(':')[2]}",
        lead="",
        report=report,
        done=sum(trial.done(report.settings) for trial in report.trials),
        credit="; ".join(info[key] for key in ("license", "credit") if info.get(key)),
        bounds=(COLLAPSED, REPEATING),
        best=(min if report.settings.lower_is_better else max)(means, default=None),
        measures={
            "Distance to the data": _over_time(report, "distance", report.reference.floor, "two halves of the data"),
            "Diversity": _over_time(report, "diversity", 1.0, "the data"),
            "Distance between nearest samples": _over_time(report, "nearest", 1.0, "the data"),
        },
        losses={f"{recipe}: losses": _losses(report, recipe) for recipe in report.colors},
        networks=NETWORKS,
        samples=_samples(report),
        history=_history(report),
        described=json.dumps(report.described, indent=1),
    )


def _over_time(report: Report, what: str, level: float, level_note: str) -> str:
    """One curve for each recipe, the mean of its seeds as far as all that were begun have come, and their span."""
    minutes = report.settings.budget.kind == "minutes"
    lines = []
    for recipe, color in report.colors.items():
        trials = [trial.points for trial in report.trials if trial.recipe == recipe and trial.points]
        curves = [[(_time(p, minutes), getattr(p, what)) for p in points] for points in trials]
        if len(curves) > 1:
            lines += [Line("", curve, color, f"{recipe}, one seed", faint=True) for curve in curves]
        steps = list(zip(*curves, strict=False))
        means = [(fmean(x for x, _ in step), fmean(y for _, y in step)) for step in steps]
        band = [(min(y for _, y in step), max(y for _, y in step)) for step in steps] if len(curves) > 1 else []
        if means:
            said = ", ".join(number(y) for _, y in means)
            lines.append(Line("", means, color, f"{recipe}: {said}", band=band))
    if lines:
        end = max(x for line in lines for x, _ in line.points)
        lines.append(Line("", [(0.0, level), (end, level)], GRAY, f"{level_note}: {number(level)}", dashed=True))
    label = "minutes of training" if minutes else "real images shown"
    return svg(Curves(lines, label, what, height=3), f"{what} over {label}")


def _time(point: Point, minutes: bool) -> float:
    return point.seconds / 60 if minutes else float(point.images)


def _losses(report: Report, recipe: str) -> str:
    lines = []
    for seed in (trial.seed for trial in report.trials if trial.recipe == recipe):
        read = report.metrics.get((recipe, seed), ())
        for network, color in NETWORKS.items():
            line = curve(read, f"{network[0]}_loss", "", color)
            lines.append(line._replace(note=f"{network}, seed {seed}", faint=seed > 0))
    return svg(Curves(lines, "real images shown", "loss", zero=False, height=2.2), f"losses of {recipe}")


def _samples(report: Report) -> list[Picture]:
    """Images of the data, and the newest samples of every trial."""
    chosen = torch.randperm(len(report.pack), generator=generator_for(0, "shown"))[:SHOWN]
    found = [Picture(grid(report.pack.gather(chosen)), "images of the data", "the data")]
    for place, trial in zip(report.places, report.trials, strict=True):
        path = place.samples(len(trial.points))
        if trial.points and path.exists():
            point, label = trial.points[-1], f"{place.recipe}, seed {place.seed}"
            note = f"{point.images:,} images, distance {number(point.distance)}"
            found.append(Picture(path.read_bytes(), f"samples of {label}", label, note))
    return found


def _history(report: Report) -> dict[str, list[tuple[Picture | None, float]]]:
    """Of seed 0 of each recipe: samples and distance at each measurement."""
    found: dict[str, list[tuple[Picture | None, float]]] = {}
    for place, trial in zip(report.places, report.trials, strict=True):
        if place.seed == 0 and trial.points:
            found[place.recipe] = []
            for i, point in enumerate(trial.points, 1):
                path, alt = place.samples(i), f"samples of {place.recipe} after {point.images:,} images"
                found[place.recipe].append((Picture(path.read_bytes(), alt) if path.exists() else None, point.distance))
    return found
