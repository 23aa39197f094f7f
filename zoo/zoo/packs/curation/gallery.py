"""Pairs of pictures to look at: what was removed beside what stays in its place, as a PNG and as an HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ...reports.page import Picture, Section, write_page
from ...reports.pictures import Block, save_picture, sheet, to_picture
from .. import Pack

PNG, PAGE = "removed.png", "removed.html"
_COLUMNS, _MOST = 10, 128  # pairs in a row of the PNG; pixels of an image's side there


class Pair(NamedTuple):
    """A removed image and the one that stays, by number in the pack, and the bits in which their hashes differ."""

    removed: int
    kept: int
    distance: int


def choose_pairs(pairs: Sequence[Pair], most: int) -> list[Pair]:
    """At most `most` of the pairs, at equal steps through all of them in order of distance."""
    ordered = sorted(pairs, key=lambda pair: (-pair.distance, pair.removed))
    if len(ordered) <= most:
        return ordered
    return [ordered[i * len(ordered) // most] for i in range(most)]


def save_png(pack: Pack, pairs: Sequence[Pair], path: Path) -> Path:
    """One picture of the pairs, the removed image on the left of each, the distance above."""
    images = _images(pack, pairs)
    if images.shape[2] > _MOST:
        small = interpolate(images.flatten(0, 1).movedim(3, 1), (_MOST, _MOST), mode="bilinear", antialias=True)
        images = small.movedim(1, 3).reshape(-1, 2, _MOST, _MOST, images.shape[4])
    words = [f"{pair.removed} → {pair.kept}, {pair.distance} bits" for pair in pairs]
    blocks = [Block(text, both, columns=2) for text, both in zip(words, images, strict=True)]
    return save_picture(sheet(blocks, columns=_COLUMNS), path)


def save_page(pack: Pack, pairs: Sequence[Pair], path: Path, *, title: str, summary: str) -> Path:
    """The pairs as one HTML file that needs no other."""
    cards = []
    for pair, (removed, kept) in zip(pairs, _images(pack, pairs), strict=True):
        told = f"{pair.distance} bits apart" if pair.distance else "equal hash"
        pictures = [
            Picture(to_picture(removed), f"removed image {pair.removed}"),
            Picture(to_picture(kept), f"kept image {pair.kept}"),
        ]
        cards.append((pictures, f"removed {pair.removed}, kept {pair.kept}: {told}"))
    return write_page(path, title=title, lead=summary, sections=[Section("Pairs", cards=cards)])


def _images(pack: Pack, pairs: Sequence[Pair]) -> Tensor:
    """Removed and kept images of the pairs, uint8 [n, 2, S, S, C]."""
    numbers = torch.tensor([(pair.removed, pair.kept) for pair in pairs], dtype=torch.int64)
    images = pack.gather(numbers.flatten())
    return images.view(-1, 2, *images.shape[1:])
