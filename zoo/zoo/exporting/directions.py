"""Directions in which a generator's pictures change most: SeFa (Shen and Zhou 2021, arXiv:2007.06600)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from zoo_core import Generator

COUNT = 8


def find_directions(generator: Generator, count: int = COUNT) -> Tensor:
    """Return unit vectors [count, latent_dim] along which the first weights that see the latent answer most, most first.

    They are the eigenvectors of AᵀA for weights A [outputs, latent_dim]; where the first layer sees only the beginning of
    the latent, the rest of a vector is 0. Their signs make the largest number positive. Fewer where the latent is shorter,
    none where no such layer is found.
    """
    weight = _first_weight(generator)
    if weight is None:
        return torch.zeros(0, generator.latent_dim)
    values, vectors = torch.linalg.eigh((weight.T @ weight).double())
    chosen = vectors[:, values.argsort(descending=True)[:count]].T  # [count, numbers that the layer sees]
    signs = chosen.gather(1, chosen.abs().argmax(1, keepdim=True)).sign()
    found = torch.zeros(len(chosen), generator.latent_dim)
    found[:, : chosen.shape[1]] = (chosen * signs).float()
    return found


@torch.no_grad()
def _first_weight(generator: Generator) -> Tensor | None:
    """Return the weights [outputs, inputs] of the first layer that is called, of which the latent's numbers alone."""
    found: list[Tensor] = []

    def see(module: nn.Module, inputs: Any, _output: Any) -> None:
        weight = getattr(module, "weight", None)
        if found or not isinstance(weight, Tensor) or weight.ndim < 2 or not isinstance(inputs[0], Tensor):
            return
        transposed = isinstance(module, nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d)
        rows = weight.movedim(1, 0) if transposed else weight  # [outputs, inputs, …]
        seen = min(rows.shape[1], generator.latent_dim)
        found.append(rows[:, :seen].movedim(1, -1).reshape(-1, seen).detach())

    hooks = [module.register_forward_hook(see) for module in generator.modules()]
    try:
        device, count = next(generator.parameters()).device, generator.image.num_classes
        labels = torch.zeros(2, dtype=torch.int64, device=device) if count else None
        generator(torch.zeros(2, generator.latent_dim, device=device), labels)
    finally:
        for hook in hooks:
            hook.remove()
    return found[0].float().cpu() if found else None
