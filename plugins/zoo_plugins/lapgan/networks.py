"""A pyramid of conditional generators.

Denton, Chintala, Szlam and Fergus, "Deep Generative Image Models using a Laplacian Pyramid of Adversarial Networks", 2015,
arXiv:1506.05751. A generator draws a picture of a few pixels; at each level below, the picture is doubled in size, and a
convolutional generator that sees it, and noise as one more color plane, adds what is missing. A picture is I = l + h: the
low band l, doubled from the level above, and the high band h.

The algorithm `lapgan` trains each level by itself, on the low bands of real pictures, as the paper does; with the algorithm
`gan` the levels are trained together, as one generator, on the low bands that it draws itself (recipe `lapgan-joint`), and
the discriminator's logits of all levels are averaged into one.

What differs from the paper: noise is of the distribution that the recipe says for all levels; halving is a mean over 2×2
pixels, doubling is bilinear; the discriminators see h and l as channels side by side; widths and initial weights are this
module's own. With `image.num_classes` every level is told the label, as constant planes where it sees pictures (CC-LAPGAN).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from zoo_core import Discriminator, Generator, ImageSpec, OptionError
from zoo_core.options import Range

from ..conditioning import check_at_least, one_hot_labels, with_label

Coarsest = Annotated[int, "height and width of the pyramid's top, drawn and judged by full layers", Range(1, 8192)]
Hidden = Annotated[int, "units of the two hidden layers at the top", Range(1, 65_536)]
Width = Annotated[int, "feature maps of the levels below", Range(1, 65_536)]


def sides(size: int, coarsest: int) -> list[int]:
    """Heights of the levels below the top, coarse to fine; raises `OptionError` unless `size` is `coarsest` doubled."""
    found = [coarsest << k for k in range(1, size.bit_length()) if coarsest >= 2 and coarsest << k <= size]
    if not found or found[-1] != size:
        valid = [max(coarsest, 2) << k for k in range(1, max(5, size.bit_length()))]
        hint = f"try: --size {min(valid, key=lambda v: abs(v - size))}"
        other = size
        while other % 2 == 0 and other > 8:
            other //= 2
        if 4 <= other < min(9, size):
            hint += f"; or: --set generator.coarsest={other} --set discriminator.coarsest={other}"
        raise OptionError(
            f"a pyramid of {coarsest}×{coarsest} pixels doubles to {', '.join(map(str, valid[:6]))}, … pixels, not {size}",
            hint=hint,
        )
    return found


def halve(x: Tensor) -> Tensor:
    """[N, C, S, S] → [N, C, S / 2, S / 2]."""
    return avg_pool2d(x, 2)


def double(x: Tensor) -> Tensor:
    """[N, C, S, S] → [N, C, 2 · S, 2 · S]."""
    return interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def _initialize(module: nn.Module) -> None:
    """Weights that keep the size of what passes (He et al. 2015, arXiv:1502.01852): there is no normalization to do it, and
    with torch's own, smaller ones every latent began as nearly the same picture."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _run(network: Any, level: str, last: nn.Module, x: Tensor, labels: Tensor | None) -> Tensor:
    """Two hidden layers of a level, then its last one, each told the label."""
    label = one_hot_labels(labels, network.image.num_classes)  # [N, K] or None
    for i in (1, 2):
        x = network.hidden[f"{level}-{i}"](with_label(x, label))  # [N, units] or [N, width, side, side]
    out: Tensor = last(with_label(x.flatten(1) if isinstance(last, nn.Linear) else x, label))
    return out


