"""Batch-norm statistics from minibatches; nothing else of a network changes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from zoo.models.batch_norm import estimate_batch_norm


def test_statistics_are_means_over_the_minibatches() -> None:
    network = nn.Sequential(nn.BatchNorm1d(3, momentum=0.3), nn.Dropout(0.5), nn.BatchNorm1d(3, track_running_stats=False))
    batches = [torch.randn(8, 3) + i for i in range(4)]
    outputs: list[torch.Tensor] = []
    estimate_batch_norm(network, lambda: outputs.extend(network(x) for x in batches))
    norm = network[0]
    assert torch.allclose(norm.running_mean, torch.stack([x.mean(0) for x in batches]).mean(0), atol=1e-6)
    assert torch.allclose(norm.running_var, torch.stack([x.var(0) for x in batches]).mean(0), atol=1e-6)
    assert norm.momentum == 0.3
    assert not any(module.training for module in network.modules())
    assert all((output != 0).all() for output in outputs)  # dropout rests


def test_a_network_without_statistics_is_not_run() -> None:
    network = nn.Sequential(nn.Linear(2, 2)).train()
    estimate_batch_norm(network, lambda: pytest.fail("it was run"))
    assert not network.training


def test_an_interruption_leaves_it_in_evaluation_mode() -> None:
    network = nn.BatchNorm1d(3)

    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        estimate_batch_norm(network, interrupted)
    assert (network.momentum, network.training) == (0.1, False)
