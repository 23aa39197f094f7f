"""Telling a network a label, as DCGAN's MNIST model is told: concatenated to the input of every layer."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot


def one_hot_labels(labels: Tensor | None, classes: int) -> Tensor | None:
    """Labels [N] → [N, classes], None for a network that knows no classes; raises `ValueError` when a label is missing."""
    if not classes:
        return None
    if labels is None:
        raise ValueError(f"this network is conditional on {classes} classes and needs labels")
    return one_hot(labels, classes)


def with_label(x: Tensor, label: Tensor | None) -> Tensor:
    """x [N, F] or [N, C, H, W] with a one-hot label [N, K] behind it, as constant maps in the second case."""
    if label is None:
        return x
    label = label.to(x.dtype)
    return torch.cat([x, label if x.ndim == 2 else label[:, :, None, None].expand(-1, -1, *x.shape[2:])], dim=1)
