"""One door for JSON that comes from outside or from yesterday: read within limits, then checked against a schema.

What has come through it may be believed: keys, types and ranges are as the schema says. Everything else is one error of at
most 300 characters that names the file, the key and what is valid.

A schema is a type (`int`, `float`, `str`, `bool`, `dict`, `list`, `Any`), one of the records below, or an object: a mapping
of keys to schemas. A key that ends in "?" may be missing; "*" stands for all other keys, which are refused without it.
"""

from __future__ import annotations

import json
import math
import os
import stat
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo_core import ZooError
from zoo_core.folders import special_kind

LIMIT = 1 << 20
"""Most bytes of a file, unless somebody says otherwise."""

DEPTH = 32
"""Deepest nesting of objects and lists."""

LETTERS = 300
"""Most characters of an error."""

LARGEST = 2**63 - 1
"""Largest whole number; all that count something stay far below."""

_HUGE = 10**300  # no float is larger than 10**309

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


def read_document(
    file: Path,
    schema: Any,
    *,
    error: type[ZooError],
    limit: int = LIMIT,
    hint: str = "",
    finite: bool = True,
    ours: bool = False,
) -> Any:
    """Return what a JSON file holds; raises `error` where it cannot be read (`read_json`) or is not as the schema says."""
    value = read_json(file, limit, error=error, hint=hint, finite=finite, ours=ours)
    if problem := find_problem(value, schema):
        raise fault(file, problem, error=error, hint=hint, ours=ours)
    return value


def fault(file: Path, problem: str, *, error: type[ZooError], hint: str = "", ours: bool = False) -> ZooError:
    """Return the error for a file, of at most 300 characters with its hint. `ours`: the zoo wrote it, so it is damaged."""
    start = shorten_path(file) + (" is damaged" if ours else "")
    room = LETTERS - len(start) - len(hint) - 3
    return error(f"{start}: {brief(problem, max(room, 40))}", hint=hint)


def read_json(
    file: Path,
    limit: int = LIMIT,
    *,
    error: type[ZooError],
    hint: str = "",
    finite: bool = True,
    ours: bool = False,
) -> Any:
    """Return JSON that nobody vouches for, from a regular file of at most `limit` bytes.

    Raises `error` where it is missing, no regular file, too large, no JSON, nested more than 32 deep, or has a key twice,
    text that is no Unicode or, unless `finite` is False, a number that is not finite. `ours`: see `fault`.
    """
    try:
        return parse_json(_read_bytes(file, limit), finite=finite)
    except FileNotFoundError:
        raise error(f"{shorten_path(file)} is missing", hint=hint) from None
    except _UnfitError as problem:
        wrong = str(problem)
    except RecursionError:
        wrong = f"it is nested too deeply: more than {DEPTH} levels"
    except (OSError, ValueError) as problem:  # json's message tells the place and never quotes what stands there
        wrong = f"it cannot be read: {brief(str(getattr(problem, 'strerror', None) or problem), 120)}"
    raise fault(file, wrong, error=error, hint=hint, ours=ours)


def read_text(file: Path, limit: int = LIMIT, *, error: type[ZooError], hint: str = "") -> str:
    """Return a regular file of at most `limit` bytes as text; raises `error` where it is none."""
    try:
        return read_bytes(file, limit, error=error, hint=hint).decode("utf-8")
    except UnicodeDecodeError:
        raise error(f"{shorten_path(file)} cannot be read: it is no text", hint=hint) from None


def read_bytes(file: Path, limit: int = 64 << 20, *, error: type[ZooError] = ZooError, hint: str = "") -> bytes:
    """Return all of a regular file of at most `limit` bytes, a picture's by default; raises `error` where it is none."""
    try:
        return _read_bytes(file, limit)
    except _UnfitError as problem:
        wrong = str(problem)
    except OSError as problem:
        wrong = problem.strerror or str(problem)
    raise error(f"{shorten_path(file)} cannot be read: {wrong}", hint=hint)


def parse_json(data: bytes, *, finite: bool = True) -> Any:
    """Return JSON that nobody vouches for; raises ValueError for what is none, and RecursionError; see `read_json`."""
    number = _finite if finite else float
    value = json.loads(data.decode("utf-8"), object_pairs_hook=_once, parse_constant=number, parse_float=number)
    json.dumps(value, ensure_ascii=False).encode()  # which text that is no Unicode does not survive
    if _measure_depth(value) > DEPTH:
        raise RecursionError
    return value


class _UnfitError(Exception):
    """A file that is not even opened, or too large; says so in words."""


def _read_bytes(file: Path, limit: int) -> bytes:
    """Return all of a regular file of at most `limit` bytes; a named pipe keeps nobody waiting."""
    descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(descriptor, "rb") as stream:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _UnfitError(f"it is {special_kind(status.st_mode) or 'something else'}, not a file")
        if status.st_size > limit:
            raise _UnfitError(f"it has {status.st_size:,} bytes; the most is {limit:,}")
        found = stream.read(limit + 1)
        if len(found) > limit:  # it grew
            raise _UnfitError(f"it has more than {limit:,} bytes, which is the most")
        return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("it holds a number that is not finite")
    return number


def _measure_depth(value: Any) -> int:
    """Return how deeply a value is nested; raises ValueError for a number that is no float."""
    if isinstance(value, int) and abs(value) >= _HUGE:
        raise ValueError("it holds a number of more than 300 digits")
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_measure_depth, inner), default=0)


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


def shorten_path(file: Path) -> str:
    """Return a path as a message names it: its end, where it is long."""
    return brief(str(file), 120, end=False)


def brief(text: str, most: int, *, end: bool = True) -> str:
    """Return a text of at most so many characters; of one that is longer its beginning, or else its end."""
    if len(text) <= most:
        return text
    return f"{text[: most - 1]}…" if end else f"…{text[1 - most :]}"
