"""What `--set` says: keys grouped by what they belong to, texts read by the option's type, all of it checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from zoo_core import OptionError, registry
from zoo_core.errors import unknown
from zoo_core.options import complete, schema

RESERVED = {"dataset": ("data", "split")}  # options that are no settings

MOVED = {
    "training.updates": "algorithm.updates",
    "training.discriminator_steps": "algorithm.discriminator_steps",
    "training.conditional": "algorithm.conditional",
    "discriminator.augment": "training.augment",
}
"""Keys of before → what they are called now."""


def split_options(options: Mapping[str, Any], roles: Iterable[str], learning: Iterable[str]) -> dict[str, dict[str, Any]]:
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
            raise unknown("--set key", key, [f"{g}.*" for g in groups], hint="for example: --set generator.width=128")
        groups[group][name] = value
    return groups


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
