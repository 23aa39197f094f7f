"""LSUN: scenes by the million, in LMDB folders as its authors hand them out (Yu et al. 2015, arXiv:1506.03365)."""

from __future__ import annotations

import itertools
import re
from bisect import bisect_right
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from zoo_core.datasets import WHITE, Fill, Fit, ImageDataset, Listing, Record
from zoo_core.errors import DataError, UsageError, unknown

from .sources import LazyRecords, Origin, check_split, few, file_stamp

if TYPE_CHECKING:
    import lmdb
    from PIL.Image import Image

ORIGIN = Origin(
    "LSUN",
    "https://github.com/fyu/lsun, there: python3 download.py -c bedroom, and unzip",
    "bedroom: 43 GB, 3,033,042 pictures; church_outdoor: 2.3 GB, 126,227",
    "a folder with LSUN's own LMDB folders (bedroom_train_lmdb/data.mdb, …), or one of these",
)
_SPLITS = ("train", "val", "test")
_FOLDER = re.compile(r"(?:(?P<category>.+)_)?(?P<split>train|val|test)_lmdb")


class LSUN(ImageDataset):
    """Pictures of one or several LSUN categories, read in place from `<category>_<split>_lmdb/data.mdb`.

    Values are whole JPEG or WebP files. The databases are opened for reading only and without a lock, so that a folder that
    cannot be written will do. Several categories become labels, in the order in which they are asked for. LSUN's object
    categories, whose folders carry no split in their name (`cat/data.mdb`), count as 'train'.

    Raises:
        UsageError: several categories lie there and none is chosen.
        DataError: no LMDB folder of that split, or one that is cut short.
    """

    credit = "LSUN, Yu et al. 2015 (https://www.yf.io/p/lsun)"

    def __init__(
        self,
        *,
        data: Annotated[str | None, "folder that holds bedroom_train_lmdb and the like"] = None,
        split: Annotated[str, "'train', 'val' or 'test'"] = "train",
        category: Annotated[
            list[str] | str | None, "which: 'bedroom', or several ('bedroom,kitchen') as labels; none: the only one there"
        ] = None,
        fit: Fit = "crop",
        fill: Fill = WHITE,
    ) -> None:
        super().__init__(data=data, split=split, fit=fit, fill=fill)
        check_split("LSUN", split, _SPLITS)
        self.category = category.split(",") if isinstance(category, str) else category

    def listing(self) -> Listing:
        there = self._folders()
        if self.category is None and len(there) > 1:
            hint = f"choose one, or several as labels: --set dataset.category={','.join(sorted(there)[:2])}"
            raise UsageError(f"{self.data} holds {len(there)} categories: {few(sorted(there), 12)}", hint=hint)
        chosen = list(dict.fromkeys(self.category or there))
        for name in chosen:
            if name not in there:
                raise unknown(f"LSUN category for split {self.split!r} in {self.data}:", name, there, hint=ORIGIN.hint)
        folders = [there[name].resolve() for name in chosen]
        keys = [_read_keys(folder) for folder in folders]
        stamps = [file_stamp(folder / "data.mdb") for folder in folders]
        starts = list(itertools.accumulate(map(len, keys), initial=0))
        several = len(chosen) > 1

        def make(number: int) -> Record:
            i = bisect_right(starts, number) - 1
            key = keys[i][number - starts[i]]
            name = f"{chosen[i]}/{key.decode('utf-8', 'backslashreplace')}"
            return Record(name, (str(folders[i]), key), stamps[i], i if several else -1)

        return Listing(LazyRecords(starts[-1], make), classes=tuple(chosen) if several else ())

    def decode(self, record: Record) -> Image:
        from zoo_core.pictures import open_picture

        folder, key = record.source
        with _environment(Path(folder)).begin() as transaction:
            value = transaction.get(key)
        if value is None:
            raise KeyError(f"{key!r} is no longer in {folder}")
        return open_picture(value)

    def _folders(self) -> dict[str, Path]:
        """Category → LMDB folder, of this split."""
        data = ORIGIN.existing(self.data)
        folders = [data] if (data / "data.mdb").is_file() else [p.parent for p in sorted(data.glob("*/data.mdb"))]
        named: dict[str, dict[str, Path]] = {split: {} for split in _SPLITS}
        for folder in folders:
            match = _FOLDER.fullmatch(folder.resolve().name)
            split = match["split"] if match else "train"
            category = (match["category"] or split) if match else folder.resolve().name
            named[split][category] = folder
        if named[self.split]:
            return named[self.split]
        if zipped := sorted(data.glob("*_lmdb.zip")) if data.is_dir() else []:
            packed = f"{data} holds {few(p.name for p in zipped)}, which must be unpacked: LMDB is read in place"
            raise DataError(packed, hint=f"type: cd {str(data)!r} && unzip {zipped[0].name}")
        others = " or ".join(f"--split {split}" for split in _SPLITS if named[split])
        hint = f"what is there: {others}" if others else ""
        raise ORIGIN.wrong(data, looked_for=f"<category>_{self.split}_lmdb/data.mdb", hint=hint)


def _read_keys(folder: Path) -> list[bytes]:
    """Return the keys alone, in the database's order: the pictures, hundreds of times larger, are not touched."""
    import lmdb

    try:
        with _environment(folder).begin() as transaction:
            return list(transaction.cursor().iternext(keys=True, values=False))
    except lmdb.Error as error:
        raise DataError(f"{folder / 'data.mdb'} is damaged: {error}", hint=ORIGIN.hint) from error


# folder → stamp and database; LMDB lets a process open each file once only
_OPEN: dict[str, tuple[str, lmdb.Environment]] = {}


def _environment(folder: Path) -> lmdb.Environment:
    """Return the database in a folder, opened once per process; raises `DataError` where it is no LMDB or cut short."""
    import lmdb

    file = folder / "data.mdb"
    stamp = file_stamp(file)
    opened = _OPEN.get(str(folder))
    if opened and opened[0] == stamp:
        return opened[1]
    if opened:
        _OPEN.pop(str(folder))[1].close()
    try:
        environment = lmdb.open(str(folder), readonly=True, lock=False, create=False)
    except lmdb.Error as error:
        raise DataError(f"{file} is no LMDB database, or its beginning is damaged: {error}", hint=ORIGIN.hint) from error
    # a read beyond the end of the file would not raise but end the process (SIGBUS)
    expected = (environment.info()["last_pgno"] + 1) * environment.stat()["psize"]
    if (size := file.stat().st_size) < expected:
        environment.close()
        hint = "download and unpack it again"
        raise DataError(f"{file} is cut short: {size:,} of {expected:,} bytes are there", hint=hint)
    _OPEN[str(folder)] = (stamp, environment)
    return environment
