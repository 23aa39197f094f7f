"""How networks learn: record of the plugin. One file each."""

from zoo_core import Component, Plugin

HERE = "zoo_plugins.algorithms"

plugin = Plugin(
    summary="Algorithms of training",
    algorithms={
        "gan": Component(
            f"{HERE}.gan:GAN", "one generator against one discriminator", "Goodfellow et al. 2014, arXiv:1406.2661"
        ),
        "lapgan": Component(
            f"{HERE}.lapgan:LAPGAN", "one game for each level of a pyramid", "Denton et al. 2015, arXiv:1506.05751"
        ),
        "bigan": Component(
            f"{HERE}.bigan:BiGAN", "generator and encoder against pairs", "Donahue et al. 2016, arXiv:1605.09782"
        ),
    },
)
