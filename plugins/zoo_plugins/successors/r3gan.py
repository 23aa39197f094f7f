"""R3GAN's networks for images of 16 to 512 pixels, powers of two and three times powers of two.

Huang, Gokaslan, Kuleshov and Tompkin, "The GAN is dead; long live the GAN! A Modern GAN Baseline", 2024, arXiv:2501.05441,
section 3. Residual blocks of 1×1, grouped 3×3 and 1×1 convolutions, wide in the middle (inverted bottleneck),
LeakyReLU between them, and nothing that normalizes: as in Fixup (Zhang et al. 2019, arXiv:1901.09321) the last convolution
of each block begins at zero, and the others are the smaller the more blocks there are, so that the networks begin as linear
ones. Maps are resampled bilinearly, by [1, 3, 3, 1] with zeros around them, outside of the blocks.

Both networks meet at 4×4 (or 3×3). `width` counts the feature maps at the images' full size and doubles with each halving up
to `max_width`: 384 and 768 for the paper's 64×64, 768 for its 32×32, 96 for its 256×256. With `image.num_classes` both are
conditional as the paper's are: the generator is told a vector of the label's own beside the latent, and the discriminator's
logit is the product of its last units with another one.

One thing is not the paper's: images are bounded by Tanh, as the zoo asks of whatever draws. The authors' generator ends with
the convolution to colors, and what lies outside of [−1, 1] is cut off when it is saved.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from math import sqrt
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import conv_transpose2d

from zoo_core import Discriminator, Generator, ImageSpec, OptionError
from zoo_core.options import Range

from ..conditioning import check_at_least, check_labels
from ..dcgan.networks import FullWidth, check_channels, smallest_side
from ..twice import SLOPE, convolve, rectify
from .sngan import MaxWidth, list_widths

Blocks = Annotated[int, "residual blocks at each resolution", Range(1, 100)]
Expansion = Annotated[int, "maps within a block, as a multiple of those outside", Range(1, 64)]
Group = Annotated[
    int, "maps that 3×3 convolutions look at together, if there are as many; 32 for ImageNet", Range(1, 65_536)
]


class R3GANGenerator(Generator):
    """A learned 4×4 (or 3×3) map for each unit of a projected latent, residual blocks and upsampling, colors by a 1×1
    convolution."""

    tiny: ClassVar[Mapping[str, Any]] = {"image": ImageSpec(16), "width": 4, "blocks": 1, "group": 4, "latent_dim": 8}

    def __init__(
        self,
        *,
        image: ImageSpec,
        latent_dim: Annotated[int, "length of a latent", Range(1, 65_536)] = 64,
        width: FullWidth = 384,
        max_width: MaxWidth = 768,
        blocks: Blocks = 2,
        expansion: Expansion = 2,
        group: Group = 16,
    ) -> None:
        super().__init__(image=image, latent_dim=latent_dim)
        check_channels(image)
        check_at_least(1, latent_dim=latent_dim, blocks=blocks, expansion=expansion, group=group)
        widths, side = list_widths(image.size, width, max_width), smallest_side(image.size)
        residual = {"expansion": expansion, "group": group, "total": blocks * len(widths)}
        classes = image.num_classes
        self.label = _make_embedding(classes, latent_dim) if classes else None
        first = Basis(latent_dim * (2 if classes else 1), widths[0], side)
        self.blocks = nn.ModuleDict()
        self.blocks[f"{side}x{side}"] = nn.Sequential(first, *(ResidualBlock(widths[0], **residual) for _ in range(blocks)))
        for inputs, outputs in pairwise(widths):
            side *= 2
            layers = [ResidualBlock(outputs, **residual) for _ in range(blocks)]
            self.blocks[f"{side}x{side}"] = nn.Sequential(*pointwise(inputs, outputs), Resample(up=True), *layers)
        self.to_image = nn.Sequential(Convolve(widths[-1], image.channels), nn.Tanh())

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        x = z if self.label is None else torch.cat([z, self.label(check_labels(labels)).to(z.dtype)], dim=1)
        for block in self.blocks.values():
            x = block(x)  # [N, maps, side, side]
        images: Tensor = self.to_image(x)
        return images  # [N, C, S, S]

    def stages(self) -> Mapping[str, nn.Module]:
        return dict(self.blocks.items())


class R3GANDiscriminator(Discriminator):
    """The generator's mirror: residual blocks and downsampling, one learned 4×4 (or 3×3) filter for each of the last maps,
    and one logit."""

    tiny: ClassVar[Mapping[str, Any]] = {"image": ImageSpec(16), "width": 4, "blocks": 1, "group": 4}

    def __init__(
        self,
        *,
        image: ImageSpec,
        width: FullWidth = 384,
        max_width: MaxWidth = 768,
        blocks: Blocks = 2,
        expansion: Expansion = 2,
        group: Group = 16,
    ) -> None:
        super().__init__(image=image)
        check_channels(image)
        check_at_least(1, blocks=blocks, expansion=expansion, group=group)
        widths, side = list_widths(image.size, width, max_width)[::-1], image.size
        residual = {"expansion": expansion, "group": group, "total": blocks * len(widths)}
        layers = [ResidualBlock(widths[0], **residual) for _ in range(blocks)]
        self.blocks = nn.ModuleDict({f"{side}x{side}": nn.Sequential(Convolve(image.channels, widths[0]), *layers)})
        for inputs, outputs in pairwise(widths):
            side //= 2
            layers = [ResidualBlock(outputs, **residual) for _ in range(blocks)]
            self.blocks[f"{side}x{side}"] = nn.Sequential(Resample(up=False), *pointwise(inputs, outputs), *layers)
        last, classes = widths[-1], image.num_classes
        units = last if classes else 1
        filters = initialize(Filters(last, side))
        self.to_logit = nn.Sequential(filters, nn.Flatten(), initialize(nn.Linear(last, units, bias=False)))
        self.label = _make_embedding(classes, units, 1 / sqrt(units)) if classes else None

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        for block in self.blocks.values():
            x = block(x)  # [N, maps, side, side]
        logits: Tensor = self.to_logit(x)  # [N, units]
        if self.label is None:
            return logits.squeeze(1)  # [N]
        wanted: Tensor = self.label(check_labels(labels))
        return (logits * wanted.to(logits.dtype)).sum(1)

    def stages(self) -> Mapping[str, nn.Module]:
        return dict(self.blocks.items())


class Basis(nn.Module):
    """One learned map [side, side] for each unit of a linear layer, whose height it is multiplied by."""

    def __init__(self, inputs: int, maps: int, side: int) -> None:
        super().__init__()
        self.maps = nn.Parameter(torch.randn(maps, side, side))
        self.linear = initialize(nn.Linear(inputs, maps, bias=False))

    def forward(self, z: Tensor) -> Tensor:
        """z [N, inputs] → [N, maps, side, side]."""
        heights: Tensor = self.linear(z)
        return heights[:, :, None, None] * self.maps.to(heights.dtype)


class Filters(nn.Module):
    """One learned filter for each map, as large as the map: a depthwise convolution without padding.

    As a product and a sum it is cheap to differentiate twice; torch goes through the groups of a convolution one by one.
    """

    def __init__(self, maps: int, side: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.empty(maps, 1, side, side)), None

    def forward(self, x: Tensor) -> Tensor:
        """x [N, maps, side, side] → [N, maps, 1, 1]."""
        return (x * self.weight[:, 0].to(x.dtype)).sum((2, 3), keepdim=True)


class ResidualBlock(nn.Module):
    """x + what three convolutions make of it; `total` counts the blocks of the whole network.

    Raises `OptionError` where the maps cannot be cut into groups.
    """

    def __init__(self, maps: int, *, expansion: int, group: int, total: int) -> None:
        super().__init__()
        inner = maps * expansion
        group = min(group, inner)
        if inner % group:
            raise OptionError(
                f"{maps} maps, {inner} within a block, cannot be cut into groups of {group}", hint="try: a smaller group"
            )
        gain = sqrt(2 / (1 + SLOPE**2)) * total ** (-1 / 4)  # of m = 3 layers: L^(−1 / (2m − 2))
        self.expand = Convolve(maps, inner, bias=True, gain=gain)
        self.mix = Convolve(inner, inner, 3, groups=inner // group, bias=True, gain=gain)
        self.project = Convolve(inner, maps, gain=0.0)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.project(rectify(self.mix(rectify(self.expand(x)))))
        return x + out


class Convolve(nn.Module):
    """A convolution that keeps height and width, and is cheap to differentiate twice; weights from N(0, gain² / fan-in)."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 1, *, groups: int = 1, bias: bool = False, gain: float = 1.0
    ) -> None:
        super().__init__()
        self.layer = initialize(nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups, bias=bias), gain)

    def forward(self, x: Tensor) -> Tensor:
        return convolve(x, self.layer.weight, self.layer.bias, 1, self.layer.padding[0], self.layer.groups)


