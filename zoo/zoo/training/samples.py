"""Sample grids of a training: always the same latents, so that they can be compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..files import atomic_file
from ..models.grids import grid_picture

SAMPLES = 64


def save_samples(samples: Tensor, folder: Path, images: int) -> Tensor:
    """Write the grid `folder`/<images shown>.png and return it as a uint8 picture [C, H, W].

    Args:
        samples: images [N, C, S, S] in [−1, 1].
    """
    picture = grid_picture(samples)
    with atomic_file(folder / f"{images:09d}.png") as temporary:
        picture.save(temporary)
    pixels = torch.from_numpy(np.array(picture))
    return pixels.unsqueeze(0) if pixels.ndim == 2 else pixels.permute(2, 0, 1)
