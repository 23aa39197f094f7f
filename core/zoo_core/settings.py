"""Hyperparameters that belong to the zoo rather than to a component: the keys `training.*` and `optimizer.*`.

The signatures below are the schema, as a component's constructor is: `zoo_core.options` reads them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from .options import Range, check_range, schema

Latent = Literal["normal", "uniform"]  # distribution of the latents: N(0, 1), or U(−1, 1) as in the paper


def _check_ranges(settings: object, group: str) -> None:
    for option in schema(type(settings)).values():
        check_range(option, getattr(settings, option.name), f"{group}.{option.name}")


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How a recipe is trained. Raises `OptionError` for impossible values.

    The exponential moving average of the generator has at update t the decay min(`ema`, (1 + t) / (10 + t)): it follows the
    weights closely at first and becomes slow as training goes on.
    """

    batch: Annotated[int, "real images in each minibatch, over all processes", Range(1, 1_000_000)] = 128
    accumulate: Annotated[
        int, "pieces of a minibatch that are computed one after the other, to need less memory", Range(1, 1_000_000)
    ] = 1
    sync_bn: Annotated[bool, "on GPUs, batch statistics over all processes instead of each one's share"] = False
    size: Annotated[int, "height and width of the images in pixels", Range(1, 8192)] = 64
    epochs: Annotated[float, "budget where the command names none", Range(above=0, most=1e9)] = 25.0
    latent: Annotated[Latent, "distribution of the latents: N(0, 1) or U(-1, 1)"] = "normal"
    augment: Annotated[
        tuple[str, ...], "differentiable augmentation of all that a discriminator sees (zoo list augmentations)"
    ] = ()
    mirror: Annotated[bool, "flip real images left to right at random"] = False
    ema: Annotated[float, "largest decay of the moving averages; 0 keeps none", Range(0, below=1)] = 0.999
    log_every: Annotated[int, "steps between two lines of metrics.jsonl", Range(1, 10**12)] = 20
    samples_every: Annotated[int, "real images between two sample grids", Range(1, 10**12)] = 10_000
    checkpoint_minutes: Annotated[float, "minutes between two checkpoints", Range(above=0, most=1e9)] = 5.0
    keep: Annotated[int, "checkpoints that stay on disk", Range(1, 1_000_000)] = 2

    def __post_init__(self) -> None:
        object.__setattr__(self, "augment", tuple(self.augment))
        _check_ranges(self, "training")


FREE = frozenset({"epochs", "log_every", "samples_every", "checkpoint_minutes", "keep"})
"""Training settings that a resumed run may change; all others are part of what the run is."""


@dataclass(frozen=True, kw_only=True)
class OptimizerSettings:
    """How the weights of a role are updated, by torch's own optimizers. Raises `OptionError` for impossible values.

    The defaults are the paper's: Adam (Kingma and Ba 2014, arXiv:1412.6980) with a learning rate of 2e-4 and β1 0.5.
    """

    kind: Annotated[Literal["adam", "adamw", "rmsprop", "sgd"], "which of torch.optim"] = "adam"
    lr: Annotated[float, "learning rate", Range(above=0, most=1e12)] = 2e-4
    beta1: Annotated[float, "decay of the first moment; momentum of sgd and rmsprop", Range(0, below=1)] = 0.5
    beta2: Annotated[float, "decay of the second moment; smoothing of rmsprop", Range(0, below=1)] = 0.999
    eps: Annotated[float, "added to the denominator", Range(above=0, most=1e6)] = 1e-8
    weight_decay: Annotated[float, "L2 penalty on all parameters, in the gradient; decoupled for adamw", Range(0, 1e6)] = 0.0
    schedule: Annotated[Literal["constant", "linear", "cosine"], "how the rate falls after the warm-up"] = "constant"
    schedule_images: Annotated[
        int,
        "real images at which the schedule has come to its end; 0: the budget, which must be --images or --epochs",
        Range(0, 10**15),
    ] = 0
    schedule_floor: Annotated[float, "share of the rate that is left at the end of the schedule", Range(0, below=1)] = 0.0
    warmup_images: Annotated[int, "real images over which the learning rate rises from 0", Range(0, 10**15)] = 0
    clip: Annotated[float, "largest norm of the gradient over all weights of the role; 0: not clipped", Range(0, 1e12)] = 0.0

    def __post_init__(self) -> None:
        _check_ranges(self, "optimizer")
