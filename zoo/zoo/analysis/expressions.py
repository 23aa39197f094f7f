"""Expressions of vector arithmetic: "glasses+smile - smile + neutral", "A - B + C"."""

from __future__ import annotations

import re
from dataclasses import dataclass

from zoo_core import UsageError

_PIECE = re.compile(r"\S+")
_CONCEPT = re.compile(r"[\w=-]+(?:\+[\w=-]+)*")


@dataclass(frozen=True)
class Term:
    """One concept of an expression, added (`sign` 1) or subtracted (`sign` −1)."""

    sign: int
    concept: str


def parse_expression(text: str) -> list[Term]:
    """Concepts with "+" or "-" between them, each operator between blanks; "+" without blanks joins words of one concept.

    Raises:
        UsageError: it does not parse; the message points at the place.
    """
    terms: list[Term] = []
    sign: int | None = 1  # None: an operator comes next
    for match in _PIECE.finditer(text):
        piece, place = match.group(), match.start()
        if piece in ("+", "-", "−"):
            if sign is not None and (terms or piece == "+"):
                raise _wrong(text, place, "a concept is expected here")
            sign = 1 if piece == "+" else -1
        elif sign is None:
            raise _wrong(text, place, "expected + or - between two concepts, with blanks around it")
        elif not _CONCEPT.fullmatch(piece):
            at = next((i for i in range(len(piece), 0, -1) if _CONCEPT.fullmatch(piece[:i])), 0)
            raise _wrong(text, place + at, "this is no concept: words of letters, digits, _ = and -, joined by +")
        else:
            terms.append(Term(sign, piece))
            sign = None
    if sign is not None:
        raise _wrong(text, len(text), "a concept is expected here" if terms else "the expression is empty")
    return terms


def wanted(terms: list[Term], truths: list[bool]) -> bool:
    """Whether the result of an expression should show a fact that its concepts show or not: 1 − 1 + 0 gives False."""
    return sum(term.sign * truth for term, truth in zip(terms, truths, strict=True)) > 0


def _wrong(text: str, place: int, why: str) -> UsageError:
    return UsageError(
        f"the expression does not parse: {why}\n  {text}\n  {' ' * place}^",
        hint='for example: "glasses+smile - smile + neutral"',
    )
