"""A folder of pictures, or an archive of some: what people have when they have nothing with a name."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Annotated

from zoo_core.datasets import WHITE, FileDataset, Fill, Fit, ImageDataset, Listing, Record

if TYPE_CHECKING:
    from PIL.Image import Image

    from .archived import Archives


class Folder(ImageDataset):
    """Pictures in a folder and its sub-folders, or in archives (zip, tar, tar.gz, tar.bz2, tar.xz), read where they lie.

    Each first-level sub-folder with pictures is a class, in an archive as on disk (`FileDataset`); a single folder around
    everything in an archive does not count. In a folder that holds archives and no pictures, the archives are read: of
    several, each counts as a folder of its name, unless they hold the same folders (the parts of one download).
    """

    def __init__(
        self,
        *,
        data: Annotated[str | None, "folder of pictures, whose sub-folders become labels; or a zip or tar of them"] = None,
        split: Annotated[str, "only 'train': a folder has no other split"] = "train",
        fit: Fit = "crop",
        fill: Fill = WHITE,
    ) -> None:
        super().__init__(data=data, split=split, fit=fit, fill=fill)

    def listing(self) -> Listing:
        return self._source.listing()

    def decode(self, record: Record) -> Image:
        return self._source.decode(record)

    def read_jpeg(self, record: Record) -> bytes | None:
        return self._source.read_jpeg(record)

    @cached_property
    def _source(self) -> FileDataset | Archives:
        """What lies in `data`; it travels to worker processes, which import nothing of archives where there are none."""
        from .archived import Archives, find_archives

        found = find_archives(self.data) if self.data is not None else {}
        data = None if self.data is None else str(self.data)
        return Archives(data=data, split=self.split, found=found) if found else FileDataset(data=data, split=self.split)
