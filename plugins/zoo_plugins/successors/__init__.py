"""What came after DCGAN: recipes, each the difference from `dcgan`, and the networks of those that need their own."""

from zoo_core import Component, Plugin, Recipe

from .roadmap import HUANG, ROADMAP, UNNORMALIZED

HERE = "zoo_plugins.successors"
KARRAS = "Karras et al. 2020, arXiv:1912.04958"
MIYATO = "Miyato et al. 2018, arXiv:1802.05957"
KOYAMA = "Miyato and Koyama 2018, arXiv:1802.05637"
ODENA = "Odena et al. 2017, arXiv:1610.09585"
CHEN = "Chen et al. 2016, arXiv:1606.03657"
CHEN_2019 = "Chen et al. 2019, arXiv:1811.11212"
ZHANG = "Zhang et al. 2018, arXiv:1805.08318"
LIU = "Liu et al. 2021, arXiv:2101.04775"
FOR_32 = {
    "training.size": 32,
    **{"generator.width": 256, "generator.max_width": 256},
    **{"discriminator.width": 128, "discriminator.max_width": 128},
    **{"discriminator.halvings": 2, "discriminator.plain": 2},
}
NARROW = {"width": 32, "max_width": 256}


def _adam(lr: float, beta1: float, beta2: float) -> dict[str, float]:
    return {"optimizer.lr": lr, "optimizer.beta1": beta1, "optimizer.beta2": beta2}


def _two_rates(generator: float, discriminator: float) -> dict[str, float]:
    """Adam without momentum and with a rate for each network: Heusel et al. 2017, arXiv:1706.08500."""
    rates = {"optimizer.generator.lr": generator, "optimizer.discriminator.lr": discriminator}
    return {**rates, "optimizer.beta1": 0.0, "optimizer.beta2": 0.9}


