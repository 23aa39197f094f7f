"""Hashes of pictures: 128 bits that are the same, or nearly so, for pictures that look the same."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ...progress import SILENT, Reporter
from .. import Pack

VERSION = 2  # raised when the same pack would get other hashes by either method
SIDE, INPUTS, BITS = 32, 3072, 128
PLANE = SIDE * SIDE
SHIFT = 1 / 32  # most by which a near-duplicate may be moved, of its width
MOVES = (0, -0.4, 0.4, -0.8, 0.8)  # across and down, as shares of `SHIFT`; no copy is further than a fifth of it away
GRAY = (0.299, 0.587, 0.114)  # red, green and blue in brightness (ITU-R BT.601)
DIFFERENCES = ((1.0, -1.0, 0.0), (0.5, 0.5, -1.0))  # red to green, yellow to blue
LEVELS, COLOR_LEVELS = (0.2, 0.4, 0.6, 0.8), (-0.12, -0.03, 0.03, 0.12)
HALVES = slice(0, SIDE // 2), slice(SIDE // 2, SIDE)
BLOCK = 1024


@dataclass(frozen=True)
class PictureHash:
    """Linear functions of a picture in [0, 1], each of which gives a bit: whether its value is above a threshold.

    A threshold that is not a number stands for the median of the picture's own values of all such functions.
    """

    weight: Tensor  # float64 [128, 3072]
    threshold: Tensor  # float64 [128]

    @cached_property
    def moved(self) -> Tensor:
        """float32 [25·128, 3072]: the weight for a picture that is moved by `MOVES`, each way; first for one that is not."""
        steps = torch.tensor(MOVES, dtype=torch.float64) * SHIFT * 2  # the width is 2
        basis = torch.eye(PLANE, dtype=torch.float64).view(PLANE, 1, SIDE, SIDE)
        where = torch.eye(2, 3, dtype=torch.float64).repeat(PLANE, 1, 1)
        found = []
        for across, down in itertools.product(steps, steps):
            where[:, 0, 2], where[:, 1, 2] = across, down
            grid = F.affine_grid(where, list(basis.shape), align_corners=False)
            moved = F.grid_sample(basis, grid, mode="bicubic", padding_mode="border", align_corners=False)
            found.append((self.weight.view(-1, PLANE) @ moved.view(PLANE, PLANE).T).view(-1, INPUTS))
        return torch.cat(found).float()

    def hashes(self, pack: Pack, report: Reporter = SILENT) -> NDArray[np.uint8]:
        """Return the hash of every image: uint8 [N, 16].

        Computed in double precision, so that equal pictures get equal hashes whatever stands beside them in a batch.
        """
        found = np.empty((len(pack), BITS // 8), np.uint8)
        with report.task("hashing", len(pack), "images") as task:
            for start in range(0, len(pack), BLOCK):
                numbers = torch.arange(start, min(start + BLOCK, len(pack)))
                found[start : start + BLOCK] = self._bits(crops(pack.gather(numbers)).double() @ self.weight.T)
                task.update(start + len(numbers))
        return found

    def hash_moved(self, pack: Pack, numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the hashes of some images, each moved in 25 ways: uint8 [n, 25, 16]; the first is not moved."""
        found = np.empty((len(numbers), len(self.moved) // BITS, BITS // 8), np.uint8)
        for start in range(0, len(numbers), BLOCK):
            images = pack.gather(torch.from_numpy(numbers[start : start + BLOCK]))
            found[start : start + BLOCK] = self._bits((crops(images) @ self.moved.T).view(len(images), -1, BITS))
        return found

    def _bits(self, values: Tensor) -> NDArray[np.uint8]:
        threshold, relative = self.threshold.to(values.dtype), self.threshold.isnan()
        if relative.any():  # values that are 0, of a flat or a symmetric picture, must not tell how they were rounded
            values = values.round(decimals=5 if values.dtype == torch.float64 else 3)
            threshold = torch.where(relative, values[..., relative].median(-1, keepdim=True).values, threshold)
        return np.packbits((values > threshold).numpy(), axis=-1)


def crops(images: Tensor) -> Tensor:
    """uint8 [n, S, S, C] → float32 [n, 3072] in [0, 1]: 32×32, red, green, blue; grays stand three times."""
    pixels = images.permute(0, 3, 1, 2).float().div_(255)
    if pixels.shape[-1] != SIDE:
        pixels = F.interpolate(pixels, size=(SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False)
    return pixels.expand(-1, 3, -1, -1).flatten(1)


def perceptual_hash(channels: int = 3) -> PictureHash:
    """Return the hash of a picture's lowest frequencies and of its colors.

    Of pictures with 3 channels, 92 bits say which of the lowest cosine coefficients of their brightness are above their
    median, as in the perceptual hash of Zauner 2010 (pHash), which takes 64 and knows no color; 4 bits say how bright the
    picture is, and 32 what color each quarter of it has: whether two color differences are above each of four levels. With 1
    channel, 124 bits are for frequencies. All are interleaved, as hashes are looked up by runs of their bits, and colors are
    much alike.
    """
    colors = [*itertools.product(DIFFERENCES, COLOR_LEVELS, HALVES, HALVES)] if channels == 3 else []
    frequencies = BITS - len(LEVELS) - len(colors)
    place = torch.arange(SIDE, dtype=torch.float64) + 0.5
    waves = torch.cos(math.pi / SIDE * place * torch.arange(SIDE)[:, None])  # [frequency, pixel]
    pairs = sorted(itertools.product(range(SIDE), repeat=2), key=lambda pair: (sum(pair), pair))[1 : frequencies + 1]
    rows = [_mixed(GRAY, torch.outer(waves[down], waves[across])) for down, across in pairs]
    thresholds = [math.nan] * frequencies
    whole = torch.full((SIDE, SIDE), 1 / PLANE, dtype=torch.float64)
    for level in LEVELS:
        rows.append(_mixed(GRAY, whole))
        thresholds.append(level)
    for difference, level, down, across in colors:
        quarter = torch.zeros(SIDE, SIDE, dtype=torch.float64)
        quarter[down, across] = 4 / PLANE
        rows.append(_mixed(difference, quarter))
        thresholds.append(level)
    order = torch.arange(BITS).view(-1, 8).T.flatten()
    return PictureHash(torch.stack(rows)[order], torch.tensor(thresholds, dtype=torch.float64)[order])


def _mixed(shares: tuple[float, float, float], plane: Tensor) -> Tensor:
    """Return the weight [3072] that applies a plane [32, 32] to a mixture of red, green and blue."""
    return torch.cat([share * plane.flatten() for share in shares])
