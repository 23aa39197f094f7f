"""What networks cost to compute, counted instead of timed: the same on every machine."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from ..devices import CPU
from ..randomness import preserve_rng_state


def count_flops(network: nn.Module, call: Callable[[Any], Any]) -> float:
    """Return the floating-point operations of what `call` does with a copy of a network on the CPU, in its convolutions and
    linear layers alone; 0 where it cannot be computed there. The network and random states stay as they were.

    By hooks: torch's own counter, and every dispatch mode, imports the compiler, which takes seconds.
    """
    total = 0.0

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], out: Tensor) -> None:
        nonlocal total
        assert isinstance(layer.weight, Tensor)
        # each place of the smaller map meets each weight once; of a transposed convolution that is its input
        places = inputs[0] if isinstance(layer, _ConvTransposeNd) else out
        total += 2 * places.shape[0] * math.prod(places.shape[2:]) * layer.weight.numel()

    try:
        with preserve_rng_state(CPU), torch.no_grad():
            copied = copy.deepcopy(network).cpu().float().eval()
            for layer in copied.modules():
                if isinstance(layer, _ConvNd | nn.Linear):
                    layer.register_forward_hook(count)  # type: ignore[arg-type]
            call(copied)
    except Exception:  # one of pairs, or with kernels for GPUs alone
        return 0.0
    return total
