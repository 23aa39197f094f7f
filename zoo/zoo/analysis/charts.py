"""Line charts as SVG, for pages that need no other file."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence

COLORS = ("#0b62a8", "#c44e00", "#3a7d34", "#8a3ea8")
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 640, 260, 52, 14, 26, 34
_POINTS = 300  # most points of a line; each is the mean of the readings that it stands for

Line = Sequence[tuple[float, float]]


def line_chart(lines: Mapping[str, Line], *, title: str, across: str) -> str:
    """Lines of (x, y) in one chart with a legend; "" where there is nothing to draw.

    Args:
        lines: name → points; those that are not finite are left out.
        title: what it shows, for people who do not see it.
        across: what x counts.
    """
    shown = {name: _thin([p for p in points if all(map(math.isfinite, p))]) for name, points in lines.items()}
    shown = {name: points for name, points in shown.items() if len(points) > 1}
    if not shown:
        return ""
    everything = [p for points in shown.values() for p in points]
    right = max(x for x, _ in everything) or 1.0
    low, high = min(0.0, *(y for _, y in everything)), max(y for _, y in everything)
    high = high if high > low else low + 1.0

    def place(x: float, y: float) -> tuple[float, float]:
        over = _LEFT + (_WIDTH - _LEFT - _RIGHT) * x / right
        return over, _TOP + (_HEIGHT - _TOP - _BOTTOM) * (high - y) / (high - low)

    parts = []
    for i in range(5):
        value = low + (high - low) * i / 4
        y = place(0, value)[1]
        parts.append(f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.3g}</text>')
    for i in range(1, 5):
        x = place(right * i / 4, low)[0]
        anchor = "end" if i == 4 else "middle"
        parts.append(f'<text x="{x:.1f}" y="{_HEIGHT - 12}" text-anchor="{anchor}">{right * i / 4:,.0f}</text>')
    parts.append(f'<text x="{_LEFT}" y="{_HEIGHT - 12}">{html.escape(across)}</text>')
    for i, (name, points) in enumerate(shown.items()):
        color = COLORS[i % len(COLORS)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*p) for p in points))
        parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts.append(f'<text x="{_LEFT + 8 + i * 150}" y="14" style="fill:{color}">{html.escape(name)}</text>')
    label = html.escape(title, quote=True)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}"><title>{label}</title>{"".join(parts)}</svg>'
    )


def _thin(points: Line) -> list[tuple[float, float]]:
    step = max(1, math.ceil(len(points) / _POINTS))
    groups = [points[i : i + step] for i in range(0, len(points), step)]
    return [(sum(x for x, _ in g) / len(g), sum(y for _, y in g) / len(g)) for g in groups]
