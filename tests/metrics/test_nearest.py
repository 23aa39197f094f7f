"""Nearest neighbors in blocks, and the test for copies."""

from __future__ import annotations

import pytest
import torch

from zoo.metrics.nearest import compute_ratios, detect_copies, nearest
from zoo_core import ZooError

pytest.importorskip("faiss")
pytest.importorskip("scipy")


def test_the_null_distribution_keeps_its_level() -> None:
    rng = torch.Generator().manual_seed(0)
    called = 0
    for _ in range(200):
        one, other = (torch.rand(200, 10, generator=rng).sort(1).values for _ in range(2))
        called += detect_copies(one, other).copies
    assert called == 0


def test_ratios() -> None:
    assert compute_ratios(torch.tensor([[0.0, 2.0, 4.0], [3.0, 3.0, 3.0], [0.0, 0.0, 0.0]])).tolist() == [0.0, 1.0, 0.0]


def test_nearest_in_blocks_is_nearest() -> None:
    rng = torch.Generator().manual_seed(0)
    vectors, queries = torch.randn(300, 8, generator=rng), torch.randn(40, 8, generator=rng)
    distances, numbers = nearest(queries, vectors.split(70), 5)
    expected = torch.cdist(queries, vectors).topk(5, largest=False)
    assert torch.equal(numbers, expected.indices)
    assert torch.allclose(distances, expected.values, atol=1e-3)
    with pytest.raises(ZooError, match="5 neighbors are wanted, and there are 3"):
        nearest(queries, [vectors[:3]], 5)
