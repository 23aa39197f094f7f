"""`zoo data dedup`: a view of a pack in which no picture stands twice, nor nearly so."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...files import cache_folder
from ...progress import Reporter
from .. import Pack, write_view
from . import gallery
from .autoencoder import VERSION, fit_hash
from .gallery import Pair
from .grouping import Groups, check_radius, group

_SILENT = Reporter()
SHOWN = 100
"""Pairs in the gallery's PNG; the page has five times as many."""


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
    out: str | Path | None = None,
    gallery_folder: str | Path | None = None,
    seed: int = 0,
    report: Reporter = _SILENT,
) -> Deduplicated:
    """Find near-duplicates by semantic hashes, keep the best-resolved of each group, and write a view without the others.

    Images with equal hashes are duplicates, as in the paper. With a radius, so is one whose hash is within that many bits of
    the hash of an image that stays, or of that image moved by a pixel or so: moving changes hashes most.

    Args:
        pack: the images; it stays as it is.
        radius: 0, or up to how many bits hashes may differ; more than 0 needs faiss (the extra `[eval]`).
        out: the view's folder; by default in the cache, named after the pack.
        gallery_folder: where pairs to look at go, as `removed.png` and `removed.html`; none by default.
        seed: of the autoencoder.
        report: hears of the progress.

    Raises:
        OptionError: an impossible radius.
        ZooError: a radius without faiss; a folder that cannot be written.
    """
    check_radius(radius)
    folder = Path(out) if out is not None else cache_folder("packs") / f"{pack.path.name}-unique{radius}"
    clock = [time.monotonic()]
    learned = fit_hash(pack, seed=seed, report=report)
    clock.append(time.monotonic())
    hashes = learned.hashes(pack, report)
    clock.append(time.monotonic())
    order = np.argsort(-pack.sides.numpy(), kind="stable")  # the best-resolved first, earlier ones first among equals
    with report.task("comparing", None, "hashes") as task:
        found = group(
            hashes,
            order,
            radius,
            moved=lambda numbers: learned.moved_hashes(pack, numbers),
            progress=lambda done, total: task.update(done),
        )
    clock.append(time.monotonic())
    pairs = _pairs(found)
    why = {"by": "dedup", "version": VERSION, "radius": radius, "seed": seed, "removed": len(pairs)}
    view = write_view(pack, folder, torch.from_numpy(found.kept), why)
    labels = pack.labels
    mixed = sum(bool(labels[p.removed] != labels[p.kept]) for p in pairs) if labels is not None else 0
    shown = _gallery(pack, pairs, Path(gallery_folder), radius) if gallery_folder is not None and pairs else None
    names = ("learning", "hashing", "grouping")
    seconds = {name: round(clock[i + 1] - clock[i], 2) for i, name in enumerate(names)}
    return Deduplicated(view, pairs, len({pair.kept for pair in pairs}), mixed, shown, seconds)


def _pairs(found: Groups) -> list[Pair]:
    removed = found.removed
    columns: list[list[Any]] = [removed.tolist(), found.keeper[removed].tolist(), found.distance[removed].tolist()]
    return [Pair(*row) for row in zip(*columns, strict=True)]


def _gallery(pack: Pack, pairs: list[Pair], folder: Path, radius: int) -> tuple[Path, Path]:
    rule = "equal hashes" if radius == 0 else f"hashes within {radius} bits"
    summary = (
        f"{len(pairs):,} of {len(pack):,} images were removed: {rule}. Left the one removed, right the one that stays. "
        f"Shown are {min(len(pairs), 5 * SHOWN):,}, those whose hashes differ most first."
    )
    png = gallery.save_png(pack, gallery.choose_pairs(pairs, SHOWN), folder / gallery.PNG)
    some = gallery.choose_pairs(pairs, 5 * SHOWN)
    title = f"Near-duplicates in {pack.path.name}"
    return png, gallery.save_page(pack, some, folder / gallery.PAGE, title=title, summary=summary)
