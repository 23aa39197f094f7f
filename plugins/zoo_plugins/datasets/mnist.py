"""MNIST's handwritten digits, and whatever else comes as its idx files (LeCun et al. 1998)."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from zoo_core.datasets import Listing
from zoo_core.errors import DataError, OptionError

from .sources import AGAIN, ArrayDataset, Origin, array_records, check_split

ORIGIN = Origin(
    "MNIST",
    "https://ossci-datasets.s3.amazonaws.com/mnist/: train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-…",
    "12 MB, 60,000 + 10,000 pictures of 28×28",
    "a folder with train-images-idx3-ubyte and train-labels-idx1-ubyte, packed (.gz) or not",
)
_NAMES = {"train": "train", "test": "t10k"}
_BELOW = ("", "raw", "MNIST/raw")
_MOST = 1 << 31


class MNIST(ArrayDataset):
    """White digits on black, with the digit as label.

    28×28 pixels become 32×32 by a black border, which keeps every pixel; `--set dataset.pad=0` leaves them as they are.
    Fashion-MNIST and others in the same format work alike, with their labels as numbers.

    Raises:
        DataError: a file is missing, cut short or no idx file.
    """

    default_channels = 1
    credit = "MNIST, LeCun et al. 1998"

    def __init__(
        self,
        *,
        data: Annotated[str | None, "folder that holds train-images-idx3-ubyte(.gz)"] = None,
        split: Annotated[str, "'train' or 'test'"] = "train",
        pad: Annotated[int, "pixels of border on each side"] = 2,
    ) -> None:
        super().__init__(data=data, split=split)
        check_split("MNIST", split, tuple(_NAMES))
        if not 0 <= pad <= 64:
            raise OptionError(f"dataset.pad must be between 0 and 64, not {pad}", hint="for example: --set dataset.pad=2")
        self.pad = pad

    def listing(self) -> Listing:
        pixels = _read_idx(self._file("images-idx3-ubyte"), 3)
        labels = _read_idx(self._file("labels-idx1-ubyte"), 1)
        if len(pixels) != len(labels) or not len(labels):
            raise DataError(f"{self.data} holds {len(pixels):,} pictures and {len(labels):,} labels; expected as many")
        pixels = np.pad(pixels, ((0, 0), (self.pad, self.pad), (self.pad, self.pad)))
        classes = tuple(str(i) for i in range(max(10, int(labels.max()) + 1)))
        return Listing(array_records(pixels, labels, self.split), classes=classes)

    def _file(self, ending: str) -> Path:
        data = ORIGIN.existing(self.data)
        name = f"{_NAMES[self.split]}-{ending}"
        spellings = (name, f"{name}.gz", name.replace("-idx", ".idx"), f"{name.replace('-idx', '.idx')}.gz")
        for path in (data / below / spelling for below in _BELOW for spelling in spellings):
            if path.is_file():
                return path
        raise ORIGIN.wrong(data, looked_for=f"{name} or {name}.gz")


def _read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """Return an idx file of bytes as an array of that many dimensions."""
    header = 4 + 4 * dimensions
    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
            start = file.read(header)
            if len(start) < header or start[:4] != bytes((0, 0, 8, dimensions)):
                raise DataError(f"{path} is no idx file of bytes in {dimensions} dimensions", hint=ORIGIN.hint)
            shape = [int.from_bytes(start[i : i + 4], "big") for i in range(4, header, 4)]
            size = math.prod(shape)
            if size > _MOST:
                raise DataError(f"{path} claims to hold {size:,} bytes; expected at most {_MOST:,}")
            value = file.read(size)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read, or is cut short: {error}", hint=AGAIN) from error
    if len(value) != size:
        raise DataError(f"{path} is cut short: {len(value):,} of {size:,} bytes are there", hint=AGAIN)
    return np.frombuffer(value, np.uint8).reshape(shape)
