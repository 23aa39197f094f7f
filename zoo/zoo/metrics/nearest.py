"""Nearest neighbors (by faiss on a CPU), and whether samples lie nearer to the training images than chance allows.

A small distance to a training image proves nothing by itself: smooth pictures are near to everything. So the distance to the
nearest training image is divided by the mean distance to the `NEIGHBORS` nearest ones, as Carlini et al. 2023
(arXiv:2301.13188, section 4) do to find what diffusion models have memorized: it is small for a copy, and for nothing else.

How small is told by real images that are not among those searched: their ratios are the null distribution. Without copying,
1 % of the samples have a ratio below its first percentile. More of them than chance allows (Fisher's exact test), and at
least `SHARE` of all, are called copies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from zoo_core import ZooError

from ..devices import arithmetic_device, move_to, rows_that_fit
from ..packs import Pack, to_images, to_uint8
from ..progress import Task
from ..reports.figures import Histogram, svg
from ..reports.page import Picture, Section, write_page
from ..reports.pictures import grid, save_picture, to_picture

Search = Callable[[Tensor, int], tuple[Tensor, Tensor]]
BLOCK = 4096  # vectors that are searched together
NEIGHBORS, SHOWN = 50, 3  # of each sample: those that are compared, and those that are shown
PERCENTILE = 1.0
SHARE, CHANCE = 0.05, 1e-3


def nearest(queries: Tensor, pieces: Iterable[Tensor], k: int, task: Task | None = None) -> tuple[Tensor, Tensor]:
    """Find the k nearest of all vectors [n, d] in `pieces` to each query [m, d], by Euclidean distance, exactly.

    It is looked for where the queries are: on a CPU by faiss, else by matrix products in double precision, so that a copy's
    distance is next to 0. Pieces may lie anywhere.

    Returns distances [m, k], ascending, and the vectors' numbers [m, k], in the order of the pieces, both on the CPU. Raises
    `ZooError` where faiss is needed and not installed, or for fewer than k vectors.
    """
    place = arithmetic_device(queries.device)
    search = _search_by_products(queries) if place.type != "cpu" else _search_by_faiss(queries.to(place))
    start = 0
    distances = torch.full((len(queries), k), float("inf"), device=place)
    numbers = torch.full((len(queries), k), -1, device=place)
    for block in _regroup(pieces):
        squared, found = search(move_to(block, place), min(k, len(block)))
        distances = torch.cat([distances, squared], dim=1)
        numbers = torch.cat([numbers, found + start], dim=1)
        distances, order = distances.topk(k, dim=1, largest=False)
        numbers = numbers.gather(1, order)
        start += len(block)
        if task is not None:
            task.update(start)
    if start < k:
        raise ZooError(f"{k} neighbors are wanted, and there are {start} vectors")
    return distances.clamp(min=0).sqrt().cpu(), numbers.cpu()


def _search_by_faiss(queries: Tensor) -> Search:
    """Return what finds squared distances [m, k] to the nearest of some vectors, and their numbers; on the CPU."""
    faiss, asked = load_faiss(), queries.float().contiguous().numpy()

    def search(vectors: Tensor, k: int) -> tuple[Tensor, Tensor]:
        squared, found = faiss.knn(asked, vectors.float().contiguous().numpy(), k)
        return torch.from_numpy(squared), torch.from_numpy(found).long()

    return search


def _search_by_products(queries: Tensor) -> Search:
    """Do the same on a device, with as many queries at a time as its memory holds: ‖q‖² − 2 q·v + ‖v‖²."""
    each = 8 * (queries.shape[1] + 3 * BLOCK)
    asked = torch.split(queries, rows_that_fit(queries.device, each, BLOCK))

    def search(vectors: Tensor, k: int) -> tuple[Tensor, Tensor]:
        there, found = vectors.double(), []
        squares = there.square().sum(1)
        for part in asked:
            q = part.double()
            squared = torch.addmm(squares[None], q, there.T, alpha=-2).add_(q.square().sum(1)[:, None])
            found.append(squared.topk(k, dim=1, largest=False))
        distances, numbers = (torch.cat(parts) for parts in zip(*found, strict=True))
        return distances.float(), numbers

    return search


def _regroup(pieces: Iterable[Tensor]) -> Iterator[Tensor]:
    """Put pieces together to blocks that are worth a search."""
    waiting: list[Tensor] = []
    for piece in pieces:
        waiting.append(piece)
        if sum(map(len, waiting)) >= BLOCK:
            yield torch.cat(waiting)
            waiting = []
    if waiting:
        yield torch.cat(waiting)


def read_pixels(pack: Pack, device: torch.device, numbers: Tensor | None = None) -> Iterator[Tensor]:
    """Yield images of a pack, all or those with the given numbers, as vectors [n, C · S · S] in [−1, 1] on a device."""
    for part in torch.split(torch.arange(len(pack)) if numbers is None else numbers, BLOCK):
        yield to_images(move_to(pack.gather(part), device)).flatten(1)


def load_faiss() -> Any:
    """Import faiss; raises `ZooError` where it is not installed."""
    try:
        import faiss
    except ImportError:
        hint = 'install it with: pip install "dcgan-zoo[eval]"'
        raise ZooError("searching nearest neighbors needs faiss, which is not installed", hint=hint) from None
    return faiss


@dataclass(frozen=True)
class Copying:
    """What the distances in one space say."""

    ratios: Tensor  # of the samples, [n]: nearest distance by the mean of the nearest ones
    null: Tensor  # of held-out real images, [m]
    threshold: float  # first percentile of `null`
    share: float  # of the samples that lie below
    p: float  # probability of so many by chance

    @property
    def copies(self) -> bool:
        """Whether the model is called a copier."""
        return self.p < CHANCE and self.share >= SHARE

    @property
    def verdict(self) -> str:
        """In words: "good" where no more samples lie near than chance allows, "weak" between that and a copier."""
        return "bad: it copies" if self.copies else "weak" if self.p < CHANCE else "good"

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "share": self.share,
            "expected_share": PERCENTILE / 100,
            "p": self.p,
            "threshold": self.threshold,
            "median_ratio": float(self.ratios.median()),
            "median_ratio_of_held_out": float(self.null.median()),
            "copies": self.copies,
        }


class Space(NamedTuple):
    """The training images nearest to samples in "pixels" or "features": numbers and distances [n, k], and what they say."""

    name: str
    numbers: Tensor
    distances: Tensor
    found: Copying


def compute_ratios(distances: Tensor) -> Tensor:
    """Nearest distances by the mean of all [n, k], ascending; where all are 0 the image stands there k times: 0."""
    mean = distances.mean(1)
    return torch.where(mean > 0, distances[:, 0] / mean.clamp(min=1e-12), torch.zeros_like(mean))


def detect_copies(distances: Tensor, null: Tensor) -> Copying:
    """Compare samples' distances [n, k] to their nearest training images with those of held-out images [m, k]."""
    try:
        from scipy.stats import fisher_exact
    except ImportError as error:
        hint = 'install it with: pip install "dcgan-zoo[eval]"'
        raise ZooError("the test for copies needs scipy, which is not installed", hint=hint) from error
    ratios, others = compute_ratios(distances), compute_ratios(null)
    threshold = float(np.percentile(others.numpy(), PERCENTILE))
    below = [int((x < threshold).sum()) for x in (ratios, others)]
    table = [[count, len(x) - count] for count, x in zip(below, (ratios, others), strict=True)]
    p = float(fisher_exact(table, alternative="greater").pvalue)
    return Copying(ratios, others, threshold, below[0] / len(ratios), p)


