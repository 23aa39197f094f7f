"""In which precision a recipe trains, where nobody says."""

from __future__ import annotations

import torch

from ..devices import resolve_precision
from ..runs.config import RunConfig


def choose_precision(name: str, config: RunConfig, device: torch.device) -> str:
    """As `zoo.devices.resolve_precision`, except that "auto" is fp32 on a CPU if a loss has R1 or R2 in every step.

    Penalties are always computed in float32. Beside a loss in bf16 they need a forward pass of their own, which costs more
    than bf16 saves.
    """
    if name == "auto" and device.type == "cpu":
        losses = config.build_losses().values()
        if any(loss.penalty_every == 1 and (loss.penalizes_real or loss.penalizes_fake) for loss in losses):
            return "fp32"
    return resolve_precision(name, device)
