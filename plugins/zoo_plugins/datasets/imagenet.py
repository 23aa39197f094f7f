"""ImageNet's ILSVRC 2012 in the forms in which people have it (Russakovsky et al. 2015, arXiv:1409.0575)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from zoo_core.datasets import WHITE, FileDataset, Fill, Fit, ImageDataset, Listing, Record
from zoo_core.errors import DataError
from zoo_core.folders import is_system_folder, why_unreadable

from . import archives
from .archived import Archives, find_archives
from .downsampled import Downsampled, find_batches
from .readers.tables import read_lines, read_rows
from .sources import Origin, check_split, few

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
_IN_NAME = re.compile(r"(?:^|_)(n\d{8})(?=_|$)")
_BELOW = ("", "ILSVRC/Data/CLS-LOC", "Data/CLS-LOC", "CLS-LOC", "tiny-imagenet-200")
_SOLUTIONS = {"val": ("LOC_val_solution.csv", "val_annotations.txt"), "train": ("LOC_train_solution.csv",), "test": ()}
_NAMES = ("LOC_synset_mapping.txt", "words.txt", "synset_words.txt", "map_clsloc.txt")
_UPWARDS = 5  # folders above the pictures in which a table may lie


class ImageNet(ImageDataset):
    """Photographs in class folders named by WordNet number (`n01440764`), or in the original tar of tars.

    Also: a tar for each class (`train/n01440764.tar`); Kaggle's layout, whose `val` lies flat and has its labels in
    `LOC_val_solution.csv`; tiny-imagenet with its `val_annotations.txt`; pictures with the number in their name
    (`ILSVRC2012_val_00000001_n01751748.JPEG`); and the batches of the downsampled ImageNet. A tar is read in place: its
    headers are gone through once to learn where each picture begins. `val` and `test` have labels only where one of these
    says them; what it does not list is left out. Classes may be chosen by name where a table of names lies beside them
    (`LOC_synset_mapping.txt`, `words.txt`, …), or all 1,000 are there.

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
        listing = self._inner.listing()
        if not listing.records:
            raise ORIGIN.wrong(self._source, looked_for="a tar of pictures, or of tars of pictures")
        if self._source.is_file() and set(listing.classes) & set(_SPLITS):
            hint = "unpack it, and give the folder: --data DIR"
            raise DataError(f"{self._source} holds several splits: {', '.join(listing.classes)}", hint=hint)
        if not listing.classes or self._parts(self._source):
            listing = _label(listing, _find_labels(self._source, self.split))
        if not listing.classes:
            listing = replace(listing, notes=(*listing.notes, f"the pictures have no labels: there are {_WANTED}"))
        return replace(listing, aliases=_aliases(self._source, listing.classes))

    def decode(self, record: Record) -> Image:
        return self._inner.decode(record)  # type: ignore[return-value]  # none of them gives boxes

    def read_jpeg(self, record: Record) -> bytes | None:
        return self._inner.read_jpeg(record)

    @cached_property
    def _inner(self) -> ImageDataset:
        """What reads what is there."""
        source = self._source
        if batches := find_batches(source, self.split):
            names = _read_names(source)
            return Downsampled(batches, split=self.split, wnids=[*names] if names else ())
        if source.is_file():
            return Archives(data=str(source), split="train", found={"": source})
        if parts := self._parts(source):
            return Archives(data=str(source), split="train", found=parts)
        inner = {path.name.removesuffix(".tar"): path for path in source.glob("*.tar") if _WNID.fullmatch(path.stem)}
        if inner and not any(_WNID.fullmatch(path.name) and path.is_dir() for path in source.iterdir()):
            return Archives(data=str(source), split="train", found=dict(sorted(inner.items())))
        if found := find_archives(source):
            return Archives(data=str(source), split="train", found=found)
        return FileDataset(data=str(source))

    def _parts(self, folder: Path) -> dict[str, Path]:
        """Return the archives of a split as the Hub's copy has them: train_images_0.tar.gz, …, val_images.tar.gz."""
        found = sorted(folder.glob(f"{self.split}_images*.tar*")) if folder.is_dir() else []
        return {path.name.partition(".")[0]: path for path in found}

    @cached_property
    def _source(self) -> Path:
        """The folder of class folders, the archive, or the folder of batches, of this split."""
        data = ORIGIN.existing(self.data)
        name = f"ILSVRC2012_img_{self.split}.tar"
        if data.is_file():
            if not archives.archive_kind(data):
                raise ORIGIN.wrong(data)
            if re.fullmatch(r"ILSVRC2012_img_(train|val|test)(_v\d+)?\.tar", data.name) and self.split not in data.name:
                raise ORIGIN.wrong(data, looked_for=name)
            return data
        folders = [path for path in data.iterdir() if path.is_dir() and not is_system_folder(path.name)]
        inner = sorted(path.name for path in folders if not why_unreadable(path))
        for place in (data / below / part for below in (*_BELOW, *inner) for part in (self.split, name)):
            if place.is_file() if place.suffix == ".tar" else place.is_dir():
                return place
        if self._parts(data):
            return data
        here = data.resolve().name
        sorted_here = any(_WNID.fullmatch(path.name.removesuffix(".tar")) for path in data.iterdir())
        if find_batches(data, self.split) or here == self.split:
            return data
        if sorted_here and (here not in _SPLITS) and self.split == "train":
            return data
        raise ORIGIN.wrong(data, looked_for=f"{self.split}/<wnid>/*.JPEG or {name}")


