"""Checks of recipes: whether what they name exists, takes their options and fits together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..errors import unknown
from ..options import complete
from ..records import ImageSpec, Recipe
from ..registries import Registry
from ..settings import OptimizerSettings, TrainingSettings
from . import algorithms
from .subjects import Failed, place, supplied


@dataclass
class RecipeSubject:
    """A recipe under examination; what follows `registry` is known once the first checks have passed."""

    name: str
    registry: Registry
    recipe: Recipe = field(init=False)
    parts: dict[str, tuple[str, str]] = field(init=False)
    algorithm: Any = field(init=False)
    training: TrainingSettings = field(init=False)

    def options(self, part: str) -> dict[str, Any]:
        """Those that begin with `part` and a dot, without it."""
        return {key.removeprefix(f"{part}."): v for key, v in self.recipe.options.items() if key.startswith(f"{part}.")}


def resolves(subject: RecipeSubject) -> None:
    """It and its bases exist, and every part has a name that its algorithm asks for."""
    subject.recipe = subject.registry.recipe(subject.name)
    subject.parts = subject.registry.parts(subject.recipe)


def components(subject: RecipeSubject) -> None:
    """The algorithm and its parts can be loaded and take the options that the recipe gives them."""
    name = subject.recipe.algorithm or ""
    subject.algorithm = subject.registry.create("algorithms", name, subject.options("algorithm"))
    for role, (kind, part) in subject.parts.items():
        complete(subject.registry.load(kind, part), subject.options(role), where=role)
    known = {"algorithm", "dataset", "training", "optimizer", *subject.parts}
    for key in subject.recipe.options:
        if (role := key.partition(".")[0]) not in known:
            raise unknown(f"part of recipe {subject.recipe.name!r}", role, known)


def settings(subject: RecipeSubject) -> None:
    subject.training = TrainingSettings(**complete(TrainingSettings, subject.options("training"), where="training"))
    for name in subject.training.augment:
        subject.registry.load("augmentations", name)
    given = subject.options("optimizer")
    shared = {key: value for key, value in given.items() if "." not in key}
    networks = [role for role, (kind, _) in subject.parts.items() if kind != "losses"]
    for role in {key.partition(".")[0] for key in given if "." in key}:
        if role not in networks:
            raise unknown("role that learns", role, networks)
    for role in networks:
        own = {**shared, **subject.options(f"optimizer.{role}")}
        OptimizerSettings(**complete(OptimizerSettings, own, where="optimizer"))


def networks_fit(subject: RecipeSubject) -> None:
    """One step with every phase at the recipe's own size, on tensors without numbers, which take no memory."""
    image = ImageSpec(subject.training.size, 3, 2 if subject.algorithm.conditional else 0)
    made: dict[str, Any] = {}
    with algorithms.without_numbers():
        for role, (kind, name) in sorted(subject.parts.items(), key=lambda item: item[0] != "generator"):
            latent_dim = made["generator"].latent_dim if made else 0
            given = supplied(subject.registry.load(kind, name), image, latent_dim)
            made[role] = subject.registry.create(kind, name, subject.options(role), **given)
        phases = subject.algorithm.phases(made)
        try:
            for number in {min(phase.at) for phase in phases}:
                list(algorithms.run_phases(subject.algorithm, made, phases, number))
        except (RuntimeError, TypeError, ValueError) as error:
            where = f"{error} {place(error)}".strip()
            raise Failed(f"{', '.join(made)} do not fit together at {image}: {where}") from error


CHECKS = (resolves, components, settings, networks_fit)
