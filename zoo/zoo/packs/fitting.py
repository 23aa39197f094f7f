"""How a picture that is not square fills the square of a pack (`ImageDataset.fit`): where it lies and what stands beside it.

Worker processes import this module, so it imports no torch.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import ImageColor

from zoo_core.datasets import EDGE, Box


class Place(NamedTuple):
    """Where the part of a picture that is kept comes to lie, in pixels of the packed picture."""

    left: int
    top: int
    width: int
    height: int


def place(box: Box, size: int, fit: str) -> Place:
    """Return where the part `box` of a picture lies in a square of `size` pixels: all over it; with "pad" in its middle."""
    if fit != "pad":
        return Place(0, 0, size, size)
    wide, high = box[2] - box[0], box[3] - box[1]
    width, height = (max(1, round(length * size / max(wide, high))) for length in (wide, high))
    return Place((size - width) // 2, (size - height) // 2, width, height)


def extent(box: Box, fit: str) -> float:
    """Return how many pixels of the picture the packed one is high and wide; where the two differ, the fewer."""
    sides = (box[2] - box[0], box[3] - box[1])
    return max(sides) if fit == "pad" else min(sides)


def pad(pixels: NDArray[np.uint8], size: int, fill: str, channels: int | None) -> NDArray[np.uint8]:
    """Put pixels [H, W, 1 or 3] into the middle of [size, size, 1 or 3], between bars of `fill`, a color or "edge".

    Gray pixels become three where the color is not gray, unless `channels` is 1.
    """
    height, width, _ = pixels.shape
    left, top = (size - width) // 2, (size - height) // 2
    if (height, width) == (size, size):
        return pixels
    if fill == EDGE:
        sides = ((top, size - top - height), (left, size - left - width), (0, 0))
        return np.pad(pixels, sides, mode="edge")
    color = np.atleast_1d(ImageColor.getcolor(fill, "RGB"))
    if pixels.shape[2] == 1 and (channels == 1 or (color == color[0]).all()):
        color = np.atleast_1d(ImageColor.getcolor(fill, "L"))
    out = np.empty((size, size, len(color)), np.uint8)
    out[...] = color
    out[top : top + height, left : left + width] = pixels
    return out


def move(box: Box, crop: Box, where: Place) -> NDArray[np.float64]:
    """Return a box of the decoded picture in pixels of the packed one, −1 four times where nothing of it is left.

    `crop` is the part of the decoded picture that is kept, `where` the place at which it lies.
    """
    begin, end, to = np.array(crop[:2]), np.array(crop[2:]), np.array(where[:2])
    scale = np.array(where[2:]) / (end - begin)
    low = to + (np.maximum(box[:2], begin) - begin) * scale
    high = to + (np.minimum(box[2:], end) - begin) * scale
    if not (high - low > 1e-6).all():
        return np.full(4, -1.0)
    return np.concatenate([np.floor(low + 1e-6), np.ceil(high - 1e-6)])
