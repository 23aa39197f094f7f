"""Words for what can be seen in a picture: "glasses", "mouth=smile", "no-hat", "blond+smile".

A fact is one word: a set of values of one attribute, present or not. A concept says of several facts whether they hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from zoo_core import UsageError
from zoo_core.errors import near

from .judging import AttributeClassifier

ABSENT = ("none", "no", "absent", "false")
"""Values that say that an attribute is not there, best first."""

HIDDEN = "hidden"
NEUTRAL = "neutral"
"""A concept without facts of its own: whatever the rest of an expression names is absent from it."""

NEGATIONS = ("no-", "not-", "without-")

Vocabulary = Mapping[str, tuple[str, ...]]
"""Attribute → names of its values."""


@dataclass(frozen=True, order=True)
class Fact:
    """Something that a picture shows or does not show: `attribute` has one of `values`."""

    attribute: str
    values: tuple[str, ...]
    word: str

    def probability(self, judged: Mapping[str, Tensor], vocabulary: Vocabulary) -> Tensor:
        """The probability [N] that it holds, from a judge's probabilities."""
        columns = [vocabulary[self.attribute].index(value) for value in self.values]
        return judged[self.attribute][:, columns].sum(1)


@dataclass(frozen=True)
class Concept:
    """Facts and whether each holds; () holds for every picture."""

    facts: tuple[tuple[Fact, bool], ...] = ()

    def probability(self, judged: Mapping[str, Tensor], judge: AttributeClassifier) -> Tensor:
        """The least of the facts' probabilities [N]; 1 without facts."""
        count = len(next(iter(judged.values())))
        found = torch.ones(count)
        for fact, holds in self.facts:
            p = fact.probability(judged, judge.attributes)
            found = torch.minimum(found, p if holds else 1 - p)
        return found

    def __str__(self) -> str:
        return " and ".join(fact.word if holds else f"no {fact.word}" for fact, holds in self.facts) or "anything"


def parse_fact(word: str, vocabulary: Vocabulary) -> tuple[Fact, bool]:
    """What a word means, and whether it says that the fact holds ("no-glasses" says that it does not).

    A word is a value that only one attribute has ("smile"), attribute=value ("hair_color=brown"), or an attribute that can
    be absent ("glasses": any value but "none").

    Raises:
        UsageError: nothing bears the name, or several things do; near matches and the list are named.
    """
    fact = _fact(word, vocabulary)
    if fact is not None:
        return fact, True
    for negation in NEGATIONS:
        if word.startswith(negation):
            fact = _fact(word.removeprefix(negation), vocabulary)
            if fact is not None:
                return fact, False
    raise _unknown(word, vocabulary)


def parse_concept(text: str, vocabulary: Vocabulary) -> Concept:
    """Words joined by "+", as one concept; see `parse_fact`. Raises `UsageError`."""
    words = [word.strip() for word in text.split("+")]
    if not all(words):
        raise UsageError(f"{text!r} is no concept", hint="join words by +, without blanks: glasses+smile")
    return Concept(tuple(parse_fact(word, vocabulary) for word in words if word != NEUTRAL))


def fill_missing_facts(concepts: Sequence[Concept]) -> list[Concept]:
    """The concepts with every fact that any of them names; what one does not name, it lacks.

    So "glasses+smile - smile + neutral" subtracts smiles without glasses, and adds faces with neither.
    """
    facts = sorted({fact for concept in concepts for fact, _ in concept.facts})
    return [Concept(tuple((fact, dict(concept.facts).get(fact, False)) for fact in facts)) for concept in concepts]


def _fact(word: str, vocabulary: Vocabulary) -> Fact | None:
    attribute, sign, value = word.partition("=")
    if sign:
        if value in vocabulary.get(attribute, ()):
            return Fact(attribute, (value,), word)
        return None
    holders = [name for name, values in vocabulary.items() if word in values]
    if len(holders) == 1:
        return Fact(holders[0], (word,), word)
    if len(holders) > 1:
        choices = " or ".join(f"{name}={word}" for name in holders)
        raise UsageError(f"{word!r} is a value of {len(holders)} attributes", hint=f"write {choices}")
    if word not in vocabulary:
        return None
    values = vocabulary[word]
    shown = tuple(v for v in values if v not in ABSENT and v != HIDDEN)
    if not any(v in ABSENT for v in values):
        choices = ", ".join(f"{word}={v}" for v in values)
        raise UsageError(
            f"{word!r} has no value that means its absence, so say which one is meant", hint=f"one of: {choices}"
        )
    return Fact(word, shown, word)


def _unknown(word: str, vocabulary: Vocabulary) -> UsageError:
    values = [v for vs in vocabulary.values() for v in vs]
    single = {v for v in values if values.count(v) == 1 and v not in ABSENT}
    pairs = {f"{name}={v}" for name, vs in vocabulary.items() for v in vs}
    close = near(word, {*single, *vocabulary}) or near(word, pairs)
    meant = f"; did you mean {' or '.join(close)}?" if close else ""
    listed = "\n".join(f"  {name}: {', '.join(vs)}" for name, vs in vocabulary.items())
    return UsageError(f"nothing is called {word!r}{meant}", hint=f"what the dataset is labeled with:\n{listed}")
