"""What a few seeds say: mean, standard deviation, and in which interval the truth, or the next seeds, are to be expected.

Intervals are those of normally distributed values, by Student's t distribution. Imports no torch.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean, stdev

from zoo_core.intervals import student_t


@dataclass(frozen=True)
class Spread:
    """Mean, standard deviation (over n − 1) and the values themselves, one for each seed; None where there are too few."""

    mean: float | None
    deviation: float | None
    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Summarize values."""
        found = tuple(values)
        mean, deviation = fmean(found) if found else None, stdev(found) if len(found) > 1 else None
        return cls(mean, deviation, found)

    @property
    def half_width(self) -> float | None:
        """Half of the 95 % confidence interval of the mean, t · s / √n; None for fewer than two values."""
        if self.deviation is None:
            return None
        return student_t(len(self.values) - 1) * self.deviation / math.sqrt(len(self.values))

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % confidence interval of the mean."""
        return None if self.half_width is None or self.mean is None else _around(self.mean, self.half_width)

    def predict(self, count: int) -> tuple[float, float] | None:
        """Return the 95 % prediction interval of the mean of `count` further values: mean ± t · s · √(1/n + 1/count).

        In it the mean of other seeds of the same training lies 19 times of 20. None for fewer than two values.
        """
        if self.deviation is None or self.mean is None:
            return None
        n = len(self.values)
        return _around(self.mean, student_t(n - 1) * self.deviation * math.sqrt(1 / n + 1 / count))


def _around(middle: float, half: float) -> tuple[float, float]:
    return middle - half, middle + half
