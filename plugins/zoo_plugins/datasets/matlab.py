"""Arrays from MATLAB's version 5 files, as far as datasets use them: dense, real, of numbers.

The format is MathWorks' "MAT-File Level 5 File Format" (https://www.mathworks.com/help/pdf_doc/matlab/matfile_format.pdf):
a header of 128 bytes, then elements of a type, a length and that many bytes; an array is an element of elements, mostly
inside one that is deflated.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

MATRIX, COMPRESSED = 14, 15
NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
"""Type of an element → how numpy calls it."""

_HEADER, _BLOCK = 128, 1 << 20
_DENSE = range(6, 16)  # classes of arrays: double, single, and integers of 8 to 64 bits
_COMPLEX = 0x0800


class _Source(Protocol):
    def read(self, count: int, /) -> bytes: ...


class _Inflated:
    """What a deflated element holds, read bit by bit: a few bytes may stand for gigabytes."""

    def __init__(self, file: BinaryIO, length: int) -> None:
        self._file, self._left, self._inflate = file, length, zlib.decompressobj()
        self._ahead = b""

    def read(self, count: int) -> bytes:
        parts = []
        while count and not self._inflate.eof:
            if not self._ahead:
                self._ahead = self._file.read(min(_BLOCK, self._left))
                self._left -= len(self._ahead)
                if not self._ahead:
                    break
            parts.append(self._inflate.decompress(self._ahead, count))
            self._ahead = self._inflate.unconsumed_tail
            count -= len(parts[-1])
        return b"".join(parts)


def read_arrays(path: Path, names: Collection[str], most: int) -> dict[str, NDArray[Any]]:
    """The arrays with the given names, in MATLAB's order of dimensions.

    Args:
        path: of the file.
        names: of the arrays wanted; those that are not there are left out.
        most: bytes that each may have.

    Raises:
        ValueError: the file is no such file or damaged, an array is of another kind or larger.
        EOFError: it is cut short.
        OSError: it cannot be read.
        zlib.error: its compressed bytes are damaged.
    """
    found: dict[str, NDArray[Any]] = {}
    with open(path, "rb") as file:
        header = file.read(_HEADER)
        order = {b"IM": "<", b"MI": ">"}.get(header[126:128])
        if order is None or struct.unpack(f"{order}H", header[124:126])[0] >> 8 != 1:
            raise ValueError("it does not begin like a MATLAB file of version 5")
        while len(found) < len(names) and (tag := file.read(8)):
            kind, length = struct.unpack(f"{order}II", _whole(tag, 8))
            begin = file.tell()
            if kind == COMPRESSED:
                source: _Source = _Inflated(file, length)
                kind, _ = struct.unpack(f"{order}II", _whole(source.read(8), 8))
            else:
                source = file
            if kind == MATRIX:
                found.update(_array(source, order, names, most))
            file.seek(begin + length)  # only what is not deflated is padded, and an array's length is so anyway
    return found


def _array(source: _Source, order: str, names: Collection[str], most: int) -> dict[str, NDArray[Any]]:
    """The array that follows, under its name; nothing where it is not wanted."""
    flags = struct.unpack(f"{order}II", _whole(_element(source, order, lambda kind, length: length == 8)[1], 8))[0]
    shape = np.frombuffer(
        _element(source, order, lambda kind, length: kind == 5 and length <= 256)[1], f"{order}i4"
    ).tolist()
    name = _element(source, order, lambda kind, length: length <= 256)[1].decode("ascii", "replace")
    if name not in names:
        return {}
    if flags & 0xFF not in _DENSE or flags & _COMPLEX or any(n < 0 for n in shape):
        raise ValueError(f"{name} is no dense array of real numbers")
    count = math.prod(shape)

    def expected(kind: int, length: int) -> bool:
        return kind in NUMBERS and length == count * np.dtype(NUMBERS[kind]).itemsize and length <= most

    kind, held = _element(source, order, expected)
    return {name: np.frombuffer(held, order + NUMBERS[kind]).reshape(shape, order="F")}


def _element(source: _Source, order: str, expected: Callable[[int, int], bool]) -> tuple[int, bytes]:
    """The type and the bytes of the element that follows; one of at most four bytes stands in its own tag."""
    tag = _whole(source.read(8), 8)
    kind, length = struct.unpack(f"{order}II", tag)
    short = kind >> 16
    if short:
        kind, length = kind & 0xFFFF, short
    if not expected(kind, length) or (short and length > 4):
        raise ValueError(f"an element of type {kind} and {length:,} bytes stands where none such belongs")
    if short:
        return kind, tag[4 : 4 + length]
    held = _whole(source.read(length), length)
    source.read(-length % 8)
    return kind, held


def _whole(held: bytes, length: int) -> bytes:
    if len(held) != length:
        raise EOFError(f"it ends {length - len(held):,} bytes too early")
    return held
