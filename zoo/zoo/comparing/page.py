"""What is written about a comparison: a table as CSV, and a page that needs no other file, no script and no network."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from zoo_core.words import cell

from ..documents import read_bytes
from ..files import atomic_file
from ..models.curves import NETWORKS, curve
from ..packs import Pack
from ..randomness import generator_for
from ..reports.figures import GRAY, OTHERS, Curves, Line, svg
from ..reports.page import Picture, number, write_page
from ..reports.pictures import grid
from .measuring import COLLAPSED, REPEATING, Reference
from .settings import Settings
from .spreads import Spread
from .trials import SHOWN, Trial

LOSSES = ("d_loss", "g_loss", "d_real", "d_fake")
COLUMNS = (
    *("recipe", "seed", "images", "seconds", "distance", "diversity", "nearest", "collapsed", "diverged", *LOSSES),
    *("images_per_s", "generator_parameters", "discriminator_parameters"),
)
_TEMPLATE = Path(__file__).with_name("report.html")


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
            common = {"recipe": cell(trial.recipe), "seed": trial.seed}
            sizes = dict(zip(COLUMNS[-2:], trial.parameters, strict=True))
            for point in trial.points:
                before = [line for line in trial.readings if line.get("images", 0) <= point.images]
                losses = {name: before[-1][name] for name in LOSSES if before and name in before[-1]}
                more = {"collapsed": int(point.collapsed), "images_per_s": round(point.images_per_s, 2)}
                writer.writerow({**common, **asdict(point), **losses, **more, **sizes})
            if trial.diverged:
                images = trial.readings[-1]["images"] if trial.readings else ""
                writer.writerow({**common, "images": images, "diverged": cell(trial.diverged)})


def write_report(
    path: Path,
    settings: Settings,
    reference: Reference,
    rows: Sequence[Row],
    trials: Sequence[Trial],
    pack: Pack,
    described: Mapping[str, Any],
) -> None:
    """Write the report; raises `ZooError` where it cannot be written. `described` is what `comparison.json` holds."""
    colors = {row.recipe: OTHERS[i % len(OTHERS)] for i, row in enumerate(rows)}
    dashed = list(colors)[len(OTHERS) :]  # where colors come a second time
    means = [row.distance.mean for row in rows if row.distance.mean is not None]
    info = pack.info
    measures = {
        "Distance to the data": ("distance", reference.floor, "two halves of the data"),
        "Diversity": ("diversity", 1.0, "the data"),
        "Distance between nearest samples": ("nearest", 1.0, "the data"),
    }
    minutes = settings.budget.kind == "minutes"
    write_page(
        path,
        _TEMPLATE,
        title=f"{', '.join(colors)} on {info['dataset']['name'].rpartition(':')[2]}",
        lead="",
        settings=settings,
        reference=reference,
        rows=rows,
        trials=trials,
        pack=pack,
        colors=colors,
        dashed=dashed,
        done=sum(trial.done(settings) for trial in trials),
        credit="; ".join(info[key] for key in ("license", "credit") if info.get(key)),
        bounds=(COLLAPSED, REPEATING),
        best=(min if settings.criterion.metric.lower_is_better else max)(means, default=None),
        measures={
            caption: draw_over_time(trials, colors, dashed, minutes, *measure) for caption, measure in measures.items()
        },
        losses={f"{recipe}: losses": _losses(recipe, trials) for recipe in colors},
        networks=NETWORKS,
        samples=_samples(pack, trials),
        history=_history(trials),
        described=described,
        everything=json.dumps(described, indent=1),
    )


def draw_over_time(
    trials: Sequence[Trial],
    colors: Mapping[str, str],
    dashed: Sequence[str],
    minutes: bool,
    what: str,
    level: float,
    level_note: str,
) -> str:
    """One curve for each recipe, the mean of its seeds as far as all that were begun have come, and their span."""
    lines = []
    for recipe, color in colors.items():
        curves = [
            [(point.seconds / 60 if minutes else float(point.images), getattr(point, what)) for point in trial.points]
            for trial in trials
            if trial.recipe == recipe and trial.points
        ]
        if len(curves) > 1:
            lines += [Line("", curve, color, f"{recipe}, one seed", faint=True) for curve in curves]
        steps = list(zip(*curves, strict=False))
        means = [(fmean(x for x, _ in step), fmean(y for _, y in step)) for step in steps]
        band = [(min(y for _, y in step), max(y for _, y in step)) for step in steps] if len(curves) > 1 else []
        if means:
            said = ", ".join(number(y) for _, y in means)
            lines.append(Line("", means, color, f"{recipe}: {said}", dashed=recipe in dashed, band=band))
    if lines:
        end = max(x for line in lines for x, _ in line.points)
        lines.append(Line("", [(0.0, level), (end, level)], GRAY, f"{level_note}: {number(level)}", dashed=True))
    label = "minutes of training" if minutes else "real images shown"
    return svg(Curves(lines, label, what, height=3), f"{what} over {label}")


def _losses(recipe: str, trials: Sequence[Trial]) -> str:
    lines = []
    for trial in trials:
        for network, color in NETWORKS.items() if trial.recipe == recipe else ():
            line = curve(trial.readings, f"{network[0]}_loss", "", color)
            lines.append(line._replace(note=f"{network}, seed {trial.seed}", faint=trial.seed > 0))
    return svg(Curves(lines, "real images shown", "loss", zero=False, height=2.2), f"losses of {recipe}")


def _samples(pack: Pack, trials: Sequence[Trial]) -> list[Picture]:
    """Images of the data, and the newest samples of every trial."""
    chosen = torch.randperm(len(pack), generator=generator_for(0, "shown"))[:SHOWN]
    found = [Picture(grid(pack.gather(chosen)), "images of the data", "the data")]
    for trial in trials:
        path = trial.samples(len(trial.points))
        if trial.points and path.exists():
            note = f"{trial.points[-1].images:,} images, distance {number(trial.points[-1].distance)}"
            found.append(Picture(read_bytes(path), f"samples of {trial}", str(trial), note))
    return found


def _history(trials: Sequence[Trial]) -> dict[str, list[tuple[Picture | None, float]]]:
    """Of seed 0 of each recipe: samples and distance at each measurement."""
    found: dict[str, list[tuple[Picture | None, float]]] = {}
    for trial in trials:
        for i, point in enumerate(trial.points if trial.seed == 0 else (), 1):
            path, alt = trial.samples(i), f"samples of {trial.recipe} after {point.images:,} images"
            picture = Picture(read_bytes(path), alt) if path.exists() else None
            found.setdefault(trial.recipe, []).append((picture, point.distance))
    return found
