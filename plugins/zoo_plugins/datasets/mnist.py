"""MNIST's handwritten digits, and whatever else comes as its idx files (LeCun et al. 1998)."""

from __future__ import annotations

import gzip
import math
import re
import zlib
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from zoo_core.datasets import CAREFUL, Listing
from zoo_core.errors import DataError, OptionError, UsageError, unknown
from zoo_core.options import Range

from .fetching import fetch
from .sources import AGAIN, ArrayDataset, Origin, array_records, check_split, refuse_pointer

ORIGIN = Origin(
    "MNIST",
    "https://ossci-datasets.s3.amazonaws.com/mnist/: train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-…",
    "12 MB, 60,000 + 10,000 pictures of 28×28",
    "a folder with train-images-idx3-ubyte and train-labels-idx1-ubyte, packed (.gz) or not",
    fetched=True,
)
FASHION_ORIGIN = Origin(
    "Fashion-MNIST",
    "https://github.com/zalandoresearch/fashion-mnist: train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-…",
    "31 MB, 60,000 + 10,000 pictures of 28×28",
    "a folder with train-images-idx3-ubyte and train-labels-idx1-ubyte, packed (.gz) or not",
    fetched=True,
)
_NAMES = {"train": "train", "test": "t10k"}
_EMNIST = re.compile(r"emnist-(?P<part>\w+)-(?P<split>train|test)-images-idx3-ubyte(\.gz)?")
_MOST = 1 << 31
_DIGITS = "0123456789"


