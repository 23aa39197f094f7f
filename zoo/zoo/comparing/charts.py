"""Line charts as SVG, to stand in a page that needs no other file and no script."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import NamedTuple

WIDTH, HEIGHT = 560, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 30, 14, 44

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f", "#8a5a2b", "#b8a800", "#5e3c99")
"""Okabe and Ito's, told apart by people who see colors differently, and a few more."""


class Line(NamedTuple):
    """A curve: points (x, y) in order of x. Faint ones are single seeds behind their mean; a note stands in the tooltip."""

    points: Sequence[tuple[float, float]]
    color: str
    note: str
    faint: bool = False
    dashed: bool = False


def color(number: int) -> str:
    """The color of the series with this number."""
    return COLORS[number % len(COLORS)]


def line_chart(
    lines: Sequence[Line], *, x_label: str, y_label: str, title: str, height: int = HEIGHT, zero: bool = True
) -> str:
    """An SVG drawing of curves, with axes from nice numbers; logarithmic in y where the values span a factor of 50.

    Args:
        title: what a screen reader says.
        zero: whether a linear y axis begins at 0 where no value is below.
    """
    points = [p for line in lines for p in line.points if all(map(math.isfinite, p))]
    if not points:
        return '<p class="quiet">no measurement yet</p>'
    xs, ys = [x for x, _ in points], [y for _, y in points]
    log = min(ys) > 0 and max(ys) / min(ys) > 50
    x_ticks, y_ticks = (
        ticks(0.0, max(xs)),
        (decades if log else ticks)(min(ys) if log or not zero else min(0.0, *ys), max(ys)),
    )
    low, high = min(y_ticks[0], *ys), max(y_ticks[-1], *ys)
    right = max(x_ticks[-1], *xs)

    def place(x: float, y: float) -> tuple[float, float]:
        share = math.log(y / low) / math.log(high / low) if log else (y - low) / (high - low)
        across = _LEFT + (WIDTH - _LEFT - _RIGHT) * x / right
        return across, height - _BOTTOM - (height - _TOP - _BOTTOM) * share

    parts = [f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{html.escape(title, quote=True)}">']
    for y in y_ticks:
        _, at = place(0, y)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{y:,.10g}</text>')
    for x in x_ticks:
        at, _ = place(x, low)
        parts.append(f'<text x="{at:.1f}" y="{height - _BOTTOM + 18}" text-anchor="middle">{x:,.10g}</text>')
    parts.append(f'<text x="{WIDTH - _RIGHT}" y="{height - 6}" text-anchor="end">{html.escape(x_label)}</text>')
    middle = (height - _BOTTOM + _TOP) / 2
    parts.append(
        f'<text x="14" y="{middle:.0f}" text-anchor="middle" transform="rotate(-90 14 {middle:.0f})">'
        f"{html.escape(y_label)}</text>"
    )
    parts += [_curve(line, [place(x, y) for x, y in line.points if math.isfinite(y)]) for line in lines]
    return "".join([*parts, "</svg>"])


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers that span low to high."""
    if high <= low:
        high = low + 1.0
    raw = (high - low) / about
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(unit * factor for factor in (1, 2, 2.5, 5, 10) if raw <= unit * factor * 1.0001)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]


def decades(low: float, high: float) -> list[float]:
    """Powers of ten that span low to high, with 2 and 5 between them where there is room."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    fine = (1, 2, 5) if last - first <= 3 else (1,)
    found = [factor * 10.0**power for power in range(first, last + 1) for factor in fine]
    below = [value for value in found if value <= low] or found[:1]
    above = [value for value in found if value >= high] or found[-1:]
    return [value for value in found if below[-1] <= value <= above[0]]


def _curve(line: Line, places: Sequence[tuple[float, float]]) -> str:
    looks = f'stroke="{line.color}"' + (' class="faint"' if line.faint else ' class="line"')
    looks += ' stroke-dasharray="5 4"' if line.dashed else ""
    title = f"<title>{html.escape(line.note)}</title>"
    if not places:
        return ""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = (
        ""
        if line.faint or line.dashed or len(places) > 20
        else "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{line.color}"/>' for x, y in places)
    )
    return f'<g>{title}<polyline {looks} points="{path}"/>{dots}</g>'
