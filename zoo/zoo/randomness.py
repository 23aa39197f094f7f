"""Random numbers that depend on what they are for, and on nothing that happened before.

Every draw of the zoo's own (initial weights, order of the data, latents) has a generator of its own, seeded from the run's
seed, a purpose and an index. So a resumed run needs no memory of them, two processes agree on them, and image i of a sample
depends on the seed and i alone. They are drawn on the CPU, so that every device sees the same.

What a network draws by itself while it trains (dropout) comes from the global generators; checkpoints hold their states.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from zoo_core import Generator


def generator_for(seed: int, purpose: str, index: int = 0) -> torch.Generator:
    """Return a CPU random generator for draw `index` of `purpose` under `seed`, which may be any whole number."""
    return torch.Generator().manual_seed(_derived(seed, purpose, index))


@contextmanager
def seeded(seed: int, purpose: str, device: torch.device | None = None) -> Iterator[None]:
    """Let torch's global generators (CPU and device) draw for `purpose` under `seed`, and leave them as they were."""
    number = _derived(seed, purpose, 0)
    cuda = device is not None and device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if cuda else []):
        torch.default_generator.manual_seed(number)
        if cuda:
            torch.cuda.manual_seed(number)
        yield


def seed_everything(seed: int, process: int = 0) -> None:
    """Seed the global random generators of Python, numpy and torch, all devices, differently in each process."""
    number = _derived(seed, "global", process)
    random.seed(number)
    np.random.seed(number % 2**32)
    torch.manual_seed(number)


def latents_for(generator: Generator, seed: int, indices: Iterable[int]) -> Tensor:
    """Return the latents [n, latent_dim] of samples number `indices` under `seed`, each drawn by itself."""
    return torch.cat([generator.sample_latent(1, generator_for(seed, "sample", i)) for i in indices])


def _derived(seed: int, purpose: str, index: int) -> int:
    digest = hashlib.sha256(f"{seed}/{purpose}/{index}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


@contextmanager
def preserve_rng_state(device: torch.device) -> Iterator[None]:
    """Leave the global random states of torch, numpy and Python as they were."""
    states = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
