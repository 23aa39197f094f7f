"""LAPGAN (Denton et al. 2015): record of the plugin."""

from zoo_core import Component, Plugin, Recipe

PAPER = "Denton et al. 2015, arXiv:1506.05751"
HERE = "zoo_plugins.lapgan.networks"

plugin = Plugin(
    summary="A Laplacian pyramid of generators, coarse to fine",
    generators={
        "lapgan": Component(f"{HERE}:LAPGANGenerator", "a small picture, then detail added at each doubling", PAPER)
    },
    discriminators={"lapgan": Component(f"{HERE}:LAPGANDiscriminator", "one judge for each level of the pyramid", PAPER)},
    recipes=[
        Recipe(
            "lapgan",
            algorithm="lapgan",
            generator="lapgan",
            discriminator="lapgan",
            loss="non-saturating",
            options={"training.batch": 64, "training.size": 32},
            summary="a pyramid of conditional generators, each level trained by itself on real pictures' low bands",
            paper=PAPER,
        ),
        Recipe("lapgan-joint", base="lapgan", algorithm="gan", summary="the pyramid trained together, as one generator"),
    ],
)
