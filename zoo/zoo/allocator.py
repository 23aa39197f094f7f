"""Whether glibc keeps freed memory for the next tensor, or hands it back and asks for it again each time.

By default each block above some size is a mapping of its own, which the system clears, page by page, whenever it is made
anew, and threads wait for each other there: docs/results/own-parts.md says what that costs. Nothing is changed where the
C library is not glibc, or where its user has set how it allocates, by `MALLOC_…` or `GLIBC_TUNABLES`.

glibc cannot be put back as it was. Its threshold between blocks of the heap and mappings grows by itself, with the blocks
that are freed, up to 32 MiB, until somebody sets one of the parameters (mallopt(3)); nothing reads the threshold or lets it
grow again. Afterwards it is fixed at its largest, where large tensors would have brought it, and twice as much free memory
at the end of the heap is what glibc keeps.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4  # see mallopt(3)
_LARGEST_THRESHOLD = (4 << 20) * ctypes.sizeof(ctypes.c_long)  # DEFAULT_MMAP_THRESHOLD_MAX
_AFTERWARDS = {_MMAP_THRESHOLD: _LARGEST_THRESHOLD, _TRIM_THRESHOLD: 2 * _LARGEST_THRESHOLD, _MMAP_MAX: 65536}

_holders = 0


@contextmanager
def keep_freed_memory_during() -> Iterator[bool]:
    """Keep freed memory meanwhile, and yield whether that is so. The last to leave hands what is free back to the system."""
    global _holders
    _holders += 1
    try:
        yield keep_freed_memory()
    finally:
        _holders -= 1
        libc = _glibc()
        if libc is not None and not _holders:
            for parameter, value in _AFTERWARDS.items():
                libc.mallopt(parameter, value)
            libc.malloc_trim(0)


def keep_freed_memory() -> bool:
    """Keep freed memory for as long as this process lives; return whether that is so."""
    libc = _glibc()
    return libc is not None and bool(libc.mallopt(_TRIM_THRESHOLD, 2**31 - 1) and libc.mallopt(_MMAP_MAX, 0))


def _glibc() -> Any:
    """Return the C library, None where it is not glibc or its user has set how it allocates."""
    if not sys.platform.startswith("linux") or _is_set_by_user():
        return None
    try:
        libc = ctypes.CDLL(None)
        return libc if libc.mallopt and libc.malloc_trim else None
    except (OSError, AttributeError):  # another C library
        return None


def _is_set_by_user() -> bool:
    return "glibc.malloc." in os.environ.get("GLIBC_TUNABLES", "") or any(key.startswith("MALLOC_") for key in os.environ)
