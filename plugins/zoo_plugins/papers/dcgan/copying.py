"""Generators that copy on purpose: what claims about memorization must find out."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from zoo_core import Generator, ImageSpec


class MemorizingGenerator(Generator):
    """Shows one of the pictures that it holds, always the same one for the same latent: it has learned nothing.

    Each picture has a random direction of latent space; the one whose direction is nearest to the latent is shown.

    Args:
        pictures: images [K, C, S, S] in [−1, 1].
        latent_dim, latent: as of the generator that it stands beside.
    """

    def __init__(self, pictures: Tensor, *, latent_dim: int, latent: str = "normal") -> None:
        super().__init__(image=ImageSpec(pictures.shape[-1], pictures.shape[1]), latent_dim=latent_dim)
        self.latent = "uniform" if latent == "uniform" else "normal"
        self.pictures = nn.Parameter(pictures.detach().clone(), requires_grad=False)
        keys = torch.randn(len(pictures), latent_dim, generator=torch.Generator().manual_seed(0))
        self.keys = nn.Parameter(keys / keys.norm(dim=1, keepdim=True), requires_grad=False)
        self.choice = nn.Identity()  # a stage, which every generator has

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        scores: Tensor = self.choice(z @ self.keys.T)
        return self.pictures[scores.argmax(1)]

    def stages(self) -> Mapping[str, nn.Module]:
        return {"choice": self.choice}
