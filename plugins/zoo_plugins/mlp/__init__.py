"""The plain GAN (Goodfellow et al. 2014), DCGAN's permutation-invariant baseline: record of the plugin."""

from zoo_core import Component, Plugin, Recipe

PAPER = "Goodfellow et al. 2014, arXiv:1406.2661"

RESCUE = (
    {"optimizer.lr": 1e-4},
    {"optimizer.discriminator.lr": 5e-5, "training.augment": ["noise"]},
    {"optimizer.lr": 5e-5, "loss": "non-saturating-r1"},
)
"""What a training that fails goes on with, once each."""

plugin = Plugin(
    summary="GANs of fully connected layers",
    generators={"mlp": Component("zoo_plugins.mlp.networks:MLPGenerator", "fully connected layers with ReLU", PAPER)},
    discriminators={
        "mlp": Component("zoo_plugins.mlp.networks:MLPDiscriminator", "fully connected maxout layers with dropout", PAPER)
    },
    recipes=[
        Recipe(
            "mlp-gan",
            generator="mlp",
            discriminator="mlp",
            loss="non-saturating",
            options={"training.size": 32, "training.latent": "uniform"},
            rescue=RESCUE,
            summary="the plain GAN: fully connected generator, maxout discriminator with dropout",
            paper=PAPER,
        ),
        Recipe(
            "mlp-gan-lrelu",
            base="mlp-gan",
            options={"discriminator.activation": "leaky-relu", "discriminator.width": 512},
            summary="the plain GAN with LeakyReLU instead of maxout",
        ),
    ],
)
