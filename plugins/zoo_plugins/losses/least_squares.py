"""Least-squares GAN: Mao et al. 2017, arXiv:1611.04076, equation 9 (targets 0, 1 and 1)."""

from __future__ import annotations

from torch import Tensor

from zoo_core import Loss
from zoo_core.interfaces import Features


class LeastSquares(Loss):
    """The logits of real images are drawn to 1, of generated ones to 0, and the generator draws its own to 1."""

    separable = True

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return 0.5 * (real_logits - 1).square().mean() + 0.5 * fake_logits.square().mean()

    def generator(
        self, fake_logits: Tensor, real_logits: Tensor | None = None, features: tuple[Features, Features] | None = None
    ) -> Tensor:
        return 0.5 * (fake_logits - 1).square().mean()
