"""Projection: SNGAN's residual networks, told labels.

Miyato and Koyama, "cGANs with Projection Discriminator", 2018, arXiv:1802.05637. The discriminator's logit is a linear
function of its last, summed maps, plus the product of those with a vector of the label's own, whose matrix is spectrally
normalized as all others are. In the generator the label decides gains and shifts of the blocks' batch normalization; that
before the colors knows none. Sizes and initial weights are those of `residual.py`; without classes so are the networks.
"""

from __future__ import annotations

from .residual import ResidualDiscriminator, ResidualGenerator


class ProjectionGenerator(ResidualGenerator):
    """SNGAN's residual generator with conditional batch normalization."""

    takes_labels = True


class ProjectionDiscriminator(ResidualDiscriminator):
    """SNGAN's residual discriminator with the product of its last maps and the label's vector added to the logit."""

    takes_labels = True