class Resample(nn.Module):
    """Twice or half the height and width, bilinearly: [1, 3, 3, 1] in both directions, with zeros around the maps."""

    kernel: Tensor

    def __init__(self, *, up: bool) -> None:
        super().__init__()
        self.up = up
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / (4 if up else 8)
        self.register_buffer("kernel", torch.outer(taps, taps)[None, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        maps = x.shape[1]
        kernel = self.kernel.to(x.dtype).expand(maps, 1, 4, 4)
        return conv_transpose2d(x, kernel, None, 2, 1, 0, maps) if self.up else convolve(x, kernel, None, 2, 1, maps)


def pointwise(inputs: int, outputs: int) -> list[nn.Module]:
    """Return a 1×1 convolution to another number of maps, none where it is the same."""
    return [] if inputs == outputs else [Convolve(inputs, outputs)]


def initialize(layer: Any, gain: float = 1.0) -> Any:
    """Draw the weights of a layer from N(0, gain² / fan-in), and set its bias to 0; returns the layer."""
    nn.init.normal_(layer.weight, 0.0, gain / sqrt(layer.weight[0].numel()))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def _make_embedding(classes: int, units: int, gain: float = 1.0) -> nn.Embedding:
    """Vectors of labels, as a linear layer without bias has them for one-hot labels."""
    embedding = nn.Embedding(classes, units)
    nn.init.normal_(embedding.weight, 0.0, gain / sqrt(classes))
    return embedding
