"""CelebA's aligned faces with their forty attributes (Liu et al. 2015, arXiv:1411.7766). The dataset `faces` reads them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from zoo_core.datasets import PICTURE_SUFFIXES, Box, FileDataset, ImageDataset, Listing, Record, central_square
from zoo_core.errors import DataError

from . import archives
from .readers.tables import read_rows
from .sources import check_split, few

if TYPE_CHECKING:
    from PIL.Image import Image

CROP = 108  # side of the central square of the 178×218 pictures that DCGANs are usually trained on: mostly the face

_WIDTH, _HEIGHT = 178, 218  # of an aligned picture
_PARTS = {"train": "0", "valid": "1", "test": "2"}
_PLACES = ("", "Img", "celeba", "CelebA", "celeba/Img", "CelebA/Img")
_IMAGES = ("img_align_celeba", "img_align_celeba_png", "img_celeba")
_TABLES = ("", "Anno", "Eval", "annotations")
_GET = "from https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"


class Files(NamedTuple):
    """Where CelebA's parts lie; a table is None where it is missing."""

    images: Path  # folder or archive
    attributes: Path | None
    partition: Path | None


def find(data: Path) -> Files | None:
    """CelebA as downloaded, in or around `data`; None where it is something else.

    Its pictures are in a folder or an archive called `img_align_celeba` (JPEG), `img_align_celeba_png`, or `img_celeba` (in
    the wild), or in the only one beside its tables (crops that somebody made); the tables are there or in `Anno` and `Eval`.
    """
    here = data.resolve()
    named = _strip(here.name) in _IMAGES
    for root in [here.parent, here.parent.parent] if named else [data / name for name in _PLACES]:
        for name in [here.name] if named else _IMAGES:
            if (images := _images(root, name)) is not None:
                above = (data, root, root.parent)
                return Files(images, _table(above, "list_attr_celeba"), _table(above, "list_eval_partition"))
    tables = [_table((data,), name) for name in ("list_attr_celeba", "list_eval_partition")]
    others = [p for base in (data, data / "Img") if any(tables) and base.is_dir() for p in sorted(base.iterdir())]
    others = [
        p for p in others if p.name not in (*_TABLES, "Img") and (p.is_dir() or archives.suffix_of(p.name) in archives.READ)
    ]
    return Files(others[0], *tables) if len(others) == 1 else None


def _images(root: Path, name: str) -> Path | None:
    """Return the folder or archive of that name below `root`; unpacked, it often lies in another folder of its name."""
    inner = _strip(name)
    for path in (root / inner / inner, root / inner, *(root / f"{inner}{suffix}" for suffix in archives.READ)):
        if path.is_dir() if not archives.suffix_of(path.name) else path.is_file():
            return path
    return None


def _strip(name: str) -> str:
    return name.removesuffix(archives.suffix_of(name))


def _table(folders: tuple[Path, ...], name: str) -> Path | None:
    places = (folder / below / f"{name}{suffix}" for folder in folders for below in _TABLES for suffix in (".txt", ".csv"))
    return next((path for path in places if path.is_file()), None)


