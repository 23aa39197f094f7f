from __future__ import annotations

import pytest

from zoo.analysis.judging import Preservation
from zoo.analysis.samples import Proportion, mean_of


def test_wilsons_interval() -> None:
    low, high = Proportion(8, 10).interval  # by hand: (0.8 + 0.192 ± sqrt(…)) / 1.384
    assert low == pytest.approx(0.4902, abs=1e-4)
    assert high == pytest.approx(0.9433, abs=1e-4)


def test_bounds_stay_within_0_and_1() -> None:
    assert Proportion(0, 5).interval[0] == pytest.approx(0)
    assert Proportion(5, 5).interval[1] == pytest.approx(1)
    assert str(Proportion(1, 2)) == "50.0% (9.5 to 90.5% at 95% confidence; 1 of 2)"


def test_a_mean_of_nothing_is_said_to_be_none() -> None:
    assert mean_of({"a": 0.5, "b": 1.0}) == 0.75
    assert mean_of({}) is None
    kept = Preservation({"a": 0.5, "b": 1.0}, {"a": 0.5}, {"a": 0.25})
    assert kept.describe("maps") == "75.0% (random maps: 50.0%; unrelated samples: 25.0%): good"
    assert Preservation({"a": 0.3}, {"a": 0.5}, {"a": 0.25}).verdict == "no better than chance"
    assert Preservation({}, {}, {}).describe("maps") == "the labels name no other attribute"
    assert Preservation({}, {}, {}).verdict is None
