"""The interface of datasets: where images come from and how one becomes a square picture.

The author says how to list records and how to decode one. The zoo does the rest: cropping and resizing, worker processes,
caching, progress, and pictures that cannot be read. This module imports no torch, and worker processes import only it.
"""

from __future__ import annotations

import hashlib
import os
import shlex
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, get_args, overload

from .errors import DataError, OptionError, UsageError
from .folders import CAREFUL as CAREFUL
from .folders import PICTURE_SUFFIXES as PICTURE_SUFFIXES
from .folders import locate, note_on_splits, note_on_strays, special_kind, walk
from .words import printable as printable

if TYPE_CHECKING:
    from PIL.Image import Image

Box = tuple[float, float, float, float]
"""left, top, right, bottom in pixels; right and bottom lie outside."""

Fit = Annotated[
    Literal["crop", "pad", "stretch"],
    "how a picture becomes square: its center is cut out, or all of it is kept, between bars or stretched",
]
Fill = Annotated[str, "color of the bars of fit=pad: a name or '#rrggbb'; or 'edge', which repeats the picture's edge"]
WHITE, EDGE = "white", "edge"

_JPEG_SUFFIXES = (".jpg", ".jpeg", ".JPG", ".JPEG")
_SMALL = 65_536  # bytes; a larger file takes so long to decode that reading it in one piece saves nothing


@dataclass(frozen=True, slots=True)
class Record:
    """One image that a dataset can decode.

    Args:
        key: unique and stable, what a person would look for ("smiling/12.jpg"); packs list skipped images by it.
        source: what `decode` needs, anything that can be pickled to a worker process.
        stamp: changes when the content does (size and modification time, a checksum); part of the cache key.
        label: index into `Listing.classes`, −1 without one.
        attributes: for each of `Listing.attributes`, in order, the index of its value; −1 where nobody knows it.
    """

    key: str
    source: Any = None
    stamp: str = ""
    label: int = -1
    attributes: tuple[int, ...] = ()


class LazyRecords(Sequence[Record]):
    """Records that are made when they are asked for: three million at once would take a gigabyte.

    Args:
        numbers: how many, or which numbers in which order.
        make: number → its record.
    """

    def __init__(self, numbers: int | Sequence[int], make: Callable[[int], Record]) -> None:
        self._numbers, self._make = range(numbers) if isinstance(numbers, int) else numbers, make

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[Record]:
        return map(self._make, self._numbers)

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> list[Record]: ...
    def __getitem__(self, index: int | slice) -> Record | list[Record]:
        if isinstance(index, slice):
            return [self._make(i) for i in self._numbers[index]]
        return self._make(self._numbers[index])


@dataclass(frozen=True)
class Listing:
    """All records of a split, in a stable order, with the names of their labels.

    Args:
        records: what there is.
        classes: names of the labels.
        attributes: attribute → names of its values ("glasses" → ("none", "round", …)).
        notes: what the person should know ("3 files are no pictures"); one that begins with `CAREFUL` is a warning.
        aliases: class → other names by which a person may choose it ("n01440764" → ("tench", "Tinca tinca")).
    """

    records: Sequence[Record]
    classes: tuple[str, ...] = ()
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def fingerprint(self) -> str:
        """SHA-256 over keys, stamps and labels: equal when the source has not changed."""
        digest = hashlib.sha256(repr((self.classes, dict(self.attributes))).encode())
        for r in self.records:
            digest.update(repr((r.key, r.stamp, r.label, r.attributes)).encode())
        return digest.hexdigest()


@dataclass(frozen=True)
class Picture:
    """A decoded image whose author also knows where something lies in it.

    Args:
        image: of any mode and size.
        boxes: attribute → the pixels it occupies; what is not visible is left out.
    """

    image: Image
    boxes: Mapping[str, Box] = field(default_factory=dict)


