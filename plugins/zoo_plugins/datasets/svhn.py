"""Street View House Numbers, cropped digits, as the official .mat files (Netzer et al. 2011)."""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from zoo_core.datasets import Listing
from zoo_core.errors import DataError

from .fetching import fetch
from .sources import AGAIN, ArrayDataset, Origin, array_records, check_split, refuse_pointer

ORIGIN = Origin(
    "SVHN",
    "http://ufldl.stanford.edu/housenumbers/, there format 2: train_32x32.mat, test_32x32.mat, extra_32x32.mat",
    "train: 182 MB, 73,257 pictures of 32×32; test: 64 MB, 26,032; extra: 1.3 GB, 531,131",
    "a folder with train_32x32.mat and the like, or one of these files",
    fetched=True,
)
_MOST_BYTES = 2 << 30  # the largest split has 1.6 GB
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
"""Type of an element → how numpy calls it."""

_MATRIX, _COMPRESSED = 14, 15  # types of elements
_DENSE, _COMPLEX = range(6, 16), 0x0800  # classes of arrays: double, single, and integers of 8 to 64 bits; a flag


class SVHN(ArrayDataset):
    """Digits from house numbers, 32×32 in color, with the digit as label.

    The files are MATLAB's version 5. The whole array is held in memory.

    Raises:
        DataError: no file of that split, or one that is damaged.
    """

    default_channels = 3
    license = "non-commercial use only (http://ufldl.stanford.edu/housenumbers/)"
    hub = "ufldl-stanford/svhn"
    credit = "SVHN, Netzer et al. 2011 (http://ufldl.stanford.edu/housenumbers/)"

    def __init__(
        self,
        *,
        data: Annotated[str | None, "folder that holds train_32x32.mat"] = None,
        split: Annotated[str, "'train', 'test' or 'extra'"] = "train",
    ) -> None:
        super().__init__(data=data, split=split)
        check_split("SVHN", split, ("train", "test", "extra"))

    @classmethod
    def download(cls, folder: Path, *, split: str) -> None:
        """Fetch the file of the split (see `ORIGIN` for its size)."""
        from torchvision.datasets import SVHN as official

        check_split("SVHN", split, ("train", "test", "extra"))
        address, name, md5 = official.split_list[split]
        fetch(folder, name, [address], md5, ORIGIN)

    def listing(self) -> Listing:
        data = ORIGIN.existing(self.data)
        name = f"{self.split}_32x32.mat"
        path = data / name if data.is_dir() else data
        if path.name != name or not path.is_file():
            raise ORIGIN.wrong(data, looked_for=name)
        try:
            held = read_arrays(path, ("X", "y"))
            pixels, digits = held["X"], held["y"].reshape(-1)
        except KeyError as error:
            raise DataError(f"{path} is no SVHN file: it holds no array {error}", hint=AGAIN) from error
        except (ValueError, EOFError, OSError, zlib.error, struct.error) as error:
            raise DataError(f"{path} is no SVHN file, or cut short: {error}", hint=AGAIN) from error
        if pixels.dtype != np.uint8 or pixels.shape[:3] != (32, 32, 3) or pixels.ndim != 4 or len(digits) != pixels.shape[3]:
            raise DataError(
                f"{path} holds X {list(pixels.shape)} of {pixels.dtype} and {len(digits)} labels; "
                "expected X [32, 32, 3, N] of uint8 and N labels"
            )
        labels = digits.astype(np.int64) % 10  # the files call the digit 0 "10"
        return Listing(array_records(pixels.transpose(3, 0, 1, 2), labels, self.split), classes=tuple("0123456789"))


def read_arrays(path: Path, names: Collection[str]) -> dict[str, NDArray[Any]]:
    """Return the arrays with the given names from a file of MATLAB's version 5, in its order of dimensions.

    The format is MathWorks' "MAT-File Level 5 File Format": a header of 128 bytes, then elements of a type, a length and
    that many bytes; an array is an element of elements, mostly inside one that is deflated. scipy reads it too, but there a
    damaged file may end the process (SIGSEGV in 1.17).
    """
    refuse_pointer(path)
    whole = memoryview(np.memmap(path, np.uint8, "r"))  # type: ignore[arg-type]  # it is a buffer
    order = {b"IM": "<", b"MI": ">"}.get(bytes(whole[126:128]))
    if order is None or struct.unpack(f"{order}H", whole[124:126])[0] >> 8 != 1:
        raise ValueError("it does not begin like a MATLAB file of version 5")
    found: dict[str, NDArray[Any]] = {}
    for kind, body in _elements(whole[128:], order):
        if kind == _COMPRESSED:  # a few bytes may stand for gigabytes
            inflated = zlib.decompressobj().decompress(body, _MOST_BYTES + 1024)
            kind, body = next(_elements(memoryview(inflated), order), (0, body))
        parts = _elements(body, order)
        head = [value for _, value in itertools.islice(parts, 3)] if kind == _MATRIX else []
        if len(head) == 3 and (name := bytes(head[2]).decode("ascii", "replace")) in names:
            flags, _ = struct.unpack(f"{order}II", head[0])
            kind, values = next(parts, (0, body))
            if flags & 0xFF not in _DENSE or flags & _COMPLEX or kind not in _NUMBERS:
                raise ValueError(f"{name} is no dense array of real numbers")
            found[name] = np.frombuffer(values, order + _NUMBERS[kind]).reshape(
                np.frombuffer(head[1], f"{order}i4"), order="F"
            )
    return found


def _elements(held: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """Type and bytes of one element after the other; one of at most four bytes stands in its own tag."""
    at = 0
    while at < len(held):
        kind, length = struct.unpack_from(f"{order}II", held, at)
        at += 8
        if kind >> 16:
            kind, length, at = kind & 0xFFFF, kind >> 16, at - 4
        if length > _MOST_BYTES:
            raise ValueError(f"an element has {length:,} bytes, expected at most {_MOST_BYTES:,}")
        if at + length > len(held):
            raise EOFError(f"it ends {at + length - len(held):,} bytes too early")
        yield kind, held[at : at + length]
        at += length if kind == _COMPRESSED else length + -(at + length) % 8
