"""Drawings: every style of DiceBear that may be passed on is a class. Made on this machine, nothing is downloaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from zoo_core.datasets import ImageDataset, LazyRecords, Listing, Record
from zoo_core.errors import OptionError
from zoo_core.options import Range

from . import artwork, styles
from .sources import check_split
from .styles import terms

if TYPE_CHECKING:
    from PIL.Image import Image

_COUNT, _RESOLUTION = 10_000, 64
_TRY = "for example: --set dataset"


class Drawings(ImageDataset):
    """Drawings in many styles: faces, robots, planets, patterns, each style a class.

    A drawing depends on its style, the seed, the split and its number in that style only: a larger `count` adds drawings and
    changes none, and so does another style. To which split a drawing belongs is a hash of its parts and colors, so that none
    of "test" stands in "train" of any seed. Styles take turns, so that all have as many, but for one. Where a style has few
    drawings, a split holds some of them several times, as often as chance has it.

    Raises:
        OptionError: a value out of range, or a style that does not exist or may not be passed on.
    """

    tiny: ClassVar[dict[str, Any]] = {"count": 12, "styles": ["blobs", "shapes", "stripes"]}

    def __init__(
        self,
        *,
        data: Annotated[str | None, "nothing: the drawings are made on this machine"] = None,
        split: Annotated[str, "'train' or 'test', which share no drawing"] = "train",
        count: Annotated[int, "drawings of 'train', of all styles; 'test' has a tenth as many", Range(1, 10**9)] = _COUNT,
        styles: Annotated[list[str] | None, "only these, by name ('planets,critters'); none: all"] = None,
        seed: Annotated[int, "another seed makes other drawings", Range(-(10**30), 10**30)] = 0,
        resolution: Annotated[
            int, "side of a drawing in pixels, before it is resized: at least --size is best", Range(16, 256)
        ] = _RESOLUTION,
    ) -> None:
        super().__init__(split=split)
        if data is not None:
            raise OptionError(f"drawings are made, not read from {data}", hint="leave out --data, or: --dataset folder")
        self.styles = _chosen(styles)
        self.count, self.seed, self.resolution = count, seed, resolution
        check_split("drawings", split, ("train", "test"))
        if count < 1:
            raise OptionError(f"dataset.count must be at least 1, not {count}", hint=f"{_TRY}.count={_COUNT}")
        if not 16 <= resolution <= 256:
            wrong = f"dataset.resolution must be between 16 and 256 pixels, not {resolution}"
            raise OptionError(wrong, hint=f"{_TRY}.resolution={_RESOLUTION}")
        self.default_channels = 3
        self.license = licenses(self.styles)
        self.credit = f"{credits(self.styles)}; drawn with DiceBear (https://www.dicebear.com, MIT)"
        makers = dict.fromkeys(made.creator for made in map(terms, self.styles))
        one = len(self.styles) == 1
        self.notice = (
            f"Using {len(self):,} drawings in {'the style' if one else f'{len(self.styles)} styles'}"
            f"{f' {self.styles[0]}' if one else ''}, drawn on this machine by DiceBear. Artwork by {', '.join(makers)}; "
            "works and licenses stand in the pack and on the card"
        )

    def __len__(self) -> int:
        return self.count if self.split == "train" else max(1, self.count // 10)

    def listing(self) -> Listing:
        stamp = f"{styles.versions()}, seed {self.seed}, {self.resolution} px"
        kinds = len(self.styles)

        def record(i: int) -> Record:
            name, number = self.styles[i % kinds], i // kinds
            return Record(f"{self.split}/{name}/{number:05d}", (name, number), stamp, label=i % kinds)

        return Listing(LazyRecords(len(self), record), classes=self.styles)

    def decode(self, record: Record) -> Image:
        style, number = record.source
        _, drawn = styles.find(style, self.seed, self.split, number)
        return artwork.render(drawn.svg, resolution=self.resolution)


def _chosen(names: list[str] | None) -> tuple[str, ...]:
    """Return the styles by which a person named them, all that may be passed on where nobody named any."""
    valid = free_styles()
    if names is None:
        return valid
    if not names or "" in names:
        raise OptionError("dataset.styles names no style", hint=f"{_TRY}.styles=planets,critters")
    for name in names:
        styles.check_style(name, valid, "dataset.styles")
    return tuple(dict.fromkeys(names))


def free_styles() -> tuple[str, ...]:
    """Return the styles whose drawings, and what was learned from them, may be passed on."""
    return tuple(name for name in artwork.style_names() if styles.terms(name).is_free)


def licenses(names: tuple[str, ...]) -> str:
    """Return the licenses of styles with their addresses, each once."""
    return "; ".join(dict.fromkeys(styles.terms(name).permission for name in names))


def credits(names: tuple[str, ...]) -> str:
    """Return whose work styles are, license by license, with the sources of what is not DiceBear's own."""
    found: dict[str, dict[str, list[str]]] = {}
    for name in names:
        made = styles.terms(name)
        source = "" if made.creator == "DiceBear" else f" ({made.source})"
        found.setdefault(made.license, {}).setdefault(made.creator, []).append(f"“{made.title}”{source}")
    return "; ".join(
        f"{license}: " + ", ".join(f"{', '.join(dict.fromkeys(titles))} by {who}" for who, titles in makers.items())
        for license, makers in found.items()
    )