class ImageDataset(ABC):
    """Where images come from. A subclass takes `data`, `split` and its options as keywords and can be pickled.

    One whose pictures need not be square takes `fit` and `fill` too and hands them on.

    Attributes:
        fit: how the part of a picture that `crop` says becomes square.
        fill: what color fills up a square with "pad".
        white: the value that becomes white in pictures with grays of more than 8 bits; None: see `pictures.as_plain`. Set by
            the zoo, from `--set dataset.white=VALUE`.
        boxed: names of the attributes for which `decode` gives boxes.
        default_channels: what `--channels` is where nobody says so; None looks at the pictures (all gray: 1, else 3).
        notice: what is being used and how to use something else; printed before a pack is built of it and when a training
            begins, not by every command.
        license: the images' license, where it is known; it goes into the model card.
        credit: whose work the images are, where known.
        restriction: why nothing that a model learned from the images may be published; "" where nobody says so. A training
            is never refused, `zoo push` and `zoo export` are.
        added_options: options that came later than packs of the dataset and whose default means what was before: at that
            they are left out of a pack's key.
        hub: "user/name" of the dataset on the Hugging Face Hub that holds these images, where there is one; a model's card
            names it to the Hub, which knows no other names.
        tiny: options of an instance small enough for the conformance checks, None where they need data from outside.
        prepare: a classmethod `prepare(source, out, *, progress, …)` of a dataset that can be made from raw material: reads
            the folder `source`, writes what the dataset then reads into the empty folder `out`, calls
            `progress(done, total)`, and returns a summary that JSON can hold; its "notes", sentences, are told. None where
            there is no such step.
        classifiers: attribute classifiers of its labels that are ready: where each lies, "package:folder" → SHA-256 of its
            weights. Analyses take one that fits the labels and the size of a model's pictures instead of training one.
        classifiers_come_by: what to type where the package of `classifiers` is not installed; "" where it comes along.
        download: a classmethod `download(folder, *, split)` of a dataset that everybody may fetch: fetches what is not in
            the folder, checks it, and raises `DataError` where that fails. None where there is no such page.
    """

    white: float | None = None
    boxed: tuple[str, ...] = ()
    default_channels: int | None = None
    notice: str = ""
    license: str = ""
    credit: str = ""
    restriction: str = ""
    added_options: ClassVar[frozenset[str]] = frozenset()
    hub: str = ""
    tiny: ClassVar[Mapping[str, Any] | None] = None
    classifiers: ClassVar[Mapping[str, str]] = {}
    classifiers_come_by: ClassVar[str] = ""
    prepare: ClassVar[Callable[..., Mapping[str, Any]] | None] = None
    download: ClassVar[Callable[..., None] | None] = None

    fit: str = "crop"
    fill: str = WHITE

    def __init__(self, *, data: str | None = None, split: str = "train", fit: Fit = "crop", fill: Fill = WHITE) -> None:
        self.data = Path(data) if data is not None else None
        self.split = split
        self.fit, self.fill = fit, fill
        if fit not in (valid := get_args(get_args(Fit)[0])):
            wrong = f"dataset.fit must be {', '.join(valid)}, not {fit!r}"
            raise OptionError(wrong, hint="for example: --set dataset.fit=pad")
        if fill != WHITE:
            _check_fill(fit, fill)

    @classmethod
    def resolve_data(cls, data: str) -> str:
        """Return what `--data` says as it stands in a run's configuration: by default the absolute path.

        A dataset whose data need not lie on this machine overrides it: what is no absolute path is left to the dataset.

        Raises:
            UsageError, DataError: `data` can be nothing of that kind, or cannot be read.
        """
        return str(locate(data))

    @abstractmethod
    def listing(self) -> Listing:
        """All records of the split, cheaply: nothing is decoded here.

        Raises:
            DataError: what the dataset needs is not there; says what was expected, what was found and what to type.
        """

    @abstractmethod
    def decode(self, record: Record) -> Image | Picture:
        """Read one record.

        Raises:
            DataError: not this picture is at fault but what all of them come from (a server that does not answer, a database
                that is gone). The build ends, and goes on when the same command is given again.
            Exception: any other means that this picture cannot be read: it is skipped, counted and listed.
        """

    def read_jpeg(self, record: Record) -> bytes | None:
        """The JPEG file that `decode` opens, where it does nothing else and the file is small; None leaves it to `decode`.

        Packs of many small pictures are built faster with it. What it raises means that the picture cannot be read.
        """
        return None

    def crop(self, width: int, height: int) -> Box:
        """Return the part of a width × height picture that is kept: by default the largest square in its center, or all
        of it where `fit` is not "crop".
        """
        return central_square(width, height) if self.fit == "crop" else (0, 0, width, height)


