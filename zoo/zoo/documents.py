"""One door for JSON that comes from outside or from yesterday: read within limits, then checked against a schema.

What has come through it may be believed: keys, types and ranges are as the schema says. Everything else is one error of at
most 300 characters that names the file, the key and what is valid.
"""

from __future__ import annotations

import json
import math
import os
import stat
from pathlib import Path
from typing import Any

from zoo_core import ZooError
from zoo_core.folders import special_kind

from .schemas import brief, find_problem

LIMIT = 1 << 20
"""Most bytes of a file, unless somebody says otherwise."""

DEPTH = 32
"""Deepest nesting of objects and lists."""

LETTERS = 300
"""Most characters of an error."""

_HUGE = 10**300  # no float is larger than 10**309


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


def shorten_path(file: Path) -> str:
    """Return a path as a message names it: its end, where it is long."""
    return brief(str(file), 120, end=False)
