"""What a training changes as it goes: networks, averages, optimizers, and how far it is."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from zoo_core import Algorithm, Generator

from ..devices import Runtime
from ..models.model import estimate_statistics
from ..optimizers import Adam
from ..runs.config import RunConfig
from ..runs.evaluation import Best
from .meter import Meter


@dataclass
class State:
    """Everything that a checkpoint holds, on the device of the training.

    Args:
        algorithm: how the networks learn; holds no state.
        networks: role → network, in training mode.
        losses: role → loss; hold no state.
        averages: role → moving average of the network's parameters; empty where the recipe keeps none.
        optimizers: role → `torch.optim.Optimizer`.
        meter: the losses since they were last written down.
        step: minibatches so far.
        images: real images shown so far; also the position in the shuffled data.
        updates: role → optimizer steps so far.
        seconds: of training, over all sittings.
        best: the best evaluation so far, whose checkpoint is kept.
    """

    algorithm: Algorithm
    networks: dict[str, nn.Module]
    losses: dict[str, Any]
    averages: dict[str, nn.Module]
    optimizers: dict[str, torch.optim.Optimizer]
    meter: Meter
    step: int = 0
    images: int = 0
    updates: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    best: Best | None = None

    @classmethod
    def create(cls, config: RunConfig, runtime: Runtime) -> State:
        """Make a fresh state from the configuration's seed, on the runtime's device, weights in channels-last format."""
        device, algorithm, networks = runtime.device, config.build_algorithm(), config.build_networks()
        for network in networks.values():
            network.to(device).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        averaged = [role for role in algorithm.averages if role in networks] if config.training.ema > 0 else []
        return cls(
            algorithm,
            networks,
            config.build_losses(),
            {role: copy.deepcopy(networks[role]).requires_grad_(False).eval() for role in averaged},
            {role: make_optimizer(network, config.optimizer[role], device) for role, network in networks.items()},
            Meter(device),
        )

    @property
    def generator(self) -> Generator:
        """The network that draws."""
        found = self.networks["generator"]
        assert isinstance(found, Generator)
        return found

    def tensors(self) -> dict[str, nn.Module]:
        """Networks and averages by the name that a checkpoint gives them: "generator", …, "average.generator", …"""
        return {**self.networks, **{f"average.{role}": average for role, average in self.averages.items()}}

    def update_average(self, role: str, ceiling: float) -> None:
        """Move a role's average toward its network, with decay min(ceiling, (1 + t) / (10 + t)) at its update t."""
        count = self.updates[role]
        decay = min(ceiling, (1 + count) / (10 + count))
        with torch.no_grad():
            mine: list[Tensor] = list(self.averages[role].parameters())
            theirs: list[Tensor] = list(self.networks[role].parameters())
            torch._foreach_lerp_(mine, theirs, 1 - decay)

    def evaluated(self, role: str = "generator", *, raw: bool = False) -> Any:
        """Return a copy of a network to use: averaged (or raw) parameters, evaluation mode.

        A generator's batch-norm statistics are estimated for them. In the memory format that a loaded model has: kernels
        round differently in another one.
        """
        source = self.networks[role]
        if not raw and role in self.averages:
            source = self.averages[role]
        drawn: Any = copy.deepcopy(source).requires_grad_(False)
        drawn = drawn.to(memory_format=torch.contiguous_format)
        with torch.no_grad():  # buffers that are not averaged, such as spectral norm's, are the network's own
            for mine, theirs in zip(drawn.buffers(), self.networks[role].buffers(), strict=True):
                mine.copy_(theirs)
        if isinstance(drawn, Generator):
            estimate_statistics(drawn)
        return drawn.eval()


def make_optimizer(network: nn.Module, settings: dict[str, Any], device: torch.device) -> torch.optim.Optimizer:
    """Make the optimizer that the settings of a role name; fused kernels where torch has them."""
    fused = {"fused": True} if device.type in ("cpu", "cuda", "mps") else {}
    common = {"lr": settings["lr"], "weight_decay": settings["weight_decay"]}
    if settings["kind"] == "rmsprop":
        return torch.optim.RMSprop(
            network.parameters(), alpha=settings["beta2"], momentum=settings["beta1"], eps=settings["eps"], **common
        )
    if settings["kind"] == "sgd":
        return torch.optim.SGD(network.parameters(), momentum=settings["beta1"], **common, **fused)
    adam = Adam if settings["kind"] == "adam" else torch.optim.AdamW  # Adam's own decay is L2, as the authors have it
    betas = (settings["beta1"], settings["beta2"])
    return adam(network.parameters(), betas=betas, eps=settings["eps"], **common, **fused)


def learning_rate(settings: dict[str, Any], images: int) -> float:
    """The learning rate of a role after so many real images.

    A function of what was shown alone, so that a resumed run needs no memory of it: a linear warm-up, then constant, or
    falling to 0 at `schedule_images` in a line or half a cosine.
    """
    rate, warm = float(settings["lr"]), int(settings["warmup_images"])
    if images < warm:
        return rate * images / warm
    if settings["schedule"] == "constant":
        return rate
    done = min(1.0, (images - warm) / max(1, settings["schedule_images"] - warm))
    left = 1 - done if settings["schedule"] == "linear" else (1 + math.cos(math.pi * done)) / 2
    return rate * left
