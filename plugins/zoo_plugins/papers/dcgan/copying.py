"""Copies: generators that make them on purpose, images that are nearly training images, and a search that finds them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, pad

from zoo_core import Generator, ImageSpec


class MemorizingGenerator(Generator):
    """Shows one of the pictures that it holds, always the same one for the same latent: it has learned nothing.

    Each picture has a random direction of latent space; the one whose direction is nearest to the latent is shown.

    Args:
        pictures: images [K, C, S, S] in [−1, 1].
        latent_dim, latent: as of the generator that it stands beside.
    """

    def __init__(self, pictures: Tensor, *, latent_dim: int, latent: str = "normal") -> None:
        super().__init__(image=ImageSpec(pictures.shape[-1], pictures.shape[1]), latent_dim=latent_dim)
        self.latent = "uniform" if latent == "uniform" else "normal"
        self.pictures = nn.Parameter(pictures.detach().clone(), requires_grad=False)
        keys = torch.randn(len(pictures), latent_dim, generator=torch.Generator().manual_seed(0))
        self.keys = nn.Parameter(keys / keys.norm(dim=1, keepdim=True), requires_grad=False)
        self.choice = nn.Identity()  # a stage, which every generator has

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        scores: Tensor = self.choice(z @ self.keys.T)
        return self.pictures[scores.argmax(1)]

    def stages(self) -> Mapping[str, nn.Module]:
        return {"choice": self.choice}


def mirror(images: Tensor) -> Tensor:
    """Flip images [N, C, S, S] left to right."""
    return images.flip(3)


def shift(images: Tensor, right: int = 0, down: int = 0) -> Tensor:
    """Move images by so many pixels; what comes in repeats the edge."""
    size = images.shape[-1]
    columns = torch.arange(size, device=images.device).sub(right).clamp(0, size - 1)
    rows = torch.arange(size, device=images.device).sub(down).clamp(0, size - 1)
    return images[:, :, rows][:, :, :, columns]


def blur(images: Tensor) -> Tensor:
    """Take the mean over 3 × 3 pixels."""
    return avg_pool2d(pad(images, (1, 1, 1, 1), mode="replicate"), 3, stride=1)


def shift_a_little(images: Tensor) -> Tensor:
    """Move images by a sixteenth of their side to the right, and by half of that down: 2 pixels and 1 of 32."""
    step = max(1, images.shape[-1] // 16)
    return shift(images, step, max(1, step // 2))


KINDS: dict[str, Callable[[Tensor], Tensor]] = {
    "exact": lambda images: images,
    "mirrored": mirror,
    "shifted": shift_a_little,
    "blurred": lambda images: blur(blur(images)),
}
"""Copies that are planted: what becomes of a training image; shifts and blur are others than those that are searched."""


class CopySearch:
    """Finds the training images nearest to others, at low resolution, also where they were mirrored, shifted or blurred.

    Args:
        images: the training images [n, C, S, S] in [−1, 1], where it shall be computed.
        side: pixels of the low resolution.
        neighbors: of the nearest ones, whose mean distance is the measure of how near is near.
    """

    def __init__(self, images: Tensor, *, side: int = 8, neighbors: int = 50) -> None:
        self.side, self.neighbors = side, min(neighbors, len(images) - 1)
        step = max(1, images.shape[-1] // 16)
        moved = [shift(images, x, y) for x in (-step, 0, step) for y in (-step, 0, step)]
        self.searched = [self._reduce(turned) for one in (*moved, blur(images)) for turned in (one, mirror(one))]  # [n, d]

    def _reduce(self, images: Tensor) -> Tensor:
        return adaptive_avg_pool2d(images.float(), self.side).flatten(1)

    def ratios(self, images: Tensor, *, leave_out: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the distance to the nearest training image over the mean of the nearest ones [m], and its number [m].

        Args:
            leave_out: the numbers [m] of the images themselves, where they are training images.
        """
        ratios, numbers = [], []
        for start in range(0, len(images), 256):
            queries = self._reduce(images[start : start + 256])
            nearest = torch.full((len(queries), len(self.searched[0])), float("inf"), device=queries.device)
            for searched in self.searched:
                nearest = torch.minimum(nearest, torch.cdist(queries, searched))
            if leave_out is not None:
                itself = leave_out[start : start + 256].to(queries.device)
                nearest[torch.arange(len(queries), device=queries.device), itself] = float("inf")
            found = nearest.topk(self.neighbors, dim=1, largest=False)
            mean = found.values.mean(1).clamp(min=1e-9)
            ratios.append((found.values[:, 0] / mean).cpu())
            numbers.append(found.indices[:, 0].cpu())
        return torch.cat(ratios), torch.cat(numbers)
