"""Numbers for people: digits that mean something, verdicts that follow one rule."""

from __future__ import annotations

import math

import pytest

from zoo.reports.numbers import format_value, judge


@pytest.mark.parametrize(
    ("value", "spread", "expected"),
    [
        (1297.4, 350.2, "1,300 ± 350"),
        (1297.4, 35.02, "1,297 ± 35"),
        (1.7812, 0.0614, "1.781 ± 0.061"),
        (0.00681, 0.00047, "0.00681 ± 0.00047"),
        (0.0412, 0.0996, "0.04 ± 0.10"),
        (99.96, 9.96, "100 ± 10"),
        (-0.002, 0.01, "−0.002 ± 0.010"),
        (0.0, 0.5, "0.00 ± 0.50"),
        (0.008398027, 7.7e-8, "0.00839803 ± 7.7e−08"),
        (0.001, 350.0, "0 ± 350"),
        (3.2e-6, 4e-7, "3.20e−06 ± 4.0e−07"),
        (12345678.0, 1000.0, "1.23457e+07 ± 1.0e+03"),
        (1297.4, None, "1,297"),
        (1.5, 0.0, "1.500"),
        (1.5, math.nan, "1.500"),
        (0.123456, None, "0.1235"),
        (123456.0, None, "123,500"),
        (-3.0, None, "−3.000"),
        (0.0, None, "0.000"),
        (1.5e-7, None, "1.500e−07"),
        (2.5e9, None, "2.500e+09"),
        (None, None, "–"),
        (math.inf, 1.0, "inf"),
    ],
)
def test_value_and_spread_are_rounded_together(value: float | None, spread: float | None, expected: str) -> None:
    assert format_value(value, spread) == expected


@pytest.mark.parametrize(
    ("value", "chance", "best", "interval", "expected"),
    [
        (0.5, 0.0, 1.0, None, "good"),
        (0.49, 0.0, 1.0, None, "weak"),
        (0.1, 0.0, 1.0, None, "weak"),
        (0.09, 0.0, 1.0, None, "no better than chance"),
        (0.76, 0.085, 1.0, (0.64, 0.86), "good"),
        (0.38, 0.14, 1.0, (0.29, 0.48), "weak"),
        (0.71, 0.67, 1.0, (0.59, 0.81), "no better than chance"),
        (0.05, 0.0, 1.0, (0.03, 0.07), "weak"),  # little, but surely more than nothing
        (0.04, 0.34, 0.0, (0.02, 0.08), "good"),  # smaller is better
        (0.30, 0.34, 0.0, (0.25, 0.36), "no better than chance"),
        (0.60, 0.34, 0.0, None, "no better than chance"),  # worse than chance
        (0.3, 1.0, 1.0, None, "no better than chance"),  # where chance is as good as can be, nothing is shown
        (math.nan, 0.0, 1.0, None, "no better than chance"),
    ],
)
def test_verdicts(value: float, chance: float, best: float, interval: tuple[float, float] | None, expected: str) -> None:
    assert judge(value, chance, best, interval) == expected
