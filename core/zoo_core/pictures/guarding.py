"""Decoding quietly and within limits: what decoders have to say is heard instead of printed."""

from __future__ import annotations

import ctypes
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache

from PIL import Image
from PIL import _imaging as decoders  # type: ignore[attr-defined]

from .limits import MAX_PIXELS

_PILLOWS_LIMIT = MAX_PIXELS // 2  # Pillow refuses twice what it warns about


@contextmanager
def guard() -> Iterator[Callable[[], bool]]:
    """Decode pictures quietly, and within Pillow's limits, which also hold for pictures inside pictures.

    Yields a function: whether a decoder has warned of anything, by whatever means, since it was last asked.
    """
    limit, said = Image.MAX_IMAGE_PIXELS, _Said.count
    with warnings.catch_warnings(record=True) as warned, _libtiff_heard(), _log_heard():
        warnings.simplefilter("always")
        for not_of_the_picture in (ResourceWarning, DeprecationWarning):  # of a file left open, and of Pillow's own future
            warnings.simplefilter("ignore", not_of_the_picture)

        def heard() -> bool:
            nonlocal said
            if not warned and said == _Said.count:
                return False
            warned.clear()
            said = _Said.count
            return True

        try:
            Image.MAX_IMAGE_PIXELS = min(limit or _PILLOWS_LIMIT, _PILLOWS_LIMIT)
            yield heard
        finally:
            Image.MAX_IMAGE_PIXELS = limit


class _Said:
    """How often libtiff, or Pillow's log, had something to say."""

    count = 0


def _hear(module: int, words: int, values: int) -> None:
    _Said.count += 1


_HEAR = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)(_hear)  # must live as long as the process


@lru_cache(maxsize=1)
def _libtiff() -> tuple[Callable[[object], int | None], ...]:
    """Return the functions that set libtiff's handlers of warnings and of errors; none where it is out of reach."""
    try:
        library = ctypes.CDLL(decoders.__file__)
        setters = library.TIFFSetWarningHandler, library.TIFFSetErrorHandler
    except (OSError, AttributeError, TypeError):  # linked so that its names are not seen
        return ()
    for setter in setters:
        setter.argtypes, setter.restype = [ctypes.c_void_p], ctypes.c_void_p
    return setters


class _Hears(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        _Said.count += record.levelno >= logging.WARNING


_HEARS = _Hears()


@contextmanager
def _log_heard() -> Iterator[None]:
    """Count what Pillow logs; where nobody has set up logging, Python prints it to standard error."""
    log = logging.getLogger("PIL")
    before = log.propagate
    log.addHandler(_HEARS)
    log.propagate = False
    try:
        yield
    finally:
        log.propagate = before
        log.removeHandler(_HEARS)


@contextmanager
def _libtiff_heard() -> Iterator[None]:
    """Count what libtiff has to say; by default it prints it to standard error."""
    before = [setter(ctypes.cast(_HEAR, ctypes.c_void_p)) for setter in _libtiff()]
    try:
        yield
    finally:
        for setter, handler in zip(_libtiff(), before, strict=True):
            setter(handler)
