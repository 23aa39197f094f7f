"""The non-saturating game: Goodfellow et al. 2014, arXiv:1406.2661, end of section 3. What DCGAN trains with."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor
from torch.nn.functional import softplus

from zoo_core import Discriminator, OptionError

from .minimax import Minimax
from .penalties import r1_penalty


class NonSaturating(Minimax):
    """The minimax discriminator; the generator minimizes −log D(G(z)), whose gradient does not vanish while D wins."""

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return softplus(-fake_logits).mean()


class NonSaturatingR1(NonSaturating):
    """Non-saturating with the R1 penalty: Mescheder et al. 2018, arXiv:1801.04406, equation 9.

    Computed every `every` steps and multiplied by that number ("lazy": Karras et al. 2020, arXiv:1912.04958, section 3.1).
    Raises `OptionError` for a negative weight or an interval below 1.
    """

    def __init__(
        self,
        *,
        smoothing: Annotated[float, "two-sided label smoothing; 0: none"] = 0.0,
        r1: Annotated[float, "weight gamma; the penalty is gamma / 2 times the mean squared gradient norm"] = 1.0,
        every: Annotated[int, "discriminator steps between two penalties"] = 16,
    ) -> None:
        super().__init__(smoothing=smoothing)
        if r1 < 0 or every < 1:
            raise OptionError(f"r1 must be at least 0 and every at least 1, not {r1} and {every}")
        self.r1, self.penalty_every = r1, every

    def penalty(
        self, discriminator: Discriminator, real: Tensor, fake: Tensor, labels: Tensor | None = None
    ) -> Tensor | None:
        return self.r1 / 2 * self.penalty_every * r1_penalty(discriminator, real, labels)
