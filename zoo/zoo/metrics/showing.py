"""Samples beside the training images that lie nearest: as one picture, and as an HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..packs import Pack, to_uint8
from ..reports.figures import Histogram, svg
from ..reports.page import Picture, Section, write_page
from ..reports.pictures import grid, save_picture, to_picture
from .nearest import Space

PNG, PAGE = "neighbors.png", "neighbors.html"
NEAREST = 3
"""Training images beside each sample, in each space."""


def save_neighbors(
    folder: Path, pack: Pack, drawn: Tensor, spaces: Sequence[Space], shown: int, said: str, protocol: Mapping[str, Any]
) -> tuple[Path, Path]:
    """Write neighbors.png (sample, its nearest in pixels, its nearest in features; row by row) and neighbors.html.

    Args:
        folder: made if need be.
        pack: the training images.
        drawn: the samples [n, C, S, S] in [−1, 1].
        spaces: where each has its nearest; their ratios become histograms.
        shown: how many samples to show, the most suspicious first.
        said: the verdict; `protocol` says how it was reached.
    """
    chosen = torch.stack([space.found.ratios for space in spaces]).amin(0).argsort()[:shown]
    samples = to_uint8(drawn[chosen]).cpu()[:, None]  # [rows, 1, S, S, C]
    numbers = torch.cat([space.numbers[chosen, :NEAREST] for space in spaces], 1)
    real = pack.gather(numbers.flatten()).view(*numbers.shape, *samples.shape[2:])
    together = torch.cat([samples, real], 1)
    png = save_picture(grid(together.flatten(0, 1), columns=together.shape[1]), folder / PNG)
    about_ratios = (
        "Distance to the nearest training image, divided by the mean distance to the nearest ones: a copy is near to one "
        "image and to no other. The dashed line is the first percentile of held-out images."
    )
    about_cards = "The most suspicious come first. Sample on the left, then the nearest in pixels and in features."
    cards = [(_card(number, spaces, row), "") for number, row in zip(chosen.tolist(), together, strict=True)]
    sections = [
        Section("Distances", [about_ratios], charts=[_histogram(space) for space in spaces]),
        Section("Samples and their nearest training images", [about_cards], cards=cards),
        Section("Protocol", facts=protocol),
    ]
    return png, write_page(folder / PAGE, title="Nearest training images", lead=said, sections=sections)


def _histogram(space: Space) -> str:
    values = {"samples": space.found.ratios.tolist(), "held-out images": space.found.null.tolist()}
    label = f"ratio in {space.name}"
    return svg(Histogram(values, label, mark=space.found.threshold), f"{label} of samples and of held-out images")


def _card(sample: int, spaces: Sequence[Space], images: Tensor) -> list[Picture]:
    ratios = ", ".join(f"{space.name} {space.found.ratios[sample]:.2f}" for space in spaces)
    words = [(f"sample {sample}", f"sample {sample}; ratio in {ratios}")]
    for space in spaces:
        found = zip(space.numbers[sample, :NEAREST].tolist(), space.distances[sample, :NEAREST].tolist(), strict=True)
        words += [(f"training image {n}", f"{space.name}: image {n}, {distance:.3g} away") for n, distance in found]
    return [Picture(to_picture(image), *told) for image, told in zip(images, words, strict=True)]
