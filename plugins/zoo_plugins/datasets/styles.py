"""The styles of DiceBear: what each draws, what can be told of a drawing, and who may do what with it.

A drawing depends on its style and one text alone: from that DiceBear chooses parts and colors, and makes an SVG of them;
resvg turns that into pixels. Everything said about a style comes from the package that holds its artwork.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256

from zoo_core.errors import DataError, unknown

from . import artwork
from .artwork import definition

DRAWING = 1  # to be raised with every change here that alters a pixel, a label or a split
ABSENT = "none"
MOST_VALUES = 64  # of an attribute; a part with more variants than this is no word that anybody would use
FEW = 32  # a style with fewer choices of parts and colors than this is also told apart by how its parts lie
HELD_OUT = 10  # one drawing of so many belongs to the test split

FACES = (
    *("adventurer", "adventurer-neutral", "avataaars", "avataaars-neutral", "big-ears", "big-ears-neutral", "big-smile"),
    *("croodles", "croodles-neutral", "dylan", "lorelei", "lorelei-neutral", "micah", "miniavs", "notionists"),
    *("notionists-neutral", "open-peeps", "personas", "pixel-art", "pixel-art-neutral", "toon-head", "voxel-art"),
)
"""Styles that draw a person's face."""

_FREE = frozenset({"CC0 1.0", "CC BY 4.0", "MIT", "Free for personal and commercial use"})
_MOVES = "animation"  # a part that nobody sees in a picture
_DECIDING, _PLACES = ("Variant", "Color"), ("Rotate", "TranslateX", "TranslateY")
# Small things, and what another part can cover so that nothing of it is seen: DiceBear's names of parts and colors. Drawings
# that differ in nothing else lie in one split, as they can be the same picture.
_COVERED: Mapping[str, str] = {
    "adventurer": "details earrings glasses",
    "avataaars": "clothesGraphic eyes eyebrows mouth accessoriesColor hatColor hairColor facialHairColor",
    "big-ears": "details sideburns",
    "big-smile": "eyes mouth",
    "bottts": "texture",
    "bottts-neutral": "texture",
    "clay": "pattern accentColor",
    "constellation": "comet star",
    "critters": "pattern cheeks accentColor",
    "cutouts": "cheeks paperMouthColor paperBackColor",
    "gaze": "glintColor",
    "landscape": "orb orbColor hill1 hill1Color",
    "lorelei": "eyes eyebrows freckles earrings nose",
    "lorelei-neutral": "eyes freckles",
    "micah": "hairColor eyebrows eyeShadowColor earrings earringColor",
    "miniavs": "blush",
    "moods": "cheeks",
    "notionists": "clothesGraphic eyes eyebrows",
    "notionists-neutral": "eyes",
    "open-peeps": "facialHair mask headContrastColor",
    "personas": "mouth nose",
    "pixel-art": "accessories accessoriesColor clothes clothingColor eyes eyesColor mouth mouthColor beard",
    "pixel-art-neutral": "eyes eyesColor",
    "planets": "moons moonColor star",
    "shapes": "shape01 shape1Color shape02 shape2Color",
    "slice": "cuts",
    "sprouts": "pattern cheeks",
    "toon-head": "rearHair",
    "voxel-art": "cheeks mouth hatColor shirtColor pantsColor jacketColor",
}
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_ATTEMPTS = 100_000


@dataclass(frozen=True)
class Terms:
    """What the artwork's package says about a style; texts are empty where it says nothing."""

    license: str
    url: str
    title: str
    creator: str
    source: str

    @property
    def is_free(self) -> bool:
        """Whether everybody may pass on drawings and what was learned from them."""
        return self.license in _FREE

    @property
    def credit(self) -> str:
        """Whose work it is: “Notionists” by Zoish (https://…)."""
        return f"“{self.title}”{f' by {self.creator}' if self.creator else ''}{f' ({self.source})' if self.source else ''}"

    @property
    def permission(self) -> str:
        """The license with its address."""
        return f"{self.license or 'not stated'}{f' ({self.url})' if self.url else ''}"

    @property
    def restriction(self) -> str:
        """Why nothing of it may be published, "" where it may."""
        return "" if self.is_free else f"the license of the artwork {self.credit} is not known to be free: {self.permission}"


@dataclass(frozen=True)
class Drawing:
    """What DiceBear chose.

    Args:
        svg: the drawing.
        labels: for each of the style's `attributes`, in order, the index of its value; −1 of a color that is not in use.
        identity: the same for drawings of the same parts and colors.
    """

    svg: str
    labels: tuple[int, ...]
    identity: str


