"""Losses on logits: record of the plugin."""

from zoo_core import Component, Plugin

HERE = "zoo_plugins.losses.adversarial"
GOODFELLOW = "Goodfellow et al. 2014, arXiv:1406.2661"
MESCHEDER = "Mescheder et al. 2018, arXiv:1801.04406"
SALIMANS = "Salimans et al. 2016, arXiv:1606.03498"
HUANG = "Huang et al. 2024, arXiv:2501.05441"
KARRAS = "Karras et al. 2020, arXiv:1912.04958"
GULRAJANI = "Gulrajani et al. 2017, arXiv:1704.00028"

plugin = Plugin(
    summary="Adversarial losses",
    losses={
        "minimax": Component(f"{HERE}:Minimax", "G minimizes log(1 − D(G(z))); saturates", GOODFELLOW),
        "non-saturating": Component(f"{HERE}:NonSaturating", "G maximizes log D(G(z)); DCGAN's", GOODFELLOW),
        "non-saturating-r1": Component(
            f"{HERE}:NonSaturatingR1", "non-saturating, with a gradient penalty on real images", MESCHEDER
        ),
        "path-length": Component(
            f"{HERE}:PathLength", "non-saturating with R1, and images that change evenly with styles", KARRAS
        ),
        "feature-matching": Component(f"{HERE}:FeatureMatching", "G matches the mean features of real images", SALIMANS),
        "least-squares": Component(
            f"{HERE}:LeastSquares", "squared distance to 0 and 1", "Mao et al. 2017, arXiv:1611.04076"
        ),
        "hinge": Component(f"{HERE}:Hinge", "margins of 1", "Lim and Ye 2017, arXiv:1705.02894"),
        "relativistic": Component(
            f"{HERE}:Relativistic", "each real image against a generated one, with gradient penalties on both", HUANG
        ),
        "wasserstein": Component(f"{HERE}:Wasserstein", "difference of means, with a gradient penalty", GULRAJANI),
    },
)
