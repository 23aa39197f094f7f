"""What datasets share: records made one by one, small pictures in arrays, and words for images that are missing."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo_core.datasets import ImageDataset, LazyRecords, Record
from zoo_core.errors import DataError, OptionError, UsageError, ZooError
from zoo_core.folders import special_kind

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

AGAIN = "download it again"


def array_records(pixels: NDArray[np.uint8], labels: Sequence[int] | NDArray[Any], prefix: str) -> LazyRecords:
    """Records that carry their own pixels: worker processes need not read the whole file again.

    Pixels are uint8 [N, H, W] or [N, H, W, 3], labels [N] indices into the classes; the prefix "train" gives "train/00000".
    """
    import numpy as np

    def make(i: int) -> Record:
        image = np.array(pixels[i], order="C")  # a copy: a view would be pickled with all of its array
        return Record(f"{prefix}/{i:05d}", image, f"{zlib.crc32(image.data):08x}", int(labels[i]))

    return LazyRecords(len(pixels), make)


class ArrayDataset(ImageDataset):
    """A dataset of `array_records`."""

    def decode(self, record: Record) -> Image:
        from PIL import Image

        return Image.fromarray(record.source)


@dataclass(frozen=True)
class Origin:
    """Where a dataset is to be had."""

    name: str  # as a person calls it
    where: str  # address of its page, then what to take from there or to type
    size: str  # of the download, with the number of pictures
    layout: str  # what `--data` should name, after "expected"
    fetched: bool = False  # whether the zoo fetches it

    @property
    def hint(self) -> str:
        """What to type."""
        return f"let the zoo fetch it: --download; or {self.by_hand}" if self.fetched else self.by_hand

    @property
    def by_hand(self) -> str:
        """What to type where the zoo does not fetch it."""
        return f"get it: {self.where}; size: {self.size}; when it lies in DIR: --data DIR"

    def existing(self, data: Path | None) -> Path:
        """Return `data`; raise `UsageError` where nobody said where the images lie, `DataError` where nothing lies there."""
        if data is None:
            raise UsageError(f"{self.name} must be downloaded first, and --data say where it lies", hint=self.hint)
        if not data.exists():
            raise DataError(f"{data} does not exist; expected {self.layout}", hint=self.hint)
        return data

    def wrong(self, data: Path, *, looked_for: str = "", hint: str = "") -> ZooError:
        """Return the error for a folder or file that is not this dataset: what was expected and what was found."""
        return DataError(
            f"{data} does not hold {self.name}: expected {looked_for or self.layout}; found {_found(data)}",
            hint=hint or self.hint,
        )


def check_split(name: str, split: str, valid: Sequence[str]) -> None:
    """Raise `OptionError` unless the dataset has this split."""
    if split not in valid:
        other = next((v for v in valid if v != "train"), valid[0])
        raise OptionError(f"{name} has no split {split!r}; valid: {', '.join(valid)}", hint=f"for example: --split {other}")


def _found(data: Path) -> str:
    """In a few words what lies in a folder, or what a file is."""
    if not data.is_dir():
        return f"a file of {data.stat().st_size:,} bytes"
    try:
        names = sorted(f"{p.name}/" if p.is_dir() else p.name for p in data.iterdir() if not p.name.startswith("."))
    except OSError as error:
        raise DataError(f"{data} cannot be read: {error.strerror}") from error
    return few(names, 6) or "nothing"


def few(names: Iterable[str], most: int = 5, *, number: int | None = None) -> str:
    """Return the first names, shortened, and how many more there are of `number` (by default of the names given)."""
    names = list(names)
    shown, number = names[:most], len(names) if number is None else number
    text = ", ".join(name if len(name) <= 60 else f"{name[:57]}…" for name in shown)
    return f"{text} and {number - len(shown):,} more" if number > len(shown) else text


def file_stamp(path: Path) -> str:
    """Size and modification time, which change when the content does."""
    status = path.stat()
    return f"{status.st_size}:{status.st_mtime_ns}"


def refuse_pointer(path: Path) -> None:
    """Raise `DataError` where a file is only a pointer of Git LFS, as a clone without its large files holds, no file, or
    cannot be read; what is missing is said by whoever wants it.
    """
    from zoo_core.pictures.signatures import LFS

    refuse_special(path)
    try:
        with open(path, "rb") as file:
            start = file.read(len(LFS))
    except FileNotFoundError:
        return
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    if start == LFS:
        raise DataError(f"{path} is not the file but its pointer in Git LFS", hint="to get what it stands for: git lfs pull")


def refuse_special(path: Path) -> None:
    """Raise `DataError` where something is no regular file: a pipe is read for ever."""
    with suppress(OSError):  # whoever reads it says why
        if kind := special_kind(path.stat().st_mode):
            raise DataError(f"{path} is {kind}, not a file")


def list_causes(error: BaseException) -> str:
    """Return an error's kind and first line, and those of the errors that led to it: libraries hide the reason in them."""
    told: list[str] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen and len(told) < 4:
        seen.add(id(current))
        words = f"{type(current).__name__}: {next(iter(str(current).splitlines()), '')}".rstrip(": ")[:300]
        if words not in told:
            told.append(words)
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return ", because of ".join(told)
