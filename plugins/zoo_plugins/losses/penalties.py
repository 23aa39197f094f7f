"""Penalties on the gradient of the discriminator with respect to its images."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo_core.interfaces import Judging


def _gradients(discriminator: Judging, images: Tensor, labels: Tensor | None) -> Tensor:
    """d logits / d images, [N, C, S, S], differentiable."""
    if not images.requires_grad:
        images = images.detach().requires_grad_(True)
    logits = discriminator(images, labels)
    (gradients,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return gradients


def r1_penalty(discriminator: Judging, real: Tensor, labels: Tensor | None = None) -> Tensor:
    """Mean squared norm of the gradient at real images [N, C, S, S]: Mescheder et al. 2018, arXiv:1801.04406."""
    return _gradients(discriminator, real, labels).square().sum((1, 2, 3)).mean()


def gradient_penalty(discriminator: Judging, real: Tensor, fake: Tensor, labels: Tensor | None = None) -> Tensor:
    """Mean squared distance from 1 of the gradient's norm at random points between real and generated images
    [N, C, S, S]: Gulrajani et al. 2017, arXiv:1704.00028, equation 3. Draws from torch's global random state."""
    share = torch.rand(len(real), 1, 1, 1, device=real.device)
    between = share * real + (1 - share) * fake
    norms = _gradients(discriminator, between, labels).square().sum((1, 2, 3)).add(1e-12).sqrt()
    return (norms - 1).square().mean()
