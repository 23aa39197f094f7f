"""Features that nobody trained: first-order scattering coefficients.

Bruna and Mallat, "Invariant Scattering Convolution Networks", 2013, arXiv:1203.1513, section 2: a picture is described by
local averages of itself and of the moduli of its wavelet transform. Wavelets of four orientations see the brightness of each
level of a pyramid of halved pictures, instead of being dilated themselves. Natural pictures look alike at every level, so
one filter bank gives features of one magnitude at all scales.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, conv2d, interpolate, pad

from zoo_core import FeatureExtractor

SIDE, GRID, LEVELS, ORIENTATIONS = 64, 4, 4, 4
"""Side that pictures are resized to, cells along it, scales, directions of a wavelet."""

_TAPS, _SIGMA, _FREQUENCY = 7, 1.3, math.pi / 2
_EPS = 1e-6


class Scattering(FeatureExtractor):
    """Brightness of 4×4 cells in three colors, and the strength of edges there at four scales and four orientations.

    Pictures are resized to 64×64, antialiased; gray ones become three equal channels. Nothing is learned or random.
    """

    dim: int = GRID * GRID * (3 + LEVELS * ORIENTATIONS)
    resizing: ClassVar[str] = f"to {SIDE}×{SIDE}, bilinear, antialiased"
    bank: Tensor
    brightness: Tensor
    weights: ClassVar[tuple[float, float, float]] = (0.299, 0.587, 0.114)  # of red, green, blue in brightness (BT.601)

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("bank", wavelets(), persistent=False)
        self.register_buffer("brightness", torch.tensor(self.weights)[:, None, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        x = x.float().expand(-1, 3, -1, -1)  # [N, 3, S, S]
        if x.shape[-2:] != (SIDE, SIDE):
            x = interpolate(x, size=(SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False)
        found = [adaptive_avg_pool2d(x, GRID)]  # [N, 3, 4, 4]
        gray = (x * self.brightness).sum(1, keepdim=True)  # [N, 1, 64, 64]
        for level in range(LEVELS):
            if level:
                gray = avg_pool2d(gray, 2)
            edge = _TAPS // 2
            waves = conv2d(pad(gray, (edge, edge, edge, edge), mode="reflect"), self.bank)  # [N, 2·orientations, s, s]
            real, imaginary = waves.chunk(2, dim=1)
            modulus = (real.square() + imaginary.square() + _EPS).sqrt()
            found.append(adaptive_avg_pool2d(modulus, GRID))
        return torch.cat([part.flatten(1) for part in found], dim=1)  # [N, dim]


def wavelets() -> Tensor:
    """Morlet wavelets of unit norm and zero mean, [2 · orientations, 1, 7, 7]: the real parts, then the imaginary ones."""
    axis = torch.arange(_TAPS, dtype=torch.float64) - _TAPS // 2
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    envelope = torch.exp(-(x.square() + y.square()) / (2 * _SIGMA**2))
    real, imaginary = [], []
    for k in range(ORIENTATIONS):
        angle = math.pi * k / ORIENTATIONS
        phase = _FREQUENCY * (x * math.cos(angle) + y * math.sin(angle))
        cosine = torch.cos(phase) - (envelope * torch.cos(phase)).sum() / envelope.sum()
        wave = torch.stack([envelope * cosine, envelope * torch.sin(phase)])
        wave = wave / wave.square().sum().sqrt()
        real.append(wave[0])
        imaginary.append(wave[1])
    return torch.stack([*real, *imaginary]).unsqueeze(1).float()
