"""Checks of augmentations."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .steps import never_waiting, without_numbers
from .subjects import N, Subject, as_tensor, require


def _images(n: int = N, *, channels: int = 3) -> Tensor:
    return torch.rand(n, channels, 16, 16) * 2 - 1


def images(subject: Subject) -> None:
    """Shape and type stay, gray and color, for one image and for several; what is given is left as it was."""
    augment: Any = subject.build()
    for channels, n in ((3, N), (1, N), (3, 1)):
        x = _images(n, channels=channels)
        before = x.clone()
        as_tensor(augment(x), "it", shape=x.shape, meaning="[N, C, S, S]")
        require(torch.equal(x, before), "it changes its input in place, expected it untouched")
    found = augment(_images().bfloat16()).dtype
    require(found == torch.bfloat16, f"it makes {found} of bfloat16 images, expected their own type")


def each_image_by_itself(subject: Subject) -> None:
    """Equal images of one batch come out as different ones; what becomes of one does not depend on the others."""
    augment = subject.build()
    x = _images(1).repeat(16, 1, 1, 1)
    out = augment(x)
    require(not torch.equal(out, x), "it changes nothing, expected images to be changed")
    alike = all(torch.equal(out[0], other) for other in out[1:])
    require(not alike, "it changes all images of a batch alike, expected each to have a change of its own")
    results = []
    for others in (x[1:], _images(15)):
        torch.manual_seed(3)
        results.append(augment(torch.cat([x[:1], others]))[0])
    require(torch.equal(*results), "the first image depends on the rest of the batch, expected each to be changed by itself")


def gradients(subject: Subject) -> None:
    x = _images(16).requires_grad_()
    out = subject.build()(x)
    require(out.requires_grad, "no gradient passes to the images, expected it to be differentiable")
    (found,) = torch.autograd.grad((out * torch.rand_like(out)).sum(), x)
    require(bool(torch.isfinite(found).all()), "the gradient of it is not finite")
    require(bool(found.any()), "no gradient passes to the images, expected it to be differentiable")


def never_waits_for_the_device(subject: Subject) -> None:
    with without_numbers(), never_waiting("it"):
        subject.build()(torch.zeros(N, 3, 16, 16))


CHECKS = (images, each_image_by_itself, gradients, never_waits_for_the_device)
