"""ImageNet's ILSVRC 2012 as it is downloaded or unpacked (Russakovsky et al. 2015, arXiv:1409.0575)."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from zoo_core.datasets import WHITE, FileDataset, Fill, Fit, ImageDataset, Listing, Record

from . import archives
from .sources import Origin, check_split

if TYPE_CHECKING:
    from PIL.Image import Image

ORIGIN = Origin(
    "ImageNet (ILSVRC 2012)",
    "https://image-net.org/download, after registration: ILSVRC2012_img_train.tar, ILSVRC2012_img_val.tar",
    "train: 138 GB, 1,281,167 pictures; val: 6.3 GB, 50,000",
    "a folder with train/<wnid>/*.JPEG or ILSVRC2012_img_train.tar, the folder train itself, or that tar",
)
_SPLITS = ("train", "val", "test")
_WNID = re.compile(r"n\d{8}")
_BELOW = ("", "ILSVRC/Data/CLS-LOC", "Data/CLS-LOC", "CLS-LOC")


class ImageNet(ImageDataset):
    """Photographs in class folders named by WordNet number (`n01440764`), or in the original tar of tars.

    A tar is read in place: its headers are gone through once to learn where each picture begins. `val` and `test` lie flat
    in the original download; they have labels only where somebody sorted them into class folders.

    Raises:
        DataError: neither folders nor tar of that split, or a tar that is cut short.
    """

    license = "non-commercial research and education only (https://image-net.org/download)"
    credit = "ImageNet, Russakovsky et al. 2015 (https://image-net.org)"

    def __init__(
        self,
        *,
        data: Annotated[str | None, "folder that holds train/<wnid>/*.JPEG or ILSVRC2012_img_train.tar"] = None,
        split: Annotated[str, "'train', 'val' or 'test'"] = "train",
        fit: Fit = "crop",
        fill: Fill = WHITE,
    ) -> None:
        super().__init__(data=data, split=split, fit=fit, fill=fill)
        check_split("ImageNet", split, _SPLITS)

    def listing(self) -> Listing:
        if self._source.is_file():
            listing = archives.tar_members(self._source).listing()
            if not listing.records:
                raise ORIGIN.wrong(self._source, looked_for="a tar of pictures, or of tars of pictures")
        else:
            listing = FileDataset(data=str(self._source)).listing()
        if not listing.classes:
            listing = replace(listing, notes=(*listing.notes, "no class folders: the pictures have no labels"))
        return listing

    def decode(self, record: Record) -> Image:
        return archives.open_picture(record.source, self._source)

    @cached_property
    def _source(self) -> Path:
        """The folder of class folders, or the tar, of this split."""
        data = ORIGIN.existing(self.data)
        name = f"ILSVRC2012_img_{self.split}.tar"
        if data.is_file():
            if not data.name.endswith(".tar"):
                raise ORIGIN.wrong(data)
            if re.fullmatch(r"ILSVRC2012_img_(train|val|test)(_v\d+)?\.tar", data.name) and self.split not in data.name:
                raise ORIGIN.wrong(data, looked_for=name)
            return data
        for place in (data / below / part for below in _BELOW for part in (self.split, name)):
            if place.is_file() if place.suffix == ".tar" else place.is_dir():
                return place
        here = data.resolve().name
        sorted_here = any(_WNID.fullmatch(path.name) and path.is_dir() for path in data.iterdir())
        if here == self.split or (sorted_here and (here not in _SPLITS) and self.split == "train"):
            return data
        raise ORIGIN.wrong(data, looked_for=f"{self.split}/<wnid>/*.JPEG or {name}")
