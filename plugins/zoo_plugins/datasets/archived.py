"""Pictures in archives as one dataset: which archives a folder holds, and what their pictures are called."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from zoo_core.datasets import ImageDataset, Listing, Record
from zoo_core.errors import DataError, UsageError
from zoo_core.folders import is_system_folder
from zoo_core.words import plural

from . import archives
from .sources import few

if TYPE_CHECKING:
    from PIL.Image import Image

_JPEG_SUFFIXES = (".jpg", ".jpeg", ".JPG", ".JPEG")
_SMALL = 65_536  # bytes; a larger file takes so long to decode that reading it in one piece saves nothing
_TABLES = (".parquet", ".arrow")


class Archives(ImageDataset):
    """The pictures in archives. `found`: what they count as, a folder's name or "", → the archive."""

    def __init__(self, *, data: str | None, split: str, found: Mapping[str, Path]) -> None:
        super().__init__(data=data, split=split)
        self.found = found

    def listing(self) -> Listing:
        if self.split != "train":
            raise UsageError(f"an archive of pictures has no split {self.split!r}; valid: train")
        listing = list_archives(self.found)
        if [*self.found.values()] == [self.data]:
            return listing
        where = few(path.name for path in self.found.values())
        return replace(listing, notes=(f"read in place from {where}", *listing.notes))

    def decode(self, record: Record) -> Image:
        return archives.open_picture(record.source, Path())

    def read_jpeg(self, record: Record) -> bytes | None:
        if not str(record.key).endswith(_JPEG_SUFFIXES):
            return None
        found = archives.read(record.source)
        return found if len(found) <= _SMALL else None


def find_archives(data: Path) -> dict[str, Path]:
    """Return the archives that `data` is or holds, by what they count as; none where it is, or holds, anything else.

    Raises:
        DataError: it is a file that somebody else reads, or holds only archives that nobody reads; says what to type.
    """
    if data.is_file():
        if data.suffix.lower() in _TABLES:
            hint = f"type: --dataset hub --data {str(data)!r}"
            raise DataError(f"{data} is a table with pictures in it, not a folder", hint=hint)
        return {"": data} if archives.archive_kind(data) else {}
    found: list[Path] = []
    tables: list[str] = []
    entered: set[str] = set()
    for folder, folders, files in os.walk(data, followlinks=True):
        if (real := os.path.realpath(folder)) in entered:  # a link back to a folder that contains it
            folders.clear()
            continue
        entered.add(real)
        folders[:] = sorted(name for name in folders if not is_system_folder(name))
        for name in sorted(name for name in files if not name.startswith(".")):
            if archives.is_picture(name):
                return {}
            path = Path(folder, name)
            if path.suffix.lower() in _TABLES:
                tables.append(name)
            if archives.suffix_of(name) and path.is_file():
                found.append(path)
    if tables and not found:
        wrong = f"no pictures in {data}, but {plural(len(tables), 'table')} that may hold some: {few(tables, 3)}"
        raise DataError(wrong, hint=f"type: --dataset hub --data {shlex.quote(str(data))}")
    if len(found) == 1:
        return {"": found[0]}
    names = [path.relative_to(data).as_posix() for path in found]
    stems = [name[: -len(archives.suffix_of(name))] for name in names]
    times = Counter(stems)  # photos.zip and photos.tar.gz keep their whole names
    return {(stem if times[stem] == 1 else name): path for stem, name, path in zip(stems, names, found, strict=True)}


def list_archives(found: Mapping[str, Path]) -> Listing:
    """Return the pictures in archives, those that hold no pictures left out and named."""
    notes: list[str] = []
    held: list[tuple[str, archives.Members]] = []
    hints: list[str] = []
    for name, path in found.items():
        try:
            held.append((name, archives.read_archive(path)))
        except DataError as error:
            if len(found) == 1:
                raise
            hints.append(error.hint)
            notes.append(f"{path.name} was left out: {error.message}")
    if not held:
        raise DataError(f"no archive with pictures: {'; '.join(notes)}", hint=hints[0] if hints else "")
    tops = [{name.split("/")[0] for name in members.pictures if "/" in name} for _, members in held]
    if set.intersection(*tops):  # parts of one download
        held = [("", members) for _, members in held]
    listing = archives.list_members(held)
    return replace(listing, notes=(*notes, *listing.notes))
