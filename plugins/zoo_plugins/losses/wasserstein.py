"""Wasserstein loss with gradient penalty: Arjovsky et al. 2017, arXiv:1701.07875, Gulrajani et al. 2017, 1704.00028."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor

from zoo_core import Loss, OptionError
from zoo_core.interfaces import Features, Judging

from .penalties import gradient_penalty


class Wasserstein(Loss):
    """The difference of the mean logits. The penalty keeps the discriminator, a critic here, near slope 1; it wants one
    without batch normalization. Raises `OptionError` for a negative weight."""

    separable = True

    def __init__(self, *, gradient_penalty: Annotated[float, "weight of the penalty; 0: none"] = 10.0) -> None:
        if gradient_penalty < 0:
            raise OptionError(f"gradient_penalty must be at least 0, not {gradient_penalty}")
        self.weight = gradient_penalty

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return fake_logits.mean() - real_logits.mean()

    def generator(
        self, fake_logits: Tensor, real_logits: Tensor | None = None, features: tuple[Features, Features] | None = None
    ) -> Tensor:
        return -fake_logits.mean()

    def penalty(self, discriminator: Judging, real: Tensor, fake: Tensor, labels: Tensor | None = None) -> Tensor | None:
        return self.weight * gradient_penalty(discriminator, real, fake, labels) if self.weight else None
