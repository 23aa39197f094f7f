"""The supervised counterpart of a discriminator: the same stages, trained on few labels alone."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

RATES = (3e-4, 1e-3, 3e-3)  # that are tried; the paper searched its settings at random
DECAY = 1e-3  # of AdamW
BATCH, SPREAD = 50, 256


class Classifier(nn.Module):
    """The stages of a discriminator, the last one flattened, and a linear layer."""

    def __init__(self, discriminator: Any, classes: int) -> None:
        super().__init__()
        self.discriminator = discriminator
        with torch.no_grad():
            width = self.discriminator.eval().features(torch.zeros(1, *discriminator.image.shape))[-1].numel()
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.discriminator.features(x)[-1].flatten(1))
        return logits


def supervise(
    discriminator: Any,
    train: tuple[Tensor, Tensor],
    held: tuple[Tensor, Tensor],
    test: tuple[Tensor, Tensor],
    classes: int,
    *,
    epochs: int = 40,
    rates: Sequence[float] = RATES,
    seed: int = 0,
) -> float:
    """Return the test accuracy of the network that is best on held-out images, of those of all rates and epochs.

    Args:
        discriminator: with random initial weights; it stays as it is.
        train, held, test: images [n, C, S, S] in [−1, 1] and labels [n], on the CPU.
    """
    device = next(discriminator.parameters()).device
    best, found = -1.0, 0.0
    for rate in rates:
        torch.manual_seed(seed)
        network = Classifier(deepcopy(discriminator).cpu().requires_grad_(True), classes).to(device)
        optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=DECAY)
        rng = torch.Generator().manual_seed(seed)
        for _ in range(epochs):
            network.train()
            for part in torch.split(torch.randperm(len(train[0]), generator=rng), BATCH):
                if len(part) > 1:  # one has no variance
                    loss = F.cross_entropy(network(train[0][part].to(device)), train[1][part].to(device))
                    optimizer.zero_grad()
                    torch.autograd.backward(loss)
                    optimizer.step()
            if (accuracy := score(network, held)) > best:
                best, found = accuracy, score(network, test)
    return found


@torch.no_grad()
def score(network: nn.Module, images: tuple[Tensor, Tensor]) -> float:
    """Return how often a classifier is right."""
    network.eval()
    device = next(network.parameters()).device
    named = torch.cat([network(part.to(device)).argmax(1).cpu() for part in torch.split(images[0], SPREAD)])
    return float((named == images[1]).float().mean())
