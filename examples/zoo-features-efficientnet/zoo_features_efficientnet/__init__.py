"""EfficientNet-Lite0 for the zoo: record of the plugin."""

from zoo_core import Component, Plugin

plugin = Plugin(
    summary="EfficientNet-Lite0 features, weights included",
    features={
        "efficientnet-lite0": Component(
            "zoo_features_efficientnet.extractor:EfficientNetLite0",
            summary="pooled features of EfficientNet-Lite0 trained on ImageNet, 1,280 numbers",
            paper="Tan and Le 2019, arXiv:1905.11946",
            license="Apache-2.0 (Google's weights; the package that carries them states none)",
        )
    },
    contract=2,
)
