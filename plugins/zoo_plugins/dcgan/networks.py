"""DCGAN's generator and discriminator for images of 16 to 512 pixels, powers of two and three times powers of two.

Radford, Metz and Chintala, "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks",
2015, arXiv:1511.06434. The paper's guidelines: strided and fractionally-strided convolutions instead of pooling; batch
normalization everywhere but the generator's output and the discriminator's input; no fully connected hidden layers; ReLU in
the generator with Tanh at its output; LeakyReLU in the discriminator. Each can be broken by an option.

Both networks meet at a 4×4 feature map, 3×3 where the size is three times a power of two. `width` counts the feature maps at
half the image's size and doubles with each halving: 64 gives 64×32×32, 128×16×16, 256×8×8 and 512×4×4 for images of 64×64.

With `image.num_classes`, both are conditional as the paper's MNIST model is: the one-hot label is concatenated to the input
of every layer, as constant maps where that input is a feature map.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import relu
from torch.nn.utils.parametrizations import spectral_norm

from zoo_core import ImageSpec, OptionError
from zoo_core.options import Range

from ..conditioning import StagedDiscriminator, StagedGenerator, check_at_least, one_hot_labels, with_label

SIZES = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
Kernel = Annotated[Literal[3, 4, 5], "side of the convolution kernels; the paper has 5, its Torch port 4"]
Width = Annotated[int, "feature maps at half the image's size, doubled with each halving", Range(1, 65_536)]
FullWidth = Annotated[int, "feature maps at the image's full size, doubled with each halving", Range(1, 65_536)]
MaxWidth = Annotated[int, "most feature maps of any stage", Range(1, 65_536)]
NormEps = Annotated[float, "added to the variance in batch normalization", Range(above=0, most=1)]
ProjectionNorm = Annotated[Literal["channel", "unit"], "what the projection's batch norm averages over"]
Bias = Annotated[bool, "added by all layers; 'batch' has shifts instead"]
Init = Annotated[Literal["normal", "he"], "N(0, 0.02), or variance 2 / fan-in where nothing normalizes"]
Hidden = Annotated[
    int, "units of a fully connected hidden layer beside the smallest maps; 0: none, as the paper advises", Range(0, 65_536)
]


def smallest_side(size: int) -> int:
    """Height and width of the smallest feature map for images of `size`, one of `SIZES`."""
    return 3 if size % 3 == 0 else 4


def stage_widths(size: int, width: int, max_width: int) -> list[int]:
    """Feature maps at `smallest_side`, twice it, … up to half of `size`; raises `OptionError` for another size, or a width
    below 1.
    """
    if size not in SIZES:
        near = sorted(sorted(SIZES, key=lambda s: abs(s - size))[:2])
        raise OptionError(
            f"DCGAN draws images of {', '.join(map(str, SIZES[:-1]))} or {SIZES[-1]} pixels, not {size}",
            hint="try: " + " or ".join(f"--size {s}" for s in near),
        )
    if width < 1 or max_width < 1:
        raise OptionError(f"width {width} and max_width {max_width} must be at least 1", hint="for example: width=64")
    halvings = (size // smallest_side(size)).bit_length() - 1
    return [min(width << k, max_width) for k in reversed(range(halvings))]


def check_channels(image: ImageSpec) -> None:
    """Raise `OptionError` for other channels than 1 and 3."""
    if image.channels not in (1, 3):
        raise OptionError(f"DCGAN draws images of 1 or 3 channels, not {image.channels}", hint="try: --channels 3")


def same(inputs: int, outputs: int, kernel: int, bias: bool = False) -> nn.Conv2d:
    """Return a convolution that keeps height and width. Needs an odd kernel: 4 becomes 3."""
    odd = kernel - 1 + kernel % 2
    return nn.Conv2d(inputs, outputs, odd, padding=odd // 2, bias=bias)


def down(inputs: int, outputs: int, kernel: int, how: str = "strided", bias: bool = False) -> list[nn.Module]:
    """Layers that halve height and width: a strided convolution, or a convolution and 2×2 pooling."""
    if how == "strided":
        return [nn.Conv2d(inputs, outputs, kernel, stride=2, padding=(kernel - 1) // 2, bias=bias)]
    return [same(inputs, outputs, kernel, bias), nn.MaxPool2d(2) if how == "max" else nn.AvgPool2d(2)]


def up(inputs: int, outputs: int, kernel: int, how: str, bias: bool = False) -> list[nn.Module]:
    """Layers that double height and width: a fractionally-strided convolution, or nearest neighbors and a convolution."""
    if how == "transposed":
        padding, extra = (kernel - 1) // 2, kernel % 2
        return [nn.ConvTranspose2d(inputs, outputs, kernel, 2, padding, output_padding=extra, bias=bias)]
    return [nn.Upsample(scale_factor=2, mode="nearest"), same(inputs, outputs, kernel, bias)]


def stage(layers: list[nn.Module], maps: int, eps: float | None, slope: float = 0.0) -> nn.Sequential:
    """Layers, batch normalization unless `eps` is None, and ReLU, leaky with a slope."""
    return nn.Sequential(*layers, *([] if eps is None else [nn.BatchNorm2d(maps, eps)]), rectify(slope))


def rectify(slope: float) -> nn.Module:
    return nn.LeakyReLU(slope, inplace=True) if slope else nn.ReLU(inplace=True)


def initialize(module: nn.Module) -> None:
    """Weights from N(0, 0.02), batch-norm gains from N(1, 0.02), shifts 0."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


