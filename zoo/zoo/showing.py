"""`zoo.show`: images, or what draws or holds some, as one picture."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor

from zoo_core import UsageError

from .loading import load
from .models.model import ModelLike
from .packs import Pack, to_uint8
from .reports.pictures import arrange, grid

SHOWN = 64  # images of a model or a pack


def show(
    images: Tensor | Sequence[Tensor] | Sequence[Image.Image] | Pack | ModelLike,
    *,
    columns: int | None = None,
    numbered: bool = False,
    scale: int | None = None,
) -> Image.Image:
    """Return images as one picture, which a notebook displays when it is the last thing in a cell.

    Args:
        images: float [N, C, S, S] or [C, S, S] in [−1, 1], as `Model.sample` gives them; uint8 [N, S, S, C] or [S, S, C], as
            a pack holds them; several such images or PIL pictures; a pack, of which the first 64 are shown; or a model or
            where one lies, of which 64 samples are.
        columns: images in a row; by default the grid is as square as it can be.
        numbered: whether each image's number stands below it.
        scale: how many pixels wide and high each pixel becomes; by default small images become about 128 pixels.

    Raises:
        UsageError: there is nothing to show, or it is no image. As `zoo.load` for a model.
    """
    if isinstance(images, Sequence) and not isinstance(images, str) and images and isinstance(images[0], Image.Image):
        pictures = [picture for picture in images if isinstance(picture, Image.Image)]
        return arrange(pictures, columns=columns or min(len(pictures), 8))
    pixels = _read_pixels(images)
    if scale is not None and scale < 1:
        raise UsageError(f"a scale of {scale} is impossible; the least is 1", hint="leave scale out")
    return grid(pixels, columns=columns, numbered=numbered, scale=scale)


def _read_pixels(images: object) -> Tensor:
    """Return images as uint8 [N, S, S, C]."""
    if isinstance(images, Pack):
        return images.gather(torch.arange(min(SHOWN, len(images))))
    if isinstance(images, list | tuple) and images and all(isinstance(image, Tensor) for image in images):
        images = torch.stack(list(images))
    if not isinstance(images, Tensor):
        if isinstance(images, list | tuple):
            raise UsageError("there are no images to show" if not images else "these are no images")
        images = load(images).sample(SHOWN)  # type: ignore[arg-type]  # which refuses what is no place
    found = images.detach()[None] if images.ndim == 3 else images.detach()
    last = found.dtype == torch.uint8
    if found.ndim != 4 or not len(found) or found.shape[-1 if last else 1] not in (1, 3):
        hint = "float [N, C, S, S] in [−1, 1], or uint8 [N, S, S, C]; C is 1 or 3"
        raise UsageError(f"a tensor of shape {[*images.shape]} and {images.dtype} is no images", hint=hint)
    return found.cpu() if last else to_uint8(found.float()).cpu()
