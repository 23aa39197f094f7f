"""What a drawn face looks like: the vocabulary, the choice by random numbers of our own, and the labels of what can be seen.

A face depends on (seed, split, index) alone. Nothing here draws: `avatars` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import NamedTuple

HIDDEN = "hidden"  # the value of an attribute that a hat or dark glasses cover


class Look(NamedTuple):
    """One value of an attribute: its label, how often it is drawn, and what it is called in the artwork (or its color)."""

    label: str
    share: float
    drawn: str


def _looks(text: str) -> tuple[Look, ...]:
    """Looks from "label share drawn, …"."""
    rows = [row.split() for row in text.split(",")]
    return tuple(Look(row[0], float(row[1]), "".join(row[2:])) for row in rows)


# The colors differ enough from each other and from the skins that every part stays visible: DiceBear's own palettes put
# beards on skin of nearly the same color.
LOOKS: Mapping[str, tuple[Look, ...]] = {
    "hair": _looks(
        "bald 0.06, buzz 0.10 theCaesar, short 0.12 shortFlat, quiff 0.10 shortCurly, shaggy 0.10 shaggy, bun 0.10 bun, "
        "curly 0.10 curly, afro 0.10 fro, bob 0.11 bob, long 0.11 straight01"
    ),
    "hair_color": _looks(
        "black 0.20 #241a1c, brown 0.20 #87441f, blond 0.20 #ecbe45, "
        "ginger 0.14 #e2602a, silver 0.13 #a3a9b8, pink 0.13 #f06bb0"
    ),
    "skin_color": _looks("light 0.28 #ffdbb4, tan 0.26 #e0a67c, brown 0.24 #b9723f, dark 0.22 #614335"),
    "glasses": _looks("none 0.58, round 0.14 round, square 0.14 prescription02, sunglasses 0.14 wayfarers"),
    "mouth": _looks("smile 0.40 smile, serious 0.24 serious, sad 0.14 sad, shout 0.11 screamOpen, grimace 0.11 grimace"),
    "eyes": _looks("open 0.46 default, wide 0.18 surprised, happy 0.18 happy, closed 0.18 closed"),
    "eyebrows": _looks(
        "level 0.34 defaultNatural, raised 0.22 raisedExcitedNatural, angry 0.22 angryNatural, "
        "worried 0.22 sadConcernedNatural"
    ),
    "facial_hair": _looks("none 0.70, moustache 0.10 moustacheMagnum, goatee 0.10 beardLight, beard 0.10 beardMajestic"),
    "hat": _looks("none 0.85, beanie 0.05 winterHat03, earflaps 0.05 winterHat02, brim 0.05 hat"),
    "clothes_color": _looks("red 0.25 #e8484f, white 0.25 #f4f4f6, yellow 0.25 #f7c531, charcoal 0.25 #2b3038"),
    "background": _looks("blue 0.25 #bcdcf2, green 0.25 #c4e3c6, violet 0.25 #d3c9ee, gray 0.25 #c6ccd4"),
}
_ORDER = {name: i for i, name in enumerate(LOOKS)}

CLOTHES = ("shirtCrewNeck", "shirtVNeck", "hoodie", "collarAndSweater")
_SIDES = {"tilt": ("left", "none", "right"), "turn": ("left", "front", "right")}
_MAYBE_HIDDEN = ("hair", "hair_color", "eyes", "eyebrows")

ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    name: (*(look.label for look in looks), *((HIDDEN,) if name in _MAYBE_HIDDEN else ())) for name, looks in LOOKS.items()
} | _SIDES
"""Attribute → its values, as `Listing.attributes` wants them. Left and right are the picture's."""

_TILT = 4.5  # degrees to either side


class Face(NamedTuple):
    """Everything that determines a picture; plain data."""

    looks: tuple[int, ...]  # for each attribute of `LOOKS`, in order, the index of its look, also where something covers it
    clothes: int  # index of the cut
    tilt: float  # degrees, positive to the picture's right (clockwise)
    turn: float  # −1 (to the picture's left) … 1 (to its right)
    x: float  # shift to the right and down, in hundredths of the picture's side
    y: float
    scale: float  # about 1

    def look(self, attribute: str) -> Look:
        """Return the look that was chosen for an attribute, whether or not it is visible."""
        return LOOKS[attribute][self.looks[_ORDER[attribute]]]


def face(seed: int, split: str, index: int) -> Face:
    """Return the face that (seed, split, index) determine, on every machine and Python alike."""
    draw = Random(f"{seed}/{split}/{index}").random  # the one method whose sequence Python promises never to change
    looks = tuple(_pick(looks, draw()) for looks in LOOKS.values())
    return Face(
        looks=looks,
        clothes=int(draw() * len(CLOTHES)),
        tilt=round(_TILT * (2 * draw() - 1), 3),
        turn=round(2 * draw() - 1, 4),
        x=round(3 * draw() - 1.5, 3),
        y=round(2.5 * draw() - 1, 3),
        scale=round(0.98 + 0.06 * draw(), 4),
    )


def _pick(looks: tuple[Look, ...], chance: float) -> int:
    for i, look in enumerate(looks):
        chance -= look.share
        if chance < 0:
            return i
    return len(looks) - 1  # the shares' sum may fall short of 1 by a rounding


def labels(drawn: Face) -> tuple[int, ...]:
    """For each of `ATTRIBUTES`, in order, the index of what can be seen in the picture."""
    covered = hidden(drawn)
    values = [len(looks) if name in covered else drawn.looks[i] for i, (name, looks) in enumerate(LOOKS.items())]
    sides = ((drawn.tilt, _TILT), (drawn.turn, 1.0))
    return (*values, *(0 if amount < -most / 3 else 2 if amount > most / 3 else 1 for amount, most in sides))


def hidden(drawn: Face) -> set[str]:
    """Attributes of which this face shows nothing: hair under a hat, the color of no hair, eyes behind dark glasses."""
    hat, bald = drawn.look("hat").drawn, not drawn.look("hair").drawn
    dark = drawn.look("glasses").label == "sunglasses"
    covered = {"hair": hat, "hair_color": hat or bald, "eyes": dark, "eyebrows": dark}
    return {name for name, by_something in covered.items() if by_something}
