"""Features that need no network: patches whitened, coded by K-means, pooled in quadrants (Coates, Ng and Lee 2011).

The paper's first baseline on CIFAR-10. Here it is computed from the same training images as everything beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo_core import Discriminator, ImageSpec

PATCH, STRIDE = 6, 1  # pixels
CONTRAST, WHITENING = 10 / 127.5**2, 0.1  # added to variances: of a patch, and of a direction (Coates and Ng 2012)
ITERATIONS = 10
_BATCH = 2000  # patches that are assigned together


class KMeansFeatures(Discriminator):
    """A discriminator without opinion, whose one stage are the codes of patches, summed over each quadrant: [N, K, 2, 2].

    A code is how much nearer than the average of all centers a center is, 0 for those that are farther ("triangle").

    Args:
        mean, whitening: of patches, [d] and [d, d].
        centers: [K, d], of whitened patches.
        stride: between patches.
    """

    mean: Tensor
    whitening: Tensor
    centers: Tensor

    def __init__(self, mean: Tensor, whitening: Tensor, centers: Tensor, *, image: ImageSpec, stride: int = STRIDE) -> None:
        super().__init__(image=image)
        self.stride = stride
        for name, value in {"mean": mean, "whitening": whitening, "centers": centers}.items():
            setattr(self, name, nn.Parameter(value, requires_grad=False))
        self.codes = nn.Identity()  # the stage

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        patches = cut(x, self.stride)  # [N, P, d]
        side = int(patches.shape[1] ** 0.5)
        away = torch.cdist((patches - self.mean) @ self.whitening, self.centers.expand(len(x), -1, -1))  # [N, P, K]
        near = (away.mean(2, keepdim=True) - away).clamp(min=0).transpose(1, 2).reshape(len(x), -1, side, side)
        maps = F.adaptive_avg_pool2d(near, 2) * (side / 2) ** 2  # sums, as in the paper; equal for all maps
        codes: Tensor = self.codes(maps)
        return codes.sum((1, 2, 3))

    def stages(self) -> Mapping[str, nn.Module]:
        return {"quadrants": self.codes}


def cut(x: Tensor, stride: int = STRIDE) -> Tensor:
    """Return all patches of images [N, C, S, S] as rows of equal contrast: [N, P, C · 36]."""
    rows = F.unfold(x, PATCH, stride=stride).transpose(1, 2)
    return (rows - rows.mean(2, keepdim=True)) / (rows.var(2, keepdim=True) + CONTRAST).sqrt()


def learn(pack: Any, count: int, *, patches: int, stride: int = STRIDE, seed: int = 0) -> KMeansFeatures:
    """Learn `count` centers from so many patches of a `zoo.Pack`, one of an image if it has enough images."""
    rng = torch.Generator().manual_seed(seed)
    images = torch.randint(len(pack), (patches,), generator=rng).sort().values
    found = []
    for part in torch.split(images, 500):
        pixels = pack.gather(part).permute(0, 3, 1, 2).float() / 127.5 - 1
        every = cut(pixels)
        found.append(every[torch.arange(len(part)), torch.randint(every.shape[1], (len(part),), generator=rng)])
    rows = torch.cat(found)
    mean = rows.mean(0)
    values, directions = torch.linalg.eigh((rows - mean).T @ (rows - mean) / len(rows))
    whitening = directions * (values.clamp(min=0) + WHITENING).rsqrt() @ directions.T
    rows = (rows - mean) @ whitening
    centers = rows[torch.randperm(len(rows), generator=rng)[:count]].clone()
    for _ in range(ITERATIONS):
        nearest = torch.cat([torch.cdist(part, centers).argmin(1) for part in rows.split(_BATCH)])
        sums = torch.zeros_like(centers).index_add_(0, nearest, rows)
        counts = nearest.bincount(minlength=len(centers))[:, None]
        alone = torch.randint(len(rows), (len(centers),), generator=rng)  # a center without patches begins anew
        centers = torch.where(counts > 0, sums / counts.clamp(min=1), rows[alone])
    return KMeansFeatures(mean, whitening, centers, image=pack.spec, stride=stride)
