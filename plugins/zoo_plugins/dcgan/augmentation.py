"""Differentiable augmentation: Zhao et al. 2020, "Differentiable Augmentation for Data-Efficient GAN Training",
arXiv:2006.10738.

Both real and generated images are changed at random before the discriminator sees them, by operations through which the
generator's gradient runs, so that a few hundred pictures are not memorized. Each image draws its own changes, from torch's
global random state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.nn.functional import pad


def _uniform(x: Tensor, low: float, high: float) -> Tensor:
    """One number for each image, [N, 1, 1, 1]."""
    return torch.rand(len(x), 1, 1, 1, device=x.device, dtype=x.dtype) * (high - low) + low


def _brightness(x: Tensor) -> Tensor:
    return x + _uniform(x, -0.5, 0.5)


def _color(x: Tensor) -> Tensor:
    """Brightness, saturation (no more than gray has), contrast."""
    x = _brightness(x)
    mean = x.mean(1, keepdim=True)
    x = (x - mean) * _uniform(x, 0.0, 2.0) + mean
    mean = x.mean((1, 2, 3), keepdim=True)
    return (x - mean) * _uniform(x, 0.5, 1.5) + mean


def _translation(x: Tensor, share: float = 0.125) -> Tensor:
    """Shift by up to `share` of the side; what comes in is gray (0)."""
    n, _, side, _ = x.shape
    most = max(1, round(side * share))
    padded = pad(x, (most, most, most, most)).permute(0, 2, 3, 1)  # [N, S', S', C]
    top, left = torch.randint(0, 2 * most + 1, (2, n), device=x.device)
    places = torch.arange(side, device=x.device)
    rows = (top[:, None] + places)[:, :, None]  # [N, S, 1]
    columns = (left[:, None] + places)[:, None, :]  # [N, 1, S]
    images = torch.arange(n, device=x.device)[:, None, None]
    return padded[images, rows, columns].permute(0, 3, 1, 2)


def _cutout(x: Tensor, share: float = 0.5) -> Tensor:
    """Gray out a square whose side is `share` of the image's, centered anywhere."""
    n, _, side, _ = x.shape
    half = max(1, round(side * share)) / 2
    center = torch.randint(0, side, (2, n, 1), device=x.device)
    near = (torch.arange(side, device=x.device) + 0.5 - center).abs() <= half  # [2, N, S]
    hole = near[0][:, :, None] & near[1][:, None, :]  # [N, S, S]
    return x * ~hole[:, None]


POLICIES: dict[str, Callable[[Tensor], Tensor]] = {
    "brightness": _brightness,
    "color": _color,
    "translation": _translation,
    "cutout": _cutout,
}
"""What `augmented` knows, by name; the paper's policy is color, translation, cutout."""


def augmented(x: Tensor, policies: Iterable[str]) -> Tensor:
    """Apply the named changes in order to images [N, C, S, S]; each image differs. Differentiable in x."""
    for name in policies:
        x = POLICIES[name](x)
    return x.contiguous(memory_format=torch.channels_last)
