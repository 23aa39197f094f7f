"""Batch-norm statistics of any network, estimated anew."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


@torch.no_grad()
def estimate_batch_norm(network: nn.Module, run: Callable[[], object]) -> None:
    """Set batch-norm statistics to the means of those of some minibatches, and evaluation mode; nothing else changes.

    They are those of `torch.optim.swa_utils.update_bn`, which would put more than batch normalization (dropout, say) into
    training mode too. `run` calls the network with the minibatches, one after another; it is not called for a network
    without batch normalization that keeps statistics.
    """
    network.eval()
    momenta = {m: m.momentum for m in network.modules() if isinstance(m, _BatchNorm) and m.track_running_stats}
    if not momenta:
        return
    try:
        for norm in momenta:
            norm.reset_running_stats()
            norm.momentum = None  # a plain mean over the batches
            norm.train()
        run()
    finally:
        for norm, momentum in momenta.items():
            norm.momentum = momentum
            norm.eval()
