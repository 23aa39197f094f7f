"""Whether a training does well: what stops it, and problems that the lines of `metrics.jsonl` tell.

They are functions of what is written down alone, so a resumed run and `zoo diagnose` see what a run saw
that was not interrupted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import fmean as mean
from statistics import median
from typing import Any

import torch
from torch import nn

from zoo_core import TrainingError

CHECK = 50  # most steps between two looks at whether all is finite, however rarely losses are written down
LIMIT = 1e6  # a mean loss beyond it is as good as infinite
STEPS, READINGS = 200, 5  # a problem is told from the readings of so many steps, and from so many readings at least
WINS = 0.998  # share of images told apart at which the discriminator wins outright
VANISHED = 0.01  # share of its usual norm under which the generator's gradient has vanished

COLLAPSED, FALLEN, NEVER = 0.3, 0.5, 0.1
"""Diversity that is too low after a fall to less than FALLEN of its highest, and that is too low after EARLY images."""

EARLY = 20_000

SWING, SWINGS, LAST = 0.35, 4, 60
"""A loss oscillates if, smoothed, it goes to SWING of its median beyond the median on either side in turn, SWINGS times
within the LAST readings, and that is three times what it moves between two readings."""


class DivergenceError(TrainingError):
    """A training that cannot go on as it is, and could with other settings: it diverged or collapsed."""


@dataclass(frozen=True)
class HealthWarning:
    """Something amiss: a short name of its kind, what is seen, and what to try."""

    kind: str
    words: str
    advice: str


@dataclass
class History:
    """The lines of a `metrics.jsonl`: readings have losses, measures "diversity" or the value of an evaluation."""

    readings: list[Mapping[str, Any]] = field(default_factory=list)
    measures: list[Mapping[str, Any]] = field(default_factory=list)

    def add(self, line: Mapping[str, Any]) -> None:
        (self.readings if "images_per_s" in line else self.measures).append(line)

    @classmethod
    def of(cls, lines: Sequence[Mapping[str, Any]]) -> History:
        history = cls()
        for line in lines:
            history.add(line)
        return history

    def recent(self) -> list[Mapping[str, Any]]:
        """Return the readings of the last steps; empty while there are too few to judge."""
        if not self.readings:
            return []
        since = self.readings[-1]["step"] - STEPS
        near = [line for line in self.readings[-STEPS:] if line["step"] > since]
        found = near if len(near) >= READINGS else self.readings[-READINGS:]  # they may lie far apart
        return found if len(found) >= READINGS and self.readings[-1]["step"] >= STEPS else []

    def diversities(self) -> list[float]:
        """Return all measured diversities, oldest first."""
        return [float(line["diversity"]) for line in self.measures if "diversity" in line]


def detect_problems(history: History, language: str = "scores") -> list[HealthWarning]:
    """Return the problems at the end of a history; `language` is `Loss.language`: a critic that tells all images apart does
    what it is for.
    """
    found = (
        None if language == "critic" else _winning(history),
        _vanishing(history),
        _collapsing(history),
        _oscillating(history),
    )
    return [warning for warning in found if warning is not None]


def _values(lines: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    return [float(line[name]) for line in lines if isinstance(line.get(name), int | float)]


def _winning(history: History) -> HealthWarning | None:
    values = _values(history.recent(), "d_right")
    if len(values) < READINGS or mean(values) < WINS:
        return None
    return HealthWarning(
        "discriminator-wins",
        f"the discriminator tells {mean(values):.1%} of all images apart, so the generator learns little from it",
        "slow it down (--set optimizer.discriminator.lr=1e-4), augment what it sees "
        "(--set training.augment=color,translation), or smooth the labels of real images "
        "(--set loss.smoothing=0.1)",
    )


def _vanishing(history: History) -> HealthWarning | None:
    now = _values(history.recent(), "g_grad")
    if len(now) < READINGS:
        return None
    every = _values(history.readings[:: max(1, len(history.readings) // 1000)], "g_grad")
    usual = sorted(every)[int(0.9 * (len(every) - 1))]
    if median(now) >= VANISHED * usual and median(now) > 1e-8:
        return None
    return HealthWarning(
        "vanishing-gradient",
        f"the generator's gradient has vanished: its norm is {median(now):.2g}, and was {usual:.2g} in this run",
        "take a loss that does not saturate (zoo list losses: non-saturating, hinge), or slow the discriminator down "
        "(--set optimizer.discriminator.lr=1e-4)",
    )


def _collapsing(history: History) -> HealthWarning | None:
    values = history.diversities()
    if not values:
        return None
    images = next(line["images"] for line in reversed(history.measures) if "diversity" in line)
    now, highest = values[-1], max(values)
    fell = now < COLLAPSED and now < FALLEN * highest
    if not fell and not (images >= EARLY and now < NEVER):
        return None
    before = f"; they were {highest:.2f} as far apart at best" if fell else ""
    return HealthWarning(
        "collapse",
        f"the generator draws nearly the same for every latent: its samples lie {now:.2f} times as far apart as real images "
        f"do{before}",
        "go back to an earlier checkpoint, and try a lower learning rate (--set optimizer.lr=1e-4), a larger batch, "
        "or another seed",
    )


def _oscillating(history: History) -> HealthWarning | None:
    if not history.recent():
        return None
    for name, who in (("g_loss", "generator"), ("d_loss", "discriminator")):
        values = _values(history.readings[-LAST:], name)
        swings = _swings([mean(values[i : i + 3]) for i in range(len(values) - 2)])
        if swings >= SWINGS:
            return HealthWarning(
                "oscillation",
                f"the {who}'s loss swings to and fro, {swings} times in the last {len(values)} readings: the two networks "
                "chase each other",
                "lower the learning rate (--set optimizer.lr=1e-4) or Adam's first decay (--set optimizer.beta1=0)",
            )
    return None


def _swings(values: Sequence[float]) -> int:
    """Return how often a series goes from far below its median to far above it or back."""
    if len(values) < 12:
        return 0
    middle, side, count = median(values), 0, 0
    noise = median(abs(after - before) for before, after in pairwise(values))
    far = max(SWING * median(abs(value) for value in values), 3 * noise)
    for value in values:
        now = 1 if value > middle + far else -1 if value < middle - far else side
        count += side != 0 and now != side
        side = now
    return count


def ensure_finite(means: Mapping[str, float], step: int) -> None:
    """Raise `TrainingError` unless all means are finite numbers, and losses of a size that means something."""
    for name, value in means.items():
        if not math.isfinite(value) or (name.endswith("_loss") and abs(value) > LIMIT):
            raise divergence_error(f"{name} is {value:.4g} at step {step}")


def ensure_finite_weights(networks: Mapping[str, nn.Module], step: int) -> None:
    """Raise `TrainingError` if a weight of any of the networks is not finite."""
    for name, network in networks.items():
        if not torch.stack(torch._foreach_norm(list(network.parameters()))).isfinite().all():
            raise divergence_error(f"the {name} has weights that are not finite at step {step}")


def divergence_error(what: str) -> DivergenceError:
    """Return the error that ends a training, with what to try next."""
    hint = "try a lower learning rate (--set optimizer.lr=1e-4) or --precision fp32"
    return DivergenceError(f"{what}: the training diverged", hint=hint)
