"""From `dcgan` to R3GAN: the ideas of Huang et al. 2024 one by one, each a recipe, and those that they end with."""

from typing import Any

from zoo_core import Recipe

HUANG = "Huang et al. 2024, arXiv:2501.05441"
JOLICOEUR = "Jolicoeur-Martineau 2018, arXiv:1807.00734"
MESCHEDER = "Mescheder et al. 2018, arXiv:1801.04406"

UNNORMALIZED = {"discriminator.norm": "none", "discriminator.bias": True, "discriminator.init": "he"}
"""A discriminator without batch normalization: what that gave it besides, shifts and a scale, comes from elsewhere."""
BODY = {"blocks": 1, "width": 32, "max_width": 256}
ADAM = {"optimizer.beta1": 0.0, "optimizer.beta2": 0.99}


def falling(images: int) -> dict[str, Any]:
    """The paper's schedules: the rate falls to a quarter and the penalties' weight to a tenth, in half a cosine."""
    end = {"optimizer.schedule_floor": 0.25, "loss.floor": 0.1}
    return {"optimizer.schedule": "cosine", "optimizer.schedule_images": images, **end}


def more_stable(rate: float, gamma: float) -> list[dict[str, float]]:
    """What a training that fails goes on with: half of the rate, then a quarter and four times the penalties."""
    return [{"optimizer.lr": rate / 2}, {"optimizer.lr": rate / 4, "loss.r1": 4 * gamma, "loss.r2": 4 * gamma}]


ROADMAP = [
    Recipe(
        "roadmap-1-r1",
        base="dcgan",
        loss="non-saturating-r1",
        options={**UNNORMALIZED, "loss.r1": 0.1, "loss.every": 1},
        summary="dcgan with R1 in every step, so that nothing has to normalize D",
        paper=MESCHEDER,
    ),
    Recipe(
        "roadmap-2-relativistic",
        base="roadmap-1-r1",
        loss="relativistic",
        options={"loss.r1": 0.1, "loss.r2": 0.0},
        summary="and real images against generated ones, in pairs",
        paper=JOLICOEUR,
    ),
    Recipe(
        "roadmap-3-r2",
        base="roadmap-2-relativistic",
        options={"loss.r2": 0.1},
        summary="and R2: the same penalty at generated images",
        paper=HUANG,
    ),
    Recipe(
        "roadmap-4-resnet",
        base="roadmap-3-r2",
        generator="r3gan",
        discriminator="r3gan",
        options={f"{role}.{key}": value for role in ("generator", "discriminator") for key, value in BODY.items()},
        summary="and residual networks that nothing normalizes, G's neither",
        paper=HUANG,
    ),
    Recipe(
        "r3gan-small",
        base="roadmap-4-resnet",
        options={"optimizer.lr": 1e-3, **ADAM, **falling(1_000_000)},  # as large beside weights as the paper's, see docs
        rescue=more_stable(1e-3, 0.1),
        summary="and its optimizer and schedules: R3GAN for one small GPU, or a CPU at 32×32",
        paper=HUANG,
    ),
    Recipe(
        "r3gan",
        generator="r3gan",
        discriminator="r3gan",
        loss="relativistic",
        options={
            **{"loss.r1": 2.0, "loss.r2": 2.0, "training.batch": 256, "training.mirror": True, "training.ema": 0.99965},
            **ADAM,
            **falling(20_000_000),
        },
        rescue=more_stable(2e-4, 2.0),
        summary="as the paper trains 64×64",
        paper=HUANG,
    ),
]
