"""The non-saturating game: Goodfellow et al. 2014, arXiv:1406.2661, end of section 3. What DCGAN trains with."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus

from .minimax import Minimax


class NonSaturating(Minimax):
    """The minimax discriminator; the generator minimises −log D(G(z)), whose gradient does not vanish while D wins."""

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return softplus(-fake_logits).mean()
