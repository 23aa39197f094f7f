"""DCGAN (Radford, Metz and Chintala 2015): record of the plugin."""

from zoo_core import Component, Plugin, Recipe

PAPER = "Radford, Metz and Chintala 2015, arXiv:1511.06434"
PAIRS = "two 3×3 convolutions at every resolution"
HERE = "zoo_plugins.dcgan.networks"

RESCUE = (
    {"optimizer.lr": 1e-4},  # both networks slower
    {"optimizer.discriminator.lr": 5e-5, "training.augment": ["noise"]},  # above all the discriminator, which sees less
    {"optimizer.lr": 5e-5, "loss": "non-saturating-r1"},  # and smoother
)
"""What a training that fails goes on with, once each."""

plugin = Plugin(
    summary="Deep convolutional GANs",
    generators={
        "dcgan": Component(f"{HERE}:DCGANGenerator", "fractionally-strided convolutions", PAPER),
        "dcgan-pairs": Component(f"{HERE}:PairsGenerator", PAIRS, f"{PAPER}, section 4.2"),
    },
    discriminators={
        "dcgan": Component(f"{HERE}:DCGANDiscriminator", "strided convolutions", PAPER),
        "dcgan-pairs": Component(f"{HERE}:PairsDiscriminator", PAIRS, f"{PAPER}, section 4.2"),
    },
    recipes=[
        Recipe(
            "dcgan",
            generator="dcgan",
            discriminator="dcgan",
            loss="non-saturating",
            options={"training.batch": 32},
            rescue=RESCUE,
            summary="what most people call DCGAN today: 4×4 kernels, width 64, normal latents, both updated each minibatch",
            paper=f"{PAPER}, as in the authors' Torch port",
        ),
        Recipe(
            "dcgan-paper",
            base="dcgan",
            options={
                "generator.width": 128,
                "generator.kernel": 5,
                "generator.projection_norm": "unit",
                "generator.norm_eps": 1e-8,
                "discriminator.width": 128,
                "discriminator.kernel": 5,
                "discriminator.norm_eps": 1e-8,
                "optimizer.weight_decay": 1e-5,
                "training.batch": 128,
                "algorithm.updates": "alternate",
                "training.latent": "uniform",
            },
            summary="the paper's own: 5×5 kernels, width 128, uniform latents, alternating updates, L2 penalty",
            paper=PAPER,
        ),
        Recipe(
            "dcgan-imagenet32",
            base="dcgan",
            generator="dcgan-pairs",
            discriminator="dcgan-pairs",
            options={
                "generator.projection_norm": "unit",
                "training.size": 32,
                "training.batch": 128,
                "algorithm.updates": "alternate",
                "training.latent": "uniform",
            },
            summary="the paper's ImageNet networks: 3×3 kernels, latents of 256, six convolutions in the discriminator",
            paper=f"{PAPER}, section 4.2",
        ),
    ],
)