class MNIST(ArrayDataset):
    """White digits on black, with the digit as label.

    28×28 pixels become 32×32 by a black border, which keeps every pixel; `--set dataset.pad=0` leaves them as they are.
    EMNIST's files, whose pictures are stored turned, are known by their names (`emnist-letters-train-images-idx3-ubyte`) and
    have its classes; others in the same format work alike, with their labels as numbers.

    Raises:
        UsageError: several parts of EMNIST lie there and none is chosen.
        DataError: a file is missing, cut short or no idx file.
    """

    default_channels = 1
    credit = "MNIST, LeCun et al. 1998"
    origin: ClassVar[Origin] = ORIGIN
    below: ClassVar[tuple[str, ...]] = ("", "raw", "MNIST/raw", "gzip", "EMNIST/raw", "FashionMNIST/raw", "KMNIST/raw")

    def __init__(
        self,
        *,
        data: Annotated[str | None, "folder that holds train-images-idx3-ubyte(.gz)"] = None,
        split: Annotated[str, "'train' or 'test'"] = "train",
        pad: Annotated[int, "pixels of border on each side", Range(0, 64)] = 2,
        part: Annotated[str | None, "of EMNIST: letters, digits, balanced, …; none: the only one there"] = None,
    ) -> None:
        super().__init__(data=data, split=split)
        check_split("MNIST", split, tuple(_NAMES))
        if not 0 <= pad <= 64:
            raise OptionError(f"dataset.pad must be between 0 and 64, not {pad}", hint="for example: --set dataset.pad=2")
        self.pad, self.part = pad, part

    @classmethod
    def download(cls, folder: Path, *, split: str) -> None:
        """Fetch the four files of both splits."""
        official = cls._official()
        check_split(cls.origin.name, split, tuple(_NAMES))
        for name, md5 in official.resources:
            fetch(folder, name, [f"{mirror}{name}" for mirror in official.mirrors], md5, cls.origin)

    @classmethod
    def _official(cls) -> Any:
        """Return torchvision's class, which knows addresses and checksums."""
        from torchvision.datasets import MNIST as official

        return official

    def listing(self) -> Listing:
        part = self._part()
        first = f"emnist-{part}-{self.split}" if part else _NAMES[self.split]
        pixels = _read_idx(self._file(f"{first}-images-idx3-ubyte"), 3)
        labels: NDArray[Any] = _read_idx(self._file(f"{first}-labels-idx1-ubyte"), 1)
        if len(pixels) != len(labels) or not len(labels):
            raise DataError(f"{self.data} holds {len(pixels):,} pictures and {len(labels):,} labels; expected as many")
        classes = self._classes()
        if part:
            self.credit = "EMNIST, Cohen et al. 2017"
            pixels = pixels.transpose(0, 2, 1)
            classes, lowest = _emnist_classes(part)
            labels = labels.astype(np.int64) - lowest
        if classes and (labels.min() < 0 or labels.max() >= len(classes)):
            raise DataError(f"{self.data} holds labels up to {labels.max()}; expected {len(classes)} classes", hint=AGAIN)
        pixels = np.pad(pixels, ((0, 0), (self.pad, self.pad), (self.pad, self.pad)))
        classes = classes or tuple(str(i) for i in range(max(len(_DIGITS), int(labels.max()) + 1)))
        notes = []
        if type(self) is MNIST and not part and len(classes) > len(_DIGITS):
            notes.append(f"{CAREFUL}labels go up to {labels.max()}, those of MNIST to 9: other data, or a damaged file")
        if type(self) is MNIST and not part and "fashion" in str(self.data).lower():
            notes.append("labels are numbers; with the names of Fashion-MNIST's classes: --dataset fashion-mnist")
        return Listing(array_records(pixels, labels, self.split), classes=classes, notes=tuple(notes))

    def _classes(self) -> tuple[str, ...]:
        """Return the names of the classes, none where numbers are all that is known."""
        return ()

    def _part(self) -> str | None:
        """Return which part of EMNIST is wanted, None where nothing of it lies there."""
        data = self.origin.existing(self.data)
        names = [path.name for below in self.below if (data / below).is_dir() for path in (data / below).iterdir()]
        there = sorted({m["part"] for name in names if (m := _EMNIST.fullmatch(name)) and m["split"] == self.split})
        if self.part is not None and self.part not in there:
            raise unknown(f"part of EMNIST in {data}:", self.part, there, hint="leave dataset.part out for MNIST itself")
        if self.part is None and len(there) > 1:
            several = f"{data} holds {len(there)} parts of EMNIST: {', '.join(there)}"
            raise UsageError(several, hint=f"choose one: --set dataset.part={there[0]}")
        return self.part or (there[0] if there and not self._paths(f"{_NAMES[self.split]}-images-idx3-ubyte") else None)

    def _paths(self, name: str) -> list[Path]:
        """Return the files of that name, packed or not, that are there."""
        data = self.origin.existing(self.data)
        spellings = (name, f"{name}.gz", name.replace("-idx", ".idx"), f"{name.replace('-idx', '.idx')}.gz")
        return [path for below in self.below for s in spellings if (path := data / below / s).is_file()]

    def _file(self, name: str) -> Path:
        if not (found := self._paths(name)):
            raise self.origin.wrong(self.origin.existing(self.data), looked_for=f"{name} or {name}.gz")
        return found[0]


class FashionMNIST(MNIST):
    """Gray pictures of ten kinds of clothes, in MNIST's format, with their names as labels."""

    credit = "Fashion-MNIST, Xiao et al. 2017"
    license = "MIT"
    origin = FASHION_ORIGIN
    below = ("FashionMNIST/raw", "", "raw")

    @classmethod
    def _official(cls) -> Any:
        """Return torchvision's class, which knows addresses and checksums."""
        from torchvision.datasets import FashionMNIST as official

        return official

    def _classes(self) -> tuple[str, ...]:
        return tuple(self._official().classes)


def _emnist_classes(part: str) -> tuple[tuple[str, ...], int]:
    """Return the names of the classes of a part of EMNIST, and the label of the first."""
    from torchvision.datasets import EMNIST

    if part not in EMNIST.classes_split_dict:
        return (), 0
    names = [*EMNIST.classes_split_dict[part]]
    lowest = int(names[0] == "N/A")  # the letters are counted from 1
    return tuple(names[lowest:]), lowest


def _read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """Return an idx file of bytes as an array of that many dimensions."""
    refuse_pointer(path)
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
