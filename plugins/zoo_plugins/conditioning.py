"""Networks whose stages run one after another and are each told a label, as DCGAN's MNIST model is: concatenated to the
input of every layer."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from zoo_core import Discriminator, Generator, OptionError


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


def check_labels(labels: Tensor | None) -> Tensor:
    """Return the labels; raise `ValueError` where a conditional network is given none."""
    if labels is None:
        raise ValueError("this network is conditional and needs labels")
    return labels


def check_at_least(least: int, **options: float) -> None:
    """Raise `OptionError` for an option below the least that is valid."""
    for name, value in options.items():
        if value < least:
            raise OptionError(f"{name} must be at least {least}, not {value}")


class ConditionalBatchNorm(nn.Module):
    """Batch normalization whose gains and shifts, at first 1 and 0, are a label's own (Dumoulin et al. 2017,
    arXiv:1610.07629)."""

    def __init__(self, maps: int, classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(maps, affine=False)
        self.gains, self.shifts = nn.Embedding(classes, maps), nn.Embedding(classes, maps)
        nn.init.ones_(self.gains.weight)
        nn.init.zeros_(self.shifts.weight)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """x [N, maps, H, W] with labels [N]."""
        gains, shifts = (table(labels)[:, :, None, None].to(x.dtype) for table in (self.gains, self.shifts))
        return torch.addcmul(shifts, self.norm(x), gains)


class StagedGenerator(Generator):
    """All stages one after another, those in `blocks` unless a subclass says otherwise, then `to_image`."""

    blocks: nn.ModuleDict
    to_image: nn.Module

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        label = one_hot_labels(labels, self.image.num_classes)  # [N, K] or None
        x = z  # [N, latent_dim]
        for stage in self.stages().values():
            x = stage(with_label(x, label))  # [N, maps, side, side] or [N, units]
        out: Tensor = self.to_image(with_label(x, label))
        return out.reshape(z.shape[0], *self.image.shape)  # [N, C, S, S]

    def stages(self) -> Mapping[str, nn.Module]:
        return dict(self.blocks.items())


class StagedDiscriminator(Discriminator):
    """All stages one after another, those in `blocks` unless a subclass says otherwise; flattened, then `to_logit`."""

    blocks: nn.ModuleDict
    to_logit: nn.Module

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        label = one_hot_labels(labels, self.image.num_classes)  # [N, K] or None
        for stage in self.stages().values():
            x = stage(with_label(x, label))  # [N, maps, side, side] or [N, units]
        logits: Tensor = self.to_logit(with_label(x.flatten(1), label))
        return logits.squeeze(1)  # [N]

    def stages(self) -> Mapping[str, nn.Module]:
        return dict(self.blocks.items())
