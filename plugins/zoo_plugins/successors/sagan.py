"""SAGAN: residual networks some of whose maps attend to all of their own places.

Zhang, Goodfellow, Metaxas and Odena, "Self-Attention Generative Adversarial Networks", 2018, arXiv:1805.08318. To maps of
32×32, in smaller images to those of half their size, a mean of all places is added, weighed for each place by how their
features fit; how much of it is learned, and nothing at first. As in the authors' code, what is attended to is pooled 2×2.
The generator is spectrally normalized too. All else is `projection.py`'s, but that the discriminator's blocks go down to 4×4
(or 3×3), with a plain one behind them, and double their maps in the first of their convolutions.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d
from torch.nn.utils.parametrizations import spectral_norm

from zoo_core import ImageSpec
from zoo_core.options import Range

from ..dcgan.networks import FullWidth, Width
from .projection import ProjectionDiscriminator, ProjectionGenerator
from .residual import DownBlock, UpBlock
from .sngan import MaxWidth, list_widths

Attention = Annotated[
    int, "largest height and width of maps that attend, at most half of the images'; 0: none do", Range(0, 512)
]


class SAGANGenerator(ProjectionGenerator):
    """Projection's generator with attention, whose convolutions and first layer are spectrally normalized."""

    def __init__(
        self,
        *,
        image: ImageSpec,
        latent_dim: Annotated[int, "length of a latent", Range(1, 65_536)] = 128,
        width: FullWidth = 64,
        max_width: MaxWidth = 1024,
        attention: Attention = 32,
    ) -> None:
        super().__init__(image=image, latent_dim=latent_dim, width=width, max_width=max_width)
        normalize(m for m in self.modules() if isinstance(m, nn.Conv2d | nn.Linear))
        attend(self.blocks, min(attention, image.size // 2))


class SAGANDiscriminator(ProjectionDiscriminator):
    """Projection's discriminator with attention, and wider blocks."""

    widens_early = True

    def __init__(
        self,
        *,
        image: ImageSpec,
        width: Width = 64,
        max_width: MaxWidth = 1024,
        halvings: Annotated[int, "blocks that halve height and width; 0: down to 4×4, or 3×3", Range(0, 12)] = 0,
        plain: Annotated[int, "blocks after them that keep both", Range(0, 100)] = 1,
        attention: Attention = 32,
    ) -> None:
        halvings = halvings or len(list_widths(image.size, width, max_width)) - 1
        super().__init__(image=image, width=width, max_width=max_width, halvings=halvings, plain=plain)
        attend(self.blocks, min(attention, image.size // 2))


class SelfAttention(nn.Module):
    """A block, and attention on its maps."""

    def __init__(self, block: nn.Module, maps: int) -> None:
        super().__init__()
        self.block, few, half = block, max(1, maps // 8), max(1, maps // 2)
        pairs = {"query": (maps, few), "key": (maps, few), "value": (maps, half), "project": (half, maps)}
        layers = {name: nn.Conv2d(*pair, 1, bias=False) for name, pair in pairs.items()}
        for layer in layers.values():
            nn.init.xavier_uniform_(layer.weight)
        self.layers = nn.ModuleDict(layers)
        normalize(layers.values())
        self.share = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor, *told: Tensor | None) -> Tensor:
        """What the block gives, [N, maps, H, W], and the projected means of its values."""
        x = self.block(x, *told)
        query: Tensor = self.layers["query"](x).flatten(2)  # [N, maps / 8, H W]
        key, value = (max_pool2d(self.layers[name](x), 2).flatten(2) for name in ("key", "value"))  # [N, …, H W / 4]
        weights = (query.transpose(1, 2) @ key).softmax(2)  # [N, H W, H W / 4]
        seen = (value @ weights.transpose(1, 2)).reshape(len(x), -1, *x.shape[2:])  # [N, maps / 2, H, W]
        projected: Tensor = self.layers["project"](seen)
        return x + self.share * projected


def attend(blocks: nn.ModuleDict, most: int) -> None:
    """Let the largest maps of at most `most` pixels in height attend, where there are any."""
    residual = {name: block for name, block in blocks.items() if isinstance(block, UpBlock | DownBlock)}
    sides = {name: side for name in residual if (side := int(name.partition("x")[0])) <= most}
    if sides:
        name = max(sides, key=lambda name: sides[name])
        blocks[name] = SelfAttention(residual[name], residual[name].second.out_channels)


def normalize(layers: Iterable[nn.Module]) -> None:
    """Divide the weights of layers by their largest singular values."""
    for layer in list(layers):
        spectral_norm(layer)
