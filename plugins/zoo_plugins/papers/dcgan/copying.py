"""Copies: generators that make them on purpose, images that are nearly training images, and a search that finds them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

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


def shift(images: Tensor, right: int = 0, down: int = 0) -> Tensor:
    """Move images by so many pixels; what comes in repeats the edge."""
    size = images.shape[-1]
    columns = torch.arange(size, device=images.device).sub(right).clamp(0, size - 1)
    rows = torch.arange(size, device=images.device).sub(down).clamp(0, size - 1)
    return images[:, :, rows][:, :, :, columns]


def blur(images: Tensor) -> Tensor:
    """Take the mean over 3 × 3 pixels."""
    return avg_pool2d(pad(images, (1, 1, 1, 1), mode="replicate"), 3, stride=1)


def list_shifts(size: int) -> list[tuple[int, int]]:
    """Return the shifts that are searched: up to a sixteenth of the side in each direction, in steps of half of that."""
    step = max(1, size // 32)
    reach = range(-2, 3) if size >= 32 else range(-1, 2)
    return [(step * x, step * y) for x in reach for y in reach]


def list_turned(images: Tensor) -> Iterator[Tensor]:
    """Yield images as they are searched: shifted, blurred, each also mirrored."""
    for one in (images, images.flip(3)):
        yield from (shift(one, x, y) for x, y in list_shifts(images.shape[-1]))
        yield blur(one)


KINDS: dict[str, Callable[[Tensor], Tensor]] = {
    "exact": lambda images: images,
    "mirrored": lambda images: images.flip(3),
    "shifted": lambda images: shift(images, *list_shifts(images.shape[-1])[1]),
    "blurred": lambda images: blur(blur(images)),
}
"""Copies that are planted: what becomes of a training image."""


def find_copies(
    queries: Tensor, images: Tensor, *, itself: Tensor, side: int = 8, neighbors: int = 50
) -> tuple[Tensor, Tensor]:
    """Find the training image nearest to each query, at low resolution, also where it was mirrored, shifted or blurred.

    Args:
        queries, images: [m, C, S, S] and the training images [n, C, S, S] in [−1, 1], where it shall be computed.
        itself: the number [m] of the training image that a query is and which does not count; −1 for none.
        side: pixels of the low resolution.
        neighbors: of the nearest ones, whose mean distance says how near is near.

    Returns:
        The distance to the nearest over the mean distance of the nearest ones [m], and its number [m], on the CPU.
    """
    asked, itself = _reduce(queries, side), itself.to(queries.device)
    distances = torch.full((len(asked), 0), 0.0, device=asked.device)
    numbers = torch.full((len(asked), 0), 0, device=asked.device)
    for start in range(0, len(images), 2048):
        part = images[start : start + 2048]
        nearest = torch.full((len(asked), len(part)), float("inf"), device=asked.device)
        for turned in list_turned(part):
            nearest = torch.minimum(nearest, torch.cdist(asked, _reduce(turned, side)))
        here = torch.arange(start, start + len(part), device=asked.device)
        nearest[itself[:, None] == here] = float("inf")
        distances = torch.cat([distances, nearest], 1)
        numbers = torch.cat([numbers, here.expand(len(asked), -1)], 1)
        distances, order = distances.topk(min(neighbors, distances.shape[1]), dim=1, largest=False)
        numbers = numbers.gather(1, order)
    finite = distances.isfinite()
    mean = distances.nan_to_num(posinf=0.0).sum(1) / finite.sum(1).clamp(min=1)
    return (distances[:, 0] / mean.clamp(min=1e-9)).cpu(), numbers[:, 0].cpu()


def _reduce(images: Tensor, side: int) -> Tensor:
    return adaptive_avg_pool2d(images.float(), side).flatten(1)
