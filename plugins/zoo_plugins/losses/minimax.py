"""The minimax game as first stated: Goodfellow et al. 2014, arXiv:1406.2661, equation 1."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor
from torch.nn.functional import softplus

from zoo_core import Loss, OptionError
from zoo_core.interfaces import Features

Smoothing = Annotated[float, "label smoothing of real images, whose target becomes 1 minus this; 0: none"]
SmoothingFake = Annotated[float, "label smoothing of generated images, whose target becomes this; 0: none"]


def cross_entropy(logits: Tensor, target: float) -> Tensor:
    """Mean binary cross-entropy of logits [N] with one target: −log p = softplus(−logit), −log(1 − p) = softplus(logit)."""
    return target * softplus(-logits).mean() + (1 - target) * softplus(logits).mean()


class Minimax(Loss):
    """Binary cross-entropy for both.

    With `smoothing` s the discriminator is told 1 − s for real images. That is one-sided, as Salimans et al. 2016
    (arXiv:1606.03498, section 3.4) and Goodfellow 2016 (arXiv:1701.00160, section 4.2) advise: a target above 0 for
    generated images, `smoothing_fake`, rewards the generator for what it does already. Raises `OptionError` outside of
    [0, 0.5).
    """

    separable = True

    def __init__(self, *, smoothing: Smoothing = 0.0, smoothing_fake: SmoothingFake = 0.0) -> None:
        for name, value in (("smoothing", smoothing), ("smoothing_fake", smoothing_fake)):
            if not 0 <= value < 0.5:
                raise OptionError(f"{name} must be at least 0 and less than 0.5, not {value}")
        self.smoothing, self.smoothing_fake = smoothing, smoothing_fake

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return cross_entropy(real_logits, 1 - self.smoothing) + cross_entropy(fake_logits, self.smoothing_fake)

    def generator(
        self, fake_logits: Tensor, real_logits: Tensor | None = None, features: tuple[Features, Features] | None = None
    ) -> Tensor:
        return -softplus(fake_logits).mean()
