from __future__ import annotations

import pytest

from zoo.analysis.expressions import Term, parse_expression, wanted
from zoo_core import UsageError


def test_operators_stand_between_blanks_and_plus_without_them_joins_words() -> None:
    assert parse_expression("glasses+smile - smile + neutral") == [
        Term(1, "glasses+smile"),
        Term(-1, "smile"),
        Term(1, "neutral"),
    ]
    assert parse_expression("not-smiling − hair_color=pink") == [Term(1, "not-smiling"), Term(-1, "hair_color=pink")]
    assert parse_expression("- A + B") == [Term(-1, "A"), Term(1, "B")]


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        ("", 0, "the expression is empty"),
        ("A -", 3, "a concept is expected here"),
        ("A - + B", 4, "a concept is expected here"),
        ("A B", 2, r"expected \+ or -"),
        ("A - B,C + D", 5, "this is no concept"),
        ("A+ - B", 1, "this is no concept"),
        ("+ A", 0, "a concept is expected here"),
    ],
)
def test_what_does_not_parse_is_pointed_at(text: str, place: int, why: str) -> None:
    with pytest.raises(UsageError, match=why) as error:
        parse_expression(text)
    lines = error.value.message.splitlines()
    assert lines[1] == f"  {text}"
    assert lines[2].index("^") - 2 == place
    assert "glasses+smile - smile + neutral" in error.value.hint


def test_what_the_result_should_show() -> None:
    terms = parse_expression("A - B + C")
    assert wanted(terms, [True, False, False])
    assert not wanted(terms, [True, True, False])
    assert wanted(terms, [True, True, True])
    assert wanted(terms, [True, False, True])
    assert not wanted(terms, [False, True, False])
