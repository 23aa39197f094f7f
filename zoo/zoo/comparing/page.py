"""The report of a comparison: one HTML file that needs no other file, no script and no network."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from ..files import atomic_file
from ..models.grids import grid_picture
from ..packs import Pack, to_images
from ..randomness import generator_for
from .charts import Line, color, line_chart
from .measuring import COLLAPSED, REPEATING, Point, Reference
from .settings import Settings
from .summary import Row, Spread
from .trials import SHOWN, Place, Trial

_D, _G = "#d55e00", "#0072b2"
_THIN = 200  # most points of a curve of losses; each is the mean of the readings that it stands for
_STYLE = """
:root { color-scheme: light dark; --text: #222; --page: #fff; --line: #ddd; --soft: #666 }
@media (prefers-color-scheme: dark) { :root { --text: #ddd; --page: #181818; --line: #444; --soft: #aaa } }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 78rem; padding: 0 1rem }
body { color: var(--text); background: var(--page) }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2.2rem } p { max-width: 52rem }
.wide { overflow-x: auto } table { border-collapse: collapse } caption { text-align: left; color: var(--soft) }
th, td { padding: .35rem .6rem; text-align: right; border-bottom: 1px solid var(--line); vertical-align: top }
th, td { white-space: nowrap } th:first-child, td:first-child { text-align: left }
td small, .quiet { color: var(--soft) } td small { display: block } .best { font-weight: 700 } .bad { color: #d00000 }
i { display: inline-block; width: .8em; height: .8em; border-radius: 50%; margin-right: .4em }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 30rem), 1fr)); gap: 1rem }
svg { width: 100%; height: auto } svg text { font: 12px system-ui, sans-serif; fill: var(--soft) }
.grid { stroke: var(--line) } polyline { fill: none; stroke-linejoin: round } .line { stroke-width: 2 }
.faint { stroke-width: 1; opacity: .55 } figure { margin: 0 } figcaption { font-weight: 600 }
.samples { display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: 1.2rem }
img { width: 100%; max-width: 20rem; image-rendering: pixelated; display: block }
td img { width: 10rem } pre { overflow-x: auto; font-size: .8rem }
"""


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
    def recipes(self) -> list[str]:
        """In the order in which they were named."""
        return [row.recipe for row in self.rows]

    def of(self, recipe: str) -> list[Trial]:
        """The trials of a recipe, by seed."""
        return [trial for trial in self.trials if trial.recipe == recipe]


def write_page(path: Path, report: Report) -> None:
    """Write the report; raises `ZooError` where it cannot be written."""
    title = f"{', '.join(report.recipes)} on {report.pack.info['dataset']['name'].rpartition(':')[2]}"
    body = [
        f"<h1>{escape(title)}</h1>",
        _protocol(report),
        _table(report),
        _charts(report),
        _final_samples(report),
        _samples_over_time(report),
        f"<details><summary>All settings</summary><pre>{escape(json.dumps(report.described, indent=1))}</pre></details>",
    ]
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style>{''.join(body)}</html>\n"
    )
    with atomic_file(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _protocol(report: Report) -> str:
    settings, reference, info = report.settings, report.reference, report.pack.info
    done = sum(trial.done(settings) for trial in report.trials)
    said = report.described["settings"]
    size, kind = report.pack.spec.size, "gray" if report.pack.spec.channels == 1 else "color"
    seeds = "seed 0" if settings.seeds == 1 else f"seeds 0 to {settings.seeds - 1}"
    lines = [
        f"<strong>{done} of {len(report.trials)} trainings are done.</strong> Each has a budget of {_budget(settings)} on "
        f"{len(report.pack):,} images, {size}×{size} {kind}, with {seeds}, "
        f"on {said['device']} in {said['precision']}, one after another.",
        f"<strong>Distance</strong> is {escape(settings.explanation)}, of {settings.samples:,} samples and "
        f"{reference.count:,} images of the data: {'smaller' if settings.lower_is_better else 'larger'} "
        f"is better. Two halves of the data, {reference.floor_count:,} images each, are {_number(reference.floor)} apart. "
        "It is not the FID of the literature and compares only with itself.",
        "<strong>Diversity</strong> is the mean distance between two samples, <strong>nearest</strong> the median distance "
        "from a sample to the nearest other one, each as a share of what it is among images of the data. A model "
        f"counts as collapsed when its diversity ends below {COLLAPSED} or its nearest below {REPEATING}: it fell "
        "there or never left. Samples are drawn with the averaged weights, which a model folder holds.",
    ]
    credit = "; ".join(info[key] for key in ("license", "credit") if info.get(key))
    if credit:
        lines.append(f'<span class="quiet">The data: {escape(credit)}</span>')
    return "".join(f"<p>{line}</p>" for line in lines)


def _budget(settings: Settings) -> str:
    amount, kind = settings.budget.amount, settings.budget.kind
    return f"{amount:,.0f} real images shown" if kind == "images" else f"{amount:g} minutes"


def _table(report: Report) -> str:
    means = [row.distance.mean for row in report.rows if row.distance.mean is not None]
    top = min if report.settings.lower_is_better else max
    heads = ("recipe", "distance", "best on the way", "diversity", "nearest", "diverged", "collapsed", "images/s")
    cells = "".join(f'<th scope="col">{head}</th>' for head in (*heads, "parameters G", "D"))
    lines = []
    for number, row in enumerate(report.rows):
        best = " class=best" if means and row.distance.mean == top(means) else ""
        values = [
            f'<th scope="row"><i style="background:{color(number)}"></i>{escape(row.recipe)}</th>',
            f"<td{best}>{_spread(row.distance, every=True)}</td>",
            f"<td>{_spread(row.best)}</td><td>{_spread(row.diversity)}</td><td>{_spread(row.nearest)}</td>",
            _count(row.diverged, row.seeds),
            _count(row.collapsed, row.seeds),
            f"<td>{_spread(row.images_per_s)}</td>",
            *(f"<td>{n / 1e6:.2f} M</td>" if n else "<td>–</td>" for n in row.parameters),
        ]
        lines.append(f"<tr>{''.join(values)}</tr>")
    notes = [f"{t.recipe}, seed {t.seed}: {t.diverged}" for t in report.trials if t.diverged]
    said = "".join(f'<p class="bad">{escape(note)}</p>' for note in notes)
    caption = "<caption>mean ± standard deviation over seeds; single seeds below</caption>"
    return (
        f'<h2>What became of them</h2><div class="wide"><table id="summary">{caption}<thead><tr>{cells}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>{said}"
    )


def _charts(report: Report) -> str:
    floor = report.reference.floor
    figures = [
        _figure("Distance to the data", _over_time(report, "distance", floor, "two halves of the data")),
        _figure("Diversity", _over_time(report, "diversity", 1.0, "the data")),
        _figure("Distance between nearest samples", _over_time(report, "nearest", 1.0, "the data")),
    ]
    losses = [_figure(f"{recipe}: losses", _losses(report, recipe)) for recipe in report.recipes]
    legend = "".join(
        f'<span><i style="background:{color(n)}"></i>{escape(recipe)}&emsp;</span>'
        for n, recipe in enumerate(report.recipes)
    )
    key = f'<i style="background:{_D}"></i>discriminator&emsp;<i style="background:{_G}"></i>generator'
    return (
        f'<h2>On the way</h2><p>{legend}<span class="quiet">thin: single seeds; dashed: the data themselves</span></p>'
        f'<div class="charts">{"".join(figures)}</div>'
        f'<h2>Losses</h2><p>{key} <span class="quiet">one line for each seed</span></p>'
        f'<div class="charts">{"".join(losses)}</div>'
    )


def _over_time(report: Report, what: str, level: float, level_note: str) -> str:
    """One curve for each recipe, the mean of its seeds as far as all that were begun have come."""
    lines = []
    for number, recipe in enumerate(report.recipes):
        curves = [[(_time(report, p), getattr(p, what)) for p in trial.points] for trial in report.of(recipe)]
        curves = [curve for curve in curves if curve]
        if len(curves) > 1:
            lines += [Line(curve, color(number), f"{recipe}, one seed", faint=True) for curve in curves]
        means = [(fmean(x for x, _ in at), fmean(y for _, y in at)) for at in zip(*curves, strict=False)]
        if means:
            said = ", ".join(_number(y) for _, y in means)
            lines.append(Line(means, color(number), f"{recipe}: {said}"))
    if lines:
        end = max(x for line in lines for x, _ in line.points)
        lines.append(Line([(0.0, level), (end, level)], "#888888", f"{level_note}: {_number(level)}", dashed=True))
    label = "minutes of training" if report.settings.budget.kind == "minutes" else "real images shown"
    return line_chart(lines, x_label=label, y_label=what, title=f"{what} over {label}")


def _losses(report: Report, recipe: str) -> str:
    lines = []
    for trial in report.of(recipe):
        read = report.metrics.get((recipe, trial.seed), ())
        for name, tint, word in (("d_loss", _D, "discriminator"), ("g_loss", _G, "generator")):
            points = [(line["images"], line[name]) for line in read if name in line]
            if points:
                lines.append(Line(_thinned(points), tint, f"{word}, seed {trial.seed}", faint=trial.seed > 0))
    return line_chart(
        lines, x_label="real images shown", y_label="loss", title=f"losses of {recipe}", height=220, zero=False
    )


def _final_samples(report: Report) -> str:
    figures = [_picture("the data", _data_picture(report.pack), "images of the data")]
    for place, trial in zip(report.places, report.trials, strict=True):
        path = place.samples(len(trial.points))
        if trial.points and path.exists():
            point = trial.points[-1]
            label = f"{place.recipe}, seed {place.seed}"
            words = f"{point.images:,} images, distance {_number(point.distance)}"
            figures.append(_picture(label, path.read_bytes(), f"samples of {label}", words))
    return f'<h2>Samples</h2><div class="samples">{"".join(figures)}</div>'


def _samples_over_time(report: Report) -> str:
    lines = []
    for place, trial in zip(report.places, report.trials, strict=True):
        if place.seed or not trial.points:
            continue
        cells = []
        for number, point in enumerate(trial.points, 1):
            path = place.samples(number)
            image = ""
            if path.exists():
                alt = f"samples of {escape(place.recipe)} after {point.images:,} images"
                image = f'<img alt="{alt}" src="{_source(path.read_bytes())}">'
            cells.append(f"<td>{image}<small>{_number(point.distance)}</small></td>")
        lines.append(f'<tr><th scope="row">{escape(place.recipe)}</th>{"".join(cells)}</tr>')
    caption = "<caption>The same latents of seed 0 at each measurement, with the distance then</caption>"
    return f'<h2>Samples over time</h2><div class="wide"><table>{caption}{"".join(lines)}</table></div>'


def _data_picture(pack: Pack) -> bytes:
    chosen = torch.randperm(len(pack), generator=generator_for(0, "shown"))[:SHOWN]
    buffer = io.BytesIO()
    grid_picture(to_images(pack.gather(chosen))).save(buffer, "PNG")
    return buffer.getvalue()


def _picture(caption: str, png: bytes, alt: str, words: str = "") -> str:
    return (
        f'<figure><figcaption>{escape(caption)}</figcaption><img alt="{escape(alt, quote=True)}" src="{_source(png)}">'
        f'<span class="quiet">{escape(words)}</span></figure>'
    )


def _source(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _figure(caption: str, drawing: str) -> str:
    return f"<figure><figcaption>{escape(caption)}</figcaption>{drawing}</figure>"


def _time(report: Report, point: Point) -> float:
    return point.seconds / 60 if report.settings.budget.kind == "minutes" else float(point.images)


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    step = -(-len(points) // _THIN)
    groups = [points[i : i + step] for i in range(0, len(points), step)]
    return [(fmean(x for x, _ in group), fmean(y for _, y in group)) for group in groups]


def _spread(spread: Spread, *, every: bool = False) -> str:
    if spread.mean is None:
        return "–"
    text = _number(spread.mean) + (f" ± {spread.deviation:.2g}" if spread.deviation is not None else "")
    single = ", ".join(_number(value) for value in spread.values)
    return text + (f"<small>{single}</small>" if every and len(spread.values) > 1 else "")


def _count(count: int, of: int) -> str:
    return f"<td{' class=bad' if count else ''}>{count} of {of}</td>"


def _number(value: float | None) -> str:
    """Three digits that matter."""
    if value is None:
        return "–"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"
