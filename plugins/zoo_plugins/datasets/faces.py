"""Faces: drawn on this machine where nobody names a folder, else the photographs of that folder, CelebA or LFW."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from zoo_core.datasets import Box, FileDataset, ImageDataset, Listing, Picture, Record
from zoo_core.errors import OptionError

from . import avatars, celeba, lfw, looks

if TYPE_CHECKING:
    from PIL.Image import Image

_COUNT, _SEED, _RESOLUTION = 10_000, 0, 128
_SPLITS = ("train", "test")


class Faces(ImageDataset):
    """Pictures of faces.

    With `data` it is what lies there: CelebA as downloaded (`img_align_celeba` with `list_attr_celeba.txt`, from which come
    attributes, and `list_eval_partition.txt`, from which come the splits; cropped to the central 108×108), LFW (a folder for
    each person), or else a folder like any other (`FileDataset`).

    Without `data` it is the zoo's embedded default: portraits in DiceBear's "Avataaars" style, square and cropped to the
    head, each with labels of what can be seen and boxes of where. A drawing depends on seed, split and its own number only,
    so that a larger `count` adds faces and changes none.

    Raises:
        OptionError: a value out of range, or an option of the drawings together with `data`.
    """

    tiny: ClassVar[dict[str, Any]] = {"count": 12}

    def __init__(
        self,
        *,
        data: Annotated[str | None, "CelebA, LFW or a folder of photographs, instead of the drawn faces"] = None,
        split: Annotated[
            str, "'train' or 'test'; CelebA: 'train', 'valid', 'test', 'all'; a folder has only 'train'"
        ] = "train",
        count: Annotated[int, "faces to draw for 'train'; 'test' has a tenth as many, all different ones"] = _COUNT,
        seed: Annotated[int, "another seed draws other faces"] = _SEED,
        resolution: Annotated[int, "height and width of a drawing in pixels, before it is resized"] = _RESOLUTION,
        crop: Annotated[int | None, "of photographs, side of the central square; none: 108 for CelebA, else all"] = None,
    ) -> None:
        super().__init__(data=data, split=split)
        self.count, self.seed, self.resolution = count, seed, resolution
        self.side = crop
        self._photographs: ImageDataset | None = None
        if crop is not None and (data is None or crop < 8):
            fault = f"must be at least 8 pixels, not {crop}" if data is not None else "belongs to photographs (--data DIR)"
            raise OptionError(f"dataset.crop {fault}", hint="for example: --data DIR --set dataset.crop=108")
        if data is not None:
            given = {"count": count != _COUNT, "seed": seed != _SEED, "resolution": resolution != _RESOLUTION}
            if extra := [f"dataset.{name}" for name, differs in given.items() if differs]:
                raise OptionError(
                    f"{' and '.join(extra)} belong to the drawn faces, not to the pictures in {data}",
                    hint="leave out either --data or these options",
                )
            return
        if split not in _SPLITS:
            raise OptionError(f"faces have no split {split!r}; valid: train, test", hint="for example: --split test")
        if count < 1:
            raise OptionError(
                f"dataset.count must be at least 1, not {count}", hint=f"for example: --set dataset.count={_COUNT}"
            )
        if not 16 <= resolution <= 1024:
            raise OptionError(
                f"dataset.resolution must be between 16 and 1024 pixels, not {resolution}",
                hint=f"for example: --set dataset.resolution={_RESOLUTION}",
            )
        self.boxed = avatars.BOXED
        self.default_channels = 3
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
            photographs = self._found()
            self.license, self.credit = photographs.license, photographs.credit
            return photographs.listing()
        stamp = f"{avatars.versions()}, seed {self.seed}, {self.resolution} px"
        records = []
        for i in range(len(self)):
            drawn = looks.face(self.seed, self.split, i)
            records.append(Record(f"{self.split}/{i:05d}", drawn, stamp, attributes=looks.labels(drawn)))
        return Listing(records, attributes=dict(looks.ATTRIBUTES))

    def decode(self, record: Record) -> Image | Picture:
        if self.data is not None:
            return self._found().decode(record)
        image = avatars.render(record.source, resolution=self.resolution)
        return Picture(image, avatars.boxes(record.source, resolution=self.resolution))

    def encoded(self, record: Record) -> bytes | None:
        return self._found().encoded(record) if self.data is not None else None

    def crop(self, width: int, height: int) -> Box:
        side = self.side
        if side is None and self.data is not None and isinstance(self._found(), celeba.CelebA):
            side = celeba.CROP
        if side is None:
            return super().crop(width, height)
        side = min(side, width, height)
        left, top = (width - side) / 2, (height - side) / 2
        return (left, top, left + side, top + side)

    def _found(self) -> ImageDataset:
        """What lies in `data`."""
        if self._photographs is None:
            assert self.data is not None
            if files := celeba.find(self.data):
                self._photographs = celeba.CelebA(files, split=self.split)
            elif folder := lfw.find(self.data):
                self._photographs = lfw.LFW(data=str(folder), split=self.split)
            else:
                self._photographs = FileDataset(data=str(self.data), split=self.split)
        return self._photographs

    @classmethod
    def prepare(
        cls,
        source: Path,
        out: Path,
        *,
        progress: Callable[[int, int], None] = lambda done, total: None,
        min_size: int = 64,
        margin: float = 0.25,
    ) -> dict[str, Any]:
        """Detect faces in the photographs of `source` and write them into `out` as square pictures; see `detect.prepare`."""
        from .detect import prepare

        return prepare(source, out, min_size=min_size, margin=margin, progress=progress)