plugin = Plugin(
    summary="What came after DCGAN: losses, penalties, augmentation, residual networks, labels and codes",
    algorithms={
        "acgan": Component(f"{HERE}.acgan:ACGAN", "the discriminator reads the label", ODENA),
        "infogan": Component(f"{HERE}.infogan:InfoGAN", "the discriminator reads codes of the latent", CHEN),
        "ssgan": Component(f"{HERE}.ssgan:SSGAN", "the discriminator reads how images are turned", CHEN_2019),
        "fastgan": Component(f"{HERE}.fastgan:FastGAN", "the discriminator rebuilds real images too", LIU),
    },
    generators={
        "sngan": Component(f"{HERE}.sngan:SNGANGenerator", "DCGAN's, and a 3×3 convolution to colors", MIYATO),
        "resnet-sngan": Component(f"{HERE}.residual:ResidualGenerator", "residual blocks with batch normalization", MIYATO),
        "projection": Component(f"{HERE}.projection:ProjectionGenerator", "with conditional batch normalization", KOYAMA),
        "sagan": Component(f"{HERE}.sagan:SAGANGenerator", "projection's, with attention", ZHANG),
        "infogan": Component(f"{HERE}.infogan:InfoGANGenerator", "DCGAN's, of a latent with codes", CHEN),
        "r3gan": Component(f"{HERE}.r3gan:R3GANGenerator", "residual blocks that nothing normalizes", HUANG),
        "fastgan": Component(f"{HERE}.fastgan:FastGANGenerator", "small maps excite large ones", LIU),
        "stylegan2": Component(f"{HERE}.stylegan2:StyleGAN2Generator", "convolutions that styles scale, and noise", KARRAS),
    },
    discriminators={
        "sngan": Component(f"{HERE}.sngan:SNGANDiscriminator", "3×3 and strided 4×4, spectrally normalized", MIYATO),
        "resnet-sngan": Component(
            f"{HERE}.residual:ResidualDiscriminator", "residual blocks, spectrally normalized", MIYATO
        ),
        "projection": Component(
            f"{HERE}.projection:ProjectionDiscriminator", "residual blocks and the label's own vector", KOYAMA
        ),
        "sagan": Component(f"{HERE}.sagan:SAGANDiscriminator", "projection's, with attention", ZHANG),
        "acgan": Component(f"{HERE}.acgan:ACGANDiscriminator", "six convolutions, a logit and the label's scores", ODENA),
        "ssgan": Component(f"{HERE}.ssgan:SSGANDiscriminator", "that of pairs, a logit and scores of turns", CHEN_2019),
        "infogan": Component(f"{HERE}.infogan:InfoGANDiscriminator", "DCGAN's, a logit and what it reads of codes", CHEN),
        "r3gan": Component(f"{HERE}.r3gan:R3GANDiscriminator", "residual blocks that nothing normalizes", HUANG),
        "fastgan": Component(f"{HERE}.fastgan:FastGANDiscriminator", "a logit for each place, and decoders", LIU),
        "stylegan2": Component(
            f"{HERE}.stylegan2:StyleGAN2Discriminator", "residual blocks, and how much images differ", KARRAS
        ),
    },
    recipes=[
        Recipe(
            "lsgan",
            base="dcgan",
            loss="least-squares",
            summary="least-squares loss",
            paper="Mao et al. 2017, arXiv:1611.04076",
        ),
        Recipe(
            "wgan-gp",
            base="dcgan",
            loss="wasserstein",
            options={**UNNORMALIZED, "algorithm.discriminator_steps": 5, **_adam(1e-4, 0.0, 0.9)},
            summary="Wasserstein loss with gradient penalty, five critic steps for one of G, so five times as many images",
            paper="Gulrajani et al. 2017, arXiv:1704.00028",
        ),
        Recipe(
            "wgan-gp-ttur",
            base="wgan-gp",
            options={"algorithm.discriminator_steps": 1, **_two_rates(1e-4, 3e-4)},
            summary="wgan-gp with one critic step and a faster critic: what to take for wgan-gp on a budget of images",
            paper="Heusel et al. 2017, arXiv:1706.08500",
        ),
        Recipe(
            "sngan",
            base="dcgan",
            generator="sngan",
            discriminator="sngan",
            loss="hinge",
            options=_two_rates(2e-4, 8e-4),
            summary="spectral normalization in D and the hinge loss, with the paper's plain convolutional networks",
            paper=MIYATO,
        ),
        Recipe(
            "resnet-sngan",
            base="sngan",
            generator="resnet-sngan",
            discriminator="resnet-sngan",
            options={"training.batch": 64},
            summary="spectral normalization in D and the hinge loss, with the paper's residual networks for 64×64",
            paper=MIYATO,
        ),
        Recipe(
            "resnet-sngan-32",
            base="resnet-sngan",
            options=FOR_32,
            summary="the same for 32×32: as many maps in all blocks",
            paper=MIYATO,
        ),
        Recipe(
            "projection",
            base="resnet-sngan",
            generator="projection",
            discriminator="projection",
            options={"algorithm.conditional": True},
            summary="resnet-sngan with labels: a projection in D, conditional batch normalization in G",
            paper=KOYAMA,
        ),
        Recipe(
            "projection-32",
            base="projection",
            options=FOR_32,
            summary="the same for 32×32: as many maps in all blocks",
            paper=KOYAMA,
        ),
        Recipe(
            "sagan",
            base="resnet-sngan",
            generator="sagan",
            discriminator="sagan",
            options=_two_rates(1e-4, 4e-4),
            summary="residual networks with self-attention, spectrally normalized on both sides",
            paper=ZHANG,
        ),
        Recipe(
            "acgan",
            base="dcgan",
            algorithm="acgan",
            discriminator="acgan",
            options={
                "generator.width": 96,
                "generator.max_width": 384,
                "training.size": 32,
            },
            summary="conditional: D says which label a picture has, and both learn that it be right",
            paper=ODENA,
        ),
        Recipe(
            "ssgan",
            base="dcgan-imagenet32",
            algorithm="ssgan",
            discriminator="ssgan",
            summary="dcgan-imagenet32, both networks updated with each minibatch, whose D also says how images are turned",
            paper=CHEN_2019,
        ),
        Recipe(
            "infogan",
            base="dcgan",
            algorithm="infogan",
            generator="infogan",
            discriminator="infogan",
            options={
                "optimizer.generator.lr": 1e-3,
                "training.size": 32,
                "training.latent": "uniform",
            },
            summary="codes in the latent that D reads off the picture: zoo walk --along shows what each means",
            paper=CHEN,
        ),
        Recipe(
            "dcgan-sn",
            base="dcgan",
            loss="hinge",
            options={
                "discriminator.norm": "spectral",
                "discriminator.bias": True,
                "discriminator.slope": 0.1,
                **_two_rates(2e-4, 8e-4),
            },
            summary="spectral normalization and the hinge loss on DCGAN's body, a fifth of sngan's work",
            paper=MIYATO,
        ),
        Recipe(
            "dcgan-r1",
            base="dcgan",
            loss="non-saturating-r1",
            options={**UNNORMALIZED, "loss.r1": 0.1, "optimizer.discriminator.lr": 4e-4},
            summary="R1 penalty every 16 steps, D without batch normalization and twice as fast",
            paper="Mescheder et al. 2018, arXiv:1801.04406",
        ),
        Recipe(
            "dcgan-diffaug",
            base="dcgan",
            options={"training.augment": ["color", "translation", "cutout"]},
            summary="differentiable augmentation, for a few hundred pictures",
            paper="Zhao et al. 2020, arXiv:2006.10738",
        ),
        Recipe(
            "fastgan",
            algorithm="fastgan",
            generator="fastgan",
            discriminator="fastgan",
            loss="hinge",
            options={
                **{"training.size": 256, "training.batch": 8, "training.epochs": 1000.0, "training.mirror": True},
                "training.augment": ["color", "translation"],
            },
            summary="small networks whose D rebuilds what it sees, for a few hundred pictures at 256×256",
            paper=LIU,
        ),
        *ROADMAP,
        Recipe(
            "stylegan2-small",
            generator="stylegan2",
            discriminator="stylegan2",
            loss="path-length",
            options={
                **{f"{role}.{key}": value for role in ("generator", "discriminator") for key, value in NARROW.items()},
                **{"generator.latent_dim": 128, "generator.style_dim": 128, "generator.layers": 2},
                **{"generator.noise_rate": 0.01, "generator.contrast": 0.25},
                **{"loss.r1": 0.05, "training.batch": 32, "training.ema": 0.998, **_adam(1e-2, 0.0, 0.99)},
                **{"optimizer.schedule": "cosine", "optimizer.schedule_images": 1_000_000, "optimizer.schedule_floor": 0.25},
            },
            summary="StyleGAN2 for one small GPU, or a CPU at 32×32: styles, noise, path length",
            paper=KARRAS,
        ),
        Recipe(
            "cdcgan",
            base="dcgan",
            options={"algorithm.conditional": True},
            summary="conditional: labels at every layer, as in the paper's MNIST model; wants labeled pictures",
        ),
    ],
)
