from __future__ import annotations

import pytest
import torch

from zoo.analysis.attribute_classifier import AttributeClassifier
from zoo.analysis.labels import (
    Concept,
    Fact,
    Term,
    parse_concepts,
    parse_expression,
    parse_fact,
    should_hold,
)
from zoo_core import UsageError

WORDS = {
    "glasses": ("none", "round", "square"),
    "hair": ("bald", "short", "hidden"),
    "hair_color": ("brown", "pink", "hidden"),
    "skin_color": ("brown", "light"),
    "class": ("not-smiling", "smiling"),
}


def test_words() -> None:
    assert parse_fact("glasses", WORDS) == (Fact("glasses", ("round", "square"), "glasses"), True)
    assert parse_fact("no-glasses", WORDS) == (Fact("glasses", ("round", "square"), "glasses"), False)
    assert parse_fact("round", WORDS) == (Fact("glasses", ("round",), "round"), True)
    assert parse_fact("hair_color=brown", WORDS)[0].values == ("brown",)
    assert parse_fact("not-smiling", WORDS) == (Fact("class", ("not-smiling",), "not-smiling"), True)
    assert parse_fact("no-hair=bald", WORDS) == (Fact("hair", ("bald",), "hair=bald"), False)


@pytest.mark.parametrize(
    ("word", "message", "hint"),
    [
        ("glases", "did you mean glasses", "hair_color: brown, pink, hidden"),
        ("brown", "a value of 2 attributes", "hair_color=brown or skin_color=brown"),
        ("hair", "has no value that means its absence", "hair=bald, hair=short"),
        ("hair=long", "nothing is called 'hair=long'", "hair: bald, short, hidden"),
    ],
)
def test_unknown_words_name_what_there_is(word: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError, match=message) as error:
        parse_fact(word, WORDS)
    assert hint in error.value.hint


def test_an_empty_word_is_refused() -> None:
    with pytest.raises(UsageError, match="no concept"):
        parse_concepts(["glasses++pink"], WORDS)


def test_what_others_name_a_concept_lacks() -> None:
    both, pink, neither = parse_concepts(["glasses+pink", "pink", "neutral"], WORDS)
    assert [holds for _, holds in both.facts] == [True, True]
    assert {fact.word: holds for fact, holds in pink.facts} == {"glasses": False, "pink": True}
    assert str(neither) == "no glasses and no pink"
    assert str(Concept()) == "anything"


def test_probability_is_that_of_the_least_likely_fact(classifier: AttributeClassifier) -> None:
    probabilities = {"square": torch.tensor([[0.1, 0.9], [0.7, 0.3]]), "background": torch.tensor([[0.2, 0.8], [0.5, 0.5]])}
    concept = parse_concepts(["square", "green"], classifier.attributes)[0]
    assert concept.probability(probabilities, classifier.attributes).tolist() == pytest.approx([0.2, 0.3])


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
    assert should_hold(terms, [True, False, False])
    assert not should_hold(terms, [True, True, False])
    assert should_hold(terms, [True, True, True])
    assert should_hold(terms, [True, False, True])
    assert not should_hold(terms, [False, True, False])
