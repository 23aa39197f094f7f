"""`zoo data dedup`: a view of a pack in which no picture stands twice, nor nearly so."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from zoo_core import OptionError

from ...files import cache_folder
from ...notebook import AUTOMATIC
from ...progress import Reporter
from ...reports.page import Picture, Section, write_page
from ...reports.pictures import Block, save_picture, sheet, to_picture
from .. import Pack, write_view
from .autoencoder import fit_hash
from .grouping import check_radius, group
from .hashing import VERSION, perceptual_hash

Method = Literal["hash", "autoencoder"]

SHOWN = 100  # pairs in the gallery's PNG; the page has five times as many
_COLUMNS, _MOST = 10, 128  # pairs in a row of the PNG; pixels of an image's side there


class Pair(NamedTuple):
    """A removed image and the one that stays, by number in the pack, and the bits in which their hashes differ."""

    removed: int
    kept: int
    distance: int


@dataclass(frozen=True)
class Deduplicated:
    """What was found.

    Args:
        view: a pack of the images that stay.
        pairs: every removed image with the one that stays in its place, and the bits between their hashes.
        groups: how many images have others standing behind them.
        mixed: pairs whose images have different labels.
        gallery: the PNG and the HTML page; None where nothing was removed.
        seconds: what "learning", "hashing" and "grouping" took.
    """

    view: Pack
    pairs: list[Pair]
    groups: int
    mixed: int
    gallery: tuple[Path, Path] | None
    seconds: dict[str, float]


def deduplicate(
    pack: Pack,
    *,
    radius: int = 0,
    method: Method = "hash",
    out: str | Path | None = None,
    gallery_folder: str | Path | None = None,
    seed: int = 0,
    report: Reporter = AUTOMATIC,
) -> Deduplicated:
    """Find near-duplicates by hashes, keep the best-resolved of each group, and write a view without the others.

    Images with equal hashes are duplicates. With a radius, so is one whose hash is within that many bits of
    the hash of an image that stays, or of that image moved by a pixel or so: moving changes hashes most.

    Args:
        pack: the images; it stays as it is.
        radius: 0, or up to how many bits hashes may differ; more than 0 needs faiss (the extra `[eval]`).
        method: "hash", of the lowest frequencies of a picture's brightness, or "autoencoder", the paper's semantic hashes,
            which an autoencoder learns from the images first.
        out: the view's folder; by default in the cache, named after the pack.
        gallery_folder: where pairs to look at go, as `removed.png` and `removed.html`; none by default.
        seed: of the autoencoder.
        report: hears of the progress.

    Raises:
        OptionError: an impossible radius or method.
        ZooError: a radius without faiss; a folder that cannot be written.
    """
    check_radius(radius)
    if method not in get_args(Method):
        raise OptionError(
            f"method must be {' or '.join(get_args(Method))}, not {method!r}", hint="for example: --method hash"
        )
    name = f"{pack.path.name}-unique{radius}" + ("" if method == "hash" else f"-{method}")
    folder = Path(out) if out is not None else cache_folder("packs") / name
    clock = [time.monotonic()]
    hashing = perceptual_hash(pack.spec.channels) if method == "hash" else fit_hash(pack, seed=seed, report=report)
    clock.append(time.monotonic())
    hashes = hashing.hashes(pack, report)
    clock.append(time.monotonic())
    order = np.argsort(-pack.sides.numpy(), kind="stable")  # the best-resolved first, earlier ones first among equals
    with report.task("comparing", None, "hashes") as task:
        moved = partial(hashing.hash_moved, pack)
        found = group(hashes, order, radius, moved=moved, progress=lambda done, total: task.update(done))
    clock.append(time.monotonic())
    removed = found.removed
    columns = (removed, found.keeper[removed], found.distance[removed])
    pairs = [Pair(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]
    why = {"by": "dedup", "version": VERSION, "method": method, "radius": radius, "seed": seed, "removed": len(pairs)}
    view = write_view(pack, folder, torch.from_numpy(found.kept), why)
    labels = pack.labels
    mixed = sum(bool(labels[p.removed] != labels[p.kept]) for p in pairs) if labels is not None else 0
    shown = _gallery(pack, pairs, Path(gallery_folder), radius) if gallery_folder is not None and pairs else None
    times = zip(("learning", "hashing", "grouping"), itertools.pairwise(clock), strict=True)
    seconds = {name: round(end - begin, 2) for name, (begin, end) in times}
    return Deduplicated(view, pairs, len({pair.kept for pair in pairs}), mixed, shown, seconds)


def _gallery(pack: Pack, pairs: list[Pair], folder: Path, radius: int) -> tuple[Path, Path]:
    rule = "equal hashes" if radius == 0 else f"hashes within {radius} bits"
    some = choose_pairs(pairs, 5 * SHOWN)
    summary = (
        f"{len(pairs):,} of {len(pack):,} images were removed: {rule}. Left the one removed, right the one that stays. "
        f"Shown are {len(some):,}, those whose hashes differ most first."
    )
    png = save_png(pack, choose_pairs(pairs, SHOWN), folder / "removed.png")
    title = f"Near-duplicates in {pack.path.name}"
    return png, save_page(pack, some, folder / "removed.html", title=title, summary=summary)


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
    """Return the pairs as one HTML file that needs no other."""
    cards = []
    for pair, (removed, kept) in zip(pairs, _images(pack, pairs), strict=True):
        apart = f"{pair.distance} bits apart" if pair.distance else "equal hash"
        pictures = [
            Picture(to_picture(removed), f"removed image {pair.removed}"),
            Picture(to_picture(kept), f"kept image {pair.kept}"),
        ]
        cards.append((pictures, f"removed {pair.removed}, kept {pair.kept}: {apart}"))
    return write_page(path, title=title, lead=summary, sections=[Section("Pairs", cards=cards)])


def _images(pack: Pack, pairs: Sequence[Pair]) -> Tensor:
    """Removed and kept images of the pairs, uint8 [n, 2, S, S, C]."""
    numbers = torch.tensor([(pair.removed, pair.kept) for pair in pairs], dtype=torch.int64)
    images = pack.gather(numbers.flatten())
    return images.view(-1, 2, *images.shape[1:])
