"""What a training changes as it goes: networks, average, optimizers, and how far it is."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from zoo_core import Discriminator, Generator, Loss

from ..models.model import estimate_statistics
from ..optimizers import Adam
from ..runs.config import RunConfig
from ..runs.evaluation import Best
from .meter import Meter


@dataclass
class State:
    """Everything that a checkpoint holds, on the device of the training.

    Args:
        generator, discriminator: in training mode.
        average: moving average of the generator's parameters; None where the recipe keeps none.
        generator_optimizer, discriminator_optimizer: `torch.optim.Optimizer`, perhaps wrapped by Accelerate.
        loss: holds no state.
        meter: the losses since they were last written down.
        step: minibatches so far.
        images: real images shown so far; also the position in the shuffled data.
        updates: of the generator.
        seconds: of training, over all sittings.
        best: the best evaluation so far, whose checkpoint is kept.
    """

    generator: Generator
    discriminator: Discriminator
    average: Generator | None
    generator_optimizer: Any
    discriminator_optimizer: Any
    loss: Loss
    meter: Meter
    step: int = 0
    images: int = 0
    updates: int = 0
    seconds: float = 0.0
    best: Best | None = None

    @classmethod
    def create(cls, config: RunConfig, accelerator: Any) -> State:
        """A fresh state from the configuration's seed, on the accelerator's device, weights in channels-last format."""
        device = accelerator.device
        generator, discriminator = config.build_networks()
        for network in (generator, discriminator):
            network.to(device).to(memory_format=torch.channels_last).train()
        average = copy.deepcopy(generator).requires_grad_(False).eval() if config.training.ema > 0 else None
        return cls(
            generator,
            discriminator,
            average,
            accelerator.prepare_optimizer(_adam(generator, config.optimizer["generator"], device)),
            accelerator.prepare_optimizer(_adam(discriminator, config.optimizer["discriminator"], device)),
            config.build_loss(),
            Meter(device),
        )

    def networks(self) -> dict[str, nn.Module]:
        """The networks by the name that a checkpoint gives them."""
        found: dict[str, nn.Module] = {"generator": self.generator, "discriminator": self.discriminator}
        if self.average is not None:
            found["average"] = self.average
        return found

    def update_average(self, ceiling: float) -> None:
        """Move the average toward the generator, with decay min(ceiling, (1 + t) / (10 + t)) at its update t."""
        if self.average is None:
            return
        decay = min(ceiling, (1 + self.updates) / (10 + self.updates))
        with torch.no_grad():
            mine: list[Tensor] = list(self.average.parameters())
            torch._foreach_lerp_(mine, list(self.generator.parameters()), 1 - decay)

    def evaluated(self, *, raw: bool = False) -> Generator:
        """A copy of the generator to draw with: averaged (or raw) parameters, batch-norm statistics estimated for them.

        In the memory format that a loaded model has: kernels round differently in another one.
        """
        source = self.generator if raw or self.average is None else self.average
        drawn = copy.deepcopy(source).requires_grad_(False).to(memory_format=torch.contiguous_format)
        with torch.no_grad():  # buffers that are not averaged, such as spectral norm's, are the generator's own
            for mine, theirs in zip(drawn.buffers(), self.generator.buffers(), strict=True):
                mine.copy_(theirs)
        estimate_statistics(drawn)
        return drawn


def _adam(network: nn.Module, settings: dict[str, Any], device: torch.device) -> Adam:
    return Adam(
        network.parameters(),
        lr=settings["lr"],
        betas=(settings["beta1"], settings["beta2"]),
        eps=settings["eps"],
        weight_decay=settings["weight_decay"],  # Adam's own: L2, added to the gradient, as the authors have it
        fused=device.type in ("cpu", "cuda", "mps"),
    )