def _check_fill(fit: str, fill: str) -> None:
    """Raise `OptionError` unless `fill` is a color, or "edge", and something is to be filled."""
    if fit != "pad":
        raise OptionError(f"dataset.fill fills the bars of dataset.fit=pad, not of {fit}", hint="add: --set dataset.fit=pad")
    if fill == EDGE:
        return
    from PIL import ImageColor

    try:
        ImageColor.getcolor(fill, "RGB")
    except ValueError:
        hint = "for example: --set dataset.fill=black, --set 'dataset.fill=#808080' or --set dataset.fill=edge"
        raise OptionError(f"dataset.fill is {fill!r}, which is no color", hint=hint) from None


def central_square(width: int, height: int, side: int | None = None) -> Box:
    """Return the square in the middle of a width × height picture, `side` pixels wide where there are so many."""
    side = min(width, height, side or width)
    left, top = (width - side) / 2, (height - side) / 2
    return (left, top, left + side, top + side)


class FileDataset(ImageDataset):
    """Pictures in a folder and its sub-folders. Each first-level sub-folder with pictures is a class.

    Pictures that lie beside the class folders leave the whole folder without labels. What is hidden is left out. So are
    folders of the system (`folders.SYSTEM_FOLDERS`), what is no regular file, and files whose name does not end like a
    picture's, and that is told.
    """

    given: ClassVar[str] = "--data {}"
    """What a person types to name the folder, for `str.format`; hints say it."""

    def __init__(
        self,
        *,
        data: Annotated[str | None, "folder of pictures; sub-folders become labels"] = None,
        split: Annotated[str, "only 'train': a folder has no other split"] = "train",
        fit: Fit = "crop",
        fill: Fill = WHITE,
    ) -> None:
        super().__init__(data=data, split=split, fit=fit, fill=fill)

    def folder(self) -> Path:
        """Return the folder to read; raises `DataError` where there is none."""
        if self.data is None:
            raise UsageError("this dataset needs a folder of pictures", hint=f"add: {self.given.format('DIR')}")
        if not self.data.exists():
            hint = f"give the folder that holds the pictures: {self.given.format('DIR')}"
            raise DataError(f"{self.data} does not exist", hint=hint)
        if not self.data.is_dir():
            what = special_kind(os.stat(self.data).st_mode) or "a file"
            hint = f"perhaps: {self.given.format(shlex.quote(str(self.data.parent)))}"
            raise DataError(f"{self.data} is {what}, not a folder", hint=hint)
        return self.data

    def listing(self) -> Listing:
        root = self.folder()
        if self.split != "train":
            raise UsageError(f"a folder of pictures has no split {self.split!r}; valid: train")
        found = walk(root)
        if why := found.unreadable.get("."):
            raise DataError(f"{root} cannot be read: {why}")
        if not found.pictures:
            names = f"a picture's name ends in {', '.join(sorted(PICTURE_SUFFIXES))}"
            raise DataError(f"no pictures in {root}; found {found.inventory()}", hint=found.advice() or names)
        keys = [printable(path) for path, _ in found.pictures]
        tops = {key.split("/")[0] if "/" in key else "" for key in keys}
        classes = tuple(sorted(tops)) if "" not in tops and len(tops) > 1 else ()
        index = {name: i for i, name in enumerate(classes)}
        labels = [index.get(key.split("/")[0], -1) for key in keys]
        records = [Record(key, *picture, label) for key, picture, label in zip(keys, found.pictures, labels, strict=True)]
        # a folder that cannot be read is skipped and listed as a picture is that cannot be read
        records += [Record(f"{printable(path)}/", path, why) for path, why in sorted(found.unreadable.items())]
        notes = found.notes()
        unknown = {printable(path).split("/")[0] for path in found.unreadable}
        if classes and (empty := sorted({*map(printable, found.folders)} - {*classes} - unknown)):
            shown = ", ".join(empty[:5]) + (", …" if len(empty) > 5 else "")
            notes.append(f"folders without pictures are no class: {shown}")
        notes += note_on_strays([key for key in keys if "/" not in key], tops - {""})
        return Listing(records, classes=classes, notes=(*notes, *note_on_splits(classes, str(root), self.given)))

    def decode(self, record: Record) -> Image:
        from .pictures import open_picture

        return open_picture(os.path.join(str(self.data), record.source))

    def read_jpeg(self, record: Record) -> bytes | None:
        if type(self).decode is not FileDataset.decode or not str(record.source).endswith(_JPEG_SUFFIXES):
            return None
        with open(os.path.join(str(self.data), record.source), "rb", buffering=0) as file:
            found = file.read(_SMALL + 1)
        return found if len(found) <= _SMALL else None
