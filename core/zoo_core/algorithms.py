"""How networks learn: the interface of algorithms.

An algorithm names its parts and its phases, and yields the scalars that each phase minimizes. The engine does the rest:
it differentiates each scalar as it comes, freezes what does not learn, accumulates, averages over processes, clips, steps
the optimizers, moves the averages, counts, compiles, and on a GPU replays the whole step as one graph. So an algorithm never
calls `backward` or `step`, and never waits for the device: no `.item()`, no boolean indexing, no `nonzero`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor

from .errors import PluginError


@dataclass(frozen=True)
class Phase:
    """Part of a training step: which roles it updates, and in which steps it comes.

    A phase comes in step number s (from 0) where s modulo `every` is one of `at`.

    Args:
        name: what `Algorithm.losses` is told.
        updates: the roles whose parameters its losses train.
        every: length of the cycle, in steps.
        at: places in the cycle; (0,) by default.
        joins: whether its gradients are added to those of the phase before it, so that one optimizer step serves both (a
            penalty, say). Both must update the same roles.
    """

    name: str
    updates: tuple[str, ...]
    every: int = 1
    at: tuple[int, ...] = (0,)
    joins: bool = False

    def due(self, step: int) -> bool:
        """Return whether it comes in step number `step`."""
        return step % self.every in self.at


def check_joins(phases: Sequence[Phase], who: str = "") -> None:
    """Raise `PluginError`, naming `who`, where in any step of the cycle a phase joins none that updates the same roles."""
    for number in range(math.lcm(*(phase.every for phase in phases))):
        due = [phase for phase in phases if phase.due(number)]
        for before, phase in zip([None, *due], due, strict=False):
            if phase.joins and (before is None or set(before.updates) != set(phase.updates)):
                raise PluginError(
                    f"{who}phase {phase.name!r} joins the one before it, and in step {number} that is "
                    f"{before and before.name!r}, expected one that updates {', '.join(phase.updates)}"
                )


@dataclass
class Step:
    """What an algorithm is given for one piece of a minibatch, in one step.

    Args:
        real: images [n, C, S, S] in [−1, 1], float32.
        labels: class indices [n], int64; None unless the algorithm is conditional.
        z: latents [n, latent_dim] of the generator.
        parts: role → what was built for it. A network is called as itself; its output comes in the precision of the
            training, that of a discriminator always in float32. `parts[role].exact` is the same network in float32 and not
            compiled, for penalties, which differentiate twice; `parts[role].twice_differentiable` says whether the network
            itself would do. `parts[role].one_pass` of a discriminator says whether several minibatches may go through it
            together, since it judges each image alone, and whether that is faster here. A loss is the loss.
        due: names of the phases of this step.
        pieces: how many pieces the minibatch is computed in. A graph is worth keeping in `memory` only where this is 1.
        memory: what one phase leaves to the next, for this piece of this step.
        record: takes a measured value by name; see `log`.
        left: role → what is left of the schedule of its learning rate, from 1 to 0, a scalar on the device or a number; of
            roles that have one.
    """

    real: Tensor
    labels: Tensor | None
    z: Tensor
    parts: Mapping[str, Any]
    due: frozenset[str]
    pieces: int = 1
    memory: dict[str, Any] = field(default_factory=dict)
    record: Callable[[str, Tensor], None] = lambda name, value: None
    left: Mapping[str, Tensor | float] = field(default_factory=dict)

    def log(self, **values: Tensor) -> None:
        """Record scalars under names such as `d_loss`; their means go into `metrics.jsonl`. Never waits for the device."""
        for name, value in values.items():
            self.record(name, value.detach())


class Algorithm(ABC):
    """How the networks of a recipe learn. Options are the constructor's keywords; an instance holds no tensors.

    Attributes:
        parts: role → kind. "generator" is a generator in every algorithm; others are discriminators, losses, networks.
        averages: roles of which a moving average is kept, and published.
        conditional: whether the networks are told labels.
        augmentable: whether every discriminator is called itself, so that the engine can augment what it sees.
        tiny: options of an instance for the conformance checks; under "parts", registry names by role, where the
            algorithm's own kinds of network are not the usual ones.
    """

    parts: ClassVar[Mapping[str, str]] = {"generator": "generators", "discriminator": "discriminators", "loss": "losses"}
    averages: ClassVar[tuple[str, ...]] = ("generator",)
    tiny: ClassVar[Mapping[str, Any]] = {}
    conditional: bool = False
    augmentable: ClassVar[bool] = True

    @abstractmethod
    def phases(self, parts: Mapping[str, Any]) -> Sequence[Phase]:
        """The phases of the training, in the order in which they come within a step; `parts` are role → network or loss, for
        intervals that a part asks for.
        """

    @abstractmethod
    def losses(self, phase: str, step: Step) -> Iterator[Tensor]:
        """Yield the scalars that a phase minimizes, for one piece of a minibatch. Each is differentiated before the next is
        asked for, so that its graph is gone by then; their gradients add up.
        """
