"""The non-saturating game: Goodfellow et al. 2014, arXiv:1406.2661, end of section 3. What DCGAN trains with."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor
from torch.nn.functional import softplus

from zoo_core import OptionError
from zoo_core.interfaces import Features, Judging

from .minimax import Minimax, Smoothing, SmoothingFake
from .penalties import r1_penalty


class NonSaturating(Minimax):
    """The minimax discriminator; the generator minimizes −log D(G(z)), whose gradient does not vanish while D wins."""

    def generator(
        self, fake_logits: Tensor, real_logits: Tensor | None = None, features: tuple[Features, Features] | None = None
    ) -> Tensor:
        return softplus(-fake_logits).mean()


class NonSaturatingR1(NonSaturating):
    """Non-saturating with R1, a penalty at real images, and R2, at generated ones: Mescheder et al. 2018,
    arXiv:1801.04406, equations 9 and 10.

    Computed every `every` steps and multiplied by that number ("lazy": Karras et al. 2020, arXiv:1912.04958, section 3.1).
    Raises `OptionError` for a negative weight or an interval below 1.
    """

    penalizes_real = True

    def __init__(
        self,
        *,
        smoothing: Smoothing = 0.0,
        smoothing_fake: SmoothingFake = 0.0,
        r1: Annotated[float, "weight gamma; the penalty is gamma / 2 times the mean squared gradient norm"] = 1.0,
        r2: Annotated[float, "the same weight at generated images"] = 0.0,
        every: Annotated[int, "discriminator steps between two penalties"] = 16,
    ) -> None:
        super().__init__(smoothing=smoothing, smoothing_fake=smoothing_fake)
        if min(r1, r2) < 0 or every < 1:
            raise OptionError(f"r1 and r2 must be at least 0 and every at least 1, not {r1}, {r2} and {every}")
        self.r1, self.r2, self.penalty_every = r1, r2, every

    def penalty(self, discriminator: Judging, real: Tensor, fake: Tensor, labels: Tensor | None = None) -> Tensor | None:
        found = self.r1 / 2 * self.penalty_every * r1_penalty(discriminator, real, labels)
        if self.r2:
            found = found + self.r2 / 2 * self.penalty_every * r1_penalty(discriminator, fake, labels)
        return found
