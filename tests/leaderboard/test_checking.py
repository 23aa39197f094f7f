"""Whether a row that was run again lies inside its interval, on made-up numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from helpers.boards import MACHINE, make_result
from zoo.comparing.spreads import Spread
from zoo.leaderboard.checking import Check, compare_weights, judge

VALUES = {"frechet:scattering": Spread.of([9.0, 10.0, 11.0]), "kid:scattering": Spread.of([1.0, 2.0])}


@pytest.mark.parametrize(
    ("new", "inside"),
    [
        ([13.0, 13.5, 13.9], True),
        ([13.0, 14.0, 15.0], False),
        ([6.0, 6.4, 6.2], False),
        ([6.6, 6.5, 6.6], True),
        ([14.9], True),
    ],
)
def test_the_mean_of_new_seeds_is_judged_by_where_it_is_expected(new: list[float], inside: bool) -> None:
    """10 ± 4.303 · √(1/3 + 1/3) is 6.49 to 13.51, and 5.03 to 14.97 for one seed alone."""
    found = judge(VALUES, [make_result("dcgan", 3 + i, value) for i, value in enumerate(new)])
    assert list(found) == ["frechet:scattering"]  # what the new ones lack is not judged
    judged = found["frechet:scattering"]
    assert (judged.board, judged.new, judged.inside) == (10.0, pytest.approx(sum(new) / len(new)), inside)
    assert judged.low == pytest.approx(6.4869 if len(new) == 3 else 5.0317, abs=1e-3)


def test_equal_seeds_give_equal_weights_on_equal_machines() -> None:
    first = make_result("dcgan", 0, 10.0)
    assert compare_weights(first, first) == (True, "seed 0 gave the same weights again")
    other = replace(first, weights={"generator": "other"})
    assert compare_weights(first, other) == (False, "seed 0 gave other weights: generator")
    for elsewhere in ({"machine": {**MACHINE, "threads": 2}}, {"versions": {"torch": "3"}}):
        same, words = compare_weights(first, replace(other, **elsewhere))  # type: ignore[arg-type]
        assert same is None
        assert "another kind of machine" in words
    assert compare_weights(first, None)[0] is None
    gpu = {"machine": {"device": "NVIDIA H100", "precision": "bf16"}}
    assert compare_weights(replace(first, **gpu), replace(other, **gpu))[0] is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("new", "same", "passed"), [(10.0, True, True), (10.0, None, True), (99.0, True, False), (10.0, False, False)]
)
def test_a_check_passes_inside_and_without_other_weights(new: float, same: bool | None, passed: bool) -> None:
    columns = judge(VALUES, [make_result("dcgan", seed, new) for seed in (3, 4)])
    found = Check("dcgan/faces", (3, 4), "frechet:scattering", columns, 0, same, "words on weights")
    assert found.passed is passed
    assert f"{'inside' if new == 10 else 'outside'} " in found.sentence
    assert "over 2 new seeds" in found.sentence
    assert found.to_json()["columns"]["frechet:scattering"]["inside"] is (new == 10)
