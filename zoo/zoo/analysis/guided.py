"""Guided backpropagation (Springenberg et al. 2014, arXiv:1412.6806): which pixels make a feature respond.

It is the gradient of a response with respect to the image, in which every rectifier also holds back negative gradients. It
is done where rectifiers are called, so it does not matter how a network is written: as modules or as functions.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from zoo_core import Discriminator

from .stages import capture_activations

_PLAIN = "relu6 prelu gelu silu mish threshold hardswish softplus"
_IN_PLACE_TOO = "relu leaky_relu rrelu elu selu celu hardtanh"
RECTIFIERS = frozenset(_PLAIN.split()) | {name + end for name in _IN_PLACE_TOO.split() for end in ("", "_")}
"""Activations that are treated as rectifiers; below zero, each keeps the slope that it has."""


class _Guided(TorchFunctionMode):
    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = function(*args, **(kwargs or {}))
        rectifies = getattr(function, "__name__", "") in RECTIFIERS
        if rectifies and isinstance(out, Tensor) and out.requires_grad:
            out.register_hook(lambda gradient: gradient.clamp(min=0))  # type: ignore[no-untyped-call]
        return out


def guided_gradients(
    discriminator: Discriminator, images: Tensor, stage: str, feature: int, labels: Tensor | None = None
) -> Tensor:
    """The guided gradient [N, C, S, S] of a feature's strongest response in each image.

    Args:
        discriminator: in evaluation mode, so that images do not mix.
        images: [N, C, S, S] in [−1, 1], on the CPU.
        stage: name of a stage.
        feature: number of a feature map (or unit) of that stage.
        labels: classes [N] for a conditional discriminator.
    """
    where = next(discriminator.parameters())
    x = images.to(where.device, where.dtype).detach().requires_grad_()
    with torch.enable_grad(), capture_activations({stage: discriminator.stages()[stage]}) as seen, _Guided():
        discriminator(x, labels)
        responses = seen[stage][:, feature]  # [N, H, W] or [N]
        response = responses.reshape(len(x), -1).amax(1).sum()
    (gradient,) = torch.autograd.grad(response, x)
    return gradient.detach().float().cpu()


def visible(gradients: Tensor) -> Tensor:
    """Gradients [N, C, S, S] as images in [−1, 1] for people to look at: gray is 0, each image to its own scale."""
    scale = gradients.abs().flatten(1).quantile(0.995, dim=1).clamp(min=1e-12)
    return (gradients / scale[:, None, None, None]).clamp(-1, 1)