class CelebA(ImageDataset):
    """The pictures of CelebA, from their folder or their archive, as JPEG or PNG.

    A picture's row in a table is the one whose file name has the same stem: the tables name JPEGs. Splits are those of the
    official partition, and 'all'; what the partition does not list is in no split but 'all'. Without a partition there are
    only 'train' and 'all', both with every picture; without `list_attr_celeba.txt` there are no attributes.

    Raises:
        DataError: a table that is none of CelebA's, or lists none of the pictures.
    """

    license = "non-commercial research only (https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html)"
    credit = "CelebA, Liu et al. 2015 (https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html)"

    def __init__(self, files: Files, *, split: str) -> None:
        super().__init__(data=str(files.images), split=split)
        check_split("CelebA", split, (*_PARTS, "all"))
        self.files = files

    def listing(self) -> Listing:
        images, attributes, partition = self.files
        source = FileDataset(data=str(images)) if images.is_dir() else archives.read_archive(images)
        listing = source.listing()
        records, notes = list(listing.records), [*listing.notes]
        if _strip(images.name) == "img_celeba":
            notes.append(
                "the pictures are not aligned: of each the square in its middle is taken, which need not hold the face"
            )
        if partition is None:
            if self.split not in ("train", "all"):
                missing = f"split {self.split!r} of CelebA needs list_eval_partition.txt beside {images}"
                raise DataError(missing, hint=f"download it {_GET}, or leave --split away to use all pictures")
            notes.append("no list_eval_partition.txt: all pictures are used")
        elif self.split != "all":
            parts = _partition(partition)
            notes += _compare(records, parts, partition, "and were left out")
            wanted = {stem for stem, part in parts.items() if part == _PARTS[self.split]}
            records = [r for r in records if _stem(r.key) in wanted]
            if records and (lacking := len(wanted) - len({_stem(r.key) for r in records})):
                notes.append(
                    f"{lacking:,} of {len(wanted):,} pictures of split {self.split!r} in {partition.name} are not there"
                )
            if not records:
                raise DataError(f"{partition} puts none of the pictures in {images} into split {self.split!r}")
        names: list[str] = []
        if attributes is None:
            notes.append("no list_attr_celeba.txt: there are no attributes")
        else:
            names, coded = _attributes(attributes)
            notes += _compare(records, coded, attributes, "and have no attributes")
            absent = (-1,) * len(names)
            records = [replace(r, attributes=coded.get(_stem(r.key), absent)) for r in records]
        return Listing(records, attributes=dict.fromkeys(names, ("no", "yes")), notes=tuple(notes))

    def decode(self, record: Record) -> Image:
        return archives.open_picture(record.source, self.files.images)

    def crop(self, width: int, height: int) -> Box:
        """The central 108×108 of an aligned picture, the same part of one that was resized, all of one that was cropped."""
        aligned = abs(width * _HEIGHT - height * _WIDTH) <= max(_WIDTH, _HEIGHT)  # to a pixel
        side = round(CROP * width / _WIDTH) if aligned else None
        return central_square(width, height, side)


def _stem(key: str) -> str:
    """Return what a table calls a picture: its file's name without folders and suffix."""
    return key.rsplit("/", 1)[-1].rpartition(".")[0]


def _compare(records: Iterable[Record], rows: Mapping[str, object], table: Path, what: str) -> list[str]:
    """Return a note where pictures are not in a table; raises `DataError` where none is."""
    records = list(records)
    unknown = [r.key.rsplit("/", 1)[-1] for r in records if _stem(r.key) not in rows]
    if records and len(unknown) == len(records):
        wrong = f"{table} lists none of the {len(records):,} pictures: they are called {few(unknown, 2)}"
        raise DataError(wrong, hint=f"CelebA calls its pictures 000001.jpg, …; its tables: {_GET}")
    return (
        [f"{len(unknown):,} of {len(records):,} pictures are not in {table.name} {what}: {few(unknown, 3)}"]
        if unknown
        else []
    )


def _partition(table: Path) -> dict[str, str]:
    """Return stem → part of the official partition: "0" (train), "1" (valid) or "2" (test)."""
    _, rows = _read(table)
    for name, values in rows.items():
        if len(values) != 1 or values[0] not in _PARTS.values():
            raise DataError(f"{table}: the row of {name} is not 0, 1 or 2", hint=f"download it {_GET}")
    return {name: values[0] for name, values in rows.items()}


def _attributes(table: Path) -> tuple[list[str], dict[str, tuple[int, ...]]]:
    """Return the names of the attributes, and stem → 0 or 1 for each."""
    names, rows = _read(table)
    for name, values in rows.items():
        if len(values) != len(names) or not set(values) <= {"-1", "0", "1"}:
            raise DataError(f"{table}: the row of {name} is not {len(names)} times 1 or -1", hint=f"download it {_GET}")
    return names, {name: tuple(int(value == "1") for value in values) for name, values in rows.items()}


def _read(table: Path) -> tuple[list[str], dict[str, list[str]]]:
    """Return a table of CelebA as the names of its columns (none in the partition's) and stem → values."""
    names: list[str] = []
    rows: dict[str, list[str]] = {}
    for first, *values in read_rows(table):
        if Path(first).suffix.lower() in PICTURE_SUFFIXES:
            values = [value for value in values if value]
            if rows.setdefault(stem := _stem(first), values) != values:
                raise DataError(f"{table} lists {stem} twice, and not alike", hint=f"download it {_GET}")
        elif not rows and not first.isdigit():  # what comes before the first picture are the names of the columns
            names = values if first in ("image_id", "") else [first, *values]
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        raise DataError(f"{table} has several columns called {few(twice, 3)}", hint=f"download it {_GET}")
    if not rows or any(not values for values in rows.values()):
        wrong = f"{table} is not CelebA's table: expected a file name and its values in each line"
        raise DataError(wrong, hint=f"download it {_GET}")
    return names, rows
