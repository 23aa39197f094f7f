"""Curves of trainings that went well and badly, one file for each recipe, beside which `zoo diagnose` shows a run's own.

All of them were measured: `benchmarks/reference_curves.py` trains them and writes the files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal

FOLDER = "curves_of_recipes"


@dataclass(frozen=True)
class Reference:
    """The curves of one training.

    Args:
        health: what it is an example of.
        label: in words, what was trained on what and how ("dcgan on 2,000 faces of 32×32, width 16").
        curves: name of a reading or measure → (real images shown, value).
        command: what trained it.
    """

    health: Literal["healthy", "sick"]
    label: str
    curves: Mapping[str, list[tuple[float, float]]]
    command: str

    def of(self, name: str) -> list[tuple[float, float]]:
        """Return a curve by name; empty where it has none."""
        return self.curves.get(name, [])


def read_references(recipe: str) -> tuple[Reference, ...]:
    """Return the curves of a recipe, the healthy one first; none for a recipe that nobody has measured."""
    file = resources.files(__package__) / FOLDER / f"{recipe}.json"
    if not file.is_file():
        return ()
    found: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    pairs = [{name: [(float(x), float(y)) for x, y in line] for name, line in one["curves"].items()} for one in found]
    return tuple(
        Reference(one["health"], one["label"], curves, one["command"]) for one, curves in zip(found, pairs, strict=True)
    )
