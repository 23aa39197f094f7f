"""The minimax game as first stated: Goodfellow et al. 2014, arXiv:1406.2661, equation 1."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus

from zoo_core import Loss


class Minimax(Loss):
    """Binary cross-entropy for both: with p = sigmoid(logit), −log p = softplus(−logit), −log(1 − p) = softplus(logit)."""

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return softplus(-real_logits).mean() + softplus(fake_logits).mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return -softplus(fake_logits).mean()
