"""Checks of recipes: whether what they name exists, takes their options and fits together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ..options import complete
from ..records import ImageSpec, Recipe
from ..registries import Registry
from ..settings import OptimizerSettings, TrainingSettings
from .subjects import Failed, require

_PARTS = {"generator": "generators", "discriminator": "discriminators", "loss": "losses"}


class RecipeSubject:
    """A recipe under examination; `recipe` and `training` are known once the first checks have passed."""

    recipe: Recipe
    training: TrainingSettings

    def __init__(self, name: str, registry: Registry) -> None:
        self.name = name
        self.registry = registry

    def options(self, part: str) -> dict[str, Any]:
        """Those that begin with `part` and a dot, without it."""
        return {key.removeprefix(f"{part}."): v for key, v in self.recipe.options.items() if key.startswith(f"{part}.")}


def resolves(subject: RecipeSubject) -> None:
    subject.recipe = subject.registry.recipe(subject.name)


def components(subject: RecipeSubject) -> None:
    """Each can be loaded and takes the options that the recipe gives it."""
    for part, kind in _PARTS.items():
        target = subject.registry.load(kind, getattr(subject.recipe, part))
        complete(target, subject.options(part), where=part)


def settings(subject: RecipeSubject) -> None:
    subject.training = TrainingSettings(**complete(TrainingSettings, subject.options("training"), where="training"))
    given = subject.options("optimizer")
    shared = {key: value for key, value in given.items() if "." not in key}
    for part in ("generator", "discriminator"):
        own: Mapping[str, Any] = subject.options(f"optimizer.{part}")
        OptimizerSettings(**complete(OptimizerSettings, {**shared, **own}, where="optimizer"))


def networks_fit(subject: RecipeSubject) -> None:
    """One step of both losses at the recipe's own size, on the device "meta": shapes without memory or time."""
    classes = 2 if False else 0
    image = ImageSpec(subject.training.size, 3, classes)
    made = {}
    with torch.device("meta"):
        for part, kind in _PARTS.items():
            supplied = {} if part == "loss" else {"image": image}
            name = getattr(subject.recipe, part)
            made[part] = subject.registry.create(kind, name, subject.options(part), **supplied)
        generator, discriminator, loss = made["generator"], made["discriminator"], made["loss"]
        z = torch.zeros(4, generator.latent_dim)
        labels = torch.zeros(4, dtype=torch.int64) if classes else None
        try:
            fake = generator(z, labels)
            found = discriminator(fake, labels)
            value = loss.discriminator(found, found)
        except (RuntimeError, TypeError, ValueError) as error:
            raise Failed(f"generator, discriminator and loss do not fit together at {image}: {error}") from error
    require(fake.shape == (4, *image.shape), f"the generator gives {list(fake.shape)}, expected {[4, *image.shape]}")
    require(found.shape == (4,), f"the discriminator gives {list(found.shape)}, expected logits [4]")
    require(value.dim() == 0, f"the loss gives {list(value.shape)}, expected a scalar")


CHECKS = (resolves, components, settings, networks_fit)
