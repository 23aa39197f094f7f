"""What a JSON document has to look like: kinds of values, what is wrong with one that is none, and how that is said.

A schema is a type (`int`, `float`, `str`, `bool`, `dict`, `list`, `Any`), one of the records below, or an object: a mapping
of keys to schemas. A key that ends in "?" may be missing; "*" stands for all other keys, which are refused without it.
"""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LARGEST = 2**63 - 1
"""Largest whole number; all that count something stay far below."""

_WORDS = {int: "a whole number", float: "a number", str: "a text", dict: "an object", list: "a list", bool: "true or false"}


@dataclass(frozen=True)
class Whole:
    """A whole number."""

    least: int = -LARGEST
    most: int = LARGEST

    def __str__(self) -> str:
        least = f" of at least {self.least}" if self.least > -LARGEST else ""
        most = f"{' and' if least else ' of'} at most {self.most:,}" if self.most < LARGEST else ""
        return f"a whole number{least}{most}"


@dataclass(frozen=True)
class Number:
    """A finite number, whole or not."""

    least: float = -math.inf
    above: float = -math.inf

    def __str__(self) -> str:
        if self.above > -math.inf:
            return f"a number of more than {self.above:g}"
        return "a number" + (f" of at least {self.least:g}" if self.least > -math.inf else "")


@dataclass(frozen=True)
class Text:
    """A text; `plain`: one that can name a file beside this one."""

    plain: bool = False

    def __str__(self) -> str:
        return "the name of a file beside it" if self.plain else "a text"


@dataclass(frozen=True)
class OneOf:
    """One of some values."""

    values: tuple[Any, ...]

    def __str__(self) -> str:
        return f"one of {', '.join(map(str, self.values))}"


@dataclass(frozen=True)
class ListOf:
    """A list of one kind of thing, with between `least` and `most` of them."""

    item: Any
    least: int = 0
    most: int = 10_000_000

    def __str__(self) -> str:
        count = f" of {self.least}" if self.least == self.most else f" of at least {self.least}" if self.least else ""
        return f"a list{count}"


@dataclass(frozen=True)
class Row:
    """A list with one thing of its own kind at each place."""

    items: tuple[Any, ...]

    def __str__(self) -> str:
        return f"a list of {len(self.items)}"


@dataclass(frozen=True)
class MapOf:
    """An object whose keys are names of one kind of thing."""

    item: Any
    least: int = 0
    most: int = 1_000_000

    def __str__(self) -> str:
        return "an object" + (" with at least one key" if self.least else "")


@dataclass(frozen=True)
class Maybe:
    """Something, or null."""

    item: Any

    def __str__(self) -> str:
        return f"{describe(self.item)} or null"


def find_problem(value: Any, schema: Any, where: str = "") -> str:
    """Return what is wrong with a value in words ("image.size must be …, not …"); "" where it is as the schema says.

    `where` is the key that it has ("image"), "" for all of a file.
    """
    if isinstance(schema, Mapping):
        return _find_problem_of_object(value, schema, where)
    if isinstance(schema, Maybe):
        return "" if value is None else find_problem(value, schema.item, where)
    if isinstance(schema, Row):
        if not isinstance(value, list) or len(value) != len(schema.items):
            return _ill(value, schema, where)
        pairs = enumerate(zip(value, schema.items, strict=True))
        return next(filter(None, (find_problem(item, kind, _join(where, i)) for i, (item, kind) in pairs)), "")
    if isinstance(schema, ListOf | MapOf):
        kind = list if isinstance(schema, ListOf) else dict
        if not isinstance(value, kind) or not schema.least <= len(value) <= schema.most:
            return _ill(value, schema, where)
        items = enumerate(value) if isinstance(value, list) else value.items()
        return next(filter(None, (find_problem(item, schema.item, _join(where, key)) for key, item in items)), "")
    return "" if _fits(value, schema) else _ill(value, schema, where)


def _find_problem_of_object(value: Any, schema: Mapping[str, Any], where: str) -> str:
    if not isinstance(value, dict):
        return _ill(value, dict, where)
    known = {key.rstrip("?"): inner for key, inner in schema.items()}
    for key, item in value.items():
        if key not in known and "*" not in known:
            return f"unknown key {show(_join(where, key))}; valid: {', '.join(_join(where, name) for name in known)}"
        if key != "*" and (problem := find_problem(item, known.get(key, known.get("*")), _join(where, key))):
            return problem
    missing = next((key for key in schema if not key.endswith("?") and key != "*" and key not in value), None)
    return f"{_join(where, missing)} is missing" if missing is not None else ""


def _fits(value: Any, schema: Any) -> bool:
    """Return whether a value is of a type, or as one of the plain records says."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(schema, Whole):
        return type(value) is int and schema.least <= value <= schema.most
    if isinstance(schema, Number):
        return number and abs(value) <= 1.8e308 and value >= schema.least and value > schema.above
    if isinstance(schema, Text):
        return isinstance(value, str) and (not schema.plain or _is_plain(value))
    if isinstance(schema, OneOf):
        return any(type(value) is type(valid) and value == valid for valid in schema.values)
    if schema is Any:
        return True
    if isinstance(schema, types.UnionType):
        return any(_fits(value, kind) for kind in typing.get_args(schema))
    if schema is float:
        return number
    return isinstance(value, schema) and (schema is bool or not isinstance(value, bool))


def _is_plain(name: str) -> bool:
    return bool(name) and name not in (".", "..") and not any(c in name for c in "/\\\0:")


def describe(schema: Any) -> str:
    """Return what a schema asks for, in words."""
    if isinstance(schema, Mapping):
        return "an object"
    if isinstance(schema, types.UnionType):
        return " or ".join(map(describe, typing.get_args(schema)))
    if schema is types.NoneType:
        return "null"
    return _WORDS[schema] if isinstance(schema, type) else str(schema)


def _ill(value: Any, schema: Any, where: str) -> str:
    return f"{where or 'it'} must be {describe(schema)}, not {show(value)}"


def _join(where: str, key: object) -> str:
    text = brief(ascii(key)[1:-1] if isinstance(key, str) else str(key), 60)
    return f"{where}.{text}" if where else text


def show(value: Any) -> str:
    """Return a value as a message shows it: escaped, and short whatever it is."""
    if isinstance(value, dict | list) and len(value) > 20:
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value):,}"
    if isinstance(value, int) and abs(value) >= 10**30:
        return "a number of more than 30 digits"
    return brief(ascii(value[:100] if isinstance(value, str) else value), 80)


def brief(text: str, most: int, *, end: bool = True) -> str:
    """Return a text of at most so many characters; of one that is longer its beginning, or else its end."""
    if len(text) <= most:
        return text
    return f"{text[: most - 1]}…" if end else f"…{text[1 - most :]}"
