"""Intervals of few values: of a mean over seeds, and of a share of so many. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from statistics import fmean, stdev

CONFIDENCE = 0.95


def mean_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> tuple[float, float] | None:
    """Return the confidence interval of the mean of normally distributed values; None for fewer than two."""
    if len(values) < 2:
        return None
    middle, half = fmean(values), student_t(len(values) - 1, confidence) * stdev(values) / math.sqrt(len(values))
    return middle - half, middle + half


def share_interval(count: int, of: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the exact confidence interval of the probability behind `count` successes among `of` trials.

    Clopper and Pearson 1934: each end is where the observed count, or one further out, has half of 1 − `confidence` left.
    """
    if not 0 <= count <= of or of < 1:
        raise ValueError(f"{count} of {of} is no share")
    rest = (1 - confidence) / 2
    low = 0.0 if count == 0 else _solve(lambda p: _at_least(count, of, p) < rest)
    high = 1.0 if count == of else _solve(lambda p: 1 - _at_least(count + 1, of, p) > rest)
    return low, high


def apart(one: tuple[float, float] | None, other: tuple[float, float] | None) -> int:
    """Return −1 where the first interval lies below the second, 1 where above, 0 where they meet or one is unknown."""
    if one is None or other is None:
        return 0
    return -1 if one[1] < other[0] else 1 if one[0] > other[1] else 0


@cache
def student_t(freedom: int, confidence: float = CONFIDENCE) -> float:
    """Return the t within ± which Student's distribution of `freedom` degrees holds a share `confidence`: 4.303 for 2."""
    low, high = 0.0, 1.0
    while _share_within(high, freedom) < confidence:
        high *= 2
    for _ in range(60):  # halved until nothing is left of the interval in double precision
        middle = (low + high) / 2
        low, high = (middle, high) if _share_within(middle, freedom) < confidence else (low, middle)
    return (low + high) / 2


def _share_within(t: float, freedom: int) -> float:
    """Return the probability of |T| < t, by the finite series for whole degrees of freedom (Abramowitz and Stegun 1964,
    26.7.3 and 26.7.4).
    """
    angle = math.atan(t / math.sqrt(freedom))
    cosine, sine = math.cos(angle), math.sin(angle)
    odd = freedom % 2
    term = total = cosine if odd else 1.0
    for k in range(2 + odd, freedom - 1, 2):
        term *= (k - 1) / k * cosine * cosine
        total += term
    if odd:
        return 2 / math.pi * (angle + (sine * total if freedom > 1 else 0.0))
    return sine * total


def _solve(below: Callable[[float], bool]) -> float:
    """Return the probability up to which `below` holds."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) else (low, middle)
    return (low + high) / 2


def _at_least(count: int, of: int, p: float) -> float:
    """Return the probability of `count` or more successes among `of` trials."""
    if p <= 0 or p >= 1:
        return float(p >= 1 or count == 0)
    few = count > of * p  # the shorter side is summed, which keeps small probabilities exact
    terms = range(count, of + 1) if few else range(count)
    total = sum(math.exp(_log_choose(of, k) + k * math.log(p) + (of - k) * math.log1p(-p)) for k in terms)
    return total if few else 1 - total


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
