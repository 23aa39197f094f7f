"""Models for exports: untrained, tiny, and with weights that make their pictures differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

import zoo

Make = Callable[..., zoo.Model]


def enliven(model: zoo.Model) -> zoo.Model:
    """Give a model weights and statistics as after a training: fresh ones draw the same gray from every latent."""
    rng = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for network in model.networks.values():
            for name, tensor in network.state_dict().items():
                if not tensor.is_floating_point() or "parametrizations" in name:
                    continue
                noise = torch.randn(tensor.shape, generator=rng)
                if name.endswith("running_var"):
                    tensor.copy_(0.5 + noise.abs())
                elif tensor.ndim < 2:
                    tensor.add_(noise, alpha=0.1)
                else:
                    tensor.copy_(noise / (tensor[0].numel() ** 0.5))
    return model


@pytest.fixture
def make() -> Make:
    """A function that makes a model of a recipe."""

    def create(recipe: str = "dcgan", *, size: int = 16, options: dict[str, Any] | None = None, **more: Any) -> zoo.Model:
        narrow = {"generator.width": 4, "discriminator.width": 4}
        return enliven(zoo.create(recipe, size=size, options={**narrow, **(options or {})}, **more))

    return create
