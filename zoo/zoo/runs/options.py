"""What `--set` says: keys grouped by what they belong to, texts read by the option's type, all of it checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from zoo_core import OptionError, UnknownNameError, ZooError, registry
from zoo_core.errors import near, unknown
from zoo_core.options import complete, schema
from zoo_core.settings import OptimizerSettings, TrainingSettings

RESERVED = {"dataset": ("data", "split")}  # options that are no settings

MOVED = {
    "training.updates": "algorithm.updates",
    "training.discriminator_steps": "algorithm.discriminator_steps",
    "training.conditional": "algorithm.conditional",
    "discriminator.augment": "training.augment",
}
"""Keys of before → what they are called now."""


OTHER_WORDS = {
    "learning_rate": "optimizer.lr",
    "lr_g": "optimizer.generator.lr",
    "lr_d": "optimizer.discriminator.lr",
    "batch_size": "training.batch",
    "momentum": "optimizer.beta1",
    "wd": "optimizer.weight_decay",
    "optim": "optimizer.kind",
    "optimizer": "optimizer.kind",
    "scheduler": "optimizer.schedule",
    "flip": "training.mirror",
    "image_size": "training.size",
    "ngf": "generator.width",
    "ndf": "discriminator.width",
    "nz": "generator.latent_dim",
    "z_dim": "generator.latent_dim",
    "latent_size": "generator.latent_dim",
}
"""What settings are called elsewhere → their keys here."""


def find_settings(name: str, parts: Mapping[str, tuple[str, str]]) -> list[str]:
    """Return the `--set` keys that a name without its group could mean, best first: "lr" → optimizer.lr.

    `parts` are a recipe's, role → (kind, registry name), with "dataset" and "algorithm" if they are known. Options of a part
    that cannot be loaded are left out.
    """
    known: dict[str, list[str]] = {}
    groups: dict[str, Any] = {"training": TrainingSettings, "optimizer": OptimizerSettings}
    for role, (kind, component) in parts.items():
        with suppress(ZooError):
            groups[role] = registry.load(kind, component)
    for group, target in groups.items():
        for option in schema(target):
            if option not in RESERVED.get(group, ()):
                known.setdefault(option, []).append(f"{group}.{option}")
    bare = name.rpartition(".")[2].strip("-").replace("-", "_").lower()
    keys = {key for found in known.values() for key in found} | {"optimizer.generator.lr", "optimizer.discriminator.lr"}
    if OTHER_WORDS.get(bare) in keys:
        return [OTHER_WORDS[bare]]
    return known.get(bare) or [key for close in near(bare, known, limit=2) for key in known[close]][:3]


def split_options(
    options: Mapping[str, Any], roles: Mapping[str, tuple[str, str]], learning: Iterable[str]
) -> dict[str, dict[str, Any]]:
    """Group `--set` keys by what stands before the last dot: a role, "optimizer.ROLE" for one that is learning, …; raises
    `UnknownNameError` for a key that has no such group.
    """
    names = [*roles, "algorithm", "dataset", "training", "optimizer", *(f"optimizer.{role}" for role in learning)]
    groups: dict[str, dict[str, Any]] = {name: {} for name in names}
    for key, value in options.items():
        if key in MOVED and key.startswith("training."):
            raise _moved(key, value)
        group, _, name = key.rpartition(".")
        if group not in groups:
            raise _unknown_key(key, value, names, roles)
        groups[group][name] = value
    return groups


def _unknown_key(key: str, value: Any, names: list[str], roles: Mapping[str, tuple[str, str]]) -> UnknownNameError:
    if meant := find_settings(key, roles):
        words = f"unknown --set key {key!r}; did you mean {' or '.join(meant)}?"
        return UnknownNameError(words, hint=f"for example: --set {meant[0]}={value}")
    return unknown("--set key", key, [f"{name}.*" for name in names], hint="for example: --set generator.width=128")


def _moved(key: str, value: Any) -> OptionError:
    return OptionError(f"{key} is called {MOVED[key]} now", hint=f"write: --set {MOVED[key]}={value}")


def resolve_component(part: str, kind: str, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return all options of a registered component, those given and the defaults; raises as `complete` does."""
    target = registry.load(kind, name)
    reserved = [key for key in RESERVED.get(part, ()) if key in given]
    if reserved == ["data"]:
        raise OptionError(f"{part}.data has an option of its own", hint=f"write: --data {given['data']}")
    if reserved:
        raise OptionError(f"{part}.{reserved[0]} is no setting of a training, which takes the split 'train'")
    for option, value in given.items():
        if f"{part}.{option}" in MOVED and option not in schema(target):  # somebody's part may have an option of that name
            raise _moved(f"{part}.{option}", value)
    return complete(target, given, where=part, hint=f"to see them: zoo show {name}", texts=True)
