"""The classes of samples that are compared with data: as often as the data have them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor


def spread_classes(counts: Sequence[int], numbers: Sequence[int]) -> Tensor:
    """Return the classes of samples by their numbers, int64 [n]: the beginning of one endless order, in which each class
    comes as often as `counts` say, evenly spread. Where all counts are equal that is number mod classes.
    """
    length = 1 << max(numbers, default=0).bit_length()
    return _begin(tuple(counts), length)[torch.tensor(list(numbers), dtype=torch.int64)]


@lru_cache(maxsize=8)
def _begin(counts: tuple[int, ...], length: int) -> Tensor:
    """Return the first classes of the order, at least `length`: the j-th image of class k comes at (j + ½) / share of k."""
    total = sum(counts)
    times, classes = [], []
    for number, count in enumerate(counts):
        share = count / total
        own = (torch.arange(int((length + len(counts)) * share) + 2 if count else 0) + 0.5).double() / max(share, 1e-300)
        times.append(own)
        classes.append(torch.full((len(own),), number))
    order = torch.cat(times).sort(stable=True).indices[:length]
    return torch.cat(classes)[order]
