"""Minibatches in an order that depends on the seed and the position alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

from zoo_core import Generator, UsageError
from zoo_core.words import are, plural

from ..packs import Pack, to_images
from ..randomness import generator_for

RESIDENT = 0.25  # largest share of a GPU's free memory that the images may take to be kept there


class Minibatch(NamedTuple):
    """One process's share: real images [n, C, S, S], their labels [n] or None, latents [n, latent_dim]; where learning rates
    change on the device, those of this step and what is left of their schedules, [roles, 2].
    """

    real: Tensor
    labels: Tensor | None
    z: Tensor
    rates: Tensor | None = None


class Batches:
    """The endless stream of shuffled images, cut into minibatches.

    The stream is one permutation of the data after another, so that no image is left out, and where a minibatch begins is
    all that a resumed run needs to know. With several processes each takes its own slice of every minibatch: the order does
    not depend on their number. Images that fit are kept on a GPU as uint8; on a CPU the memory map serves.

    Args:
        batch: images in a minibatch, over all processes.
        conditional: whether labels go with the images.
        mirror: whether each real image is flipped left to right with probability ½.

    Raises:
        UsageError: there are fewer images than a minibatch, or it cannot be shared equally.
    """

    def __init__(
        self,
        pack: Pack,
        batch: int,
        seed: int,
        device: torch.device,
        conditional: bool = False,
        mirror: bool = False,
        *,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        if batch > len(pack):
            hint = f"try: --batch {1 << (len(pack).bit_length() - 1)}"
            there = f"{plural(len(pack), 'image')} there {are(len(pack))}"
            raise UsageError(f"a minibatch of {batch} is more than the {there}", hint=hint)
        share = share_of(batch, world)  # images of each process
        self.pack, self.batch, self.seed, self.device = pack, batch, seed, device
        self.conditional, self.mirror = conditional, mirror
        self.mine = slice(rank * share, (rank + 1) * share)
        self._newest = (-1, torch.empty(0, dtype=torch.int64))  # number of an epoch, and its order
        self.resident = None  # all images, uint8 [N, S, S, C], on a GPU whose memory holds them easily
        if device.type == "cuda" and pack.nbytes <= RESIDENT * torch.cuda.mem_get_info(device)[0]:
            self.resident = pack.gather(torch.arange(len(pack))).to(device)

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
        if self.resident is not None:
            images = to_images(self.resident.index_select(0, self._moved(chosen)))
        else:
            images = to_images(self._moved(self.pack.gather(chosen)))
        if self.mirror:
            images = mirror_images(images, self._moved(self.flips(position)))
        labels = None
        if self.conditional:
            assert self.pack.labels is not None
            labels = self._moved(self.pack.labels[chosen])
        return images, labels

    def flips(self, position: int) -> Tensor:
        """Which of this process's images [n] of the minibatch at a stream position are mirrored."""
        return torch.rand(self.batch, generator=generator_for(self.seed, "mirror", position))[self.mine] < 0.5

    def latents(self, generator: Generator, step: int) -> Tensor:
        """This process's latents [n, latent_dim] of minibatch number `step`, on the CPU."""
        return generator.sample_latent(self.batch, generator_for(self.seed, "latents", step))[self.mine]

    @contextmanager
    def ahead(self, generator: Generator) -> Iterator[Callable[[int, int], Minibatch]]:
        """Yield a function that returns the minibatch at a stream position with the latents of a step.

        A thread then begins with the one after it; preparing one that is never asked for changes nothing.
        """
        waiting: dict[tuple[int, int], Future[Minibatch]] = {}

        def prepare(position: int, step: int) -> Minibatch:
            return Minibatch(*self.real(position), self._moved(self.latents(generator, step)))

        def take(position: int, step: int) -> Minibatch:
            ready = waiting.pop((position, step), None)
            found = ready.result() if ready is not None else prepare(position, step)
            following = (position + self.batch, step + 1)
            waiting.clear()
            waiting[following] = pool.submit(prepare, *following)
            return found

        with helper_thread() as pool:
            yield take

    def _moved(self, tensor: Tensor) -> Tensor:
        """To the device, without waiting for it: a GPU copies pinned memory while it computes."""
        if self.device.type == "cuda":
            tensor = tensor.pin_memory()
        return tensor.to(self.device, non_blocking=True)

    def _permutation(self, epoch: int) -> Tensor:
        newest = self._newest  # once: another thread may be at another epoch
        if epoch != newest[0]:
            newest = epoch, torch.randperm(len(self.pack), generator=generator_for(self.seed, "order", epoch))
            self._newest = newest
        return newest[1]


@contextmanager
def helper_thread() -> Iterator[ThreadPoolExecutor]:
    """Yield a pool of one thread that prepares minibatches.

    It computes without helpers: with its own there would be more threads than processors, and those of the training step
    would sleep.
    """
    threads = torch.get_num_threads()
    with ThreadPoolExecutor(1, thread_name_prefix="minibatches") as pool:
        pool.submit(_compute_alone).result()
        torch.set_num_threads(threads)  # as it was, for threads that come later
        yield pool


def _compute_alone() -> None:
    """Let this thread compute without helpers. Its number is its own, but when it first needs one it takes what was said
    last in any thread, whatever it was told before: so it is asked first.
    """
    torch.get_num_threads()
    torch.set_num_threads(1)


def mirror_images(images: Tensor, flips: Tensor) -> Tensor:
    """Flip those of the images [n, C, S, S] left to right that `flips` [n] names."""
    return torch.where(flips[:, None, None, None], images.flip(3), images)


def share_of(batch: int, world: int, accumulate: int = 1) -> int:
    """Images that go through the networks together; raises `UsageError` where a minibatch cannot be shared equally."""
    unit = world * accumulate
    if batch % unit:
        pieces = f", in {accumulate} pieces each" if accumulate > 1 else ""
        what = f"a minibatch of {batch} cannot be shared by {world} process{'es' if world > 1 else ''}{pieces}"
        raise UsageError(what, hint=f"try: --batch {batch // unit * unit or unit}")
    return batch // unit