def initialize_he(module: nn.Module) -> None:
    """Weights of variance 2 / fan-in, which keep the scale of activations where nothing normalizes them: He et al. 2015,
    arXiv:1502.01852. What a fractionally-strided convolution draws is a sum of its inputs' share of the kernel.
    """
    if isinstance(module, nn.ConvTranspose2d):
        fan_in = module.in_channels * math.prod(module.kernel_size) / math.prod(module.stride)
        nn.init.normal_(module.weight, 0.0, (2 / fan_in) ** 0.5)
    elif isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")


def zero_bias(module: nn.Module) -> None:
    """Set the bias of a convolution or linear layer to 0."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)


class Projection(nn.Module):
    """Latents to the first feature map: a matrix product, normalization and ReLU.

    `per` says what batch normalization averages over: each of the maps · side² units by itself ("unit", as in the authors'
    code), or each map over its positions too ("channel").
    """

    def __init__(self, inputs: int, maps: int, side: int, norm: str, per: str, eps: float, bias: bool = False) -> None:
        super().__init__()
        units = maps * side**2
        self.linear = nn.Linear(inputs, units, bias=bias)
        self.unflatten = nn.Unflatten(1, (maps, side, side))
        self.unit = per == "unit"
        self.norm: nn.Module = nn.Identity()
        if norm == "batch":
            self.norm = nn.BatchNorm1d(units, eps) if self.unit else nn.BatchNorm2d(maps, eps)

    def forward(self, z: Tensor) -> Tensor:
        """z [N, inputs] → [N, maps, side, side]."""
        x = self.linear(z)
        out = self.unflatten(self.norm(x)) if self.unit else self.norm(self.unflatten(x))
        return relu(out)


class DCGANGenerator(StagedGenerator):
    """Projection to 4×4 (or 3×3), then fractionally-strided convolutions up to the image. Source: paper §3 and Figure 1."""

    tiny: ClassVar[Mapping[str, Any]] = {"image": ImageSpec(16), "width": 8, "latent_dim": 8}

    def __init__(
        self,
        *,
        image: ImageSpec,
        latent_dim: Annotated[int, "length of a latent", Range(1, 65_536)] = 100,
        width: Width = 64,
        max_width: MaxWidth = 1024,
        kernel: Kernel = 4,
        upsample: Annotated[Literal["transposed", "nearest"], "how maps grow; nearest, then a convolution"] = "transposed",
        norm: Annotated[Literal["batch", "none"], "of the hidden layers"] = "batch",
        output_norm: Annotated[bool, "batch normalization before the Tanh too, against the guideline"] = False,
        projection_norm: ProjectionNorm = "channel",
        norm_eps: NormEps = 1e-5,
        hidden: Hidden = 0,
        bias: Bias = False,
        init: Init = "normal",
    ) -> None:
        super().__init__(image=image, latent_dim=latent_dim)
        check_channels(image)
        check_at_least(1, latent_dim=latent_dim)
        check_at_least(0, hidden=hidden)
        classes, widths = image.num_classes, stage_widths(image.size, width, max_width)
        side, eps = smallest_side(image.size), norm_eps if norm == "batch" else None
        self.blocks = nn.ModuleDict()
        inputs = latent_dim
        if hidden:
            layers: list[nn.Module] = [nn.Linear(inputs + classes, hidden, bias=norm == "none")]
            layers += [nn.BatchNorm1d(hidden, norm_eps)] if norm == "batch" else []
            self.blocks["hidden"] = nn.Sequential(*layers, nn.ReLU(inplace=True))
            inputs = hidden
        first = Projection(inputs + classes, widths[0], side, norm, projection_norm, norm_eps, bias)
        self.blocks[f"{side}x{side}"] = first
        for inputs, outputs in pairwise(widths):
            side *= 2
            self.blocks[f"{side}x{side}"] = stage(up(inputs + classes, outputs, kernel, upsample, bias), outputs, eps)
        layers = up(widths[-1] + classes, image.channels, kernel, upsample, bias)
        layers += [nn.BatchNorm2d(image.channels, norm_eps)] if output_norm else []
        self.to_image = nn.Sequential(*layers, nn.Tanh())
        self.apply(initialize)
        if init == "he":
            self.apply(initialize_he)
        if bias:
            self.apply(zero_bias)


class DCGANDiscriminator(StagedDiscriminator):
    """Strided convolutions down to 4×4 (or 3×3), flattened into one logit. Source: paper §3.

    `instance_noise` adds Gaussian noise (Sønderby et al. 2016, arXiv:1610.04490) to whatever it is shown in
    training, real or generated.
    """

    to_logit: nn.Linear
    tiny: ClassVar[Mapping[str, Any]] = {"image": ImageSpec(16), "width": 8}

    def __init__(
        self,
        *,
        image: ImageSpec,
        width: Width = 64,
        max_width: MaxWidth = 1024,
        kernel: Kernel = 4,
        downsample: Annotated[Literal["strided", "max", "avg"], "how maps shrink; a convolution, then pooling"] = "strided",
        activation: Annotated[Literal["leaky-relu", "relu"], "of all hidden layers"] = "leaky-relu",
        slope: Annotated[float, "of LeakyReLU below zero", Range(0, 1)] = 0.2,
        norm: Annotated[Literal["batch", "none", "spectral"], "of the hidden layers; 'spectral' of all weights"] = "batch",
        input_norm: Annotated[bool, "batch normalization at the input layer too, against the guideline"] = False,
        norm_eps: NormEps = 1e-5,
        head: Annotated[Literal["flat", "gap"], "the last maps flattened, or averaged globally, before the logit"] = "flat",
        hidden: Hidden = 0,
        bias: Annotated[
            bool, "added by all layers; 'batch' has shifts, without it any other can only tell directions"
        ] = False,
        init: Init = "normal",
        instance_noise: Annotated[float, "standard deviation of noise added to its input in training", Range(0, 100)] = 0.0,
    ) -> None:
        super().__init__(image=image)
        check_channels(image)
        check_at_least(0, hidden=hidden, instance_noise=instance_noise)
        self.instance_noise = instance_noise
        self.pool = head == "gap"
        classes, widths = image.num_classes, stage_widths(image.size, width, max_width)[::-1]
        eps = norm_eps if norm == "batch" else None
        slope = 0.0 if activation == "relu" else slope
        self.blocks = nn.ModuleDict()
        side, inputs = image.size, image.channels
        for outputs in widths:
            layers = down(inputs + classes, outputs, kernel, downsample, bias)
            normalized = input_norm or side < image.size
            side, inputs = side // 2, outputs
            self.blocks[f"{side}x{side}"] = stage(layers, outputs, eps if normalized else None, slope)
        units = inputs if self.pool else inputs * side**2
        self.hidden = nn.Sequential(nn.Linear(units + classes, hidden), rectify(slope)) if hidden else None
        self.to_logit = nn.Linear((hidden or units) + classes, 1, bias=bias)
        self.apply(initialize)
        if init == "he":
            self.apply(initialize_he)
        if bias:
            self.apply(zero_bias)
        if norm == "spectral":
            for module in [m for m in self.modules() if isinstance(m, nn.Conv2d | nn.Linear)]:
                spectral_norm(module)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        label = one_hot_labels(labels, self.image.num_classes)  # [N, K] or None
        if self.training and self.instance_noise:
            x = x + self.instance_noise * torch.randn_like(x)
        for block in self.blocks.values():
            x = block(with_label(x, label))  # [N, maps, side, side]
        x = x.mean((2, 3)) if self.pool else x.flatten(1)
        if self.hidden is not None:
            x = self.hidden(with_label(x, label))
        logits: Tensor = self.to_logit(with_label(x, label))
        return logits.squeeze(1)  # [N]

    def stages(self) -> Mapping[str, nn.Module]:
        return {**self.blocks, **({"hidden": self.hidden} if self.hidden is not None else {})}


class PairsGenerator(StagedGenerator):
    """Projection to 4×4 (or 3×3), then at each resolution a fractionally-strided and a plain convolution, both of 3×3: it
    mirrors the discriminator of pairs."""

    tiny: ClassVar[Mapping[str, Any]] = {"image": ImageSpec(16), "width": 4, "latent_dim": 8}

    def __init__(
        self,
        *,
        image: ImageSpec,
        latent_dim: Annotated[int, "length of a latent", Range(1, 65_536)] = 256,
        width: FullWidth = 128,
        max_width: MaxWidth = 1024,
        projection_norm: ProjectionNorm = "channel",
        norm_eps: NormEps = 1e-8,
    ) -> None:
        super().__init__(image=image, latent_dim=latent_dim)
        check_channels(image)
        check_at_least(1, latent_dim=latent_dim)
        classes, widths = image.num_classes, stage_widths(image.size, width, max_width)
        side = smallest_side(image.size)
        projection = Projection(latent_dim + classes, widths[0], side, "batch", projection_norm, norm_eps)
        self.blocks = nn.ModuleDict({f"{side}x{side}": projection})
        for maps, following in pairwise([*widths, image.channels]):
            side *= 2
            self.blocks[f"{side}x{side}"] = stage(up(maps + classes, maps, 3, "transposed"), maps, norm_eps)
            if side < image.size:
                self.blocks[f"{side}x{side}-plain"] = stage([same(maps + classes, following, 3)], following, norm_eps)
        self.to_image = nn.Sequential(same(widths[-1] + classes, image.channels, 3), nn.Tanh())
        self.apply(initialize)


class PairsDiscriminator(StagedDiscriminator):
    """At each resolution a plain and a strided 3×3 convolution, down to 4×4 (or 3×3), flattened into one logit.

    Source: paper §4.2, layers from the authors' code (github.com/Newmu/dcgan_code, imagenet/). For images of 32×32 with
    width 128 its six stages are 128×32×32, 128×16×16, 256×16×16, 256×8×8, 512×8×8 and 512×4×4: max-pooled to 4×4 they are
    the 28,672 features of §5.1.
    """

    to_logit: nn.Linear
    tiny: ClassVar[Mapping[str, Any]] = {"image": ImageSpec(16), "width": 4}

    def __init__(
        self,
        *,
        image: ImageSpec,
        width: FullWidth = 128,
        max_width: MaxWidth = 1024,
        slope: Annotated[float, "of LeakyReLU below zero", Range(0, 1)] = 0.2,
        norm_eps: NormEps = 1e-8,
    ) -> None:
        super().__init__(image=image)
        check_channels(image)
        classes, widths = image.num_classes, stage_widths(image.size, width, max_width)[::-1]
        self.blocks = nn.ModuleDict()
        side, inputs = image.size, image.channels
        for maps in widths:
            first = side == image.size  # the paper's first layer has no normalization
            name = f"{side}x{side}" if first else f"{side}x{side}-plain"
            self.blocks[name] = stage([same(inputs + classes, maps, 3)], maps, None if first else norm_eps, slope)
            side, inputs = side // 2, maps
            self.blocks[f"{side}x{side}"] = stage(down(maps + classes, maps, 3, "strided"), maps, norm_eps, slope)
        self.to_logit = nn.Linear(inputs * side**2 + classes, 1, bias=False)
        self.apply(initialize)
