"""Whether a minibatch fits into memory, and which would."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import torch
from rich.filesize import decimal
from torch import Tensor

from zoo_core import TrainingError

from ..devices import Runtime, is_out_of_memory
from ..devices import free_memory as free_memory
from ..models.building import build_networks, meta_device
from ..runs.config import RunConfig, pass_through

SHARE = 0.8  # of free memory that a minibatch may take: kernels want room of their own

SUSPICIOUS = 400
"""Where a minibatch's pixels, so many times over, are less than the free memory, nothing is estimated: it costs seconds."""

FLOAT = 4


def bytes_of_step(config: RunConfig) -> tuple[int, int] | None:
    """Bytes for each image of a step (what the graphs of the generator and of one pass of the discriminator hold), and for
    weights, gradients, moments and average, in float32; None for networks that do not compute without memory.
    """
    assert config.image is not None
    batch = 2
    kept: list[Tensor] = []  # a storage that is gone may leave its number to another

    def hold(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    try:
        with meta_device():
            networks = build_networks(config.parts, config.image)
            parameters = [p for network in networks.values() for p in network.parameters()]
            with torch.autograd.graph.saved_tensors_hooks(hold, lambda tensor: tensor):
                pass_through(networks, config.image, batch)
            weights = {role: sum(p.numel() for p in network.parameters()) for role, network in networks.items()}
            held = {storage._cdata: storage.nbytes() for storage in map(Tensor.untyped_storage, kept)}
            own = {p.untyped_storage()._cdata for p in parameters}
    except (RuntimeError, NotImplementedError, ValueError):
        return None
    averaged = sum(weights[role] for role in config.build_algorithm().averages if role in weights)
    images = sum(size for number, size in held.items() if number not in own)
    return images // batch, FLOAT * (4 * sum(weights.values()) + averaged)


def fitting_batch(config: RunConfig, device: torch.device, unit: int) -> int | None:
    """The largest minibatch for one process, a power of two times `unit`, that is expected to fit; None if nobody knows."""
    free, needs = free_memory(device), bytes_of_step(config)
    if free is None or needs is None:
        return None
    images = int((SHARE * free - needs[1]) // max(needs[0], 1))
    return unit << ((images // unit).bit_length() - 1) if images >= unit else None


def refuse_too_large(config: RunConfig, runtime: Runtime) -> None:
    """Raise `TrainingError` where a minibatch cannot fit into the CPU's memory, whose system would kill the process. A GPU
    says so by itself.
    """
    device, pieces = runtime.device, runtime.world * config.training.accumulate
    share, image = config.training.batch // pieces, config.image
    assert image is not None
    free = free_memory(device) if device.type == "cpu" else None
    if free is None or share * image.channels * image.size**2 * FLOAT * SUSPICIOUS < free:
        return
    needs = bytes_of_step(config)
    if needs is not None and share * needs[0] + needs[1] > free:
        what = f"a minibatch of {config.training.batch:,} needs about {decimal(share * needs[0] + needs[1])} of memory"
        raise _too_large(f"{what}, and {decimal(free)} are free", config, device, pieces)


@contextmanager
def translate_memory_errors(config: RunConfig, runtime: Runtime) -> Iterator[None]:
    """Turn running out of memory into a `TrainingError` that says which minibatch would fit."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        cuda = isinstance(error, torch.OutOfMemoryError)
        device = runtime.device
        if cuda:
            error.__traceback__ = None  # it holds the tensors that filled the memory
            with suppress(RuntimeError):  # after a capture that was broken off
                torch.cuda.empty_cache()
        what = f"out of memory on {device} with minibatches of {config.training.batch:,}"
        raise _too_large(what, config, device, runtime.world * config.training.accumulate) from None


def _too_large(what: str, config: RunConfig, device: torch.device, pieces: int) -> TrainingError:
    fits = fitting_batch(config, device, 1)
    batch = config.training.batch
    if fits is None or fits < 2:
        return TrainingError(what, hint="try a smaller minibatch (--batch), smaller images (--size) or narrower networks")
    fits = min(fits * pieces, 1 << (batch.bit_length() - 1 if batch & (batch - 1) else batch.bit_length() - 2))
    accumulate = -(-batch // fits) * config.training.accumulate
    while batch % accumulate:
        accumulate += 1
    hint = f"this would fit: --batch {fits}; or, with the same minibatch in pieces: --set training.accumulate={accumulate}"
    return TrainingError(what, hint=hint)
