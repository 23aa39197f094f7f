"""SNGAN's residual networks for images of 16 to 512 pixels, powers of two and three times powers of two.

Miyato, Kataoka, Koyama and Yoshida, "Spectral Normalization for Generative Adversarial Networks", 2018, arXiv:1802.05957,
appendix B, in the sizes of Lee and Town's Mimicry (2020, arXiv:2005.02494): blocks of two 3×3 convolutions beside a 1×1 one.
Those of the generator normalize and rectify before each convolution, and upsample bilinearly. Every weight of the
discriminator is divided by an estimate of its largest singular value, its blocks rectify before each convolution and pool
after the second, and its last maps are summed over their positions. Neither knows labels; those of `projection.py` do.

`width` doubles with each halving up to `max_width`. The generator counts it at the images' full size, the discriminator at
half of it: 64 and 1024 are the papers' for 64×64, and for 128×128, whose discriminator has five halvings and a plain block.
For 32×32 all blocks have as many maps, and the discriminator's last two are plain: see the recipe `resnet-sngan-32`.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from math import sqrt
from typing import Annotated, Any, ClassVar

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, relu
from torch.nn.utils.parametrizations import spectral_norm

from zoo_core import Discriminator, Generator, ImageSpec, OptionError
from zoo_core.options import Range

from ..conditioning import ConditionalBatchNorm, check_at_least, check_labels
from ..dcgan.networks import FullWidth, Width, check_channels, smallest_side
from .sngan import MaxWidth, list_widths


class ResidualGenerator(Generator):
    """A linear layer to 4×4 (or 3×3), residual blocks that double height and width, and a 3×3 convolution to colors."""

    tiny: ClassVar[Mapping[str, Any]] = {"image": ImageSpec(16), "width": 4, "latent_dim": 8}
    takes_labels: ClassVar[bool] = False

    def __init__(
        self,
        *,
        image: ImageSpec,
        latent_dim: Annotated[int, "length of a latent", Range(1, 65_536)] = 128,
        width: FullWidth = 64,
        max_width: MaxWidth = 1024,
    ) -> None:
        super().__init__(image=image, latent_dim=latent_dim)
        check_image(image, self.takes_labels)
        check_at_least(1, latent_dim=latent_dim)
        widths, side = list_widths(image.size, width, max_width), smallest_side(image.size)
        first = initialize(nn.Linear(latent_dim, widths[0] * side**2))
        self.blocks = nn.ModuleDict({f"{side}x{side}": nn.Sequential(first, nn.Unflatten(1, (widths[0], side, side)))})
        for inputs, outputs in pairwise(widths):
            side *= 2
            self.blocks[f"{side}x{side}"] = UpBlock(inputs, outputs, image.num_classes)
        colors = initialize(nn.Conv2d(widths[-1], image.channels, 3, padding=1))
        self.to_image = nn.Sequential(nn.BatchNorm2d(widths[-1]), nn.ReLU(inplace=True), colors, nn.Tanh())

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        first, *others = self.blocks.values()
        x = first(z)
        for block in others:
            x = block(x, labels)  # [N, maps, side, side]
        images: Tensor = self.to_image(x)
        return images  # [N, C, S, S]

    def stages(self) -> Mapping[str, nn.Module]:
        return dict(self.blocks.items())


class ResidualDiscriminator(Discriminator):
    """Residual blocks that halve height and width, `plain` ones that do not, the sum over positions, one logit.

    Raises `OptionError` for more halvings than the images have.
    """

    tiny: ClassVar[Mapping[str, Any]] = {"image": ImageSpec(16), "width": 4}
    takes_labels: ClassVar[bool] = False
    widens_early: ClassVar[bool] = False  # whether a block's first convolution makes more maps, not its second

    def __init__(
        self,
        *,
        image: ImageSpec,
        width: Width = 64,
        max_width: MaxWidth = 1024,
        halvings: Annotated[int, "blocks that halve height and width; 0: down to 2×2, or 3×3", Range(0, 12)] = 0,
        plain: Annotated[int, "blocks after them that keep both", Range(0, 100)] = 0,
    ) -> None:
        super().__init__(image=image)
        check_image(image, self.takes_labels)
        check_at_least(0, halvings=halvings, plain=plain)
        list_widths(image.size, width, max_width)  # checks the size
        most = (image.size // (3 if image.size % 3 == 0 else 2)).bit_length() - 1
        if halvings > most:
            raise OptionError(f"images of {image.size} pixels can be halved {most} times, not {halvings}")
        self.blocks = nn.ModuleDict()
        side, inputs = image.size, image.channels
        for number in range((halvings or most) + plain):
            outputs, halved = min(width << number, max_width), number < (halvings or most)
            side //= 1 + halved
            name = f"{side}x{side}" if halved else f"{side}x{side}-plain-{number - (halvings or most) + 1}"
            self.blocks[name] = DownBlock(inputs, outputs, pool=halved, first=not number, early=self.widens_early)
            inputs = outputs
        self.to_logit = initialize(nn.Linear(inputs, 1))
        self.label = nn.Embedding(image.num_classes, inputs) if image.num_classes else None
        if self.label is not None:
            nn.init.xavier_uniform_(self.label.weight)
        for module in [m for m in self.modules() if isinstance(m, nn.Conv2d | nn.Linear | nn.Embedding)]:
            spectral_norm(module)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        for block in self.blocks.values():
            x = block(x)  # [N, maps, side, side]
        summed = relu(x).sum((2, 3))  # [N, maps]
        logits: Tensor = self.to_logit(summed).squeeze(1)  # [N]
        if self.label is None:
            return logits
        wanted: Tensor = self.label(check_labels(labels))
        return logits + (wanted.to(summed.dtype) * summed).sum(1)

    def stages(self) -> Mapping[str, nn.Module]:
        return dict(self.blocks.items())


class UpBlock(nn.Module):
    """Batch normalization, ReLU, upsampling, 3×3, and again without upsampling; beside them a 1×1 convolution, upsampled.
    With `classes` batch normalization is conditional."""

    def __init__(self, inputs: int, outputs: int, classes: int = 0) -> None:
        super().__init__()
        self.classes = classes
        pair = (inputs, outputs)
        self.norms = nn.ModuleList([ConditionalBatchNorm(n, classes) if classes else nn.BatchNorm2d(n) for n in pair])
        self.first, self.second = square(inputs, outputs), square(outputs, outputs)
        self.shortcut = initialize(nn.Conv2d(inputs, outputs, 1))

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """x [N, inputs, side, side] → [N, outputs, 2 side, 2 side]. A 1×1 convolution is cheaper before the upsampling, and
        gives the same."""
        told = (check_labels(labels),) if self.classes else ()
        y: Tensor = self.first(upsample(relu(self.norms[0](x, *told))))
        y = self.second(relu(self.norms[1](y, *told)))
        return y + upsample(self.shortcut(x))


class DownBlock(nn.Module):
    """ReLU, 3×3, ReLU, 3×3, pooling; beside them a 1×1 convolution, unless nothing changes. The first one is given pictures,
    which it does not rectify. A 1×1 convolution is cheaper behind the pooling, and gives the same.
    """

    def __init__(self, inputs: int, outputs: int, *, pool: bool, first: bool, early: bool = False) -> None:
        super().__init__()
        self.pool, self.is_first = pool, first
        between = outputs if first or early else inputs
        self.first, self.second = square(inputs, between), square(between, outputs)
        self.shortcut = initialize(nn.Conv2d(inputs, outputs, 1)) if pool or inputs != outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """x [N, inputs, side, side] → [N, outputs, side or half of it, …]."""
        y: Tensor = self.second(relu(self.first(x if self.is_first else relu(x))))
        if not self.pool:
            passed: Tensor = self.shortcut(x)
            return y + passed  # [N, outputs, side, side]
        pooled: Tensor = self.shortcut(avg_pool2d(x, 2))
        return avg_pool2d(y, 2) + pooled


def square(inputs: int, outputs: int) -> nn.Conv2d:
    """A 3×3 convolution of a block."""
    layer: nn.Conv2d = initialize(nn.Conv2d(inputs, outputs, 3, padding=1), sqrt(2))
    return layer


def upsample(x: Tensor) -> Tensor:
    return interpolate(x, scale_factor=2, mode="bilinear")


def initialize(layer: Any, gain: float = 1.0) -> Any:
    """Draw the weights of a layer from U(−a, a), a² = 6 gain² / (fan-in + fan-out): Glorot and Bengio 2010. Biases begin at
    0. Returns the layer."""
    nn.init.xavier_uniform_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer


def check_image(image: ImageSpec, takes_labels: bool = False) -> None:
    """Raise `OptionError` for images of other channels than 1 and 3, or with classes that nobody takes."""
    check_channels(image)
    if image.num_classes and not takes_labels:
        raise OptionError("these networks know no labels", hint="try: a conditional recipe such as projection")
