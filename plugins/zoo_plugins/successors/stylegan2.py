"""StyleGAN2's networks for images of 16 to 512 pixels, powers of two and three times powers of two.

Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020, arXiv:1912.04958, configurations E and F: a
mapping network makes styles of latents; each convolution of the generator scales its weights by a style and divides them by
the length that its outputs then have; what all resolutions add to the colors is summed. The discriminator has residual
blocks, and sees how much images that come together differ. Weights begin at N(0, 1) and are scaled as they are used (Karras
et al. 2018, arXiv:1710.10196). Labels are told as in the authors' code: by a vector beside the latent, by a logit for each.

`width` counts the feature maps at the images' full size and doubles with each halving up to `max_width`: the paper's 256×256
has 64 and 512. What is not the paper's: images are bounded by Tanh, and styles are mixed for each image by itself. In
evaluation nothing is drawn: the noise is the same for all images, and the discriminator takes for the differences what they
were on average in training.
"""

from __future__ import annotations

from collections.abc import Mapping as Named
from itertools import pairwise
from math import gcd, sqrt
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import conv_transpose2d, linear

from zoo_core import Discriminator, Generator, ImageSpec
from zoo_core.options import Range

from ..conditioning import check_at_least, check_labels
from ..dcgan.networks import FullWidth, check_channels, smallest_side
from ..twice import convolve, rectify
from .r3gan import Resample
from .sngan import MaxWidth, list_widths


