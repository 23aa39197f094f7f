"""How different a generator's samples are from each other, beside how different real images are."""

from __future__ import annotations

import torch
from torch import Tensor

from ..packs import to_images
from ..randomness import generator_for
from .batches import Batches

REAL = 256
"""Real images whose distances are taken."""


class Distance:
    """Distances between samples in units of those between real images.

    A collapsed generator draws the same for every latent, and its samples lie close together. Distances are Euclidean,
    between pixels: they tell a collapse, and little about quality.
    """

    def __init__(self, batches: Batches) -> None:
        self.batches = batches
        self.real: float | None = None

    def ratio(self, samples: Tensor) -> float:
        """The mean distance of all pairs of samples [N, C, S, S], divided by that of 256 real images; 0 for one sample."""
        if self.real is None:
            pack = self.batches.pack
            chosen = torch.randperm(len(pack), generator=generator_for(self.batches.seed, "diversity"))[:REAL]
            self.real = spread(to_images(pack.gather(chosen.sort().values)))
        return spread(samples) / max(self.real, 1e-12)


def spread(images: Tensor) -> float:
    """Mean Euclidean distance of all pairs of images [N, C, S, S] in [−1, 1]; 0 for fewer than two."""
    return float(torch.pdist(images.detach().float().flatten(1)).mean()) if len(images) > 1 else 0.0
