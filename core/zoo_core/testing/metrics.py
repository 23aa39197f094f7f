"""Checks of metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from ..metrics import Measurement, Metric
from .subjects import Failed, Subject, require, require_no_draws, same

SHAPES = {"features": (8,), "logits": (10,), "images": (3, 48, 48)}
"""What one image is, for each of the things that a metric can need."""


def _given(metric: Metric, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Real and generated ones, enough for a standard error."""
    rng = torch.Generator().manual_seed(seed)
    count = max(4 * metric.minimum, 48)
    real, fake = (torch.rand(count + i, *SHAPES[metric.needs], generator=rng) * 2 - 1 for i in (0, 3))
    return (real if metric.uses_real else real[:0]), fake


def _check(found: object, what: str) -> dict[str, float]:
    if not isinstance(found, Mapping) or not found:
        raise Failed(f"{what} gave {found!r}, expected numbers by name")
    for name, value in found.items():
        require(
            isinstance(name, str) and isinstance(value, float | int) and math.isfinite(value),
            f"{what} gave {name!r}: {value!r}, expected a finite float by its name",
        )
    return dict(found)


def requirements(subject: Subject) -> None:
    """It says what it needs, in words that the zoo knows."""
    metric: Metric = subject.build()
    require(metric.needs in SHAPES, f"it needs {metric.needs!r}, expected one of {', '.join(SHAPES)}")
    require(metric.minimum >= 1, f"its minimum is {metric.minimum!r}, expected at least 1")


def finite_numbers(subject: Subject) -> None:
    """Numbers by name; the same for the same input, which stays as it is, whatever the global random state."""
    metric: Metric = subject.build()
    real, fake = _given(metric)
    before = real.clone(), fake.clone()
    found = _check(metric.measure(real, fake), "measure")
    require(torch.equal(before[0], real) and torch.equal(before[1], fake), "measure changes its input in place")
    torch.manual_seed(99)
    again = require_no_draws("measure", lambda: metric.measure(real, fake))  # the first call imported things
    for name, value in found.items():
        require(
            name in again and same(torch.tensor(value), torch.tensor(again[name])),
            f"two calls on the same input give {name} {value!r} and {again.get(name)!r}, expected equal numbers",
        )


def evaluation(subject: Subject) -> None:
    """The same numbers with standard errors, of names that there are."""
    metric: Metric = subject.build()
    real, fake = _given(metric)
    found = metric.evaluate(real, fake, resamples=3)
    require(isinstance(found, Measurement), f"evaluate gave a {type(found).__name__}, expected a zoo_core.Measurement")
    values = _check(found.values, "evaluate")
    names = sorted(metric.measure(real, fake))
    require(sorted(values) == names, f"evaluate gave {', '.join(values)}, expected what measure gives: {', '.join(names)}")
    strange = sorted(set(found.spread) - set(values))
    require(not strange, f"evaluate gave a spread of {', '.join(strange)}, which measure does not give")


def lower_is_better(subject: Subject) -> str:
    """Two draws from one distribution score better than one and a narrow, shifted one."""
    metric: Metric = subject.build()
    if not metric.uses_real:
        return "not checked: real images do not matter"
    real, fake = _given(metric)
    name, good = next(iter(metric.measure(real, fake).items()))
    bad = metric.measure(real, 0.1 * fake + (0.9 if metric.needs == "images" else 5.0))[name]
    require(
        good <= bad if metric.lower_is_better else good >= bad,
        f"{name} is {good:.4g} for two sets of one kind and {bad:.4g} for different ones; lower_is_better is "
        f"{metric.lower_is_better}, expected the first to be {'less' if metric.lower_is_better else 'more'}",
    )
    return ""


CHECKS = (requirements, finite_numbers, evaluation, lower_is_better)
