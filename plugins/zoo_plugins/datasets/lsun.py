"""LSUN: scenes by the million: LMDB folders as its authors give them out, or exported (Yu et al. 2015, arXiv:1506.03365)."""

from __future__ import annotations

import itertools
import os
import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from weakref import WeakValueDictionary

from zoo_core.datasets import CAREFUL, WHITE, FileDataset, Fill, Fit, ImageDataset, LazyRecords, Listing, Record
from zoo_core.errors import DataError, OptionError, UsageError, unknown
from zoo_core.folders import why_unreadable

from .archives import is_picture
from .readers.lmdb_reader import LMDBReader
from .sources import Origin, check_split, few, file_stamp

if TYPE_CHECKING:
    from PIL.Image import Image

ORIGIN = Origin(
    "LSUN",
    "http://dl.yf.io/lsun/scenes has <category>_<split>_lmdb.zip, to be unzipped (often out of reach); bedrooms are on "
    "the Hub as well: --dataset hub --data pcuenq/lsun-bedrooms; exported pictures do too, in DIR/bedroom",
    "bedroom: 43 GB, 3,033,042 pictures; church_outdoor: 2.3 GB, 126,227",
    "a folder with LSUN's own LMDB folders (bedroom_train_lmdb/data.mdb, …), one of these, or folders of exported pictures",
)
_SPLITS = ("train", "val", "test")
_FOLDER = re.compile(r"(?:(?P<category>.+)_)?(?P<split>train|val|test)(?:_lmdb)?")
_SCENES = "bedroom bridge church church_outdoor classroom conference_room dining_room kitchen living_room restaurant tower"
_OBJECTS = (
    "airplane bicycle bird boat bottle bus car cat chair cow dining_table dog horse motorbike person potted_plant sheep"
)
_CATEGORIES = frozenset(f"{_SCENES} {_OBJECTS} sofa train tv-monitor".split())
"""LSUN's scenes and objects: a folder of pictures that is called so is one of them."""

_Names = Annotated[
    list[str] | str | None, "which: 'bedroom', or several ('bedroom,kitchen') as labels; none: the only one there"
]


