"""Near-duplicates made on purpose: the same picture saved again, a little moved, rescaled, brighter or darker."""

from __future__ import annotations

import io

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

SHIFT, RESCALE, BRIGHTNESS = 1 / 32, 0.02, 0.03
"""Most by which a copy is moved (as a share of its width, each way), rescaled and brightened."""

QUALITY = (50, 95)
"""Of the JPEG as which it is saved, from and below."""


def augment(images: Tensor, random: torch.Generator) -> Tensor:
    """A near-duplicate of each of uint8 images [n, S, S, C], drawn with `random`; what moves in repeats the edge."""
    n = len(images)

    def uniform(*shape: int) -> Tensor:
        return 2 * torch.rand(n, *shape, generator=random) - 1

    scale = 1 + RESCALE * uniform()
    where = torch.zeros(n, 2, 3)  # from a pixel of the copy to the place it comes from; −1 to 1 is the whole width
    where[:, 0, 0] = where[:, 1, 1] = scale
    where[:, :, 2] = 2 * SHIFT * uniform(2)
    pixels = images.permute(0, 3, 1, 2).float()
    grid = F.affine_grid(where, list(pixels.shape), align_corners=False)
    moved = F.grid_sample(pixels, grid, mode="bicubic", padding_mode="border", align_corners=False)
    moved *= 1 + BRIGHTNESS * uniform(1, 1, 1)
    levels = moved.round_().clamp_(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()
    quality = torch.randint(*QUALITY, (n,), generator=random).tolist()
    return torch.from_numpy(np.stack([_saved_again(*each) for each in zip(levels, quality, strict=True)]))


def _saved_again(pixels: np.ndarray, quality: int) -> np.ndarray:  # type: ignore[type-arg]
    buffer = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer)).reshape(pixels.shape)
