"""Feature extractors: the standard network of the FID, and pixels."""

from zoo_core import Component, Plugin

plugin = Plugin(
    summary="The FID's Inception network, and pixels",
    features={
        "inception": Component(
            "zoo_plugins.features.inception:Inception",
            "the standard network of FID, KID and the Inception Score; weights are fetched once (94 MB)",
            "Heusel et al. 2017, arXiv:1706.08500; Szegedy et al. 2015, arXiv:1512.00567",
            license="weights: Apache-2.0 (https://github.com/tensorflow/models/blob/master/LICENSE)",
        ),
        "pixels": Component("zoo_plugins.features.pixels:Pixels", "the pixels themselves, resized to one size"),
    },
)
