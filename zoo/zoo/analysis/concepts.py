"""Words for what can be seen in a picture ("glasses", "mouth=smile", "no-hat", "blond+smile"), and expressions of them.

A fact is one word: a set of values of one attribute, present or not. A concept says of several facts whether they hold. An
expression adds and subtracts concepts: "glasses+smile - smile + neutral".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from zoo_core import UsageError
from zoo_core.errors import near

from .labeled_images import Vocabulary

ABSENT = ("none", "no", "absent", "false")
"""Values that say that an attribute is not there, best first."""

HIDDEN = "hidden"
NEUTRAL = "neutral"
"""A concept without facts of its own: whatever the rest of an expression names is absent from it."""

NEGATIONS = ("no-", "not-", "without-")

_CONCEPT = re.compile(r"[\w=-]+(?:\+[\w=-]+)*")


@dataclass(frozen=True, order=True)
class Fact:
    """Something that a picture shows or does not show: `attribute` has one of `values`."""

    attribute: str
    values: tuple[str, ...]
    word: str

    def probability(self, probabilities: Mapping[str, Tensor], vocabulary: Vocabulary) -> Tensor:
        """The probability [N] that it holds, from those of all values [N, values] of each attribute."""
        return probabilities[self.attribute][:, [vocabulary[self.attribute].index(v) for v in self.values]].sum(1)


@dataclass(frozen=True)
class Concept:
    """Facts and whether each holds; () holds for every picture."""

    facts: tuple[tuple[Fact, bool], ...] = ()

    def probability(self, probabilities: Mapping[str, Tensor], vocabulary: Vocabulary) -> Tensor:
        """The least of the facts' probabilities [N]; 1 without facts."""
        every = [torch.ones(len(next(iter(probabilities.values()))))]
        for fact, holds in self.facts:
            p = fact.probability(probabilities, vocabulary)
            every.append(p if holds else 1 - p)
        return torch.stack(every).amin(0)

    def __str__(self) -> str:
        return " and ".join(fact.word if holds else f"no {fact.word}" for fact, holds in self.facts) or "anything"


@dataclass(frozen=True)
class Term:
    """One concept of an expression, added (`sign` 1) or subtracted (`sign` −1)."""

    sign: int
    concept: str

    def __str__(self) -> str:
        return f"{'+' if self.sign > 0 else '-'} {self.concept}"


def parse_fact(word: str, vocabulary: Vocabulary) -> tuple[Fact, bool]:
    """Return what a word means, and whether it says that the fact holds ("no-glasses" says that it does not).

    A word is a value that only one attribute has ("smile"), attribute=value ("hair_color=brown"), or an attribute that can
    be absent ("glasses": any value but "none").

    Raises:
        UsageError: the word is unknown, or means several things; near matches and the list are named.
    """
    for negation in ("", *NEGATIONS):
        fact = _find_fact(word.removeprefix(negation), vocabulary) if word.startswith(negation) else None
        if fact is not None:
            return fact, not negation
    raise _unknown_word(word, vocabulary)


def parse_concepts(texts: Sequence[str], vocabulary: Vocabulary) -> list[Concept]:
    """Return concepts, each written as words joined by "+" (see `parse_fact`), with every fact that any of them names.

    What one does not name, it lacks: "glasses+smile - smile + neutral" subtracts smiles without glasses, and adds faces with
    neither. Raises `UsageError`.
    """
    concepts: list[dict[Fact, bool]] = []
    for text in texts:
        words = [word.strip() for word in text.split("+")]
        if not all(words):
            raise UsageError(f"{text!r} is no concept", hint="join words by +, without blanks: glasses+smile")
        concepts.append(dict(parse_fact(word, vocabulary) for word in words if word != NEUTRAL))
    facts = sorted({fact for concept in concepts for fact in concept})
    return [Concept(tuple((fact, concept.get(fact, False)) for fact in facts)) for concept in concepts]


def parse_expression(text: str) -> list[Term]:
    """Return the terms of an expression: concepts with "+" or "-" between them, each operator between blanks.

    Raises:
        UsageError: it does not parse; the message points at the place.
    """
    terms: list[Term] = []
    sign: int | None = 1  # None: an operator comes next
    for match in re.finditer(r"\S+", text):
        piece, place = match.group(), match.start()
        if piece in ("+", "-", "−"):
            if sign is not None and (terms or piece == "+"):
                raise _syntax_error(text, place, "a concept is expected here")
            sign = 1 if piece == "+" else -1
        elif sign is None:
            raise _syntax_error(text, place, "expected + or - between two concepts, with blanks around it")
        elif not _CONCEPT.fullmatch(piece):
            good = _CONCEPT.match(piece)
            why = "this is no concept: words of letters, digits, _ = and -, joined by +"
            raise _syntax_error(text, place + (good.end() if good else 0), why)
        else:
            terms.append(Term(sign, piece))
            sign = None
    if sign is not None:
        raise _syntax_error(text, len(text), "a concept is expected here" if terms else "the expression is empty")
    return terms


def should_hold(terms: Sequence[Term], truths: Sequence[bool]) -> bool:
    """Whether a fact should hold in the result of an expression, given its truth in each term: 1 − 1 + 0 gives False."""
    return sum(term.sign * truth for term, truth in zip(terms, truths, strict=True)) > 0


def _find_fact(word: str, vocabulary: Vocabulary) -> Fact | None:
    attribute, sign, value = word.partition("=")
    if sign:
        return Fact(attribute, (value,), word) if value in vocabulary.get(attribute, ()) else None
    holders = [name for name, values in vocabulary.items() if word in values]
    if len(holders) == 1:
        return Fact(holders[0], (word,), word)
    if len(holders) > 1:
        choices = " or ".join(f"{name}={word}" for name in holders)
        raise UsageError(f"{word!r} is a value of {len(holders)} attributes", hint=f"write {choices}")
    if word not in vocabulary:
        return None
    values = vocabulary[word]
    if not set(values) & set(ABSENT):
        choices = ", ".join(f"{word}={value}" for value in values)
        raise UsageError(
            f"{word!r} has no value that means its absence, so say which one is meant", hint=f"one of: {choices}"
        )
    return Fact(word, tuple(v for v in values if v not in (*ABSENT, HIDDEN)), word)


def _unknown_word(word: str, vocabulary: Vocabulary) -> UsageError:
    values = [v for vs in vocabulary.values() for v in vs]
    single = {v for v in values if values.count(v) == 1 and v not in ABSENT}
    pairs = {f"{name}={v}" for name, vs in vocabulary.items() for v in vs}
    close = near(word, {*single, *vocabulary}) or near(word, pairs)
    meant = f"; did you mean {' or '.join(close)}?" if close else ""
    listed = "\n".join(f"  {name}: {', '.join(vs)}" for name, vs in vocabulary.items())
    return UsageError(f"nothing is called {word!r}{meant}", hint=f"what the dataset is labeled with:\n{listed}")


def _syntax_error(text: str, place: int, why: str) -> UsageError:
    return UsageError(
        f"the expression does not parse: {why}\n  {text}\n  {' ' * place}^",
        hint='for example: "glasses+smile - smile + neutral"',
    )
