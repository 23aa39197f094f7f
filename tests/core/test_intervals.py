"""Intervals of means and of shares are those of the tables."""

from __future__ import annotations

import pytest

from zoo_core.intervals import apart, mean_interval, share_interval, student_t


@pytest.mark.parametrize(
    ("freedom", "expected"),
    [(1, 12.7062), (2, 4.30265), (3, 3.18245), (4, 2.77645), (5, 2.57058), (9, 2.26216), (30, 2.04227), (1000, 1.96234)],
)
def test_students_t_is_that_of_the_tables(freedom: int, expected: float) -> None:
    assert student_t(freedom) == pytest.approx(expected, abs=1e-5)


def test_students_t_of_another_share() -> None:
    assert student_t(2, 0.9) == pytest.approx(2.91999, abs=1e-5)
    assert student_t(7, 0.99) == pytest.approx(3.49948, abs=1e-5)


@pytest.mark.parametrize(
    ("count", "of", "expected"),
    [
        (0, 10, (0.0, 0.30850)),
        (10, 10, (0.69150, 1.0)),
        (5, 10, (0.18709, 0.81291)),
        (18, 20, (0.68302, 0.98765)),
        (1, 1000, (0.0000253, 0.0055589)),
    ],
)
def test_the_interval_of_a_share_is_clopper_and_pearsons(count: int, of: int, expected: tuple[float, float]) -> None:
    assert share_interval(count, of) == pytest.approx(expected, abs=1e-5)


def test_the_interval_of_a_share_is_scipys() -> None:
    stats = pytest.importorskip("scipy.stats")
    for count, of, confidence in ((3, 40, 0.95), (77, 80, 0.9), (400, 1000, 0.99)):
        found = stats.binomtest(count, of).proportion_ci(confidence, "exact")
        assert share_interval(count, of, confidence) == pytest.approx((found.low, found.high), abs=1e-9)


@pytest.mark.parametrize(("count", "of"), [(-1, 3), (4, 3), (0, 0)])
def test_what_is_no_share_is_refused(count: int, of: int) -> None:
    with pytest.raises(ValueError, match="no share"):
        share_interval(count, of)


def test_the_interval_of_a_mean() -> None:
    assert mean_interval([9.0, 10.0, 11.0]) == pytest.approx((10 - 2.48414, 10 + 2.48414), abs=1e-4)
    assert mean_interval([7.0]) is None


@pytest.mark.parametrize(
    ("one", "other", "side"),
    [((0, 1), (2, 3), -1), ((4, 5), (2, 3), 1), ((0, 2), (2, 3), 0), (None, (2, 3), 0), ((0, 1), None, 0)],
)
def test_which_side_an_interval_lies_on(one: tuple[float, float], other: tuple[float, float], side: int) -> None:
    assert apart(one, other) == side