class StyleGAN2Generator(Generator):
    """A learned map of 4×4 (or 3×3), convolutions with styles and noise, and colors from each resolution.

    Attributes:
        truncation: of styles in evaluation: 1 leaves them where they are, 0 puts all of them into their center.
        center: mean of the styles. path_length: mean length that path length regularization has found.
    """

    tiny: ClassVar[Named[str, Any]] = {"image": ImageSpec(16), "width": 4, "latent_dim": 8, "style_dim": 8, "layers": 2}
    truncation: float = 1.0
    center: Tensor
    path_length: Tensor

    def __init__(
        self,
        *,
        image: ImageSpec,
        latent_dim: Annotated[int, "length of a latent", Range(1, 65_536)] = 512,
        width: FullWidth = 64,
        max_width: MaxWidth = 512,
        style_dim: Annotated[int, "length of a style", Range(1, 65_536)] = 512,
        layers: Annotated[int, "of the mapping network", Range(1, 100)] = 8,
        mixing: Annotated[float, "share of images in training whose styles come from two latents", Range(0, most=1)] = 0.9,
        noise_rate: Annotated[
            float, "how fast strengths of noise learn, beside other weights", Range(above=0, most=1)
        ] = 1.0,
        contrast: Annotated[
            float, "standard deviation at first of the weights that make colors", Range(above=0, most=1)
        ] = 1.0,
    ) -> None:
        super().__init__(image=image, latent_dim=latent_dim)
        check_channels(image)
        check_at_least(1, latent_dim=latent_dim, style_dim=style_dim, layers=layers)
        widths, side = list_widths(image.size, width, max_width), smallest_side(image.size)
        self.mixing, self.mapping = mixing, Mapping(latent_dim, style_dim, layers, image.num_classes)
        self.constant = nn.Parameter(torch.randn(widths[0], side, side))
        self.blocks, self.colors, self.upsample = nn.ModuleDict(), nn.ModuleDict(), Resample(up=True)
        for number, (inputs, maps) in enumerate(pairwise(widths[:1] + widths)):
            name = f"{side << number}x{side << number}"
            self.blocks[name] = Styled(inputs, maps, style_dim, side << number, noise_rate, first=not number)
            self.colors[name] = colors = Modulated(maps, image.channels, style_dim, 1, demodulate=False)
            colors.weight.data.mul_(contrast)
        self.register_buffer("center", torch.zeros(style_dim))
        self.register_buffer("path_length", torch.zeros([]))

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.draw(self.styles(z, labels))

    def styles(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map latents to the style of each layer [N, 2 · resolutions, style_dim]; in training some are those of another."""
        count = 2 * len(self.blocks)
        if not self.training:
            w = self.mapping(z, labels)
            w = w if self.truncation == 1 else self.center.lerp(w.float(), self.truncation)
            return w[:, None].expand(-1, count, -1)
        other = torch.randn_like(z) if self.latent == "normal" else 2 * torch.rand_like(z) - 1
        both = self.mapping(torch.cat([z, other]), None if labels is None else labels.repeat(2))
        w, other = both.chunk(2)
        with torch.no_grad():
            self.center.lerp_(w.float().mean(0), 0.005)
        first = torch.randint(1, count, (len(z), 1), device=z.device)  # layer of the second latent
        mixed = torch.rand(len(z), 1, device=z.device) < self.mixing
        mixed = mixed & (torch.arange(count, device=z.device) >= first)
        return torch.where(mixed[:, :, None], other[:, None], w[:, None])

    def draw(self, w: Tensor) -> Tensor:
        """Draw images [N, C, S, S] of styles [N, 2 · resolutions, style_dim]. The first block takes one, others two; the
        next one is its colors', and the next block's too."""
        x: Tensor = self.constant.to(w.dtype).expand(len(w), -1, -1, -1)
        image: Any = None
        for number, (name, block) in enumerate(self.blocks.items()):
            x = block(x, w[:, max(0, 2 * number - 1) : 2 * number + 1])  # [N, maps, side, side]
            colors = self.colors[name](x, w[:, 2 * number + 1])
            image = colors if image is None else self.upsample(image) + colors
        return torch.tanh(image)

    def stages(self) -> Named[str, nn.Module]:
        return {"mapping": self.mapping, **self.blocks}


class StyleGAN2Discriminator(Discriminator):
    """Residual blocks that halve height and width, how much images differ as one more map, two layers, one logit."""

    tiny: ClassVar[Named[str, Any]] = {"image": ImageSpec(16), "width": 4}

    def __init__(
        self,
        *,
        image: ImageSpec,
        width: FullWidth = 64,
        max_width: MaxWidth = 512,
        group: Annotated[int, "images whose differences are looked at together", Range(1, 1_000_000)] = 4,
    ) -> None:
        super().__init__(image=image)
        check_channels(image)
        check_at_least(1, group=group)
        widths, side = list_widths(image.size, width, max_width)[::-1], image.size
        self.blocks = nn.ModuleDict({f"{side}x{side}": Convolve(image.channels, widths[0], 1)})
        for inputs, outputs in pairwise(widths):
            side //= 2
            self.blocks[f"{side}x{side}"] = Halving(inputs, outputs)
        last = widths[-1]
        self.blocks[f"{side}x{side}-plain"] = nn.Sequential(Spread(group), Convolve(last + 1, last, 3))
        self.blocks["hidden"] = nn.Sequential(nn.Flatten(), Scaled(last * side**2, last), Activation(last))
        self.to_logit = Scaled(last, max(1, image.num_classes), 0.0)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        for block in self.blocks.values():
            x = block(x)  # [N, maps, side, side], then [N, units]
        logits: Tensor = self.to_logit(x)  # [N, 1 or classes]
        return (logits.gather(1, check_labels(labels)[:, None]) if self.image.num_classes else logits).squeeze(1)

    def stages(self) -> Named[str, nn.Module]:
        return dict(self.blocks.items())


class Scaled(nn.Module):
    """A linear layer; `rate` is how fast it learns beside others. Without a bias where its first value is None."""

    def __init__(self, inputs: int, outputs: int, bias: float | None = None, rate: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = None if bias is None else nn.Parameter(torch.full((outputs,), bias))
        self.gain = rate / sqrt(inputs)

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight * self.gain, self.bias)


class Activation(nn.Module):
    """A bias, LeakyReLU, and the gain that keeps variance, which can come first."""

    def __init__(self, units: int, rate: float = 1.0) -> None:
        super().__init__()
        self.bias, self.rate = nn.Parameter(torch.zeros(units)), rate

    def forward(self, x: Tensor) -> Tensor:
        bias = self.bias.view(-1, *[1] * (x.ndim - 2)) * (self.rate * sqrt(2))
        return rectify(torch.add(bias.to(x.dtype), x, alpha=sqrt(2)))


class Mapping(nn.Module):
    """Latents [N, latent_dim], scaled to length √latent_dim, to styles [N, style_dim].

    They are scaled behind the first weights, which is the same: so these are a linear function of the latents themselves.
    """

    RATE = 0.01

    def __init__(self, latent_dim: int, style_dim: int, layers: int, classes: int) -> None:
        super().__init__()
        self.label = nn.Embedding(classes, latent_dim) if classes else None
        sizes = [latent_dim * (2 if classes else 1), *[style_dim] * layers]
        self.layers = nn.ModuleList(Scaled(*pair, rate=self.RATE) for pair in pairwise(sizes))
        self.activations = nn.ModuleList(Activation(style_dim, self.RATE) for _ in range(layers))

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        x = z if self.label is None else torch.cat([z, self.label(check_labels(labels)).to(z.dtype)], dim=1)
        scale = x.square().mean(1, keepdim=True).add(1e-8).rsqrt()
        for layer, activate in zip(self.layers, self.activations, strict=True):
            x = activate(layer(x) * scale)
            scale = torch.ones_like(scale)
        return x


class Modulated(nn.Module):
    """A convolution whose input maps a style scales, and whose output maps are scaled back to unit variance."""

    def __init__(
        self, inputs: int, outputs: int, style_dim: int, kernel: int, *, up: bool = False, demodulate: bool = True
    ) -> None:
        super().__init__()
        self.style, self.demodulate = Scaled(style_dim, inputs, 1.0), demodulate
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = None if demodulate else nn.Parameter(torch.zeros(outputs, 1, 1))
        self.gain, self.smooth = 1 / sqrt(inputs * kernel**2), Smooth(up=True) if up else None

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """x [N, inputs, side, side], w [N, style_dim] → [N, outputs, side or twice of it, …]."""
        style = self.style(w) * self.gain  # [N, inputs]
        x = x * style[:, :, None, None]
        if self.smooth is None:
            x = convolve(x, self.weight, None, 1, self.weight.shape[2] // 2, 1)
        else:
            x = self.smooth(conv_transpose2d(x, self.weight.transpose(0, 1), stride=2))
        if self.bias is not None:
            return x + self.bias
        lengths = linear(style.square(), self.weight.square().sum((2, 3)))  # [N, outputs], squared
        return x * (lengths + 1e-8).rsqrt().to(x.dtype)[:, :, None, None]


class Styled(nn.Module):
    """Two modulated convolutions, the first to twice the height and width, or the second alone; noise after each."""

    def __init__(self, inputs: int, outputs: int, style_dim: int, side: int, rate: float = 1.0, *, first: bool) -> None:
        super().__init__()
        grown = [] if first else [Modulated(inputs, outputs, style_dim, 3, up=True)]
        self.layers = nn.ModuleList([*grown, Modulated(outputs, outputs, style_dim, 3)])
        self.noises = nn.ModuleList(Noise(side, rate) for _ in self.layers)
        self.activations = nn.ModuleList(Activation(outputs) for _ in self.layers)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        for layer, noise, activate, style in zip(self.layers, self.noises, self.activations, w.unbind(1), strict=True):
            x = activate(noise(layer(x, style)))
        return x


class Noise(nn.Module):
    """Noise of a learned strength, one number for each position of each image; always the same in evaluation."""

    fixed: Tensor

    def __init__(self, side: int, rate: float) -> None:
        super().__init__()
        self.strength, self.rate = nn.Parameter(torch.zeros([])), rate
        self.register_buffer("fixed", torch.randn(side, side))

    def forward(self, x: Tensor) -> Tensor:
        noise = torch.randn_like(x[:, :1]) if self.training else self.fixed.to(x.dtype)
        return x + noise * (self.strength * self.rate).to(x.dtype)


class Convolve(nn.Module):
    """A convolution that keeps height and width, or halves them behind a filter; bias and LeakyReLU, if wanted."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, down: bool = False, activate: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.gain, self.smooth = 1 / sqrt(inputs * kernel**2), Smooth(up=False) if down else None
        self.activation = Activation(outputs) if activate else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        stride, padding = (1, self.weight.shape[2] // 2) if self.smooth is None else (2, 0)
        x = x if self.smooth is None else self.smooth(x)
        out: Tensor = self.activation(convolve(x, self.weight * self.gain, None, stride, padding, 1))
        return out


class Halving(nn.Module):
    """Two 3×3 convolutions to half the height and width; beside them a filter and a 1×1 convolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(Convolve(inputs, inputs, 3), Convolve(inputs, outputs, 3, down=True))
        self.shortcut = nn.Sequential(Resample(up=False), Convolve(inputs, outputs, 1, activate=False))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = (self.layers(x) + self.shortcut(x)) * sqrt(1 / 2)
        return out


class Smooth(Resample):
    """The filter of `Resample` behind a convolution that doubles height and width, or before one that halves them."""

    def forward(self, x: Tensor) -> Tensor:
        maps = x.shape[1]
        return convolve(x, self.kernel.to(x.dtype).expand(maps, 1, 4, 4), None, 1, 1 if self.up else 2, maps)


class Spread(nn.Module):
    """One more map: the standard deviation over a few images that come together, averaged over maps and positions."""

    mean: Tensor

    def __init__(self, group: int) -> None:
        super().__init__()
        self.group = group
        self.register_buffer("mean", torch.ones([]))

    def forward(self, x: Tensor) -> Tensor:
        spread = self.mean.to(x.dtype).expand(len(x))
        if self.training:
            group = gcd(len(x), self.group)
            found = x.view(-1, group, *x.shape[1:]).var(1, correction=0).add(1e-8).sqrt().mean((1, 2, 3))  # [N / group]
            self.mean.lerp_(found.detach().mean().float(), 0.01)
            spread = found[:, None].expand(-1, group).flatten()
        return torch.cat([x, spread[:, None, None, None].expand(-1, 1, *x.shape[2:])], dim=1)
