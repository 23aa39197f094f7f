"""Pictures of samples."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from ..packs import to_uint8
from ..reports.pictures import grid, save_picture, to_picture


def to_pictures(images: Tensor) -> list[Image.Image]:
    """Images [N, C, S, S] in [−1, 1] as PIL pictures, gray for one channel."""
    return [to_picture(pixels) for pixels in to_uint8(images).cpu()]


def grid_picture(images: Tensor, *, columns: int | None = None, numbered: bool = False) -> Image.Image:
    """One picture of all images [N, C, S, S] in [−1, 1], row by row; as square as it can be unless `columns` says otherwise.

    With `numbered`, each picture's number stands below it.
    """
    return grid(to_uint8(images).cpu(), columns=columns, numbered=numbered)


def save_grid(images: Tensor, path: str | Path, *, columns: int | None = None, numbered: bool = False) -> Path:
    """Write images [N, C, S, S] in [−1, 1] as one picture, whose format the name's ending tells; see `grid_picture`.

    Raises:
        ZooError: the file cannot be written.
    """
    return save_picture(grid_picture(torch.as_tensor(images), columns=columns, numbered=numbered), path)
