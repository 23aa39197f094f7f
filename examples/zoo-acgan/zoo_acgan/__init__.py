"""AC-GAN for the zoo: record of the plugin."""

from zoo_core import Component, Plugin, Recipe

PAPER = "Odena et al. 2017, arXiv:1610.09585"

plugin = Plugin(
    summary="AC-GAN: an auxiliary classifier",
    algorithms={
        "acgan-apart": Component("zoo_acgan.algorithm:ACGAN", "a game and a classifier that both sides please", PAPER)
    },
    discriminators={"acgan-apart": Component("zoo_acgan.networks:Judge", "strided convolutions, told no labels", PAPER)},
    networks={"acgan-apart": Component("zoo_acgan.networks:Classifier", "strided convolutions to class logits", PAPER)},
    recipes=[
        Recipe(
            "acgan-apart",
            algorithm="acgan-apart",
            generator="dcgan",
            discriminator="acgan-apart",
            loss="non-saturating",
            parts={"classifier": "acgan-apart"},
            options={"training.size": 32, "optimizer.lr": 2e-4, "optimizer.beta1": 0.5},
            summary="DCGAN whose generator is told a class that a classifier must recognize",
            paper=PAPER,
        ),
    ],
    contract=2,
)
