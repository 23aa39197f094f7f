"""Run folders of earlier formats; see `zoo.models.upgrading` for what changed. Plain data only."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..models.upgrading import MOVED, gan, spell_license, take_augment, two_sided
from .options import MOVED as MOVED_KEYS

if TYPE_CHECKING:
    from torch import Tensor

ROLES = {"generator": "generators", "discriminator": "discriminators", "loss": "losses"}

METERS = ("d_loss", "g_loss", "d_real", "d_fake", "d_right", "d_grad", "g_grad")
"""Order in which checkpoints of format 1 hold the sums of the losses."""


def upgrade_config(config: Mapping[str, Any], format: int) -> dict[str, Any]:
    """Return the configuration of a `run.json` in today's format; raises KeyError, TypeError, … for what is none."""
    if format >= 2:
        return dict(config)
    found = {key: value for key, value in config.items() if key not in ROLES}
    parts = {role: {"kind": kind, **config[role]} for role, kind in ROLES.items()}
    parts["loss"] = two_sided(parts["loss"])
    if parts["loss"]["name"] == "non-saturating-r1" and parts["loss"]["distribution"] == "dcgan-zoo":
        parts["loss"]["options"] = {**parts["loss"]["options"], "r2": 0.0}
    if config["recipe"]["name"] == "lapgan":  # whose levels were trained together
        found["recipe"] = {**config["recipe"], "name": "lapgan-joint"}
    training = dict(config["training"])
    moved = {key: training.pop(key) for key in MOVED}
    dataset = {"kind": "datasets", **config["dataset"]} if config["dataset"] else None
    return {
        **found,
        "algorithm": gan(moved),
        "dataset": dataset,
        "facts": spell_license(config["facts"]),
        "training": {**training, "augment": take_augment(parts)},
        "parts": parts,
    }


def upgrade_command(command: str, format: int) -> str:
    """Return the command line of a `run.json` with the names of today."""
    words = shlex.split(command)
    if format >= 2:
        return command
    if words[:3] == ["zoo", "train", "lapgan"]:
        words[2] = "lapgan-joint"
    for i, word in enumerate(words):
        key, equals, value = word.partition("=")
        if equals and key in MOVED_KEYS:
            words[i] = f"{MOVED_KEYS[key]}={value}"
    return shlex.join(words)


def upgrade_checkpoint(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `state.json` of a checkpoint in today's format."""
    if state["format"] >= 2:
        return dict(state)
    meter = state["meter"]
    named = list(zip(METERS, meter["sums"], meter["counts"], strict=False))  # in one of before the last names fewer
    values = {name: [total, count] for name, total, count in named if count}
    return {**state, "updates": {"generator": state["updates"]}, "meter": {"start": meter["start"], "values": values}}


def upgrade_checkpoint_tensors(tensors: Mapping[str, Mapping[str, Tensor]], format: int) -> dict[str, dict[str, Tensor]]:
    """Return the tensors of a checkpoint by the names that they have in today's format."""
    found = {file: dict(named) for file, named in tensors.items()}
    if format < 2:
        networks = found["networks.safetensors"]
        for key in [key for key in networks if key.startswith("average.")]:
            networks[f"average.generator.{key.removeprefix('average.')}"] = networks.pop(key)
    return found
