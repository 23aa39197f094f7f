"""BiGAN (Donahue et al. 2016) on DCGAN's body: record of the plugin."""

from zoo_core import Component, Plugin, Recipe

PAPER = "Donahue et al. 2016, arXiv:1605.09782"
HERE = "zoo_plugins.bigan.networks"

plugin = Plugin(
    summary="A GAN with an encoder, which finds the latent of a picture",
    networks={"dcgan": Component(f"{HERE}:DCGANEncoder", "an encoder of strided convolutions, image to latent", PAPER)},
    discriminators={"dcgan-joint": Component(f"{HERE}:JointDiscriminator", "judges pairs of an image and a latent", PAPER)},
    recipes=[
        Recipe(
            "bigan",
            base="dcgan",
            algorithm="bigan",
            discriminator="dcgan-joint",
            parts={"encoder": "dcgan"},
            options={"training.size": 32, "algorithm.reconstruction": 100.0},
            summary="DCGAN with an encoder that learns to rebuild too: zoo project finds a picture's latent at once",
            paper=PAPER,
        )
    ],
)
