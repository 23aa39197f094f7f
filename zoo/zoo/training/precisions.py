"""In which precision a recipe trains, where nobody says."""

from __future__ import annotations

import torch

from ..devices import resolve_precision
from ..runs.config import RunConfig


def choose_precision(name: str, config: RunConfig, device: torch.device) -> str:
    """As `zoo.devices.resolve_precision`, but that "auto" is fp32 on a CPU where each step penalizes gradients at the images
    that the loss sees: these are computed in float32 by all means, on the graph of the loss only where that is float32 too,
    and another pass costs more than bf16 gains.
    """
    if name == "auto" and device.type == "cpu":
        losses = config.build_losses().values()
        if any(loss.penalty_every == 1 and (loss.penalizes_real or loss.penalizes_fake) for loss in losses):
            return "fp32"
    return resolve_precision(name, device)
