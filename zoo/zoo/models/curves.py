"""Training curves as one small picture."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image, ImageDraw

WIDTH, HEIGHT, EDGE = 640, 240, 44
COLORS = {"d_loss": "#c44e00", "g_loss": "#0b62a8"}
LABELS = {"d_loss": "discriminator", "g_loss": "generator"}
POINTS = 400
"""Most points of a curve; each is the mean of the readings that it stands for."""


def save_curves(lines: Sequence[Mapping[str, float]], path: Path) -> bool:
    """Draw both losses against real images shown, from the lines of a `metrics.jsonl`; False if there is nothing to draw."""
    curves = {name: _thin([(line["images"], line[name]) for line in lines if _has(line, name)]) for name in COLORS}
    points = [point for curve in curves.values() for point in curve]
    if len(points) < 4:
        return False
    right = max(x for x, _ in points) or 1.0
    low, high = min(0.0, *(y for _, y in points)), max(y for _, y in points)
    high = high if high > low else low + 1.0
    picture = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw = ImageDraw.Draw(picture)

    def place(x: float, y: float) -> tuple[float, float]:
        across = (WIDTH - EDGE - 12) * x / right
        up = (HEIGHT - 2 * 24) * (y - low) / (high - low)
        return EDGE + across, HEIGHT - 24 - up

    for i in range(5):
        value = low + (high - low) * i / 4
        _, y = place(0, value)
        draw.line([(EDGE, y), (WIDTH - 12, y)], fill="#dddddd")
        draw.text((4, y - 6), f"{value:.2f}", fill="black")
    for i in range(1, 5):
        x, _ = place(right * i / 4, low)
        text = f"{right * i / 4:,.0f} images"
        width = draw.textlength(text)
        draw.text((min(x - width / 2, WIDTH - width - 4), HEIGHT - 18), text, fill="black")
    for i, (name, curve) in enumerate(curves.items()):
        if len(curve) > 1:
            draw.line([place(x, y) for x, y in curve], fill=COLORS[name], width=2)
        draw.text((EDGE + 8 + i * 130, 4), f"loss of the {LABELS[name]}", fill=COLORS[name])
    picture.save(path, format="PNG", optimize=True)
    return True


def _has(line: Mapping[str, float], name: str) -> bool:
    values = [line.get("images"), line.get(name)]
    return all(isinstance(v, int | float) and math.isfinite(v) for v in values)


def _thin(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    step = max(1, math.ceil(len(points) / POINTS))
    groups = [points[i : i + step] for i in range(0, len(points), step)]
    return [(sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups]
