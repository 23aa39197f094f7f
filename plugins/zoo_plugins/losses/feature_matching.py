"""Feature matching: Salimans et al. 2016, arXiv:1606.03498, section 3.1."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo_core.interfaces import Features

from .minimax import Minimax


class FeatureMatching(Minimax):
    """The generator minimizes the squared distance between the mean features of generated and of real images, at the last
    stage of the discriminator, which minimizes cross-entropy as ever."""

    needs_features = True

    def generator(
        self, fake_logits: Tensor, real_logits: Tensor | None = None, features: tuple[Features, Features] | None = None
    ) -> Tensor:
        if features is None:  # nothing was asked of a discriminator
            return torch.nn.functional.softplus(-fake_logits).mean()
        fake, real = (stages[-1].float().mean(0) for stages in features)
        return (fake - real).square().mean()
