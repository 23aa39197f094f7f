"""Earlier spellings of what lies on disk, and how they become today's. Plain data only.

Format 1 knew one generator, one discriminator and one loss, wrote "licence", had the schedule of the updates among the
training's settings, augmentation in the discriminator, and label smoothing on both sides.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TWO_SIDED = ("minimax", "non-saturating", "non-saturating-r1")
"""Losses whose `smoothing` meant both sides."""

MOVED = ("updates", "discriminator_steps", "conditional")
"""Settings of the training that the algorithm has now."""


def upgrade_format_1(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `config.json` of a model folder in format 2; raises KeyError, TypeError, … for what is no format 1."""
    roles = {"generator": "generators", "discriminator": "discriminators"}
    found = {key: value for key, value in config.items() if key not in roles}
    parts = {role: {"kind": kind, **config[role]} for role, kind in roles.items() if config.get(role) is not None}
    augment = take_augment(parts)
    if isinstance(config.get("provenance"), dict):
        provenance = found["provenance"] = spell_license(config["provenance"])
        if isinstance(provenance.get("dataset"), dict):
            provenance["dataset"] = spell_license(provenance["dataset"])
        if "loss" in provenance:
            provenance["losses"] = {"loss": two_sided(provenance.pop("loss"))}
        training = provenance.get("training")
        if isinstance(training, dict):
            kept = {key: value for key, value in training.items() if key not in MOVED}
            provenance["training"] = {**kept, **({"augment": augment} if augment else {})}
            found["algorithm"] = gan({key: training[key] for key in MOVED if key in training})
    return {**found, "format": 2, "parts": parts}


def gan(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the algorithm that every recipe of format 1 trained with."""
    return {"kind": "algorithms", "name": "gan", "distribution": "dcgan-zoo", "options": dict(options)}


def take_augment(parts: dict[str, dict[str, Any]]) -> list[str]:
    """Take augmentation out of our discriminators' options, in place; return its names."""
    part = parts.get("discriminator", {})
    if part.get("distribution") != "dcgan-zoo" or "augment" not in part.get("options", {}):
        return []
    options = dict(part["options"])
    augment = options.pop("augment")
    parts["discriminator"] = {**part, "options": options}
    return list(augment)


def two_sided(loss: Mapping[str, Any]) -> dict[str, Any]:
    """Return a loss of ours whose one option meant both sides, with both said."""
    options = dict(loss.get("options", {}))
    if loss.get("distribution") == "dcgan-zoo" and loss.get("name") in TWO_SIDED and "smoothing" in options:
        options["smoothing_fake"] = options["smoothing"]
    return {**loss, "kind": "losses", "options": options}


def spell_license(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mapping whose key "licence" is spelled as it is today."""
    return {"license" if key == "licence" else key: item for key, item in value.items()}
