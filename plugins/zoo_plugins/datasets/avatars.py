"""Drawing a face with DiceBear's "Avataaars" artwork, and finding where its parts lie.

DiceBear turns the chosen looks into SVG, resvg turns the SVG into pixels. Coordinates without a unit are those of the
artwork's 280 × 280 canvas.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from zoo_core.datasets import Box
from zoo_core.errors import DataError

from . import artwork
from .looks import CLOTHES, LOOKS, Face, hidden

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

DRAWING = 2  # to be raised with every change here or in `looks` that alters a pixel or a label

CANVAS = 280.0
VISIBLE = 32  # by how much (of 255) a channel must change for a pixel to count as part of something

# attribute → (component of the artwork, what is drawn above it and can cover a part of it)
_PARTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "glasses": ("accessories", ()),
    "hat": ("top", ()),
    "hair": ("top", ()),
    "facial_hair": ("facialHair", ()),
    "mouth": ("mouth", ("facial_hair",)),
    "eyes": ("eyes", ()),
}
BOXED = tuple(_PARTS)  # eyebrows have no box: how much of them a fringe covers changes with the turn of the head

_TURN = 8.0  # how far the eyes move sideways when a head is turned all the way
# Parts nearer to the viewer move further when a head turns; the outline of head and hair stays.
_DEPTH = {"eyes": 1.0, "eyebrows": 1.0, "accessories": 0.9, "nose": 1.4, "mouth": 1.1}
_FACIAL_DEPTH = {"moustacheMagnum": 1.1, "beardLight": 0.5, "beardMajestic": 0.2}  # a beard is part of the outline
_ZOOM = 1.25  # the artwork is a bust: go nearer, to a portrait
_MIDDLE = 112.0  # height on the canvas that comes to lie in the middle of the picture

_USE = re.compile(r'<use transform="translate\(([-\d.]+)([^)]*)\)" href="#([A-Za-z]+)-([A-Za-z0-9]+)-')
_CLIP = re.compile(r' clip-path="url\(#clip-[^"]*"')


def render(drawn: Face, *, resolution: int, without: str = "") -> Image:
    """Draw a face as an RGB image of resolution × resolution pixels, `without` one of `BOXED` if need be."""
    return _pixels(_svg(_options(drawn, without), drawn.turn), resolution)


def boxes(drawn: Face, *, resolution: int) -> dict[str, Box]:
    """Where each visible part lies in the picture that `render` draws, in its pixels.

    Each part's outline is measured once per process, as the difference that it makes to an upright face, and then moved
    as the face is: two more drawings for every face would cost three times as much.
    """
    import numpy as np

    found: dict[str, Box] = {}
    covered = hidden(drawn)
    per_pixel = CANVAS / resolution
    angle = math.radians(drawn.tilt)
    turned = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]) * (_ZOOM * drawn.scale)
    shift = CANVAS * np.array(_shift(drawn)) / 100
    for name, (component, above) in _PARTS.items():
        variant = drawn.look(name).drawn
        if name in covered or not variant:
            continue
        points = _outline(name, variant, tuple((other, drawn.look(other).drawn) for other in above if other not in covered))
        aside = _TURN * drawn.turn * _depth(component, variant)
        points = (points + np.array([aside, 0.0]) - CANVAS / 2) @ turned
        points = (points + CANVAS / 2 + shift) / per_pixel
        points = points[(points[:, 1] >= 0) & (points[:, 1] <= resolution)]
        if not len(points):
            continue
        left, right = np.clip([points[:, 0].min(), points[:, 0].max()], 0, resolution)
        top, bottom = points[:, 1].min(), points[:, 1].max()
        if right > left and bottom > top:  # a pixel that is touched belongs to the part
            found[name] = (math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom))
    return found


def _options(drawn: Face, without: str = "") -> dict[str, Any]:
    """Return the face in DiceBear's words: all that is drawn is stated, so that nothing is left to its own random numbers.

    What is not drawn is not mentioned further: DiceBear checks every option against a schema, a tenth of a face's time.
    """
    parts = {
        "top": drawn.look("hat").drawn or drawn.look("hair").drawn,
        "accessories": drawn.look("glasses").drawn,
        "facialHair": drawn.look("facial_hair").drawn,
        "mouth": drawn.look("mouth").drawn,
        # dark lenses let eyes shine through: nothing may be there where the label says "hidden"
        "eyes": "" if "eyes" in hidden(drawn) else drawn.look("eyes").drawn,
        "eyebrows": "" if "eyebrows" in hidden(drawn) else drawn.look("eyebrows").drawn,
        "clothes": CLOTHES[drawn.clothes],
    }
    if without:
        parts[_PARTS[without][0]] = ""
    colors = {
        "top": ("hat", "clothes_color") if drawn.look("hat").drawn else ("hair", "hair_color"),
        "facialHair": ("facialHair", "hair_color"),
        "clothes": ("clothes", "clothes_color"),
    }
    x, y = _shift(drawn)
    options: dict[str, Any] = {
        "skinColor": drawn.look("skin_color").drawn,
        "backgroundColor": drawn.look("background").drawn,
        "rotate": drawn.tilt,
        "scale": _ZOOM * drawn.scale,
        "translateX": x,
        "translateY": y,
    }
    for part, variant in parts.items():
        options |= {f"{part}Variant": variant, f"{part}Probability": 100} if variant else {f"{part}Probability": 0}
        if variant and part in colors:
            color, attribute = colors[part]
            options[f"{color}Color"] = drawn.look(attribute).drawn
    if parts["accessories"]:
        options["accessoriesColor"] = "#22262c"
    return options


def _shift(drawn: Face) -> tuple[float, float]:
    """Return how far the canvas moves right and down, in hundredths of its side."""
    return drawn.x, drawn.y + 100 * _ZOOM * (CANVAS / 2 - _MIDDLE) / CANVAS


def _depth(component: str, variant: str) -> float:
    return _FACIAL_DEPTH[variant] if component == "facialHair" else _DEPTH.get(component, 0.0)


def _svg(options: Mapping[str, Any], turn: float) -> str:
    def place(match: re.Match[str]) -> str:
        x, rest, component, variant = match.groups()
        moved = float(x) + _TURN * turn * _depth(component, variant)
        return f'<use transform="translate({moved:.3f}{rest})" href="#{component}-{variant}-'

    text, _ = artwork.compose("avataaars", options)
    text, placed = _USE.subn(place, text)
    if not placed:
        raise DataError("this version of dicebear-core writes SVG in another way than this zoo knows")
    return _CLIP.sub("", text)  # clips to the canvas, which the picture's edge does anyhow, at half of the drawing's time


def _pixels(svg: str, resolution: int) -> Image:
    import resvg_py

    from zoo_core.pictures import open_picture

    png = resvg_py.svg_to_bytes(svg_string=svg, width=resolution, height=resolution, skip_system_fonts=True)
    return open_picture(png).convert("RGB")


def versions() -> str:
    """Return what the pixels depend on besides the face: "drawing 1, dicebear-core 10.7.0, …"; `DataError` without these."""
    return artwork.versions(f"drawing {DRAWING}")


def _plain(chosen: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """An upright face that shows `chosen` (attribute, drawn) and nothing that could cover them, in colors far apart."""
    bare = Face((0,) * len(LOOKS), 0, 0.0, 0.0, 0.0, 0.0, 1.0)
    options = _options(bare) | {"scale": 1, "rotate": 0, "translateX": 0, "translateY": 0}
    options |= dict.fromkeys(("hairColor", "facialHairColor", "hatColor", "accessoriesColor"), "#1030c0")
    options |= {"skinColor": "#ffdbb4", "backgroundColor": "#60ff60"}
    for name, variant in chosen:
        if variant:
            part = _PARTS[name][0]
            options |= {f"{part}Probability": 100, f"{part}Variant": variant}
    return options


@cache
def _outline(name: str, variant: str, above: tuple[tuple[str, str], ...]) -> NDArray[np.float64]:
    """Points [N, 2] (x, y) around everything that a part changes in an upright face drawn one pixel to a unit."""
    import numpy as np

    side = int(CANVAS)
    options = _plain([*above, (name, variant)])
    shown = np.asarray(_pixels(_svg(options, 0.0), side), dtype=np.int16)
    options[f"{_PARTS[name][0]}Probability"] = 0
    bare = np.asarray(_pixels(_svg(options, 0.0), side), dtype=np.int16)
    changed = np.abs(shown - bare).max(axis=2) > VISIBLE
    rows = np.flatnonzero(changed.any(axis=1))
    first = changed[rows].argmax(axis=1)
    last = side - changed[rows][:, ::-1].argmax(axis=1)
    corners = [np.stack((x, y), axis=1) for x in (first, last) for y in (rows, rows + 1)]
    return np.concatenate(corners).astype(np.float64)