def check_style(name: str, valid: tuple[str, ...], option: str) -> None:
    """Raise `UnknownNameError` unless a style is one of `valid`, which `option` takes."""
    if name not in valid:
        raise unknown("style", name, valid, hint=f"{option} takes {', '.join(valid)}")


@cache
def terms(style: str) -> Terms:
    """Return who made a style and what may be done with it."""
    meta = definition(style).get("meta") or {}

    def said(part: str, key: str) -> str:
        return str((meta.get(part) or {}).get(key) or "").strip()

    license = said("license", "name").rstrip(".")
    return Terms(
        license, said("license", "url"), said("source", "name") or style, said("creator", "name"), said("source", "url")
    )


def remix(style: str) -> str:
    """Return whose work a style's drawings are, with what drew them."""
    made = terms(style)
    of = "" if made.license == "MIT" or made.creator == "DiceBear" else "remix of "
    return f"{of}{made.credit}, drawn with DiceBear (https://www.dicebear.com, MIT)"


@cache
def attributes(style: str) -> Mapping[str, tuple[str, ...]]:
    """Return what can be told of a style's drawings: attribute → its values, at least two of each.

    Parts are called as in the artwork, in small letters ("facial_hair"), and so are their variants; a color's name ends in
    "_color", and its values are such as "#9f0f1b".
    """
    return {_word(key): values for key, values in _told(style).items()}


@cache
def _told(style: str) -> Mapping[str, tuple[str, ...]]:
    """Return the attributes by DiceBear's names: "hair", "hairColor". A part that stands there several times is none."""
    found: dict[str, tuple[str, ...]] = {}
    components = definition(style).get("components") or {}
    several = {component.get("extends") for component in components.values()}
    for name, component in components.items():
        values = (*((ABSENT,) if component.get("probability", 100) < 100 else ()), *(component.get("variants") or {}))
        if name not in (_MOVES, *several) and 2 <= len(values) <= MOST_VALUES:
            found[name] = values
    for name, color in (definition(style).get("colors") or {}).items():
        values = tuple(dict.fromkeys(color.get("values") or ()))
        if 2 <= len(values) <= MOST_VALUES:
            found[f"{name}Color"] = values
    return found


def draw(style: str, text: str) -> Drawing:
    """Have DiceBear choose and draw, from any text."""
    svg, chosen = artwork.compose(style, {"seed": text})
    labels = []
    for name, values in _told(style).items():
        color = name.endswith("Color")
        value = (chosen.get(name) or [None])[0] if color else chosen.get(f"{name}Variant") or ABSENT
        labels.append(values.index(value) if value in values else -1)
    ends = _DECIDING if _choices(style) >= FEW else (*_DECIDING, *_PLACES)
    ignored = {f"{name}Variant" if not name.endswith("Color") else name for name in _COVERED.get(style, "").split()}
    deciding = {
        key: value
        for key, value in chosen.items()
        if key.endswith(ends) and key not in ignored and not key.startswith(_MOVES)
    }
    identity = sha256(json.dumps([style, deciding], sort_keys=True).encode()).hexdigest()
    return Drawing(svg, tuple(labels), identity)


def split_of(identity: str) -> str:
    """Return the split in which all drawings of the same parts and colors lie, whatever they were drawn from."""
    return "train" if int(identity[:8], 16) % HELD_OUT else "test"


def find(style: str, seed: int, split: str, number: int) -> tuple[str, Drawing]:
    """Return drawing `number` of a split and the text it is made from: the first of its own that leads into that split."""
    for attempt in range(_ATTEMPTS):
        text = f"{style}/{seed}/{split}/{number}/{attempt}"
        drawn = draw(style, text)
        if split_of(drawn.identity) == split:
            return text, drawn
    raise DataError(f"style {style!r} has too few drawings for the split {split!r}")


def versions() -> str:
    """Return what a drawing depends on besides its text; `DataError` where a package is missing."""
    return artwork.versions(f"style drawing {DRAWING}")


def _word(name: str) -> str:
    return _WORD.sub("_", name).lower()


@cache
def _choices(style: str) -> int:
    """Return how many drawings a style's parts and colors make at most; colors that follow from others make no more."""
    components = (definition(style).get("components") or {}).items()
    parts = [
        len(c["variants"]) + (c.get("probability", 100) < 100)
        for name, c in components
        if name != _MOVES and "variants" in c
    ]
    colors = [len(set(c["values"])) for c in (definition(style).get("colors") or {}).values() if not c.get("contrastTo")]
    return math.prod(max(1, number) for number in [*parts, *colors])
