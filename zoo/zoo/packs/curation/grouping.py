"""Which of many hashes are equal, or within some bits of each other, and which image of each group stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zoo_core import OptionError, ZooError

Hashes = NDArray[np.uint8]  # uint8 [N, 16]: 128 bits for each image

Indices = NDArray[np.int64]

MOST = 32  # bits of the largest radius, a quarter of all: random hashes differ in half of them
PART = 131_072  # hashes that are sorted together: few enough for caches, and so many that a part is read from close places
QUERIES = 4096  # hashes that are looked up at once; bounds the memory for what is found


class Groups(NamedTuple):
    """Who stands for whom."""

    keeper: Indices  # [N], for each image the one that stays in its place; itself if it stays
    distance: Indices  # [N], bits in which the two differ

    @property
    def kept(self) -> Indices:
        """Numbers of the images that stay, ascending."""
        return np.flatnonzero(self.keeper == np.arange(len(self.keeper)))

    @property
    def removed(self) -> Indices:
        """Numbers of the others, ascending."""
        return np.flatnonzero(self.keeper != np.arange(len(self.keeper)))


def equal_hashes(hashes: Hashes, order: Indices) -> Indices:
    """For each image the first one in `order` (all numbers below N, those preferred first) with an equal hash: int64 [N].

    Hashes are dealt into parts of about `PART`, in one pass by counting, and each part is sorted by itself: the time is
    linear in N, as the paper has it.
    """
    words = np.ascontiguousarray(hashes).view(np.uint64)  # [N, 2]
    mixed = (words[:, 0] * np.uint64(0x9E3779B97F4A7C15)) ^ words[:, 1]  # the same for equal ones, and evenly spread
    bits = min(16, (len(order) // PART).bit_length())
    part = (mixed >> np.uint64(48)).astype(np.uint16)[order] >> np.uint16(16 - bits)
    dealt = order[np.argsort(part, kind="stable")]  # numpy counts where there are 16 bits
    keeper = np.empty(len(order), np.int64)
    for some in np.split(dealt, np.cumsum(np.bincount(part))[:-1]):
        rows = words[some]
        arranged = np.lexsort((rows[:, 1], rows[:, 0]))  # stable: the preferred ones stay first
        some, rows = some[arranged], rows[arranged]
        first = np.ones(len(some), bool)
        first[1:] = (rows[1:] != rows[:-1]).any(axis=1)
        keeper[some] = some[first][np.cumsum(first) - 1]
    return keeper


def check_radius(radius: int) -> None:
    """Raise `OptionError` for an impossible radius, `ZooError` for one that needs faiss where there is none."""
    if not 0 <= radius <= MOST:
        raise OptionError(f"a radius of {radius} bits; valid: 0 to {MOST}", hint="for example: --radius 8")
    if radius:
        _faiss()


def group(
    hashes: Hashes,
    order: Indices,
    radius: int = 0,
    *,
    moved: Callable[[Indices], NDArray[np.uint8]] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Groups:
    """Put images with equal hashes together, and with a radius also each image with a preferred one that stays nearby.

    Nothing is chained: an image goes only where one that stays is within the radius of it. Neighbors are found by faiss's
    binary multi-hash: were two hashes within R bits, then cut into m pieces one piece would differ in at most R/m bits, so
    that looking up every piece with that many bits flipped finds all of them (Norouzi et al. 2012, arXiv:1307.2982).

    Args:
        hashes: [N, 16].
        order: all numbers from 0 to N − 1, those preferred first.
        radius: in bits.
        moved: numbers [n] → hashes uint8 [n, V, 16] of each of these images and of slightly moved copies of it, which an
            image must be near one of; None: of the image itself only.
        progress: told how many hashes of how many have been looked up.
    """
    check_radius(radius)
    leader = equal_hashes(hashes, order)
    all_keeper, all_distance = np.arange(len(hashes)), np.zeros(len(hashes), np.int64)
    if not radius:
        return Groups(leader, all_distance)
    # go through different hashes, preferred ones first; each that still stays takes over all later ones near it
    names = order[leader[order] == order]
    hashes, count = hashes[names], len(names)
    index = multi_hash(hashes, radius)
    stays = np.ones(count, bool)
    keeper, distance = names.copy(), np.zeros(count, np.int64)
    for start in range(0, count, QUERIES):
        asking = np.flatnonzero(stays[start : start + QUERIES]) + start
        asked = hashes[asking][:, None] if moved is None else moved(names[asking])  # [n, V, 16]
        limits, bits, found = index.range_search(np.ascontiguousarray(asked.reshape(-1, asked.shape[2])), radius + 1)
        who = np.repeat(np.repeat(asking, asked.shape[1]), np.diff(limits.astype(np.int64)))
        nearest = np.lexsort((bits, who))
        who, found, bits = who[nearest], found[nearest], bits[nearest].astype(np.int64)
        later = found > who
        for first, second, between in zip(who[later].tolist(), found[later].tolist(), bits[later].tolist(), strict=True):
            if stays[first] and stays[second]:
                stays[second] = False
                keeper[second], distance[second] = names[first], between
        progress(min(start + QUERIES, count), count)
    all_keeper[names], all_distance[names] = keeper, distance
    return Groups(all_keeper[leader], all_distance[leader])


def multi_hash(hashes: Hashes, radius: int) -> Any:
    """Return a faiss index that finds every hash within `radius` bits."""
    faiss, bits = _faiss(), hashes.shape[1] * 8
    piece = min(32, max(8, round(np.log2(max(2, len(hashes))))))  # about log2 N bits: as many places in a table as hashes
    tables = bits // piece
    index = faiss.IndexBinaryMultiHash(bits, tables, piece)
    index.nflip = radius // tables
    index.add(np.ascontiguousarray(hashes))
    return index


def _faiss() -> Any:
    try:
        import faiss
    except ImportError:
        hint = 'install it with: pip install "dcgan-zoo[eval]"; equal hashes need nothing: leave --radius out'
        raise ZooError("a radius needs faiss, which is not installed", hint=hint) from None
    return faiss
