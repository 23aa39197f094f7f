"""Means, intervals of means, and intervals in which the next seeds are expected."""

from __future__ import annotations

import math

import pytest

from zoo.comparing.spreads import Spread


def test_the_interval_of_a_mean() -> None:
    spread = Spread.of([9.0, 10.0, 11.0])
    assert (spread.mean, spread.deviation) == (10.0, 1.0)
    assert spread.half_width == pytest.approx(4.30265 / math.sqrt(3), abs=1e-5)
    assert spread.interval == pytest.approx((10 - 2.48414, 10 + 2.48414), abs=1e-4)


def test_the_next_mean_is_expected_in_a_wider_interval() -> None:
    spread = Spread.of([9.0, 10.0, 11.0])
    assert spread.predict(3) == pytest.approx((10 - 4.30265 * math.sqrt(2 / 3), 10 + 4.30265 * math.sqrt(2 / 3)), abs=1e-4)
    assert spread.predict(1) == pytest.approx((10 - 4.30265 * math.sqrt(4 / 3), 10 + 4.30265 * math.sqrt(4 / 3)), abs=1e-4)


@pytest.mark.parametrize("values", [[], [7.0]])
def test_too_few_values_have_no_interval(values: list[float]) -> None:
    spread = Spread.of(values)
    assert spread.mean == (values[0] if values else None)
    assert spread.deviation is spread.half_width is spread.interval is spread.predict(3) is None