class LSUN(ImageDataset):
    """Pictures of one or several LSUN categories, read in place from `<category>_<split>_lmdb/data.mdb`, or exported ones.

    Values are whole JPEG or WebP files. The databases are opened for reading only and without a lock, so that a folder that
    cannot be written will do, and by a process of its own, as a damaged one ends whoever reads it. A category without one
    may be a folder of pictures, called as the databases are or by the category alone. Several categories become
    labels, in the order in which they are asked for. LSUN's object categories, whose folders carry no split in their name
    (`cat/data.mdb`), count as 'train'.

    Raises:
        UsageError: several categories lie there and none is chosen.
        DataError: nothing of that split, or a database that is cut short or damaged.
    """

    credit = "LSUN, Yu et al. 2015 (https://www.yf.io/p/lsun)"

    def __init__(
        self,
        *,
        data: Annotated[str | None, "folder that holds bedroom_train_lmdb and the like, or folders of pictures"] = None,
        split: Annotated[str, "'train', 'val' or 'test'"] = "train",
        category: _Names = None,
        classes: Annotated[list[str] | str | None, "the same, as every dataset calls it"] = None,
        fit: Fit = "crop",
        fill: Fill = WHITE,
    ) -> None:
        super().__init__(data=data, split=split, fit=fit, fill=fill)
        check_split("LSUN", split, _SPLITS)
        if category is not None and classes is not None:
            raise OptionError("dataset.category and dataset.classes are the same for LSUN", hint="leave one of them out")
        named = category if category is not None else classes
        self.category = named.split(",") if isinstance(named, str) else named
        self._readers: dict[str, LMDBReader] = {}  # which live as long as somebody holds them

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_readers": {}}

    def listing(self) -> Listing:
        refused = self._refused()
        if wanted := [name for name in refused if name in (self.category or ())]:
            raise DataError("; ".join(refused[name] for name in wanted), hint="change its rights, or choose others")
        try:
            there = self._folders()
        except DataError as error:
            if refused:
                raise DataError("; ".join(refused.values()), hint="change its rights: chmod u+rx DIR") from error
            raise
        if self.category is None and len(there) > 1:
            hint = f"choose one, or several as labels: --set dataset.category={','.join(sorted(there)[:2])}"
            raise UsageError(f"{self.data} holds {len(there)} categories: {few(sorted(there), 12)}", hint=hint)
        chosen = list(dict.fromkeys(self.category or there))
        for name in chosen:
            if name not in there:
                raise unknown(f"LSUN category for split {self.split!r} in {self.data}:", name, there, hint=ORIGIN.hint)
        parts = [_Part(there[name].resolve(), self._open) for name in chosen]
        starts = list(itertools.accumulate(map(len, parts), initial=0))
        several = len(chosen) > 1

        def make(number: int) -> Record:
            i = bisect_right(starts, number) - 1
            key, name, stamp = parts[i].entry(number - starts[i])
            return Record(f"{chosen[i]}/{name}", (str(parts[i].folder), key), stamp, i if several else -1)

        notes = [f"{CAREFUL}{why}; it was left out" for why in refused.values() if self.category is None]
        # what their folders mean is known: warnings about labels are not for them
        told = [(name, note) for name, part in zip(chosen, parts, strict=True) for note in part.notes]
        notes += [f"{name}: {note}" for name, note in told if not note.startswith(CAREFUL)]
        return Listing(LazyRecords(starts[-1], make), classes=tuple(chosen) if several else (), notes=tuple(notes))

    def decode(self, record: Record) -> Image:
        from zoo_core.pictures import open_picture

        folder, key = record.source
        if isinstance(key, str):
            return open_picture(os.path.join(folder, key))
        if (value := self._open(Path(folder)).get(key)) is None:
            raise KeyError(f"{key!r} is no longer in {folder}")
        return open_picture(value)

    def _open(self, folder: Path) -> LMDBReader:
        reader = self._readers[str(folder)] = _open(folder)
        return reader

    def read_jpeg(self, record: Record) -> bytes | None:
        folder, key = record.source
        return FileDataset(data=folder).read_jpeg(Record(record.key, key)) if isinstance(key, str) else None

    def _refused(self) -> dict[str, str]:
        """Category → why its folder of this split cannot be read."""
        data = ORIGIN.existing(self.data)
        refused = {}
        for folder in sorted(data.iterdir()) if data.is_dir() else []:
            if folder.is_dir() and _is_category(folder) and (why := why_unreadable(folder)):
                split, category = _name(folder)
                if split == self.split:
                    refused[category] = f"{folder} cannot be read: {why}"
        return refused

    def _folders(self) -> dict[str, Path]:
        """Category → folder of this split, with an LMDB or else with pictures."""
        data = ORIGIN.existing(self.data)
        data = data.resolve().parent if data.name == "data.mdb" else data
        databases = sorted(path for path in data.glob("*/data.mdb") if not why_unreadable(path.parent))
        folders = [data] if (data / "data.mdb").is_file() else [path.parent for path in databases]
        if data not in folders and data.is_dir():
            below = sorted(path for path in data.iterdir() if path.is_dir() and not path.name.startswith("."))
            itself = any(is_picture(name) for name in os.listdir(data)) or (below and all(len(p.name) == 1 for p in below))
            exported = [data] if itself and not folders else [folder for folder in below if folder not in folders]
            folders = [folder for folder in exported if _is_category(folder) and _has_pictures(folder)] + folders
        named: dict[str, dict[str, Path]] = {split: {} for split in _SPLITS}
        for folder in folders:
            split, category = _name(folder)
            named[split][category] = folder  # a database comes last: it is whole
        if named[self.split]:
            return named[self.split]
        if zipped := sorted(data.glob("*_lmdb.zip")) if data.is_dir() else []:
            packed = f"{data} holds {few(p.name for p in zipped)}, which must be unpacked: LMDB is read in place"
            raise DataError(packed, hint=f"type: cd {str(data)!r} && unzip {zipped[0].name}")
        others = " or ".join(f"--split {split}" for split in _SPLITS if named[split])
        hint = f"what is there: {others}" if others else ""
        raise ORIGIN.wrong(data, looked_for=f"<category>_{self.split}_lmdb/data.mdb, or folders of pictures", hint=hint)


class _Part:
    """What a category's folder holds: keys of a database, all alone as there are millions, or files."""

    def __init__(self, folder: Path, open: Callable[[Path], LMDBReader]) -> None:
        self.folder = folder
        self.notes: tuple[str, ...] = ()
        self._keys: list[bytes] = []
        self._files: Sequence[Record] = ()
        if (folder / "data.mdb").is_file():
            self._keys, self._stamp = open(folder).keys(), file_stamp(folder / "data.mdb")
        else:
            listing = FileDataset(data=str(folder)).listing()
            self._files, self.notes = listing.records, listing.notes

    def __len__(self) -> int:
        return len(self._keys) or len(self._files)

    def entry(self, number: int) -> tuple[bytes | str, str, str]:
        """Return what `decode` needs, the name, and the stamp of a picture."""
        if self._keys:
            key = self._keys[number]
            return key, key.decode("utf-8", "backslashreplace"), self._stamp
        file = self._files[number]
        return file.source, file.key, file.stamp


def _name(folder: Path) -> tuple[str, str]:
    """Return the split and the category that a folder's name says."""
    name = folder.resolve().name
    match = _FOLDER.fullmatch(name)
    return (match["split"], match["category"] or match["split"]) if match else ("train", name)


def _is_category(folder: Path) -> bool:
    name = folder.resolve().name
    return name in _CATEGORIES or bool((match := _FOLDER.fullmatch(name)) and match["category"])


def _has_pictures(folder: Path) -> bool:
    return any(is_picture(name) for _, _, names in os.walk(folder) for name in names)


# process, folder and stamp → reader: each process opens a database once
_OPEN: WeakValueDictionary[tuple[int, str, str], LMDBReader] = WeakValueDictionary()


def _open(folder: Path) -> LMDBReader:
    """Return the reader of a folder's database, one for each process; raises `DataError` where it is none or cut short."""
    key = os.getpid(), str(folder), file_stamp(folder / "data.mdb")
    reader = _OPEN.get(key)
    if reader is None or not reader.is_alive():
        reader = _OPEN[key] = LMDBReader(folder)
    return reader
