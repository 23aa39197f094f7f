"""DCGAN with two 3×3 convolutions at every resolution, one of which changes it: the paper's ImageNet networks.

Radford, Metz and Chintala 2015, arXiv:1511.06434, section 4.2; layers from the authors' code (github.com/Newmu/dcgan_code,
imagenet/). For images of 32×32 with width 128 the discriminator's six stages are 128×32×32, 128×16×16, 256×16×16, 256×8×8,
512×8×8 and 512×4×4: max-pooled to 4×4 they are the 28,672 features of the paper's section 5.1. The generator mirrors them.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any, ClassVar

from torch import Tensor, nn

from zoo_core import Discriminator, Generator, ImageSpec

from ..conditioning import one_hot_labels, with_label
from .networks import MaxWidth, NormEps, Projection, _check, _initialize, stage_widths

Width = Annotated[int, "feature maps at the image's full size, doubled with each halving"]


class PairsGenerator(Generator):
    """Projection to 4×4, then at each resolution a fractionally-strided and a plain convolution, both 3×3."""

    tiny: ClassVar[Mapping[str, Any]] = {"image": ImageSpec(16), "width": 4, "latent_dim": 8}

    def __init__(
        self,
        *,
        image: ImageSpec,
        latent_dim: Annotated[int, "length of a latent"] = 256,
        width: Width = 128,
        max_width: MaxWidth = 1024,
        norm_eps: NormEps = 1e-8,
    ) -> None:
        super().__init__(image=image, latent_dim=latent_dim)
        _check(image, latent_dim=(latent_dim, 1))
        classes, widths = image.num_classes, stage_widths(image.size, width, max_width)
        self.blocks = nn.ModuleDict({"4x4": Projection(latent_dim + classes, widths[0], "batch", "channel", norm_eps)})
        side = 4
        for maps, following in pairwise([*widths, image.channels]):
            side *= 2
            up = nn.ConvTranspose2d(maps + classes, maps, 3, 2, 1, output_padding=1, bias=False)
            self.blocks[f"{side}x{side}"] = _hidden(up, maps, norm_eps)
            if side < image.size:
                plain = nn.Conv2d(maps + classes, following, 3, padding=1, bias=False)
                self.blocks[f"{side}x{side}-plain"] = _hidden(plain, following, norm_eps)
        last = nn.Conv2d(widths[-1] + classes, image.channels, 3, padding=1, bias=False)
        self.to_image = nn.Sequential(last, nn.Tanh())
        self.apply(_initialize)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        label = one_hot_labels(labels, self.image.num_classes)  # [N, K] or None
        x = z  # [N, latent_dim]
        for block in self.blocks.values():
            x = block(with_label(x, label))  # [N, maps, side, side]
        out: Tensor = self.to_image(with_label(x, label))
        return out  # [N, C, S, S]

    def stages(self) -> Mapping[str, nn.Module]:
        return dict(self.blocks.items())


class PairsDiscriminator(Discriminator):
    """At each resolution a plain and a strided 3×3 convolution, down to 4×4, flattened into one logit."""

    tiny: ClassVar[Mapping[str, Any]] = {"image": ImageSpec(16), "width": 4}

    def __init__(
        self,
        *,
        image: ImageSpec,
        width: Width = 128,
        max_width: MaxWidth = 1024,
        slope: Annotated[float, "of LeakyReLU below zero"] = 0.2,
        norm_eps: NormEps = 1e-8,
    ) -> None:
        super().__init__(image=image)
        _check(image)
        classes, widths = image.num_classes, stage_widths(image.size, width, max_width)[::-1]
        self.blocks = nn.ModuleDict()
        side, inputs = image.size, image.channels
        for maps in widths:
            first = side == image.size
            name = f"{side}x{side}" if first else f"{side}x{side}-plain"
            self.blocks[name] = _judging(inputs + classes, maps, 1, None if first else norm_eps, slope)
            side //= 2
            self.blocks[f"{side}x{side}"] = _judging(maps + classes, maps, 2, norm_eps, slope)
            inputs = maps
        self.to_logit = nn.Linear(inputs * 16 + classes, 1, bias=False)
        self.apply(_initialize)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        label = one_hot_labels(labels, self.image.num_classes)  # [N, K] or None
        for block in self.blocks.values():
            x = block(with_label(x, label))  # [N, maps, side, side]
        logits: Tensor = self.to_logit(with_label(x.flatten(1), label))
        return logits.squeeze(1)  # [N]

    def stages(self) -> Mapping[str, nn.Module]:
        return dict(self.blocks.items())


def _hidden(convolution: nn.Module, maps: int, eps: float) -> nn.Sequential:
    return nn.Sequential(convolution, nn.BatchNorm2d(maps, eps), nn.ReLU(inplace=True))


def _judging(inputs: int, maps: int, stride: int, eps: float | None, slope: float) -> nn.Sequential:
    """A 3×3 convolution, batch normalization unless `eps` is None (the paper's first layer has none), LeakyReLU."""
    convolution = nn.Conv2d(inputs, maps, 3, stride=stride, padding=1, bias=False)
    norm = [nn.BatchNorm2d(maps, eps)] if eps is not None else []
    return nn.Sequential(convolution, *norm, nn.LeakyReLU(slope, inplace=True))
