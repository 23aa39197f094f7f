"""What came after DCGAN, on DCGAN's body: recipes only, each the difference from `dcgan`."""

from zoo_core import Plugin, Recipe


def _adam(lr: float, beta1: float, beta2: float) -> dict[str, float]:
    return {"optimizer.lr": lr, "optimizer.beta1": beta1, "optimizer.beta2": beta2}


plugin = Plugin(
    summary="Later losses, penalties and augmentation on DCGAN's body",
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
            options={"discriminator.norm": "none", "algorithm.discriminator_steps": 5, **_adam(1e-4, 0.0, 0.9)},
            summary="Wasserstein loss with gradient penalty, five critic steps for one of the generator",
            paper="Gulrajani et al. 2017, arXiv:1704.00028",
        ),
        Recipe(
            "sngan",
            base="dcgan",
            loss="hinge",
            options={"discriminator.norm": "spectral"},
            summary="spectral normalization in D and the hinge loss",
            paper="Miyato et al. 2018, arXiv:1802.05957",
        ),
        Recipe(
            "dcgan-r1",
            base="dcgan",
            loss="non-saturating-r1",
            options={"discriminator.norm": "none"},
            summary="R1 penalty every 16 steps, D without batch normalization",
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
            "cdcgan",
            base="dcgan",
            options={"algorithm.conditional": True},
            summary="conditional: labels at every layer, as in the paper's MNIST model; wants labeled pictures",
        ),
    ],
)
