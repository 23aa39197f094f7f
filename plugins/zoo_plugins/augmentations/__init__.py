"""Differentiable augmentation (Zhao et al. 2020): record of the plugin."""

from zoo_core import Component, Plugin

PAPER = "Zhao et al. 2020, arXiv:2006.10738"
NOISE = "Sønderby et al. 2017, arXiv:1610.04490"
HERE = "zoo_plugins.augmentations.diffaugment"

plugin = Plugin(
    summary="Differentiable augmentation of all that a discriminator sees",
    augmentations={
        "brightness": Component(f"{HERE}:Brightness", "lighter or darker", PAPER),
        "color": Component(f"{HERE}:Color", "brightness, saturation and contrast", PAPER),
        "translation": Component(f"{HERE}:Translation", "shifted by up to an eighth of the side", PAPER),
        "cutout": Component(f"{HERE}:Cutout", "a square grayed out", PAPER),
        "noise": Component(f"{HERE}:Noise", "instance noise: normal, on every pixel", NOISE),
    },
)