def save_neighbors(
    folder: Path, pack: Pack, drawn: Tensor, spaces: Sequence[Space], shown: int, said: str, protocol: Mapping[str, Any]
) -> tuple[Path, Path]:
    """Write neighbors.png (sample, its nearest in pixels, its nearest in features; row by row) and neighbors.html.

    Args:
        pack: the training images.
        drawn: the samples [n, C, S, S] in [−1, 1].
        spaces: where each has its nearest; their ratios become histograms.
        shown: how many samples to show, the most suspicious first.
        said: the verdict; `protocol` says how it was reached.
    """
    chosen = torch.stack([space.found.ratios for space in spaces]).amin(0).argsort()[:shown]
    samples = to_uint8(drawn[chosen.to(drawn.device)]).cpu()[:, None]  # [rows, 1, S, S, C]
    numbers = torch.cat([space.numbers[chosen, :SHOWN] for space in spaces], 1)
    real = pack.gather(numbers.flatten()).view(*numbers.shape, *samples.shape[2:])
    together = torch.cat([samples, real], 1)
    png = save_picture(grid(together.flatten(0, 1), columns=together.shape[1]), folder / "neighbors.png")
    about_ratios = (
        "Distance to the nearest training image, divided by the mean distance to the nearest ones: a copy is near to one "
        "image and to no other. The dashed line is the first percentile of held-out images."
    )
    about_cards = "The most suspicious come first. Sample on the left, then the nearest in pixels and in features."
    charts = []
    for name, _, _, found in spaces:
        values = {"samples": found.ratios.tolist(), "held-out images": found.null.tolist()}
        drawing = Histogram(values, f"ratio in {name}", mark=found.threshold)
        charts.append(svg(drawing, f"ratio in {name} of samples and of held-out images"))
    cards = [(_card(number, spaces, row), "") for number, row in zip(chosen.tolist(), together, strict=True)]
    sections = [
        Section("Distances", [about_ratios], charts=charts),
        Section("Samples and their nearest training images", [about_cards], cards=cards),
        Section("Protocol", facts=protocol),
    ]
    return png, write_page(folder / "neighbors.html", title="Nearest training images", lead=said, sections=sections)


def _card(sample: int, spaces: Sequence[Space], images: Tensor) -> list[Picture]:
    ratios = ", ".join(f"{space.name} {space.found.ratios[sample]:.2f}" for space in spaces)
    words = [(f"sample {sample}", f"sample {sample}; ratio in {ratios}")]
    for space in spaces:
        found = zip(space.numbers[sample, :SHOWN].tolist(), space.distances[sample, :SHOWN].tolist(), strict=True)
        words += [(f"training image {n}", f"{space.name}: image {n}, {distance:.3g} away") for n, distance in found]
    return [Picture(to_picture(image), *told) for image, told in zip(images, words, strict=True)]
