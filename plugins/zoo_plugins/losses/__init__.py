"""Losses on logits: record of the plugin. One file each."""

from zoo_core import Component, Plugin

GOODFELLOW = "Goodfellow et al. 2014, arXiv:1406.2661"
HERE = "zoo_plugins.losses"

plugin = Plugin(
    summary="Adversarial losses",
    losses={
        "minimax": Component(f"{HERE}.minimax:Minimax", "G minimizes log(1 − D(G(z))); saturates", GOODFELLOW),
        "non-saturating": Component(f"{HERE}.non_saturating:NonSaturating", "G maximizes log D(G(z)); DCGAN's", GOODFELLOW),
        "non-saturating-r1": Component(
            f"{HERE}.non_saturating:NonSaturatingR1",
            "non-saturating, with a gradient penalty on real images",
            "Mescheder et al. 2018, arXiv:1801.04406",
        ),
        "feature-matching": Component(
            f"{HERE}.feature_matching:FeatureMatching",
            "G matches the mean features of real images",
            "Salimans et al. 2016, arXiv:1606.03498",
        ),
        "least-squares": Component(
            f"{HERE}.least_squares:LeastSquares", "squared distance to 0 and 1", "Mao et al. 2017, arXiv:1611.04076"
        ),
        "hinge": Component(f"{HERE}.hinge:Hinge", "margins of 1", "Lim and Ye 2017, arXiv:1705.02894"),
        "wasserstein": Component(
            f"{HERE}.wasserstein:Wasserstein",
            "difference of means, with a gradient penalty",
            "Gulrajani et al. 2017, arXiv:1704.00028",
        ),
    },
)
