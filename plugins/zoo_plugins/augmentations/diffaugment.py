"""Differentiable augmentation: Zhao et al. 2020, "Differentiable Augmentation for Data-Efficient GAN Training",
arXiv:2006.10738.

Both real and generated images are changed at random before a discriminator sees them, by operations through which the
generator's gradient runs, so that a few hundred pictures are not memorized. Each image draws its own changes, from torch's
global random state. The paper's policy is color, translation, cutout.
"""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor
from torch.nn.functional import pad

from zoo_core import Augmentation, OptionError
from zoo_core.options import Range


def _uniform(x: Tensor, low: float, high: float) -> Tensor:
    """One number for each image, [N, 1, 1, 1]."""
    return torch.rand(len(x), 1, 1, 1, device=x.device, dtype=x.dtype) * (high - low) + low


def _check_share(share: float) -> None:
    if not 0 < share <= 1:
        raise OptionError(f"share must be more than 0 and at most 1, not {share}")


class Brightness(Augmentation):
    """Shift all pixels of an image by up to half of white."""

    def __call__(self, images: Tensor) -> Tensor:
        return images + _uniform(images, -0.5, 0.5)


class Color(Augmentation):
    """Change brightness, saturation (no more than gray has) and contrast."""

    def __call__(self, images: Tensor) -> Tensor:
        x = images + _uniform(images, -0.5, 0.5)
        mean = x.mean(1, keepdim=True)
        x = (x - mean) * _uniform(x, 0.0, 2.0) + mean
        mean = x.mean((1, 2, 3), keepdim=True)
        return (x - mean) * _uniform(x, 0.5, 1.5) + mean


class Translation(Augmentation):
    """Shift an image by up to `share` of its side; what comes in is gray. Raises `OptionError` for an impossible share."""

    def __init__(self, *, share: Annotated[float, "of the side, at most", Range(above=0, most=1)] = 0.125) -> None:
        _check_share(share)
        self.share = share

    def __call__(self, images: Tensor) -> Tensor:
        n, _, side, _ = images.shape
        most = max(1, round(side * self.share))
        padded = pad(images, (most, most, most, most)).permute(0, 2, 3, 1)  # [N, S', S', C]
        top, left = torch.randint(0, 2 * most + 1, (2, n), device=images.device)
        places = torch.arange(side, device=images.device)
        rows = (top[:, None] + places)[:, :, None]  # [N, S, 1]
        columns = (left[:, None] + places)[:, None, :]  # [N, 1, S]
        numbers = torch.arange(n, device=images.device)[:, None, None]
        return padded[numbers, rows, columns].permute(0, 3, 1, 2)


class Cutout(Augmentation):
    """Gray out a square whose side is `share` of the image's, centered anywhere. Raises `OptionError` as above."""

    def __init__(self, *, share: Annotated[float, "of the side", Range(above=0, most=1)] = 0.5) -> None:
        _check_share(share)
        self.share = share

    def __call__(self, images: Tensor) -> Tensor:
        n, _, side, _ = images.shape
        count = max(1, round(side * self.share))  # rows and columns of the square
        center = torch.randint(0, side + 1 - count % 2, (2, n, 1), device=images.device)
        away = torch.arange(side, device=images.device) - center + count // 2
        near = (away >= 0) & (away < count)  # [2, N, S]
        hole = near[0][:, :, None] & near[1][:, None, :]  # [N, S, S]
        return images * ~hole[:, None]


class Noise(Augmentation):
    """Instance noise: add normal noise to every pixel, so that real and generated images overlap and no discriminator can
    tell all of them apart. Sønderby et al. 2017, arXiv:1610.04490. Raises `OptionError` for a deviation of 0 or below.
    """

    def __init__(
        self, *, deviation: Annotated[float, "standard deviation; white is 2 above black", Range(above=0, most=9)] = 0.1
    ) -> None:
        if not deviation > 0:
            raise OptionError(f"deviation must be more than 0, not {deviation}")
        self.deviation = deviation

    def __call__(self, images: Tensor) -> Tensor:
        return images + self.deviation * torch.randn_like(images)
