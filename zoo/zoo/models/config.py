"""`config.json` of a model folder: plain data that may come from anybody, so nothing in it is believed before it is checked.

It names registry keys and options and never an import path. Keys that no version of the format knows are refused, because
a model that is not what its author meant is worse than none.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from zoo_core import ImageSpec, ModelError, PluginError, UsageError
from zoo_core.records import check_name, check_role

from ..documents import fault, read_json
from ..progress import Reporter
from ..schemas import ListOf, MapOf, Maybe, Number, Whole, find_problem, show
from .upgrading import upgrade_format_1

FORMAT = 2
"""Version of the model folder. A reader refuses a later one and upgrades an earlier one."""

UPGRADES: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: upgrade_format_1}
"""Format → what turns a configuration of that format into one of the next."""

CONFIG = "config.json"
LIMIT = 1 << 20
"""Most bytes of a `config.json`."""

NETWORKS = ("generators", "discriminators", "networks")
"""Kinds of part that have weights."""

LARGEST = {"size": 8192, "channels": 64, "num_classes": 1_000_000}
"""Largest image that a configuration may state."""

_DECIDING = {1: ("generator", "discriminator", "image", "classes", "latent"), 2: ("parts", "image", "classes", "latent")}
"""Format → keys that decide what the model draws."""

_COMPONENT = {"kind?": str, "name": str, "distribution": str, "version?": str, "options": dict}
_KEYS: dict[str, Any] = {
    "format": int,
    "recipe?": {"name?": str, "summary?": str, "paper?": str},
    "algorithm?": _COMPONENT,
    "parts": {"generator": _COMPONENT, "*": _COMPONENT},
    "image": dict.fromkeys(LARGEST, int),
    "classes?": ListOf(str, most=LARGEST["num_classes"]),
    "class_counts?": ListOf(Whole(0), most=LARGEST["num_classes"]),
    "latent": {"distribution": str},
    "weights?": str,
    "batch_norm?": str,
    "provenance?": dict,
    "sha256?": MapOf(str),
}
_COUNTS = {"step": Whole(0), "images": Whole(0)}
_TEXTS = dict.fromkeys(("name?", "split?", "license?", "credit?", "restriction?", "hub?"), str)
_PROVENANCE: dict[str, Any] = {
    **{"step?": Whole(0), "images?": Whole(0), "seed?": int},
    **dict.fromkeys(("training?", "optimizer?", "losses?"), dict),
    **dict.fromkeys(("torch?", "command?", "license?"), str),
    "dataset?": Maybe({**_TEXTS, "count?": Whole(0), "*": Any}),
    "trained?": {**_COUNTS, "*": Any},
    "chosen?": Maybe({"as?": str, "of_images?": Whole(0), "measure?": str, "value?": Number(), "samples?": str, "*": Any}),
    "interventions?": ListOf(dict),
    "parent?": Any,
    "*": Any,  # the writer's own affair
}
_PARENT: dict[str, Any] = {
    "model": str,
    **dict.fromkeys(("revision?", "recipe?", "license?", "dataset_name?", "dataset_license?", "dataset_credit?"), str),
    "dataset_restriction?": str,
    "images?": Whole(0),
    "sha256?": MapOf(str),
    "*": Any,
}


def check_publishable(config: Mapping[str, Any]) -> None:
    """Raise `UsageError` where the images of a model, or of one that it began with, restrict what is made of them."""
    record: Mapping[str, Any] = config.get("provenance") or {}
    dataset = record.get("dataset") or {}
    name, why, of = dataset.get("name"), dataset.get("restriction"), "it was trained on"
    while not why and (record := record.get("parent") or {}):
        name, why = record.get("dataset_name"), record.get("dataset_restriction")
        of = f"it began with {record.get('model')}, which was trained on"
    if why:
        raise UsageError(
            f"this model cannot be published or exported: {of} {name}, and {why}",
            hint="use it where it is: zoo sample RUN; to publish one, train on other pictures",
        )


def read_config(folder: Path) -> dict[str, Any]:
    """`config.json` of a model folder, checked key by key; raises `ModelError` as `read_json` and `check_config` do."""
    file = folder / CONFIG
    return check_config(read_json(file, LIMIT, error=ModelError, hint="is this a model folder?"), file)


def check_config(value: Any, file: Path) -> dict[str, Any]:
    """Return the configuration in today's format; raises `ModelError` naming `file` and what is wrong in it."""
    if not isinstance(value, dict) or type(value.get("format")) is not int:
        raise ModelError(f"{file} is no configuration of a zoo model: it states no format")
    config: dict[str, Any] = value
    written = config["format"]
    if written > FORMAT:
        raise ModelError(
            f"{file} has format {show(written)}; this zoo reads up to {FORMAT}",
            hint="upgrade it: pip install --upgrade dcgan-zoo",
        )
    sums = config.get("sha256")
    if isinstance(sums, dict) and sums.get(CONFIG) != digest(config):
        raise ModelError(
            f"{file} was changed since the model was written: what decides its images has another checksum",
            hint="pull or export the model once more",
        )
    while config["format"] < FORMAT:
        upgrade = UPGRADES.get(config["format"])
        if upgrade is None:
            raise ModelError(f"{file} has format {show(config['format'])}, which never existed")
        try:
            config = upgrade(config)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            wrong = f"it is no configuration of format {show(written)}: {error!a}"
            raise fault(file, wrong, error=ModelError) from error
    problem = _find_problem_of_roles(config.get("parts")) or find_problem(config, _KEYS)
    problem = problem or find_problem(config.get("provenance", {}), _PROVENANCE, "provenance")
    if not problem:
        problem = _find_problem_of_parts(config) or _find_problem_of_image(config)
    if not problem and (latent := config["latent"]["distribution"]) not in ("normal", "uniform"):
        problem = f"latent.distribution is {show(latent)}; valid: normal, uniform"
    if problem := problem or _find_problem_of_parents(config.get("provenance", {}).get("parent")):
        raise fault(file, problem, error=ModelError)
    return config


