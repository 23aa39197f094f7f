"""Faces: drawn on this machine where nobody names a folder, else the photographs of that folder, CelebA or LFW."""

from __future__ import annotations

import itertools
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from zoo_core.datasets import WHITE, Box, Fill, Fit, ImageDataset, Listing, Picture, Record, central_square
from zoo_core.errors import OptionError
from zoo_core.options import Range

from . import artwork, avatars, celeba, looks, styles
from .folder import Folder
from .sources import check_split

if TYPE_CHECKING:
    from PIL.Image import Image

_STYLE, _COUNT, _SEED, _RESOLUTION = "avataaars", 10_000, 0, 128
_TRY = "for example: --set dataset"
_LFW_FOLDERS = ("", "lfw", "lfw_funneled", "lfw-deepfunneled", "lfw-deepfunneled/lfw-deepfunneled")


class Faces(ImageDataset):
    """Pictures of faces.

    With `data`, what lies there: CelebA as downloaded (`img_align_celeba` with `list_attr_celeba.txt`, from which come
    attributes, and `list_eval_partition.txt`, from which come the splits; cropped to the central 108×108), LFW (a folder for
    each person), or else a folder like any other (`FileDataset`). Without `data`, the zoo's embedded default: portraits in
    DiceBear's "Avataaars" style, each with labels of what can be seen and boxes of where. Another `style` has the labels of
    its artwork: which variant of each part and which colors were drawn, also where another part covers them. Its splits
    share no drawing. A drawing depends on style, seed, split and its own number only: a larger `count` adds faces and
    changes none.

    Raises:
        OptionError: a value out of range, or an option of the drawings together with `data`.
        UnknownNameError: there is no such style of faces.
    """

    tiny: ClassVar[dict[str, Any]] = {"count": 12}
    added_options: ClassVar[frozenset[str]] = frozenset({"style"})
    # of the drawn faces' labels, by `python benchmarks/face_classifiers.py --out pretrained/zoo_models`
    classifiers: ClassVar[dict[str, str]] = {
        "zoo_models:faces-classifier-64": "0b92ccf25e0d2a59a5d1d0cb06f37b2e14bedecb21e36419527e4aaab19771bb",
        "zoo_models:faces-classifier-32": "0062b337460b4114721f0fd8a3b552c75c6bf12f763cabfa3647768b1271b08e",
    }
    classifiers_come_by: ClassVar[str] = 'pip install "dcgan-zoo[models]"'

    def __init__(
        self,
        *,
        data: Annotated[
            str | None, "CelebA, LFW, or a folder, zip or tar of photographs, instead of the drawn faces"
        ] = None,
        style: Annotated[
            str, "of the drawn faces: avataaars, lorelei, notionists, pixel-art, …; another name lists all"
        ] = _STYLE,
        split: Annotated[
            str, "'train' or 'test'; CelebA: 'train', 'valid', 'test', 'all'; a folder has only 'train'"
        ] = "train",
        count: Annotated[
            int, "faces to draw for 'train'; 'test' has a tenth as many, none of 'train'", Range(1, 10**9)
        ] = _COUNT,
        seed: Annotated[int, "another seed draws other faces", Range(-(10**30), 10**30)] = _SEED,
        resolution: Annotated[int, "side of a drawing in pixels, before it is resized", Range(16, 1024)] = _RESOLUTION,
        crop: Annotated[
            int | None, "of photographs, side of the central square; none: CelebA's 108, else all", Range(8, 8192)
        ] = None,
        fit: Fit = "crop",
        fill: Fill = WHITE,
    ) -> None:
        super().__init__(data=data, split=split, fit=fit, fill=fill)
        self.style, self.count, self.seed, self.resolution, self.side = style, count, seed, resolution, crop
        if crop is not None and (data is None or crop < 8):
            fault = f"must be at least 8 pixels, not {crop}" if data is not None else "belongs to photographs (--data DIR)"
            raise OptionError(f"dataset.crop {fault}", hint="for example: --data DIR --set dataset.crop=108")
        if fit != "crop" and (data is None or crop is not None):
            fault = "belongs to photographs (--data DIR)" if data is None else "keeps all of a picture, dataset.crop a part"
            raise OptionError(f"dataset.fit={fit} {fault}", hint="leave one of them out" if data else "leave it out")
        if data is not None:
            given = {
                "style": style != _STYLE,
                "count": count != _COUNT,
                "seed": seed != _SEED,
                "resolution": resolution != _RESOLUTION,
            }
            if extra := [f"dataset.{name}" for name, differs in given.items() if differs]:
                belong = "belongs" if len(extra) == 1 else "belong"
                wrong = f"{' and '.join(extra)} {belong} to the drawn faces, not to the pictures in {data}"
                raise OptionError(wrong, hint="leave out either --data or these options")
            return
        styles.check_style(style, styles.FACES, "dataset.style")
        check_split("faces", split, ("train", "test"))
        if count < 1:
            raise OptionError(f"dataset.count must be at least 1, not {count}", hint=f"{_TRY}.count={_COUNT}")
        if not 16 <= resolution <= 1024:
            wrong = f"dataset.resolution must be between 16 and 1024 pixels, not {resolution}"
            raise OptionError(wrong, hint=f"{_TRY}.resolution={_RESOLUTION}")
        self.default_channels = 3
        if style != _STYLE:
            made = styles.terms(style)
            self.license, self.credit, self.restriction = made.permission, styles.remix(style), made.restriction
            self.notice = (
                f"Using {len(self):,} faces drawn on this machine by DiceBear in the style {style!r}, not photographs. "
                f"Artwork: {made.credit}, {made.permission}. To use your own pictures: --data DIR"
            )
            return
        self.boxed = avatars.BOXED
        self.license = "free for personal and commercial use (https://avataaars.com/)"
        self.credit = (
            "remix of “Avataaars” by Pablo Stanley (https://avataaars.com/), "
            "drawn with DiceBear (https://www.dicebear.com, MIT)"
        )
        self.notice = (
            f"Using {len(self):,} faces drawn on this machine by DiceBear, not photographs. "
            "Artwork: “Avataaars” by Pablo Stanley, free for personal and commercial use (https://avataaars.com/). "
            "To use your own pictures: --data DIR"
        )

    def __len__(self) -> int:
        return self.count if self.split == "train" else max(1, self.count // 10)

    def listing(self) -> Listing:
        if self.data is not None:
            listing = self._photographs.listing()
            self.license, self.credit = self._photographs.license, self._photographs.credit
            return listing
        if self.style != _STYLE:
            return self._styled()
        stamp = f"{avatars.versions()}, seed {self.seed}, {self.resolution} px"
        records = []
        for i in range(len(self)):
            drawn = looks.face(self.seed, self.split, i)
            records.append(Record(f"{self.split}/{i:05d}", drawn, stamp, attributes=looks.labels(drawn)))
        return Listing(records, attributes=dict(looks.ATTRIBUTES))

    def _styled(self) -> Listing:
        stamp = f"{styles.versions()}, {self.style}, seed {self.seed}, {self.resolution} px"
        records = []
        for i in range(len(self)):
            text, drawn = styles.find(self.style, self.seed, self.split, i)
            records.append(Record(f"{self.split}/{i:05d}", text, stamp, attributes=drawn.labels))
        return Listing(records, attributes=styles.attributes(self.style))

    def decode(self, record: Record) -> Image | Picture:
        if self.data is not None:
            return self._photographs.decode(record)
        if self.style != _STYLE:
            return artwork.render(styles.draw(self.style, record.source).svg, resolution=self.resolution)
        image = avatars.render(record.source, resolution=self.resolution)
        return Picture(image, avatars.boxes(record.source, resolution=self.resolution))

    def read_jpeg(self, record: Record) -> bytes | None:
        return self._photographs.read_jpeg(record) if self.data is not None else None

    def crop(self, width: int, height: int) -> Box:
        if self.fit != "crop":
            return super().crop(width, height)
        if self.data is not None and self.side is None:
            return self._photographs.crop(width, height)
        return central_square(width, height, self.side)

    @cached_property
    def _photographs(self) -> ImageDataset:
        """What lies in `data`."""
        assert self.data is not None
        if files := celeba.find(self.data):
            return celeba.CelebA(files, split=self.split)
        if (folder := find_lfw(self.data)) or self.data.is_file():
            return LFW(data=str(folder or self.data), split=self.split)
        return Folder(data=str(self.data), split=self.split)

    @classmethod
    def prepare(cls, source: Path, out: Path, **options: Any) -> dict[str, Any]:
        """Detect faces in the photographs of `source` and write them into `out` as square pictures; see `detect.prepare`."""
        from .detect import prepare

        return prepare(source, out, **options)


def find_lfw(data: Path) -> Path | None:
    """Return the folder of LFW's persons in or below `data`, known by their names (`Ann_Lee/Ann_Lee_0001.jpg`), or None."""
    for folder in (data / name for name in _LFW_FOLDERS):
        with suppress(PermissionError):  # of a person that cannot be read
            persons = list(itertools.islice((p for p in folder.iterdir() if p.is_dir()), 20)) if folder.is_dir() else []
            if persons and all((person / f"{person.name}_0001.jpg").is_file() for person in persons):
                return folder
    return None


class LFW(Folder):
    """Labeled Faces in the Wild (Huang et al. 2007), a folder for each of 5,749 persons, without labels; or its archive.

    Most persons have one picture only, so that their names are no classes. An archive of other pictures is read as it is.
    """

    def listing(self) -> Listing:
        listing = super().listing()
        names = {"/".join(record.key.split("/")[-2:]) for record in listing.records}
        persons = listing.classes[:20]
        if not persons or not all(f"{person}/{person}_0001.jpg" in names for person in persons):
            return listing
        self.credit = "LFW, Huang et al. 2007 (http://vis-www.cs.umass.edu/lfw/)"
        note = f"the names of {len(listing.classes):,} persons are not used as labels"
        return Listing([replace(r, label=-1) for r in listing.records], notes=(*listing.notes, note))