_WANTED = "neither class folders, nor names with a wnid, nor LOC_val_solution.csv or val_annotations.txt"


def _find_labels(source: Path, split: str) -> tuple[Path, dict[str, str]] | None:
    """Return the table that says the labels of pictures which lie flat, and its stem → wnid; None where there is none."""
    for folder in (source, *source.resolve().parents[:_UPWARDS]):
        for name in _SOLUTIONS[split]:
            if (path := folder / name).is_file():
                rows = {row[0].rpartition(".")[0] or row[0]: row[1].split() for row in read_rows(path) if len(row) > 1}
                labels = {stem: words[0] for stem, words in rows.items() if words and _WNID.fullmatch(words[0])}
                if not labels:
                    raise DataError(f"{path} is no table of labels: expected a picture's name and a wnid in each line")
                return path, labels
    return None


def _label(listing: Listing, found: tuple[Path, dict[str, str]] | None) -> Listing:
    """Return the listing with the labels in the pictures' names, else those of a table; as it is where neither has any."""
    stems = [record.key.rsplit("/", 1)[-1].rpartition(".")[0] for record in listing.records]
    names: list[str | None] = [match[-1] if (match := _IN_NAME.findall(stem)) else None for stem in stems]
    where = "without a wnid in the name"
    if found is not None and not all(names):
        table, labels = found
        names = [labels.get(stem) for stem in stems]
        where = f"not in {table.name}"
        if not any(names):
            raise DataError(f"{table} lists none of the {len(stems):,} pictures: they are called {few(stems, 2)}")
    if not any(names):
        return listing
    classes = tuple(sorted({name for name in names if name is not None}))
    index = {name: i for i, name in enumerate(classes)}
    records = [replace(r, label=index[name]) for r, name in zip(listing.records, names, strict=True) if name is not None]
    notes = listing.notes
    if lost := [stem for stem, name in zip(stems, names, strict=True) if name is None]:
        notes = (*notes, f"{len(lost):,} of {len(stems):,} pictures are {where} and were left out: {few(lost, 3)}")
    return replace(listing, records=records, classes=classes, notes=notes)


def _read_names(source: Path) -> dict[str, tuple[str, ...]]:
    """Return wnid → names, of a table beside or above the pictures, in its order; nothing where there is none."""
    for folder in (source, *source.resolve().parents[:_UPWARDS]):
        for name in _NAMES:
            if (path := folder / name).is_file():
                found = {}
                for line in read_lines(path):
                    wnid, *words = line.split(maxsplit=2 if name == "map_clsloc.txt" else 1)
                    if _WNID.fullmatch(wnid) and words:
                        found[wnid] = tuple(word.strip() for word in words[-1].split(","))
                return found
    return {}


def _aliases(source: Path, classes: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
    """Return class → names by which it may be chosen."""
    names = _read_names(source)
    if not names and len(classes) == 1000 and all(map(_WNID.fullmatch, classes)):
        from torchvision.models import ResNet18_Weights

        names = {c: (name,) for c, name in zip(classes, ResNet18_Weights.DEFAULT.meta["categories"], strict=True)}
    return {wnid: names[wnid] for wnid in classes if wnid in names}
