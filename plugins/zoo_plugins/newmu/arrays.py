"""Arrays of numbers in .npy files that nobody vouches for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from zoo_core import DataError

HEADER = 10_000  # most bytes of a file beside its numbers; what numpy reads of a header at most
WIDEST = 8  # bytes of a number


def read_array(file: Path, shape: Sequence[int]) -> Tensor:
    """Return the numbers of a .npy file of a known shape, float32 on the CPU.

    No pickle is read, nothing is allocated before the header has stated this shape, and no more is read than such an array
    takes. Fortran order, half and double precision and either order of bytes are fine.

    Raises:
        DataError: it is missing, no .npy file, too large, cut short, of another shape or kind, or holds a number that is not
            finite.
    """
    most = WIDEST * math.prod(shape) + HEADER
    try:
        if not file.is_file():
            raise DataError(f"{file} is {'no regular file' if file.exists() else 'missing'}")
        if (size := file.stat().st_size) > most:
            raise DataError(f"{file} has {size:,} bytes; {_words(shape)} numbers take at most {most:,}")
        found = np.load(file, mmap_mode="r", allow_pickle=False, max_header_size=HEADER)
    except DataError:
        raise
    except Exception as error:  # numpy evaluates a header as Python, and anything can come of one that is damaged
        raise DataError(f"{file} is no array of numbers: {_first_line(error)}") from error
    if not isinstance(found, np.ndarray):
        raise DataError(f"{file} is no array of numbers: it is an archive")
    if found.shape != tuple(shape):
        raise DataError(f"{file} holds {_words(found.shape)} numbers, expected {_words(shape)}")
    if found.dtype.kind != "f" or found.dtype.itemsize > WIDEST:
        raise DataError(f"{file} holds {found.dtype} numbers, expected float32")
    with np.errstate(over="ignore"):  # what is too large for float32 becomes infinite, and is refused as such
        numbers = torch.from_numpy(np.array(found, dtype=np.float32, order="C"))
    if not bool(numbers.isfinite().all()):
        raise DataError(f"{file} holds numbers that are not finite")
    return numbers


def _words(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape)) or "1"


def _first_line(error: Exception) -> str:
    text = " ".join((str(error).splitlines() or [""])[0].split())[:200]
    return text or type(error).__name__
