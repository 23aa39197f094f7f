"""What one page may ask for, so that ten of them cannot exhaust the machine."""

from __future__ import annotations

import math
from typing import Any

from zoo_core import UsageError

MODELS = 4  # beside each other
COUNT = 64  # samples drawn at once
KEPT = 24  # pictures that a session keeps
PIXELS = 2_000_000  # of all pictures that one answer draws with one model
UPLOAD = 20_000_000  # bytes of a picture that is handed in
UPLOAD_PIXELS = 40_000_000
WAITING = 24  # requests in the queue; one is computed at a time
SESSIONS = 64  # whose state is remembered


def limit_count(wanted: int, size: int) -> int:
    """Return how many pictures of `size` pixels are drawn where so many are wanted, at least 1."""
    return max(1, min(wanted, PIXELS // size**2))


def read_whole(value: Any, what: str, least: int, most: int) -> int:
    """Return what a person typed or chose as a whole number in a range; raises `UsageError` naming `what`."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number) or not least <= number <= most or number != int(number):
        raise UsageError(f"{what} must be a whole number from {least:,} to {most:,}")
    return int(number)


def read_number(value: Any, what: str, least: float, most: float) -> float:
    """Return a number in a range; raises `UsageError` naming `what`."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not least <= number <= most:
        raise UsageError(f"{what} must be from {least:g} to {most:g}")
    return number
