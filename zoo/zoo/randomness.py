"""Random numbers that depend on what they are for, and on nothing that happened before.

Every draw of the zoo's own (order of the data, latents) has a generator of its own, seeded from the run's seed, a purpose and
an index. So a resumed run needs no memory of them, two processes agree on them, and image i of a sample depends on the
seed and i alone. They are drawn on the CPU, so that every device sees the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import torch
from torch import Tensor

from zoo_core import Generator


def generator_for(seed: int, purpose: str, index: int = 0) -> torch.Generator:
    """A CPU random generator for draw `index` of `purpose` under `seed`."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{index}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)


def latents_for(generator: Generator, seed: int, indices: Iterable[int]) -> Tensor:
    """The latents [n, latent_dim] of samples number `indices` under `seed`, each drawn by itself."""
    return torch.cat([generator.sample_latent(1, generator_for(seed, "sample", i)) for i in indices])
