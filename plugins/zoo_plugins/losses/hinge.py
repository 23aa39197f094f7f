"""Hinge loss: Lim and Ye 2017, arXiv:1705.02894; as in Miyato et al. 2018, arXiv:1802.05957, equations 16 and 17."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import relu

from zoo_core import Loss
from zoo_core.interfaces import Features


class Hinge(Loss):
    """The discriminator is content once real logits are above 1 and generated ones below −1."""

    separable = True

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return relu(1 - real_logits).mean() + relu(1 + fake_logits).mean()

    def generator(
        self, fake_logits: Tensor, real_logits: Tensor | None = None, features: tuple[Features, Features] | None = None
    ) -> Tensor:
        return -fake_logits.mean()
