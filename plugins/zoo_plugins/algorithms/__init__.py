"""How networks learn: record of the plugin. One file each."""

from zoo_core import Component, Plugin

HERE = "zoo_plugins.algorithms"

plugin = Plugin(
    summary="Algorithms of training",
    algorithms={
        "gan": Component(
            f"{HERE}.gan:GAN", "one generator against one discriminator", "Goodfellow et al. 2014, arXiv:1406.2661"
        ),
    },
)
