"""What the training benchmarks compare with: the loop of PyTorch's tutorials, and how busy the machine is.

The same networks as the recipe, in float32 and NCHW, Adam as torch makes it where nobody asks for more, losses read at each
step, one backward pass for real and one for generated images, the weights' gradient of the discriminator computed in the
generator's step and thrown away. The minibatch is in memory: loading pictures costs nothing here.
"""

from __future__ import annotations

import os
from typing import Any

import torch
from torch import nn

from zoo.runs.config import RunConfig
from zoo_core import ImageSpec

BUSY = 0.5
"""Runnable processes beside this one, on average of a minute, above which a measurement is not to be trusted."""


class PlainLoop:
    """The tutorials' DCGAN training on one minibatch.

    Args:
        config: whose networks, batch, and learning rates.
        device: where it trains; the minibatch lies there.
    """

    def __init__(self, config: RunConfig, device: torch.device | None = None) -> None:
        assert config.image is not None
        networks: dict[str, Any] = config.build_networks()
        self.generator, self.discriminator = (networks[role].to(device) for role in ("generator", "discriminator"))
        self.batch, self.device = config.training.batch, device
        self.real = (torch.rand(self.batch, *config.image.shape) * 2 - 1).to(device)
        self.criterion = nn.BCEWithLogitsLoss()
        self.optimizers = [
            torch.optim.Adam(network.parameters(), lr=settings["lr"], betas=(settings["beta1"], settings["beta2"]))
            for network, settings in (
                (self.generator, config.optimizer["generator"]),
                (self.discriminator, config.optimizer["discriminator"]),
            )
        ]

    def step(self) -> tuple[float, float]:
        """One step; both losses."""
        ones, zeros = torch.ones(self.batch, device=self.device), torch.zeros(self.batch, device=self.device)
        self.discriminator.zero_grad()
        real_loss = self.criterion(self.discriminator(self.real), ones)
        real_loss.backward()
        fake = self.generator(torch.randn(self.batch, self.generator.latent_dim, device=self.device))
        fake_loss = self.criterion(self.discriminator(fake.detach()), zeros)
        fake_loss.backward()
        self.optimizers[1].step()
        self.generator.zero_grad()
        generator_loss = self.criterion(self.discriminator(fake), ones)
        generator_loss.backward()
        self.optimizers[0].step()
        return (real_loss + fake_loss).item(), generator_loss.item()


def configured(recipe: str, batch: int, size: int, **options: Any) -> RunConfig:
    """The configuration of an unconditional recipe on color images."""
    return RunConfig.resolve(recipe, batch=batch, size=size, options=options).with_image(ImageSpec(size, 3))


def load() -> list[float] | None:
    """Processes that waited in the last 1, 5 and 15 minutes, where the system tells."""
    return [round(value, 2) for value in os.getloadavg()] if hasattr(os, "getloadavg") else None


def busy(before: list[float] | None) -> bool:
    """Whether others were at work when a benchmark began."""
    return before is not None and before[0] > BUSY


def shares(stat: str = "/proc/stat") -> tuple[int, int]:
    """Clock ticks that all processors worked, and that this process and its children did, since they began."""
    try:
        with open(stat, encoding="ascii") as file:
            ticks = [int(word) for word in file.readline().split()[1:9]]
    except OSError:
        return 0, 0
    mine = sum(os.times()[:4]) * os.sysconf("SC_CLK_TCK")
    return sum(ticks) - ticks[3] - ticks[4], int(mine)


def others(before: tuple[int, int], after: tuple[int, int]) -> float | None:
    """The share of the processors' work between two readings of `shares` that was not ours."""
    total, mine = after[0] - before[0], after[1] - before[1]
    return round(max(0.0, 1 - mine / total), 3) if total > 0 else None
