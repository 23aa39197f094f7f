"""CelebA's aligned faces with their forty attributes (Liu et al. 2015, arXiv:1411.7766). The dataset `faces` reads them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from zoo_core.datasets import PICTURE_SUFFIXES, FileDataset, ImageDataset, Listing, Record
from zoo_core.errors import DataError

from . import archives
from .sources import check_split, few

if TYPE_CHECKING:
    from PIL.Image import Image

CROP = 108  # side of the central square of the 178×218 pictures that DCGANs are usually trained on: mostly the face

_PARTS = {"train": "0", "valid": "1", "test": "2"}
_FOLDERS = ("", "Img", "celeba", "CelebA")
_TABLES = ("", "Anno", "Eval")
_GET = "from https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"


class Files(NamedTuple):
    """Where CelebA's parts lie; a table is None where it is missing."""

    images: Path  # folder or zip
    attributes: Path | None
    partition: Path | None


def find(data: Path) -> Files | None:
    """CelebA as downloaded, in or around `data`; None where it is something else."""
    here = data.resolve().name in ("img_align_celeba", "img_align_celeba.zip")
    for root in [data.resolve().parent] if here else [data / name for name in _FOLDERS]:
        for name in ("img_align_celeba/img_align_celeba", "img_align_celeba", "img_align_celeba.zip"):
            images = root / name
            if images.is_file() if name.endswith(".zip") else images.is_dir():
                above = (data, root, root.parent)
                return Files(images, _table(above, "list_attr_celeba"), _table(above, "list_eval_partition"))
    return None


def _table(folders: tuple[Path, ...], name: str) -> Path | None:
    places = (folder / below / f"{name}{suffix}" for folder in folders for below in _TABLES for suffix in (".txt", ".csv"))
    return next((path for path in places if path.is_file()), None)


class CelebA(ImageDataset):
    """The aligned and cropped pictures of CelebA, from their folder or their zip.

    Splits are those of the official partition, and 'all'. Without `list_eval_partition.txt` there are only 'train' and
    'all', both with every picture; without `list_attr_celeba.txt` there are no attributes.
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
        if partition is None:
            if self.split not in ("train", "all"):
                missing = f"split {self.split!r} of CelebA needs list_eval_partition.txt beside {images}"
                raise DataError(missing, hint=f"download it {_GET}, or leave --split away to use all pictures")
            notes.append("no list_eval_partition.txt: all pictures are used")
        elif self.split != "all":
            _, rows = _read(partition)
            records = [r for r in records if rows.get(_name(r), ["0"])[0] == _PARTS[self.split]]
        names: list[str] = []
        if attributes is None:
            notes.append("no list_attr_celeba.txt: there are no attributes")
        else:
            names, rows = _read(attributes)
            for name, values in rows.items():
                if len(values) != len(names) or not set(values) <= {"-1", "0", "1"}:
                    wrong = f"the row of {name} is not {len(names)} times 1 or -1"
                    raise DataError(f"{attributes}: {wrong}", hint=f"download it {_GET}")
            unknown = [_name(r) for r in records if _name(r) not in rows]
            if unknown:
                notes.append(f"{len(unknown):,} pictures are not in {attributes.name}: {few(unknown, 3)}")
            absent = (-1,) * len(names)
            coded = {name: tuple(int(value == "1") for value in values) for name, values in rows.items()}
            records = [replace(r, attributes=coded.get(_name(r), absent)) for r in records]
        return Listing(records, attributes=dict.fromkeys(names, ("no", "yes")), notes=tuple(notes))

    def decode(self, record: Record) -> Image:
        return archives.open_picture(record.source, self.files.images)


def _name(record: Record) -> str:
    return record.key.rsplit("/", 1)[-1]


def _read(table: Path) -> tuple[list[str], dict[str, list[str]]]:
    """Return a table of CelebA as the names of its columns (none in the partition's) and file name → values."""
    names: list[str] = []
    rows: dict[str, list[str]] = {}
    for line in table.read_text(encoding="utf-8", errors="replace").splitlines():
        first, *values = re.split(r"[,\s]+", line.strip())
        if Path(first).suffix.lower() in PICTURE_SUFFIXES:
            rows[first] = values
        elif not rows and not first.isdigit():  # what comes before the first picture are the names of the columns
            names = values if first == "image_id" else [first, *values]
    if not rows or any(not values for values in rows.values()):
        wrong = f"{table} is not CelebA's table: expected a file name and its values in each line"
        raise DataError(wrong, hint=f"download it {_GET}")
    return names, rows
