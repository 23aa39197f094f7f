"""Samples beside the training images that lie nearest: as one picture, and as an HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from ..packs import Pack, to_uint8
from ..reports.figures import Histogram, svg
from ..reports.page import Picture, Section, write_page
from ..reports.pictures import grid, save_picture, to_picture

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
    numbers = [[number for found in row.nearest.values() for number, _ in found] for row in rows]
    samples = to_uint8(drawn[[row.sample for row in rows]]).cpu()
    real = pack.gather(torch.tensor(numbers).flatten()).view(len(rows), -1, *samples.shape[1:])
    together = torch.cat([samples[:, None], real], 1)  # [rows, 1 + nearest, S, S, C]
    png = save_picture(grid(together.flatten(0, 1), columns=together.shape[1]), folder / PNG)
    about_ratios = (
        "Distance to the nearest training image, divided by the mean distance to the nearest ones: a copy is near to one "
        "image and to no other. The dashed line is the first percentile of held-out images."
    )
    about_cards = "The most suspicious come first. Sample on the left, then the nearest in pixels and in features."
    sections = [
        Section("Distances", [about_ratios], charts=[_histogram(space) for space in spaces]),
        Section(
            "Samples and their nearest training images",
            [about_cards],
            cards=[(_card(row, found), "") for row, found in zip(rows, together, strict=True)],
        ),
        Section("Protocol", facts=protocol),
    ]
    return png, write_page(folder / PAGE, title="Nearest training images", lead=said, sections=sections)


def _histogram(space: Space) -> str:
    values = {"samples": space.found.ratios.tolist(), "held-out images": space.found.null.tolist()}
    label = f"ratio in {space.name}"
    return svg(Histogram(values, label, mark=space.found.threshold), f"{label} of samples and of held-out images")


def _card(row: Shown, images: Tensor) -> list[Picture]:
    ratios = ", ".join(f"{name} {ratio:.2f}" for name, ratio in row.ratios.items())
    words = [(f"sample {row.sample}", f"sample {row.sample}; ratio in {ratios}")]
    for name, found in row.nearest.items():
        words += [(f"training image {n}", f"{name}: image {n}, {distance:.3g} away") for n, distance in found]
    return [Picture(to_picture(image), *told) for image, told in zip(images, words, strict=True)]
