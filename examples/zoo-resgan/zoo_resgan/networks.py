"""Residual generator and discriminator for images of 16, 32, 64, … pixels.

Blocks normalize first (He et al. 2016, arXiv:1603.05027) and change the size inside (Gulrajani et al. 2017,
arXiv:1704.00028). The discriminator's layers are spectrally normalized (Miyato et al. 2018, arXiv:1802.05957). Labels reach
the generator beside the latent, and the discriminator by projection (Miyato and Koyama 2018, arXiv:1802.05637).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, relu
from torch.nn.utils.parametrizations import spectral_norm

from zoo_core import Discriminator, Generator, ImageSpec, OptionError

Width = Annotated[int, "feature maps of every residual block"]


def halvings(size: int) -> int:
    """How often `size` halves until 4; raises `OptionError` unless it is a power of two from 16 on."""
    if size < 16 or size & (size - 1):
        raise OptionError(f"size must be 16, 32, 64, …, not {size}", hint="try: --size 32")
    return size.bit_length() - 3


class UpBlock(nn.Module):
    """[N, width, S, S] → [N, width, 2S, 2S]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.BatchNorm2d(width), nn.BatchNorm2d(width)])
        self.convs = nn.ModuleList([nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)])
        self.skip = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        inner = interpolate(relu(self.norms[0](x)), scale_factor=2.0)
        inner = self.convs[1](relu(self.norms[1](self.convs[0](inner))))
        skipped: Tensor = interpolate(self.skip(x), scale_factor=2.0)
        return skipped + inner


class DownBlock(nn.Module):
    """[N, inputs, S, S] → [N, width, S/2, S/2]. The first block sees pictures: no activation comes before it."""

    def __init__(self, inputs: int, width: int, *, first: bool) -> None:
        super().__init__()
        self.first = first
        self.convs = nn.ModuleList([spectral_norm(nn.Conv2d(i, width, 3, padding=1)) for i in (inputs, width)])
        self.skip = spectral_norm(nn.Conv2d(inputs, width, 1))

    def forward(self, x: Tensor) -> Tensor:
        inner = self.convs[0](x if self.first else relu(x))
        inner = self.convs[1](relu(inner))
        return avg_pool2d(self.skip(x) + inner, 2)


class ResidualGenerator(Generator):
    """A matrix product to 4×4, residual blocks that double the size, and a convolution to the image."""

    tiny: ClassVar[Mapping[str, Any]] = {"image": ImageSpec(16), "width": 8, "latent_dim": 8}

    def __init__(
        self, *, image: ImageSpec, latent_dim: Annotated[int, "length of a latent"] = 128, width: Width = 128
    ) -> None:
        super().__init__(image=image, latent_dim=latent_dim)
        if latent_dim < 1 or width < 1:
            raise OptionError(f"latent_dim {latent_dim} and width {width} must be at least 1")
        self.label = nn.Embedding(image.num_classes, latent_dim) if image.num_classes else None
        inputs = latent_dim * (2 if self.label is not None else 1)
        self.blocks = nn.ModuleDict({"4x4": nn.Sequential(nn.Linear(inputs, width * 16), nn.Unflatten(1, (width, 4, 4)))})
        side = 4
        for _ in range(halvings(image.size)):
            side *= 2
            self.blocks[f"{side}x{side}"] = UpBlock(width)
        self.to_image = nn.Sequential(
            nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, image.channels, 3, padding=1), nn.Tanh()
        )

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        x = z if self.label is None else torch.cat([z, self.label(labels)], dim=1)
        for block in self.blocks.values():
            x = block(x)  # [N, width, side, side]
        images: Tensor = self.to_image(x)
        return images  # [N, C, S, S]

    def stages(self) -> Mapping[str, nn.Module]:
        return dict(self.blocks.items())


class ResidualDiscriminator(Discriminator):
    """Residual blocks down to 4×4, summed over positions, and a matrix product."""

    tiny: ClassVar[Mapping[str, Any]] = {"image": ImageSpec(16), "width": 8}

    def __init__(self, *, image: ImageSpec, width: Width = 128) -> None:
        super().__init__(image=image)
        if width < 1:
            raise OptionError(f"width must be at least 1, not {width}")
        self.blocks = nn.ModuleDict()
        side, inputs = image.size, image.channels
        for i in range(halvings(image.size)):
            side //= 2
            self.blocks[f"{side}x{side}"] = DownBlock(inputs, width, first=i == 0)
            inputs = width
        self.to_logit = spectral_norm(nn.Linear(width, 1))
        self.label = spectral_norm(nn.Embedding(image.num_classes, width)) if image.num_classes else None

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        for block in self.blocks.values():
            x = block(x)  # [N, width, side, side]
        pooled = relu(x).sum(dim=(2, 3))  # [N, width]
        logits: Tensor = self.to_logit(pooled).squeeze(1)  # [N]
        return logits if self.label is None else logits + (self.label(labels) * pooled).sum(dim=1)

    def stages(self) -> Mapping[str, nn.Module]:
        return dict(self.blocks.items())
