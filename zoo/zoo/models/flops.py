"""What networks cost to compute, counted instead of timed: the same on every machine."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from ..devices import CPU
from ..randomness import preserve_rng_state


def count_flops(network: nn.Module, call: Callable[[Any], Any]) -> float:
    """Return the floating-point operations of what `call` does with a copy of a network on the CPU, of matrix products and
    convolutions alone; 0 where it cannot be computed there. The network and random states stay as they were.
    """
    from torch.utils.flop_counter import FlopCounterMode  # takes a while to import

    try:
        with preserve_rng_state(CPU), torch.no_grad(), FlopCounterMode(display=False) as counter:
            call(copy.deepcopy(network).cpu().float().eval())
        return float(counter.get_total_flops())
    except Exception:  # one of pairs, or with kernels for GPUs alone
        return 0.0
