"""Datasets that come as one array of small pictures: each record carries its own pixels.

So worker processes need not read the whole file again, and a record is still only some kilobytes.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from zoo_core.datasets import ImageDataset, Record

if TYPE_CHECKING:
    from PIL.Image import Image


class ArrayRecords(Sequence[Record]):
    """Records made when they are asked for.

    Args:
        pixels: uint8 [N, H, W] or [N, H, W, 3].
        labels: [N], indices into the classes.
        prefix: what keys begin with ("train" → "train/00000").
    """

    def __init__(self, pixels: NDArray[np.uint8], labels: Sequence[int] | NDArray[Any], prefix: str) -> None:
        self._pixels, self._labels, self._prefix = pixels, labels, prefix

    def __len__(self) -> int:
        return len(self._pixels)

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> list[Record]: ...
    def __getitem__(self, index: int | slice) -> Record | list[Record]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        i = range(len(self))[index]
        pixels = np.array(self._pixels[i], order="C")  # a copy: a view would be pickled with all of its array
        return Record(f"{self._prefix}/{i:05d}", pixels, f"{zlib.crc32(pixels.data):08x}", int(self._labels[i]))


class ArrayDataset(ImageDataset):
    """A dataset whose listing holds `ArrayRecords`."""

    def decode(self, record: Record) -> Image:
        from PIL import Image

        return Image.fromarray(record.source)
