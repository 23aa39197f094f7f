"""The minimax game as first stated: Goodfellow et al. 2014, arXiv:1406.2661, equation 1."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor
from torch.nn.functional import softplus

from zoo_core import Loss, OptionError


def cross_entropy(logits: Tensor, target: float) -> Tensor:
    """Mean binary cross-entropy of logits [N] with one target: −log p = softplus(−logit), −log(1 − p) = softplus(logit)."""
    return target * softplus(-logits).mean() + (1 - target) * softplus(logits).mean()


class Minimax(Loss):
    """Binary cross-entropy for both.

    With `smoothing` s the discriminator is told 1 − s for real and s for generated images (Salimans et al. 2016,
    arXiv:1606.03498, section 3.4, both sides). Raises `OptionError` for an s outside of [0, 0.5).
    """

    def __init__(self, *, smoothing: Annotated[float, "two-sided label smoothing; 0: none"] = 0.0) -> None:
        if not 0 <= smoothing < 0.5:
            raise OptionError(f"smoothing must be at least 0 and less than 0.5, not {smoothing}")
        self.smoothing = smoothing

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return cross_entropy(real_logits, 1 - self.smoothing) + cross_entropy(fake_logits, self.smoothing)

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return -softplus(fake_logits).mean()
