"""Minibatches in an order that depends on the seed and the position alone."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo_core import Generator, UsageError

from ..packs import Pack, to_images
from ..randomness import generator_for


class Batches:
    """The endless stream of shuffled images, cut into minibatches.

    The stream is one permutation of the data after another, so that no image is left out, and where a minibatch begins is
    all that a resumed run needs to know. With several processes each takes its own slice of every minibatch: the order does
    not depend on their number.

    Args:
        pack: the images.
        batch: images in a minibatch, over all processes.
        seed: of the order and of the latents.
        device: where minibatches go.
        conditional: whether labels go with them.
        rank, world: number of this process and of all processes.

    Raises:
        UsageError: there are fewer images than a minibatch, or it cannot be shared equally.
    """

    def __init__(
        self,
        pack: Pack,
        batch: int,
        seed: int,
        device: torch.device,
        *,
        conditional: bool = False,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        if batch > len(pack):
            raise UsageError(
                f"a minibatch of {batch} is more than the {len(pack):,} images there are",
                hint=f"try: --batch {1 << (len(pack).bit_length() - 1)}",
            )
        share = share_of(batch, world)
        self.pack, self.batch, self.seed, self.device, self.conditional = pack, batch, seed, device, conditional
        self.mine = slice(rank * share, (rank + 1) * share)
        self._epoch, self._order = -1, torch.empty(0, dtype=torch.int64)

    def indices(self, position: int) -> Tensor:
        """Numbers [batch] of the images at stream positions position, position + 1, …"""
        parts, needed = [], self.batch
        while needed:
            epoch, start = divmod(position, len(self.pack))
            part = self._permutation(epoch)[start : start + needed]
            parts.append(part)
            position, needed = position + len(part), needed - len(part)
        return torch.cat(parts)

    def real(self, position: int) -> tuple[Tensor, Tensor | None]:
        """This process's images [n, C, S, S] in [−1, 1] of the minibatch at a stream position, and their labels [n]."""
        chosen = self.indices(position)[self.mine]
        images = to_images(self.pack.gather(chosen).to(self.device, non_blocking=True))
        labels = None
        if self.conditional:
            assert self.pack.labels is not None
            labels = self.pack.labels[chosen].to(self.device, non_blocking=True)
        return images, labels

    def latents(self, generator: Generator, step: int) -> Tensor:
        """This process's latents [n, latent_dim] of minibatch number `step`."""
        z = generator.sample_latent(self.batch, generator_for(self.seed, "latents", step))
        return z[self.mine].to(self.device, non_blocking=True)

    def _permutation(self, epoch: int) -> Tensor:
        if epoch != self._epoch:
            self._order = torch.randperm(len(self.pack), generator=generator_for(self.seed, "order", epoch))
            self._epoch = epoch
        return self._order


def share_of(batch: int, world: int) -> int:
    """Images of a minibatch for each of `world` processes; raises `UsageError` where they cannot be shared equally."""
    if batch % world:
        raise UsageError(
            f"a minibatch of {batch} cannot be shared by {world} processes",
            hint=f"try: --batch {batch // world * world or world}",
        )
    return batch // world
