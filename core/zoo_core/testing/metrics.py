"""Checks of metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from .subjects import Failed, Subject, require

FEWEST = 48
"""Images that are compared, or the metric's own minimum if that is more."""
_SHAPES = {"features": (16,), "logits": (10,), "images": (3, 32, 32)}


def _drawn(needs: str, n: int, seed: int) -> Tensor:
    """Features, confident logits or images, of one distribution."""
    values = torch.randn(n, *_SHAPES[needs], generator=torch.Generator().manual_seed(seed))
    return values.clamp(-1, 1) if needs == "images" else values * (4 if needs == "logits" else 1)


def _measure(metric: Any, real: Tensor, fake: Tensor) -> dict[str, float]:
    torch.manual_seed(0)
    before = real.clone(), fake.clone()
    found = metric.measure(real, fake)
    if not isinstance(found, Mapping) or not found:
        raise Failed(f"measure gave {found!r}, expected numbers by name")
    for name, value in found.items():
        fine = isinstance(name, str) and isinstance(value, int | float) and math.isfinite(value)
        require(fine, f"measure gave {value!r} as {name!r}, expected a finite float")
    untouched = torch.equal(before[0], real) and torch.equal(before[1], fake)
    require(untouched, "measure changes what it is given, expected it untouched")
    return dict(found)


def attributes(subject: Subject) -> None:
    cls = subject.cls
    require(cls.needs in _SHAPES, f"needs is {cls.needs!r}, expected one of {', '.join(_SHAPES)}")
    require(isinstance(cls.lower_is_better, bool), f"lower_is_better is {cls.lower_is_better!r}, expected True or False")
    fine = isinstance(cls.minimum, int) and cls.minimum >= 1
    require(fine, f"minimum is {cls.minimum!r}, expected a whole number of at least 1")


def finite_numbers(subject: Subject) -> str:
    """The same from one random state, as few images as it says are enough, and sets of different sizes."""
    metric, needs, least = subject.build(), subject.cls.needs, subject.cls.minimum
    real, fake = _drawn(needs, max(least, FEWEST), 1), _drawn(needs, max(least, FEWEST), 2)
    first, second = _measure(metric, real, fake), _measure(metric, real, fake)
    require(first == second, f"measure gave {first} and then {second} from one random state, expected the same twice")
    _measure(metric, real[:least], fake[:least])
    _measure(metric, real, fake[: max(least, len(fake) // 2)])
    return ", ".join(first)


def lower_is_better(subject: Subject) -> None:
    """Two draws from one distribution score better than one and a narrow, shifted one."""
    metric, needs, n = subject.build(), subject.cls.needs, max(subject.cls.minimum, FEWEST)
    real = _drawn(needs, n, 1)
    name, good = next(iter(_measure(metric, real, _drawn(needs, n, 2)).items()))
    bad = _measure(metric, real, real[:1] * 0.5 + 0.5 + 0.01 * _drawn(needs, n, 3))[name]
    better = good < bad if subject.cls.lower_is_better else good > bad
    require(
        better,
        f"{name} is {good:.4g} for two sets of one kind and {bad:.4g} for different ones; lower_is_better is "
        f"{subject.cls.lower_is_better}, expected the first to be {'less' if subject.cls.lower_is_better else 'more'}",
    )


CHECKS = (attributes, finite_numbers, lower_is_better)
