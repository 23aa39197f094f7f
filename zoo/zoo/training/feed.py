"""Minibatches of many steps at once on the device, for steps that a graph replays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import torch
from torch import Tensor

from zoo_core import Generator

from ..packs import to_images
from .batches import Batches, Minibatch, helper_thread, mirror_images

STEPS = 64  # whose numbers go to the device together
BYTES = 64 << 20  # most that they take where the pictures themselves go with them

Rates = Callable[[int], Sequence[Sequence[float]]]


class Feed:
    """The minibatches of `Batches.ahead`, in tensors that stay where they are.

    `advance` is for the host: once in many steps it moves what the next ones need, in one transfer for each kind of number,
    which a thread has prepared meanwhile. `read` is for the device alone: a counter there says whose turn it is, so that
    replaying it gives the next minibatch. Where the pack lies on the device, numbers of pictures are moved; else the
    pictures are, as uint8.

    Args:
        rates: gives the learning rates of a step after so many images, and what is left of their schedules, [roles, 2]; None
            where none changes.
    """

    def __init__(self, batches: Batches, generator: Generator, rates: Rates | None, pool: ThreadPoolExecutor) -> None:
        self.batches, self.generator, self.rates, self.pool = batches, generator, rates, pool
        self.held: dict[str, Tensor] = {}
        self.turn = torch.zeros(1, dtype=torch.int64, device=batches.device)
        self.begin, self.end = 0, 0  # the steps whose minibatches are on the device
        self.waiting: tuple[tuple[int, int], Future[dict[str, Tensor]]] | None = None
        pack, share = batches.pack, len(range(*batches.mine.indices(batches.batch)))
        pixels = share * pack.spec.channels * pack.spec.size**2
        self.steps = STEPS if batches.resident is not None else max(1, min(STEPS, BYTES // pixels))

    def prepare(self, position: int, step: int) -> dict[str, Tensor]:
        """Gather what the steps from `step` on need, [steps, …] each, beginning at a stream position; on the CPU."""
        batches = self.batches
        places = [position + i * batches.batch for i in range(self.steps)]
        chosen = torch.stack([batches.indices(place)[batches.mine] for place in places])  # [steps, n]
        found = {"z": torch.stack([batches.latents(self.generator, step + i) for i in range(self.steps)])}
        if batches.resident is not None:
            found["index"] = chosen
        else:
            found["pixels"] = torch.stack([batches.pack.gather(numbers) for numbers in chosen])  # [steps, n, S, S, C]
        if batches.conditional:
            assert batches.pack.labels is not None
            found["labels"] = batches.pack.labels[chosen]
        if batches.mirror:
            found["flips"] = torch.stack([batches.flips(place) for place in places])
        if self.rates is not None:
            found["rates"] = torch.tensor([self.rates(place) for place in places], dtype=torch.float32)
        if batches.device.type == "cuda":
            return {name: tensor.pin_memory() for name, tensor in found.items()}
        return found

    def advance(self, position: int, step: int) -> None:
        """See that the next `read` gives the minibatch of `step`, which begins at a stream position."""
        if self.begin <= step < self.end:
            return
        asked, self.waiting = self.waiting, None
        found = asked[1].result() if asked is not None and asked[0] == (position, step) else self.prepare(position, step)
        for name, tensor in found.items():
            if name not in self.held:
                self.held[name] = torch.empty_like(tensor, device=self.batches.device)
            self.held[name].copy_(tensor, non_blocking=True)
        self.turn.zero_()
        self.begin, self.end = step, step + self.steps
        following = (position + self.steps * self.batches.batch, self.end)
        self.waiting = following, self.pool.submit(self.prepare, *following)

    def settle(self) -> None:
        """Wait until the thread rests."""
        if self.waiting is not None:
            self.waiting[1].result()

    def read(self) -> Minibatch:
        """Return the next minibatch of those on the device; computes nothing on the host."""
        mine = {name: tensor.index_select(0, self.turn).squeeze(0) for name, tensor in self.held.items()}
        resident = self.batches.resident
        real = to_images(mine["pixels"] if resident is None else resident.index_select(0, mine["index"]))
        if "flips" in mine:
            real = mirror_images(real, mine["flips"])
        self.turn += 1
        return Minibatch(real, mine.get("labels"), mine["z"], mine.get("rates"))


@contextmanager
def open_feed(batches: Batches, generator: Generator, rates: Rates | None = None) -> Iterator[Feed]:
    """Yield a feed, with its thread."""
    with helper_thread() as pool:
        yield Feed(batches, generator, rates, pool)
