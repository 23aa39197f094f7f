"""Shares with their uncertainty."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_Z = 1.959964
"""Standard deviations of a normal distribution that hold 95 % of it."""


@dataclass(frozen=True)
class Proportion:
    """How often something happened.

    Args:
        count: how often.
        of: out of how many independent trials, at least 1.
    """

    count: int
    of: int

    @property
    def rate(self) -> float:
        """`count` / `of`."""
        return self.count / self.of

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval for the probability (Wilson 1927, J. Am. Stat. Assoc. 22:209)."""
        n, p = self.of, self.rate
        middle = (p + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
        half = _Z / (1 + _Z**2 / n) * math.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2))
        return (max(0.0, middle - half), min(1.0, middle + half))

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        low, high = self.interval
        return {
            "rate": round(self.rate, 4),
            "count": self.count,
            "of": self.of,
            "interval95": [round(low, 4), round(high, 4)],
        }

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.rate:.1%} (95 %: {low:.1%} to {high:.1%}; {self.count} of {self.of})"


def mean_of(shares: Mapping[str, float]) -> float | None:
    """The mean, rounded; None of none."""
    return round(sum(shares.values()) / len(shares), 4) if shares else None


def describe_preservation(kept: float | None, random: float | None, what: str) -> str:
    """How many of the other attributes stayed, in words; `random` is the same of random maps or directions."""
    if kept is None or random is None:
        return "the labels name no other attribute"
    return f"{kept:.1%} (random {what}: {random:.1%})"
