"""A run's curves, as a picture or on a terminal."""

from __future__ import annotations

from pathlib import Path

from zoo_core import UsageError

from ..models.curves import NETWORKS, curve
from ..reports.figures import OTHERS, Curves, save_png, thin
from .diagnosing import Diagnosis

BLOCKS = "▁▂▃▄▅▆▇█"
_D, _G = NETWORKS["discriminator"], NETWORKS["generator"]

PANELS: tuple[tuple[str, dict[str, tuple[str, str]], bool], ...] = (
    ("losses", {"d_loss": ("discriminator", _D), "g_loss": ("generator", _G)}, False),
    ("what D says", {"d_real": ("D(real)", _D), "d_fake": ("D(fake)", _G), "d_right": ("told apart", OTHERS[0])}, False),
    ("norm of the gradient", {"d_grad": ("discriminator", _D), "g_grad": ("generator", _G)}, True),
)
"""Heading, label and color of each curve by the name of its reading, and whether the scale is logarithmic."""


def curves_of(diagnosis: Diagnosis) -> list[Curves]:
    """Panels of curves over real images shown: of the readings, then one for each measure."""
    found = []
    for title, names, log in PANELS:
        lines = [curve(diagnosis.readings, name, *looks) for name, looks in names.items()]
        found.append(Curves([line for line in lines if len(line.points) > 1], "real images shown", title=title, log=log))
    for name in diagnosis.measures_by_name():
        line = curve(diagnosis.measures, name, name, OTHERS[0])
        found.append(Curves([line] if len(line.points) > 1 else [], "real images shown", title=name, log=False))
    return [panel for panel in found if not panel.empty]


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
    return save_png(panels, path)


def sparklines(diagnosis: Diagnosis, width: int = 48) -> list[tuple[str, str, str]]:
    """For a terminal: (name, blocks, "least … greatest") of each curve."""
    found = []
    for panel in curves_of(diagnosis):
        for line in panel.lines:
            values = [y for _, y in thin(line.points, width)]
            low, high = min(values), max(values)
            steps = [int((value - low) / (high - low) * (len(BLOCKS) - 1)) if high > low else 0 for value in values]
            name = line.name if line.name == panel.title else f"{panel.title}, {line.name}"
            found.append((name, "".join(BLOCKS[step] for step in steps), f"{low:.3g} … {high:.3g}"))
    return found