class LAPGANGenerator(Generator):
    """Fully connected layers draw the top of the pyramid, three convolutions each of the levels below it.

    A latent holds `latent_dim` numbers for the top and one plane of noise for each level, so `self.latent_dim` is longer.
    Raises `OptionError` for a size that is no power of two times `coarsest`, or a width below 1.
    """

    tiny: ClassVar[Mapping[str, Any]] = {"image": ImageSpec(16), "coarsest": 4, "hidden": 16, "width": 8, "latent_dim": 8}

    def __init__(
        self,
        *,
        image: ImageSpec,
        latent_dim: Annotated[int, "length of the top's latent; the planes of noise come to it", Range(1, 65_536)] = 100,
        coarsest: Coarsest = 8,
        hidden: Hidden = 600,
        width: Width = 64,
    ) -> None:
        levels = sides(image.size, coarsest)
        check_at_least(1, latent_dim=latent_dim, hidden=hidden, width=width)
        parts = [latent_dim, *(side**2 for side in levels)]
        super().__init__(image=image, latent_dim=sum(parts))
        self.parts = parts
        channels, classes = image.channels, image.num_classes
        self.hidden = nn.ModuleDict()
        self.high = nn.ModuleDict()
        for i, inputs in enumerate((latent_dim, hidden), 1):
            self.hidden[f"top-{i}"] = nn.Sequential(nn.Linear(inputs + classes, hidden), nn.ReLU(inplace=True))
        self.top = nn.Sequential(
            nn.Linear(hidden + classes, channels * coarsest**2), nn.Tanh(), nn.Unflatten(1, (channels, coarsest, coarsest))
        )
        for side in levels:
            for i, inputs in enumerate((channels + 1, width), 1):
                layers = (nn.Conv2d(inputs + classes, width, 5, padding=2), nn.ReLU(inplace=True))
                self.hidden[f"{side}x{side}-{i}"] = nn.Sequential(*layers)
            self.high[f"{side}x{side}"] = nn.Conv2d(width + classes, channels, 5, padding=2)
        self.apply(_initialize)
        for layer in self.high.values():
            assert isinstance(layer, nn.Conv2d)
            nn.init.normal_(layer.weight, 0.0, 0.01)  # little detail at first

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        top, *planes = self.split(z)
        picture = self.draw_top(top, labels)  # [N, C, coarsest, coarsest]
        for plane in planes:
            low = double(picture)  # [N, C, side, side]
            picture = low + self.draw_band(low, plane, labels)
        # The gradient is that of what was not clipped: a pixel that is too bright can come back.
        return picture.detach().clamp(-1, 1) + (picture - picture.detach())

    def split(self, z: Tensor) -> list[Tensor]:
        """Cut latents [N, latent_dim] into those of the top [N, n] and one plane of noise [N, side²] for each level."""
        return list(torch.split(z, self.parts, dim=1))

    def draw_top(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Draw the top of the pyramid, [N, C, coarsest, coarsest], from its part of a latent."""
        return _run(self, "top", self.top, z, labels)

    def draw_band(self, low: Tensor, plane: Tensor, labels: Tensor | None = None) -> Tensor:
        """Draw the high band [N, C, side, side] of a level, from its low band of the same shape and its plane of noise."""
        side = low.shape[2]
        x = torch.cat([low, plane.reshape(-1, 1, side, side).to(low.dtype)], dim=1)
        return _run(self, f"{side}x{side}", self.high[f"{side}x{side}"], x, labels)

    def stages(self) -> Mapping[str, nn.Module]:
        return dict(self.hidden.items())


class LAPGANDiscriminator(Discriminator):
    """For each level two strided convolutions and a linear unit on its bands; at the top fully connected layers; the mean of
    all logits. Raises `OptionError` as the generator does."""

    tiny: ClassVar[Mapping[str, Any]] = {"image": ImageSpec(16), "coarsest": 4, "hidden": 16, "width": 8}

    def __init__(self, *, image: ImageSpec, coarsest: Coarsest = 8, hidden: Hidden = 600, width: Width = 64) -> None:
        super().__init__(image=image)
        self.sides = sides(image.size, coarsest)
        check_at_least(1, hidden=hidden, width=width)
        channels, classes = image.channels, image.num_classes
        self.hidden = nn.ModuleDict()
        self.logits = nn.ModuleDict()
        for side in reversed(self.sides):
            for i, (inputs, outputs) in enumerate(((2 * channels, width), (width, 2 * width)), 1):
                layers = (nn.Conv2d(inputs + classes, outputs, 5, 2, padding=2), nn.LeakyReLU(0.2, inplace=True))
                self.hidden[f"{side}x{side}-{i}"] = nn.Sequential(*layers)
            units = 2 * width * (-(-side // 4)) ** 2
            self.logits[f"{side}x{side}"] = nn.Linear(units + classes, 1)
        for i, inputs in enumerate((channels * coarsest**2, hidden), 1):
            self.hidden[f"top-{i}"] = nn.Sequential(nn.Linear(inputs + classes, hidden), nn.LeakyReLU(0.2, inplace=True))
        self.logits["top"] = nn.Linear(hidden + classes, 1)
        self.apply(_initialize)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        found = []
        for _ in self.sides:
            smaller = halve(x)
            low = double(smaller)
            found.append(self.judge_band(x - low, low, labels))
            x = smaller  # [N, C, side / 2, side / 2]
        return torch.stack([*found, self.judge_top(x, labels)]).mean(0)  # [N]

    def judge_top(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Judge the top of a pyramid, [N, C, coarsest, coarsest]; returns logits [N]."""
        return _run(self, "top", self.logits["top"], x.flatten(1), labels).squeeze(1)

    def judge_band(self, high: Tensor, low: Tensor, labels: Tensor | None = None) -> Tensor:
        """Judge the bands of a level, each [N, C, side, side]; returns logits [N]."""
        level = f"{high.shape[2]}x{high.shape[2]}"
        return _run(self, level, self.logits[level], torch.cat([high, low], dim=1), labels).squeeze(1)

    def stages(self) -> Mapping[str, nn.Module]:
        return dict(self.hidden.items())
