"""Datasets that the tests of packs register; a module of its own, so that worker processes can import it."""

from __future__ import annotations

import os
import time
from typing import Annotated

from PIL import Image

from zoo_core import FileDataset, ImageDataset, Listing, Picture, Record


class Counted(FileDataset):
    """A folder of pictures that notes every decoding in a file."""

    notice = "using the pictures of a test"
    license = "CC0-1.0"

    def __init__(
        self,
        *,
        data: str | None = None,
        split: str = "train",
        log: Annotated[str, "file that gets a line for each picture"] = "",
        sleep: Annotated[float, "seconds that each takes"] = 0.0,
    ) -> None:
        super().__init__(data=data, split=split)
        self.log, self.sleep = log, sleep

    def decode(self, record: Record) -> Image.Image:
        if self.log:
            with open(self.log, "a", encoding="utf-8") as file:
                file.write(f"{os.getpid()} {record.key}\n")
        time.sleep(self.sleep)
        return Image.open(os.path.join(str(self.data), record.source))


class Drawn(ImageDataset):
    """Squares that need no file: labels, attributes and boxes; every fifth cannot be read."""

    boxed = ("hat",)
    default_channels = 3
    credit = "nobody"

    def __init__(self, *, data: str | None = None, split: str = "train", count: int = 40) -> None:
        super().__init__(data=data, split=split)
        self.count = count

    def listing(self) -> Listing:
        records = [Record(f"{self.split}-{i}", source=i, label=i % 3, attributes=(i % 2, i % 4)) for i in range(self.count)]
        attributes = {"hat": ("none", "hat"), "color": ("a", "b", "c", "d")}
        return Listing(records, classes=("x", "y", "z"), attributes=attributes, notes=("drawn for a test",))

    def decode(self, record: Record) -> Picture:
        if record.source % 5 == 4:
            raise ValueError("a fifth one")
        boxes = {"hat": (0.0, 0.0, float(record.source), 10.0)} if record.source % 2 else {}
        return Picture(Image.new("RGB", (40, 40), (record.source, 0, 0)), boxes)


class Deadly(Drawn):
    """Ends the process that decodes the last record."""

    def decode(self, record: Record) -> Picture:
        if record.source == self.count - 1:
            os._exit(3)
        return super().decode(record)


class Thankless(Drawn):
    """Can be pickled, but not unpickled."""

    def __setstate__(self, state: dict[str, object]) -> None:
        raise RuntimeError("not here")


class Wrong(Drawn):
    """Its records have labels that its listing does not name."""

    def listing(self) -> Listing:
        return Listing([Record("a", label=3)], classes=("x", "y", "z"))


class Unlisted(Drawn):
    """Its listing fails."""

    def listing(self) -> Listing:
        raise KeyError("index.txt")


class Nothing(Drawn):
    """Decodes nothing."""

    def decode(self, record: Record) -> Picture:
        raise OSError("gone")


class Gap(Drawn):
    """A long stretch of it cannot be read."""

    def decode(self, record: Record) -> Picture:
        if 60 <= record.source < 200:
            raise OSError("gone")
        return Picture(Image.new("RGB", (40, 40), (min(record.source, 255), 0, 0)))
