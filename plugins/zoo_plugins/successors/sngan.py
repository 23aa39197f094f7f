"""SNGAN's plain convolutional networks for images of 16 to 512 pixels, powers of two and three times powers of two.

Miyato, Kataoka, Koyama and Yoshida, "Spectral Normalization for Generative Adversarial Networks", 2018, arXiv:1802.05957,
table 3 (for CIFAR-10 and STL-10; other sizes have more or fewer stages). Every weight of the discriminator is divided by an
estimate of its largest singular value, one step of power iteration in each forward pass, and every layer has a bias.

`width` counts the feature maps at the images' full size and doubles with each halving up to `max_width`: 64 gives 64, 128,
256 and 512 for images of 32×32. With `image.num_classes` both networks are conditional as DCGAN's are, by one-hot labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any, ClassVar

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from zoo_core import ImageSpec
from zoo_core.options import Range

from ..conditioning import StagedDiscriminator, StagedGenerator, check_at_least
from ..dcgan.networks import (
    FullWidth,
    Projection,
    check_channels,
    down,
    initialize,
    same,
    smallest_side,
    stage,
    stage_widths,
    up,
    zero_bias,
)

MaxWidth = Annotated[int, "most feature maps of any stage", Range(1, 65_536)]


class SNGANGenerator(StagedGenerator):
    """Projection to 4×4 (or 3×3), fractionally-strided convolutions up to the images' size, and one of 3×3 to colors."""

    tiny: ClassVar[Mapping[str, Any]] = {"image": ImageSpec(16), "width": 4, "latent_dim": 8}

    def __init__(
        self,
        *,
        image: ImageSpec,
        latent_dim: Annotated[int, "length of a latent", Range(1, 65_536)] = 128,
        width: FullWidth = 64,
        max_width: MaxWidth = 512,
    ) -> None:
        super().__init__(image=image, latent_dim=latent_dim)
        check_channels(image)
        check_at_least(1, latent_dim=latent_dim)
        classes, widths = image.num_classes, list_widths(image.size, width, max_width)
        side, eps = smallest_side(image.size), 1e-5
        first = Projection(latent_dim + classes, widths[0], side, "batch", "channel", eps)
        self.blocks = nn.ModuleDict({f"{side}x{side}": first})
        for inputs, outputs in pairwise(widths):
            side *= 2
            self.blocks[f"{side}x{side}"] = stage(up(inputs + classes, outputs, 4, "transposed"), outputs, eps)
        self.to_image = nn.Sequential(same(widths[-1] + classes, image.channels, 3, bias=True), nn.Tanh())
        self.apply(initialize)
        self.apply(zero_bias)


class SNGANDiscriminator(StagedDiscriminator):
    """At each resolution a 3×3 and a strided 4×4 convolution, 3×3 at the smallest maps of 4×4 (or 3×3) too, one logit."""

    tiny: ClassVar[Mapping[str, Any]] = {"image": ImageSpec(16), "width": 4}

    def __init__(
        self,
        *,
        image: ImageSpec,
        width: FullWidth = 64,
        max_width: MaxWidth = 512,
        slope: Annotated[float, "of LeakyReLU below zero", Range(0, 1)] = 0.1,
    ) -> None:
        super().__init__(image=image)
        check_channels(image)
        classes, widths = image.num_classes, list_widths(image.size, width, max_width)[::-1]
        self.blocks = nn.ModuleDict()
        side, inputs = image.size, image.channels
        for maps in widths[:-1]:
            self.blocks[f"{side}x{side}-plain"] = stage([same(inputs + classes, maps, 3, bias=True)], maps, None, slope)
            side, inputs = side // 2, maps
            self.blocks[f"{side}x{side}"] = stage(down(maps + classes, maps, 4, bias=True), maps, None, slope)
        self.blocks[f"{side}x{side}-plain"] = stage(
            [same(inputs + classes, widths[-1], 3, bias=True)], widths[-1], None, slope
        )
        self.to_logit = nn.Linear(widths[-1] * side**2 + classes, 1)
        self.apply(initialize)
        for module in [m for m in self.modules() if isinstance(m, nn.Conv2d | nn.Linear)]:
            zero_bias(module)
            spectral_norm(module)


def list_widths(size: int, width: int, max_width: int) -> list[int]:
    """Return the feature maps at each resolution, from the smallest map to the images' full size."""
    halved = stage_widths(size, 2 * width, max_width)  # checks the size too
    return [*halved, min(width, max_width)]
