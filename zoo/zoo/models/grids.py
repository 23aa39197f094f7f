"""Pictures of samples."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from ..files import atomic_file
from ..packs.pixels import to_uint8

GAP = 2
"""Pixels between the pictures of a grid."""


def to_pictures(images: Tensor) -> list[Image.Image]:
    """Images [N, C, S, S] in [−1, 1] as PIL pictures, gray for one channel."""
    return [Image.fromarray(a.squeeze(-1) if a.shape[-1] == 1 else a) for a in to_uint8(images).cpu().numpy()]


def grid_picture(images: Tensor, *, columns: int | None = None, numbered: bool = False) -> Image.Image:
    """One picture of all images [N, C, S, S] in [−1, 1], row by row; as square as it can be unless `columns` says otherwise.

    With `numbered`, each picture's number stands below it.
    """
    pictures = to_pictures(images)
    side = images.shape[-1]
    columns = columns or math.ceil(math.sqrt(len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    height = side + (12 if numbered else 0)
    canvas = Image.new(pictures[0].mode, (columns * (side + GAP) + GAP, rows * (height + GAP) + GAP), "white")
    draw = ImageDraw.Draw(canvas)
    for i, picture in enumerate(pictures):
        left, top = GAP + i % columns * (side + GAP), GAP + i // columns * (height + GAP)
        canvas.paste(picture, (left, top))
        if numbered:
            draw.text((left + 1, top + side), str(i), fill="black")
    return canvas


def save_grid(images: Tensor, path: str | Path, *, columns: int | None = None, numbered: bool = False) -> Path:
    """Write images [N, C, S, S] in [−1, 1] as one picture, whose format the name's ending tells; see `grid_picture`.

    Raises:
        ZooError: the file cannot be written.
    """
    path = Path(path)
    picture = grid_picture(torch.as_tensor(images), columns=columns, numbered=numbered)
    with atomic_file(path) as temporary:
        picture.save(temporary)
    return path
