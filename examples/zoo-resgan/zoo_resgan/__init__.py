"""Residual GAN for the zoo: record of the plugin."""

from zoo_core import Component, Plugin, Recipe

PAPER = "Miyato et al. 2018, arXiv:1802.05957"

plugin = Plugin(
    summary="Residual generator and discriminator",
    generators={"resgan": Component("zoo_resgan.networks:ResidualGenerator", "residual blocks, batch normalized", PAPER)},
    discriminators={
        "resgan": Component("zoo_resgan.networks:ResidualDiscriminator", "residual blocks, spectrally normalized", PAPER)
    },
    recipes=[
        Recipe(
            "resgan",
            generator="resgan",
            discriminator="resgan",
            loss="hinge",
            options={"training.size": 32, "optimizer.lr": 2e-4, "optimizer.beta1": 0.0, "optimizer.beta2": 0.9},
            summary="residual networks, spectral normalization, hinge loss",
            paper=PAPER,
        ),
        Recipe(
            "resgan-conditional", base="resgan", options={"algorithm.conditional": True}, summary="resgan told the labels"
        ),
    ],
    contract=2,
)
