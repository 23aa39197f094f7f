"""Nearest neighbors among any number of vectors, by faiss, exactly, in blocks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zoo_core import ZooError

BLOCK = 4096
"""Vectors that are searched together."""


def nearest(queries: Tensor, blocks: Iterable[Tensor], k: int) -> tuple[Tensor, Tensor]:
    """The k nearest of all vectors in `blocks` to each query, by Euclidean distance.

    Args:
        queries: float32 [m, d].
        blocks: the vectors [n, d], in pieces.
        k: at most as many as there are vectors.

    Returns:
        Distances [m, k], ascending, and the vectors' numbers [m, k], in the order of the blocks.

    Raises:
        ZooError: faiss is not installed, or there are fewer than k vectors.
    """
    faiss = load_faiss()
    asked = np.ascontiguousarray(queries.float().numpy())
    distances = torch.full((len(asked), k), float("inf"))
    numbers = torch.full((len(asked), k), -1)
    start = 0
    for block in blocks:
        there = np.ascontiguousarray(block.float().numpy())
        squared, found = faiss.knn(asked, there, min(k, len(there)))
        distances = torch.cat([distances, torch.from_numpy(squared)], dim=1)
        numbers = torch.cat([numbers, torch.from_numpy(found).long() + start], dim=1)
        distances, order = distances.topk(k, dim=1, largest=False)
        numbers = numbers.gather(1, order)
        start += len(there)
    if start < k:
        raise ZooError(f"{k} neighbors are wanted, and there are {start} vectors")
    return distances.clamp(min=0).sqrt(), numbers


def load_faiss() -> Any:
    """The module; raises `ZooError` where it is not installed."""
    try:
        import faiss
    except ImportError:
        raise ZooError(
            "searching nearest neighbors needs faiss, which is not installed",
            hint='install it with: pip install "dcgan-zoo[eval]"',
        ) from None
    return faiss
