"""A run's curves, as a picture or on a terminal."""

from __future__ import annotations

from pathlib import Path

from zoo_core import UsageError

from ..models.curves import NETWORKS, curve
from ..reports.figures import OTHERS, Curves, Line, save_png, thin
from .diagnosing import Diagnosis

BLOCKS = "▁▂▃▄▅▆▇█"
_D, _G = NETWORKS["discriminator"], NETWORKS["generator"]

Panel = tuple[str, dict[str, tuple[str, str]], bool]
"""Heading, label and color of each curve by the name of its reading, and whether the scale is logarithmic."""

COMPARED = ("d_loss", "g_loss")
"""Readings that are shown beside those of a healthy and of a sick training, as measures are."""


def panels(diagnosis: Diagnosis) -> tuple[Panel, ...]:
    """Return what is drawn of the readings, by what the loss's logits mean."""
    language = diagnosis.language
    without = language != "critic" and not any("real_logit" in line for line in diagnosis.readings)  # an earlier version's
    if language == "probabilities" or without:
        judged = {"d_real": ("D(real)", _D), "d_fake": ("D(fake)", _G)}
    else:
        judged = {"real_logit": ("score of real images", _D), "fake_logit": ("of generated ones", _G)}
    who = "critic" if language == "critic" else "discriminator"
    return (
        ("losses", {"d_loss": (who, _D), "g_loss": ("generator", _G)}, False),
        ("what D says", judged, False),
        ("told apart", {"d_right": ("share of images", OTHERS[0])}, False),
        ("norm of the gradient", {"d_grad": ("discriminator", _D), "g_grad": ("generator", _G)}, True),
    )


def curves_of(diagnosis: Diagnosis) -> list[Curves]:
    """Panels of curves over real images shown: of the readings, then one for each measure; dashed, those of a healthy and of
    a sick training of the same recipe, where they are known.
    """
    found = []
    for title, names, log in panels(diagnosis):
        lines = [curve(diagnosis.readings, name, *looks) for name, looks in names.items()]
        for name, looks in names.items() if any(len(line.points) > 1 for line in lines) else ():
            lines += _references(diagnosis, name, f"{looks[0]}, ") if name in COMPARED else []
        found.append(Curves([line for line in lines if len(line.points) > 1], "real images shown", title=title, log=log))
    for name in diagnosis.measures_by_name():
        line = curve(diagnosis.measures, name, name, OTHERS[0])
        lines = [line, *_references(diagnosis, name, "")] if len(line.points) > 1 else []
        found.append(Curves(lines, "real images shown", title=name, log=False))
    return [panel for panel in found if not panel.empty]


def _references(diagnosis: Diagnosis, name: str, label: str) -> list[Line]:
    """Return the curves of other trainings beside a run's own, as far as it has come, so that its own stays readable."""
    far = 2 * max((int(line["images"]) for line in (*diagnosis.readings, *diagnosis.measures)), default=0)
    found = []
    for reference in diagnosis.references:
        points = [(x, y) for x, y in reference.of(name) if x <= far]
        if len(points) > 1:
            color = OTHERS[1] if reference.health == "healthy" else OTHERS[2]
            found.append(Line(f"{label}{reference.health}", points, color, faint=True, dashed=True))
    return found


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


def sparklines(diagnosis: Diagnosis, width: int = 26) -> list[tuple[str, str, str]]:
    """For a terminal: (name, blocks, "least … greatest") of each curve."""
    found = []
    for panel in curves_of(diagnosis):
        for line in panel.lines:
            values = [y for _, y in thin(line.points, width)]
            low, high = min(values), max(values)
            steps = [int((value - low) / (high - low) * (len(BLOCKS) - 1)) if high > low else 0 for value in values]
            name = line.name if line.name == panel.title else f"{panel.title}, {line.name}"
            name = f"  {line.name}" if line.dashed else name
            found.append((name, "".join(BLOCKS[step] for step in steps), f"{low:.3g} … {high:.3g}"))
    return found
