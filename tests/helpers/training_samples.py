"""Networks and losses that the tests of training register."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from zoo_core import Discriminator, Generator, ImageSpec, Loss

SEEN: list[str] = []
"""What the components of this module did, in order; tests empty it."""


class PlainGenerator(Generator):
    """One linear map and dropout: no batch normalization, and a global random number for each unit."""

    def __init__(self, *, image: ImageSpec, latent_dim: int = 4, dropout: float = 0.5) -> None:
        super().__init__(image=image, latent_dim=latent_dim)
        self.body = nn.Sequential(nn.Linear(latent_dim + image.num_classes, 16), nn.ReLU(), nn.Dropout(dropout))
        self.to_image = nn.Linear(16, math.prod(image.shape))

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        if labels is not None:
            z = torch.cat([z, nn.functional.one_hot(labels, self.image.num_classes).to(z.dtype)], 1)
        out: Tensor = self.to_image(self.body(z)).tanh().view(-1, *self.image.shape)
        return out

    def stages(self) -> Mapping[str, nn.Module]:
        return {"body": self.body}


class PlainDiscriminator(Discriminator):
    """One linear map; notes what it is shown, and draws from numpy's and Python's global random generators if told to."""

    def __init__(self, *, image: ImageSpec, noise: float = 0.0) -> None:
        super().__init__(image=image)
        self.noise = noise
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(image.shape), 8), nn.LeakyReLU(0.2))
        self.to_logit = nn.Linear(8 + image.num_classes, 1)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        learns = next(self.parameters()).requires_grad
        known = "" if labels is None else f" {sorted(set(labels.tolist()))}"
        SEEN.append(
            f"look: weights {'learn' if learns else 'rest'}, input {'learns' if x.requires_grad else 'rests'}{known}"
        )
        h = self.body(x)
        if self.noise:
            h = h + self.noise * (random.random() + float(np.random.rand()))
        if labels is not None:
            h = torch.cat([h, nn.functional.one_hot(labels, self.image.num_classes).to(h.dtype)], 1)
        return self.to_logit(h).squeeze(1)  # type: ignore[no-any-return]

    def stages(self) -> Mapping[str, nn.Module]:
        return {"body": self.body}


class BufferedGenerator(PlainGenerator):
    """Batch normalization, and a buffer of its own that counts the batches of training."""

    def __init__(self, *, image: ImageSpec, latent_dim: int = 4) -> None:
        super().__init__(image=image, latent_dim=latent_dim)
        self.norm = nn.BatchNorm1d(16)
        self.register_buffer("batches", torch.zeros(()))

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        if self.training:
            self.batches += 1
        h = self.norm(self.body(z)) + self.batches / 10
        out: Tensor = self.to_image(h).tanh().view(-1, *self.image.shape)
        return out


class Noted(Loss):
    """Hinge-free least squares that notes each call. The discriminator's comes in two parts; the second one counts."""

    separable = True

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        if fake_logits.requires_grad:
            SEEN.append("D")
        return (real_logits - 1).square().mean() + fake_logits.square().mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None, features: Any = None) -> Tensor:
        SEEN.append("G" if real_logits is None else f"G real {real_logits.requires_grad}")
        return (fake_logits - 1).square().mean()


class Relative(Noted):
    """Wants the logits of real images too."""

    needs_real_logits = True


class Penalized(Noted):
    """A penalty on some of the discriminator's steps."""

    def __init__(self, *, every: int = 1) -> None:
        self.penalty_every = every

    def penalty(self, discriminator: Any, real: Tensor, fake: Tensor, labels: Tensor | None = None) -> Tensor | None:
        SEEN.append("P")
        return torch.stack([p.square().sum() for p in discriminator.parameters()]).sum() * 100


class Broken(Noted):
    """Gives no number from its call number `after` on."""

    def __init__(self, *, after: int = 0) -> None:
        self.after, self.calls = after, 0

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None, features: Any = None) -> Tensor:
        self.calls += 1
        return super().generator(fake_logits) * (math.nan if self.calls > self.after else 1.0)