def _find_problem_of_parents(record: Any) -> str:
    """Return what is wrong with what a configuration says of the model that its training began with, and of that one's."""
    where, problem = "provenance.parent", ""
    while record is not None and not problem:
        problem = find_problem(record, _PARENT, where)
        record, where = None if problem else record.get("parent"), f"{where}.parent"
    return problem


def digest(config: Mapping[str, Any]) -> str:
    """The checksum of everything in a configuration that decides what the model draws; the rest may be edited by hand."""
    deciding = {key: config.get(key) for key in _DECIDING.get(config.get("format", FORMAT), _DECIDING[FORMAT])}
    return hashlib.sha256(json.dumps(deciding, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _find_problem_of_roles(parts: Any) -> str:
    for role in parts if isinstance(parts, dict) else ():
        try:
            check_role(role)
        except PluginError:
            return f"parts has {show(role)}, which is no role"
    return ""


def _find_problem_of_parts(config: Mapping[str, Any]) -> str:
    parts: Mapping[str, Any] = config["parts"]
    for role, component in parts.items():
        if component.get("kind") not in NETWORKS or (role == "generator") != (component["kind"] == "generators"):
            return f"parts.{role}.kind is {show(component.get('kind'))}; valid: {', '.join(NETWORKS)}"
    named = {f"parts.{role}": part for role, part in parts.items()}
    if "algorithm" in config:
        named["algorithm"] = config["algorithm"]
    return next(filter(None, (find_problem_of_names(part, where) for where, part in named.items())), "")


def find_problem_of_names(component: Mapping[str, Any], part: str) -> str:
    """Return what is wrong with the names of a component, which only ever are looked up in the registry; "" for nothing."""
    for field, kind in (("name", "registry name"), ("distribution", "distribution")):
        name = component[field]
        try:
            check_name(name.lower() if field == "distribution" else name, field)
        except PluginError:
            return (
                f"{part}.{field} is {show(name)}, which is no {kind}; "
                "a configuration names what is registered, and nothing that it names is imported or run"
            )
    return ""


def _find_problem_of_image(config: Mapping[str, Any]) -> str:
    for key, most in LARGEST.items():
        if config["image"][key] > most:
            return f"image.{key} is {show(config['image'][key])}; the most is {most:,}"
    try:
        image, classes = ImageSpec(**config["image"]), config.get("classes", [])
    except UsageError as error:
        return error.message
    if classes and len(classes) != image.num_classes:
        return f"classes has {len(classes)} names, and image.num_classes is {image.num_classes}"
    counts = config.get("class_counts", [])
    if counts and (len(counts) != image.num_classes or not any(counts)):
        return f"class_counts must be {image.num_classes} numbers, not all of them 0"
    return ""


def describe_choice(config: Mapping[str, Any]) -> str:
    """Say which checkpoint of its run a model is of: "the best checkpoint, after 40,960 of 81,920 images (frechet_scattering
    12.3)"; "" where the configuration does not say.
    """
    provenance = config.get("provenance", {})
    chosen = provenance.get("chosen") or {}
    if "images" not in provenance or "of_images" not in chosen:
        return ""
    name = {"best": "the best checkpoint", "last": "the last checkpoint"}.get(str(chosen.get("as")), "a checkpoint")
    measure = f" ({chosen['measure']} {chosen['value']:.4g})" if "measure" in chosen and "value" in chosen else ""
    return f"{name}, after {provenance['images']:,} of {chosen['of_images']:,} images{measure}"


def note_choice(config: Mapping[str, Any], report: Reporter) -> None:
    """Say which checkpoint of its run a model is of, where the configuration says it."""
    if words := describe_choice(config):
        report.note(f"from {words}")
