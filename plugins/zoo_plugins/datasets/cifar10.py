"""CIFAR-10: 60,000 tiny photographs of ten things (Krizhevsky 2009), in any of the forms in which it goes round."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray

from zoo_core.datasets import FileDataset, Listing, Record
from zoo_core.errors import DataError

from . import archives
from .fetching import fetch
from .readers.unpickling import batch_arrays, read_pickle
from .sources import ArrayDataset, Origin, array_records, check_split, few, refuse_pointer

if TYPE_CHECKING:
    from PIL.Image import Image

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
ORIGIN = Origin(
    "CIFAR-10",
    "https://www.cs.toronto.edu/~kriz/cifar.html, there: cifar-10-binary.tar.gz or the python version",
    "170 MB, 50,000 + 10,000 pictures of 32×32",
    "a folder with data_batch_1.bin … (binary version), data_batch_1 … (python version), one of their .tar.gz, or "
    "train.zip or train/ with class folders",
    fetched=True,
)
_BATCHES = {"train": tuple(f"data_batch_{i}" for i in range(1, 6)), "test": ("test_batch",)}
_PIXELS = 3 * 32 * 32
_MOST = 64 << 20  # bytes of the largest batch that is read; the official ones have 31 million


class CIFAR10(ArrayDataset):
    """The binary version, the python version, a zip or a folder of class folders: whatever lies in `data`, in this order.

    The python version consists of pickles, which can run programs. They are read by an unpickler that makes arrays, texts,
    numbers, lists and dictionaries, and refuses to load anything else (`unpickling`).

    Raises:
        DataError: none of these, a batch that is cut short, or a pickle that asks for more than arrays.
    """

    default_channels = 3
    hub = "uoft-cs/cifar10"
    credit = "CIFAR-10, Krizhevsky 2009 (https://www.cs.toronto.edu/~kriz/cifar.html)"

    def __init__(
        self,
        *,
        data: Annotated[str | None, "folder with the batches, with train.zip and test.zip, or with class folders"] = None,
        split: Annotated[str, "'train' or 'test'"] = "train",
    ) -> None:
        super().__init__(data=data, split=split)
        check_split("CIFAR-10", split, tuple(_BATCHES))

    @classmethod
    def download(cls, folder: Path, *, split: str) -> None:
        """Fetch the python version; its pickles are read as all are, by the guarded reader."""
        from torchvision.datasets import CIFAR10 as official

        check_split("CIFAR-10", split, tuple(_BATCHES))
        fetch(folder, official.filename, [official.url], official.tgz_md5, ORIGIN)

    def listing(self) -> Listing:
        data = self._folder()
        for folder in (data, data / "cifar-10-batches-bin", data / "cifar-10-batches-py"):
            for suffix, form in ((".bin", _binary), ("", _python)):
                names = [f"{name}{suffix}" for name in _BATCHES[self.split]]
                if (folder / names[0]).is_file():
                    return self._batches({name: _file(folder / name) for name in names}, form, folder)
        for version, suffix, form in (("binary", ".bin", _binary), ("python", "", _python)):
            path = data if data.is_file() else data / f"cifar-10-{version}.tar.gz"
            if path.is_file() and version in path.name:
                names = [f"{name}{suffix}" for name in _BATCHES[self.split]]
                held = archives.read_compressed(path, names, _MOST)
                return self._batches({name: held.get(name, b"") for name in names}, form, path)
        if (data / f"{self.split}.zip").is_file():
            return _official(archives.zip_members(data / f"{self.split}.zip").listing(), data)
        if (data / self.split).is_dir():
            return _official(FileDataset(data=str(data / self.split)).listing(), data)
        raise ORIGIN.wrong(data)

    def decode(self, record: Record) -> Image:
        if isinstance(record.source, np.ndarray):
            return super().decode(record)
        return archives.open_picture(record.source, self._folder() / self.split)

    def _folder(self) -> Path:
        data = ORIGIN.existing(self.data)
        at_split = data.name == f"{self.split}.zip" or (data.is_dir() and data.resolve().name == self.split)
        return data.resolve().parent if at_split else data

    def _batches(self, held: Mapping[str, bytes], form: Callable[[bytes, str], _Batch], data: Path) -> Listing:
        if missing := [name for name, value in held.items() if not value]:
            raise ORIGIN.wrong(data, looked_for=f"{missing[0]} beside the others")
        planes, digits = zip(*(form(value, name) for name, value in held.items()), strict=True)
        pixels = np.concatenate(planes).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        labels = np.concatenate(digits)
        if labels.min() < 0 or labels.max() >= len(CLASSES):
            raise DataError(f"{data} is damaged: it has label {labels.max()}, expected 0 to 9")
        return Listing(array_records(pixels, labels, self.split), classes=CLASSES)


_Batch = tuple[NDArray[np.uint8], NDArray[np.int64]]  # pixels [N, 3072] (red, green, blue planes) and labels [N]


def _file(path: Path) -> bytes:
    if not path.is_file():
        return b""
    if path.stat().st_size > _MOST:
        raise DataError(f"{path} has {path.stat().st_size:,} bytes, expected at most {_MOST:,}")
    refuse_pointer(path)
    return path.read_bytes()


def _binary(value: bytes, name: str) -> _Batch:
    rows, rest = divmod(len(value), _PIXELS + 1)
    if rest or not rows:
        raise DataError(f"{name} is cut short: {len(value):,} bytes, expected a multiple of {_PIXELS + 1:,}")
    table = np.frombuffer(value, np.uint8).reshape(rows, _PIXELS + 1)
    return table[:, 1:], table[:, 0].astype(np.int64)


def _python(value: bytes, name: str) -> _Batch:
    held = read_pickle(value, name, "CIFAR-10 batch", ORIGIN.hint)
    return batch_arrays(held, name, "CIFAR-10 batch", (_PIXELS,))


def _official(listing: Listing, data: Path) -> Listing:
    """Return the same records with the labels that CIFAR-10 gives its classes."""
    if not listing.classes or not set(listing.classes) <= set(CLASSES):
        there = few(listing.classes) or "no class folders"
        raise ORIGIN.wrong(data, looked_for=f"the class folders {', '.join(CLASSES)} (there are {there})")
    if listing.classes == CLASSES:
        return listing
    labels = [CLASSES.index(name) for name in listing.classes]
    records = [replace(record, label=labels[record.label]) for record in listing.records]
    missing = ", ".join(name for name in CLASSES if name not in listing.classes)
    return Listing(records, classes=CLASSES, notes=(*listing.notes, f"no pictures of {missing}"))
