"""Directions in which a generator's pictures change most: SeFa (Shen and Zhou 2021, arXiv:2007.06600)."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo_core import Generator, UsageError

from ..analysis.weight_directions import find_weight_directions
from ..models.model import Model

COUNT = 8


def find_directions(generator: Generator, count: int = COUNT) -> Tensor:
    """Return unit vectors [count, latent_dim] along which the first weights that the latents meet answer most, most first.

    Fewer where the latent is shorter, none where no layer is given the latents as they are; see `zoo.find_directions`.
    """
    try:
        return find_weight_directions(Model(generator, None), count, 0 if generator.image.num_classes else None)
    except UsageError:
        return torch.zeros(0, generator.latent_dim)
