"""Whether glibc keeps freed memory for the next tensor, or hands it back and asks for it again each time.

By default each block above some size is a mapping of its own, which the system clears, page by page, whenever it is made
anew: for the feature maps of a training step on a CPU that is a fifth of the time, and threads wait for each other there.
Elsewhere than with glibc nothing is changed.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # see mallopt(3)
_DEFAULTS = {_TRIM_THRESHOLD: 128 << 10, _MMAP_MAX: 65536}


_holders = 0


@contextmanager
def keep_freed_memory_during() -> Iterator[bool]:
    """Keep it meanwhile; gives whether that is possible here. The last to leave hands what is free back to the system."""
    global _holders
    _holders += 1
    try:
        yield keep_freed_memory()
    finally:
        _holders -= 1
        libc = _glibc()
        if libc is not None and not _holders:
            for parameter, value in _DEFAULTS.items():
                libc.mallopt(parameter, value)
            libc.malloc_trim(0)


def keep_freed_memory() -> bool:
    """Keep it for as long as this process lives; whether that is possible here."""
    libc = _glibc()
    return libc is not None and bool(libc.mallopt(_TRIM_THRESHOLD, 2**31 - 1) and libc.mallopt(_MMAP_MAX, 0))


def _glibc() -> Any:
    if not sys.platform.startswith("linux"):
        return None
    try:
        libc = ctypes.CDLL(None)
        return libc if libc.mallopt and libc.malloc_trim else None
    except (OSError, AttributeError):  # another C library
        return None
