"""Curves of a training's readings; each network has one color everywhere."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..reports.figures import COLORS, Curves, Line, save_png

NETWORKS = {"generator": COLORS[0], "discriminator": COLORS[1]}


def curve(lines: Sequence[Mapping[str, object]], name: str, label: str, color: str) -> Line:
    """Return a reading of the lines of a `metrics.jsonl` over real images shown, where it is a finite number."""
    found = []
    for line in lines:
        x, y = line.get("images"), line.get(name)
        if isinstance(x, int | float) and isinstance(y, int | float) and math.isfinite(y):
            found.append((float(x), float(y)))
    return Line(label, found, color)


def save_curves(lines: Sequence[Mapping[str, object]], path: Path) -> bool:
    """Draw both losses against real images shown, from the lines of a `metrics.jsonl`; False if there is nothing to draw."""
    losses = [curve(lines, f"{name[0]}_loss", f"loss of the {name}", color) for name, color in NETWORKS.items()]
    if sum(len(loss.points) for loss in losses) < 4:
        return False
    save_png([Curves(losses, "real images shown", log=False)], path)
    return True
