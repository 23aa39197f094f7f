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
    asked = torch.tensor(list(numbers), dtype=torch.int64)
    if len(set(counts)) == 1:
        return asked % len(counts)
    return _order_classes(tuple(counts), 1 << max(numbers, default=0).bit_length())[asked]


@lru_cache(maxsize=8)
def _order_classes(counts: tuple[int, ...], length: int) -> Tensor:
    """Return the first classes of the order, at least `length`: the j-th image of class k comes at (j + ½) / share of k."""
    total = sum(counts)
    shares = torch.tensor([count / total for count in counts], dtype=torch.float64)
    enough = ((length + len(counts)) * shares).long() + 2  # by then more than `length` have come
    enough[shares == 0] = 0
    classes = torch.repeat_interleave(torch.arange(len(counts)), enough)
    number = torch.arange(len(classes)) - (enough.cumsum(0) - enough)[classes]
    return classes[((number + 0.5) / shares[classes]).sort(stable=True).indices[:length]]
