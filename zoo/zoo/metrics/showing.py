"""Samples beside the training images that lie nearest: as one picture, and as an HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from PIL import Image
from torch import Tensor

from ..files import atomic_file
from ..models.grids import grid_picture, to_pictures
from ..packs import Pack, to_images
from . import pages

if TYPE_CHECKING:
    from .nearest import Space

PNG, PAGE = "neighbors.png", "neighbors.html"


class Shown(NamedTuple):
    """A sample with its nearest training images.

    Args:
        sample: its number.
        nearest: "pixels" and "features" → (number in the training images, distance), nearest first.
        ratios: "pixels" and "features" → nearest distance by the mean of the nearest ones.
    """

    sample: int
    nearest: Mapping[str, Sequence[tuple[int, float]]]
    ratios: Mapping[str, float]


def save_neighbors(
    folder: Path,
    pack: Pack,
    drawn: Tensor,
    rows: Sequence[Shown],
    said: str,
    protocol: Mapping[str, Any],
    spaces: Sequence[Space],
) -> tuple[Path, Path]:
    """Write neighbors.png (sample, its nearest in pixels, its nearest in features; row by row) and neighbors.html.

    Args:
        folder: made if need be.
        pack: the training images.
        drawn: the samples [n, C, S, S] in [−1, 1].
        rows: which to show.
        said: the verdict.
        protocol: how it was reached.
        spaces: their ratios become histograms.
    """
    numbers = [number for row in rows for found in row.nearest.values() for number, _ in found]
    real = to_images(pack.gather(torch.tensor(numbers)))
    samples = drawn[[row.sample for row in rows]]
    per_row = len(numbers) // len(rows)
    together = torch.cat([torch.cat([s[None], r]) for s, r in zip(samples, torch.split(real, per_row), strict=True)])
    picture = grid_picture(together, columns=per_row + 1)
    with atomic_file(folder / PNG) as temporary:
        picture.save(temporary)
    body = [
        pages.paragraph(said),
        pages.heading("Distances"),
        pages.paragraph(
            "Distance to the nearest training image, divided by the mean distance to the nearest ones: a copy is near "
            "to one image and to no other. The dashed line is the first percentile of held-out images."
        ),
        *(_histogram(space) for space in spaces),
        pages.heading("Samples and their nearest training images"),
        pages.paragraph("The most suspicious come first. Sample on the left, then the nearest in pixels and in features."),
        pages.cards(_cards(rows, to_pictures(samples), to_pictures(real), per_row)),
        pages.heading("Protocol"),
        pages.table(protocol),
    ]
    page = pages.page("Nearest training images", body)
    return folder / PNG, pages.save_page(folder / PAGE, page)


def _histogram(space: Space) -> str:
    values = {"samples": space.found.ratios.tolist(), "held-out images": space.found.null.tolist()}
    return pages.histograms(values, label=f"ratio in {space.name}", mark=space.found.threshold)


def _cards(
    rows: Sequence[Shown], samples: Sequence[Image.Image], real: Sequence[Image.Image], per_row: int
) -> list[list[str]]:
    cards = []
    for i, (row, sample) in enumerate(zip(rows, samples, strict=True)):
        ratios = ", ".join(f"{name} {ratio:.2f}" for name, ratio in row.ratios.items())
        card = [pages.figure(sample, f"sample {row.sample}; ratio in {ratios}", alt=f"sample {row.sample}")]
        pictures = iter(real[i * per_row : (i + 1) * per_row])
        for name, found in row.nearest.items():
            for number, distance in found:
                caption = f"{name}: image {number}, {distance:.3g} away"
                card.append(pages.figure(next(pictures), caption, alt=f"training image {number}"))
        cards.append(card)
    return cards
