"""A run's curves, as a picture or on a terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from zoo_core import UsageError

from ..files import atomic_file
from .diagnosing import Diagnosis

WIDTH, HEIGHT, EDGE, TOP = 760, 180, 60, 22
COLORS = ("#c44e00", "#0b62a8", "#2f7d32", "#7b3fa0")
BLOCKS = "▁▂▃▄▅▆▇█"
POINTS = 400
"""Most points of a curve; each is the mean of the readings that it stands for."""

Curve = Sequence[tuple[float, float]]

PANELS: tuple[tuple[str, dict[str, str], bool], ...] = (
    ("losses", {"d_loss": "discriminator", "g_loss": "generator"}, False),
    ("what D says", {"d_real": "D(real)", "d_fake": "D(fake)", "d_right": "told apart"}, False),
    ("norm of the gradient", {"d_grad": "discriminator", "g_grad": "generator"}, True),
)
"""Heading, curves by the name of a reading, and whether the scale is logarithmic."""


def curves_of(diagnosis: Diagnosis) -> list[tuple[str, dict[str, Curve], bool]]:
    """Panels of curves over real images shown: of the readings, then one for each measure."""
    found: list[tuple[str, dict[str, Curve], bool]] = []
    for heading, names, logarithmic in PANELS:
        curves = {label: _curve(diagnosis.readings, name, logarithmic) for name, label in names.items()}
        found.append((heading, {label: curve for label, curve in curves.items() if len(curve) > 1}, logarithmic))
    for name, values in diagnosis.measured().items():
        found.append((name, {name: values}, False))
    return [panel for panel in found if any(len(curve) > 1 for curve in panel[1].values())]


def save_health(diagnosis: Diagnosis, path: Path) -> Path:
    """Draw all curves, one panel above the other, as a PNG.

    Raises:
        UsageError: `path` is no name of a PNG, or there is nothing to draw yet.
        ZooError: it cannot be written.
    """
    if path.suffix.lower() != ".png":
        raise UsageError(f"{path} is no name of a PNG", hint="for example: --out health.png")
    panels = curves_of(diagnosis)
    if not panels:
        raise UsageError(f"{diagnosis.run} has too few readings for curves", hint="train longer, or leave --out out")
    picture = Image.new("RGB", (WIDTH, HEIGHT * len(panels)), "white")
    draw = ImageDraw.Draw(picture)
    right = max(x for _, curves, _ in panels for curve in curves.values() for x, _ in curve) or 1.0
    for number, (heading, curves, logarithmic) in enumerate(panels):
        _panel(draw, HEIGHT * number, heading, curves, right, logarithmic)
    with atomic_file(path) as temporary:
        picture.save(temporary, format="PNG", optimize=True)
    return path


def sparklines(diagnosis: Diagnosis, width: int = 48) -> list[tuple[str, str, str]]:
    """For a terminal: (name, blocks, "least … greatest") of each curve."""
    found = []
    for heading, curves, _ in curves_of(diagnosis):
        for label, curve in curves.items():
            values = [y for _, y in thin(curve, width)]
            low, high = min(values), max(values)
            steps = [int((value - low) / (high - low) * (len(BLOCKS) - 1)) if high > low else 0 for value in values]
            name = label if label == heading else f"{heading}, {label}"
            found.append((name, "".join(BLOCKS[step] for step in steps), f"{low:.3g} … {high:.3g}"))
    return found


def thin(points: Curve, most: int) -> list[tuple[float, float]]:
    """At most `most` points, each the mean of those that it stands for."""
    step = max(1, math.ceil(len(points) / most))
    groups = [points[i : i + step] for i in range(0, len(points), step)]
    return [(sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups]


def _curve(lines: Sequence[Mapping[str, object]], name: str, positive: bool) -> Curve:
    found = []
    for line in lines:
        x, y = line.get("images"), line.get(name)
        if isinstance(x, int | float) and isinstance(y, int | float) and math.isfinite(y) and (y > 0 or not positive):
            found.append((float(x), float(y)))
    return found


def _panel(
    draw: ImageDraw.ImageDraw, top: int, heading: str, curves: dict[str, Curve], right: float, logarithmic: bool
) -> None:
    """Draw one panel from `top` on; x goes from 0 to `right` images."""

    def scale(y: float) -> float:
        return math.log10(y) if logarithmic else y

    thinned = {label: thin(curve, POINTS) for label, curve in curves.items()}
    values = [scale(y) for curve in thinned.values() for _, y in curve]
    low, high = (min(values), max(values)) if logarithmic else (min(0.0, *values), max(values))
    high = high if high > low else low + 1.0

    def place(x: float, y: float) -> tuple[float, float]:
        up = (HEIGHT - 2 * TOP) * (y - low) / (high - low)
        return EDGE + (WIDTH - EDGE - 12) * x / right, top + HEIGHT - TOP - up

    for i in range(5):
        value = low + (high - low) * i / 4
        _, y = place(0, value)
        draw.line([(EDGE, y), (WIDTH - 12, y)], fill="#dddddd")
        draw.text((4, y - 6), f"{10**value if logarithmic else value:.3g}", fill="black")
    for i in range(1, 5):
        text = f"{right * i / 4:,.0f} images"
        x, _ = place(right * i / 4, low)
        width = draw.textlength(text)
        draw.text((min(x - width / 2, WIDTH - width - 4), top + HEIGHT - 16), text, fill="black")
    draw.text((EDGE, top + 4), heading, fill="black")
    across = EDGE + 160.0
    for (label, curve), color in zip(thinned.items(), COLORS, strict=False):
        draw.line([place(x, scale(y)) for x, y in curve], fill=color, width=2)
        if label != heading:
            draw.text((across, top + 4), label, fill=color)
            across += draw.textlength(label) + 24
