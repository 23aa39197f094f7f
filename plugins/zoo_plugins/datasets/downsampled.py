"""The downsampled ImageNet: its pictures at 8 to 64 pixels, in batches (Chrabaszcz et al. 2017, arXiv:1707.08819)."""

from __future__ import annotations

import mmap
import re
import zipfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zoo_core.datasets import ImageDataset, LazyRecords, Listing, Record
from zoo_core.errors import DataError
from zoo_core.folders import why_unreadable

from .readers.unpickling import batch_arrays, read_pickle
from .sources import AGAIN, few, file_stamp, refuse_pointer

if TYPE_CHECKING:
    from PIL.Image import Image

_SIZES = {3 * size * size: size for size in (8, 16, 32, 64)}  # bytes of a picture → height and width
_CLASSES = 1000
_MOST = 4 << 30  # bytes of a batch; the largest official one has 1.6 billion
_BATCHES = {"train": re.compile(r"train_data(?:_batch_(\d+))?(\.npz)?"), "val": re.compile(r"val_data()(\.npz)?")}
_WHAT = "batch of the downsampled ImageNet"


def find_batches(data: Path, split: str) -> list[Path]:
    """Return the batches of a split in a folder or right below it, in their order; none where there are none."""
    if split not in _BATCHES or not data.is_dir():
        return []
    folders = [data, *sorted(path for path in data.iterdir() if path.is_dir() and not path.name.startswith("."))]
    found: dict[int, Path] = {}
    for path in (path for folder in folders if not why_unreadable(folder) for path in folder.iterdir()):
        if (match := _BATCHES[split].fullmatch(path.name)) and path.is_file():
            found.setdefault(int(match[1] or 0), path)
    return [found[number] for number in sorted(found)]


class Downsampled(ImageDataset):
    """Pictures in batches, pickles or .npz, with labels from 1 to 1,000.

    A pickle is read by the guarded reader, a .npz with pickles forbidden. Where a batch's pixels stand in its file as they
    are, a picture is read from there; else the whole batch is held in memory, by each process that decodes.

    Raises:
        DataError: a batch is damaged, or asks for more than arrays.
    """

    default_channels = 3
    credit = "downsampled ImageNet, Chrabaszcz et al. 2017 (arXiv:1707.08819)"

    def __init__(self, files: Sequence[Path], *, split: str, wnids: Sequence[str] = ()) -> None:
        super().__init__(data=str(files[0].parent), split=split)
        self.files, self.wnids = [*files], tuple(wnids)

    def listing(self) -> Listing:
        sources: list[tuple[Any, ...]] = []
        labels: list[int] = []
        stamps: list[str] = []
        for path in self.files:
            pixels, digits = _read(path)
            if len(digits) and (digits.min() < 1 or digits.max() > _CLASSES):
                raise DataError(f"{path} holds labels from {digits.min()} to {digits.max()}; expected 1 to {_CLASSES:,}")
            start, length = _locate(path, pixels), pixels.shape[1]
            for i in range(len(digits)):
                sources.append((str(path), i) if start < 0 else (str(path), start + i * length, length))
            labels += (digits - 1).tolist()
            stamps += [file_stamp(path)] * len(digits)
        classes = self.wnids if len(self.wnids) == _CLASSES else tuple(str(i + 1) for i in range(_CLASSES))
        notes = [f"read {few((path.name for path in self.files), 10)}"]
        if classes != self.wnids:
            notes.append("no map_clsloc.txt: the classes are called by their numbers, 1 to 1,000")

        def make(i: int) -> Record:
            return Record(f"{self.split}/{i:07d}", sources[i], stamps[i], labels[i])

        return Listing(LazyRecords(len(sources), make), classes=classes, notes=tuple(notes))

    def decode(self, record: Record) -> Image:
        from PIL import Image

        path, *where = record.source
        if len(where) == 1:
            row = _read(Path(path))[0][where[0]]
        else:
            with open(path, "rb", buffering=0) as file:
                file.seek(where[0])
                row = np.frombuffer(file.read(where[1]), np.uint8)
        if (size := _SIZES.get(len(row))) is None:
            raise DataError(f"{path} is shorter than it was", hint=AGAIN)
        return Image.fromarray(np.ascontiguousarray(row.reshape(3, size, size).transpose(1, 2, 0)))


@lru_cache(maxsize=1)
def _read(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the pixels [N, 3·S·S] (red, green, blue planes) and labels [N] of a batch."""
    refuse_pointer(path)
    if (size := path.stat().st_size) > _MOST:
        raise DataError(f"{path} has {size:,} bytes, expected at most {_MOST:,}")
    if path.suffix != ".npz":
        return batch_arrays(read_pickle(path.read_bytes(), str(path), _WHAT), str(path), _WHAT, _SIZES)
    try:
        with zipfile.ZipFile(path) as archive:
            if (most := max((info.file_size for info in archive.infolist()), default=0)) > _MOST:
                raise DataError(f"{path} would take {most:,} bytes, expected at most {_MOST:,}")
        with np.load(path, allow_pickle=False) as held:
            arrays = {name: held[name] for name in ("data", "labels")}
    except (OSError, ValueError, KeyError, EOFError, MemoryError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is no {_WHAT}, or cut short: {error}", hint=AGAIN) from error
    return batch_arrays(arrays, str(path), _WHAT, _SIZES)


def _locate(path: Path, pixels: NDArray[np.uint8]) -> int:
    """Return where in its file a batch's pixels stand one after the other, −1 where they do not."""
    if not len(pixels) or not pixels.flags.c_contiguous:
        return -1
    flat = pixels.reshape(-1)
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        at = mapped.find(flat[: 1 << 16].tobytes())
    if at < 0 or at + len(flat) > path.stat().st_size:
        return -1
    there = np.memmap(path, np.uint8, "r", offset=at, shape=flat.shape)
    return at if np.array_equal(there, flat) else -1
