"""`config.json` of a model folder: plain data that may come from anybody, so nothing in it is believed before it is checked.

It names registry keys and options and never an import path. Keys that no version of the format knows are refused, because
a model that is not what its author meant is worse than none.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from zoo_core import ImageSpec, ModelError, PluginError, UsageError, ZooError
from zoo_core.records import check_name, check_role

from ..progress import Reporter
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

DEPTH = 32
"""Deepest nesting of its objects and lists."""

LARGEST = {"size": 8192, "channels": 64, "num_classes": 1_000_000}
"""Largest image that a configuration may state."""

_DECIDING = {1: ("generator", "discriminator", "image", "classes", "latent"), 2: ("parts", "image", "classes", "latent")}
"""Format → keys that decide what the model draws."""

_COMPONENT = {"kind?": str, "name": str, "distribution": str, "version?": str, "options": dict}
_KEYS: dict[str, Any] = {
    "format": int,
    "recipe?": {"name?": str, "summary?": str, "paper?": str},
    "algorithm?": _COMPONENT,
    "parts": dict,
    "image": dict.fromkeys(LARGEST, int),
    "classes?": list,
    "latent": {"distribution": str},
    "weights?": str,
    "batch_norm?": str,
    "provenance?": dict,
    "sha256?": dict,
}
"""Key → type, or the keys of an object; those with a question mark may be missing."""

_PROVENANCE: dict[str, Any] = {
    **dict.fromkeys(("step?", "images?", "seed?"), int),
    **dict.fromkeys(("training?", "optimizer?", "losses?"), dict),
    **dict.fromkeys(("torch?", "command?", "license?"), str),
    "dataset?": dict | None,
    "parent?": dict | None,
}
_PARENT: dict[str, Any] = {
    "model": str,
    **dict.fromkeys(("revision?", "recipe?", "license?", "dataset_name?", "dataset_license?", "dataset_credit?"), str),
    "dataset_restriction?": str,
    "images?": int,
    "sha256?": dict,
    "parent?": dict | None,
}
_TEXTS = ("name?", "split?", "license?", "credit?", "restriction?", "hub?")
_DATASET: dict[str, Any] = {**dict.fromkeys(_TEXTS, str), "count?": int}
_WORDS = {int: "a whole number", str: "a text", dict: "an object", list: "a list", dict | None: "an object or null"}


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
    return check_config(read_json(folder / CONFIG, LIMIT, hint="is this a model folder?"), folder / CONFIG)


def check_config(value: Any, file: Path) -> dict[str, Any]:
    """Return the configuration in today's format; raises `ModelError` naming `file` and what is wrong in it."""
    if not isinstance(value, dict) or type(value.get("format")) is not int:
        raise ModelError(f"{file} is no configuration of a zoo model: it states no format")
    config: dict[str, Any] = value
    written = config["format"]
    if written > FORMAT:
        raise ModelError(
            f"{file} has format {_shown(written)}; this zoo reads up to {FORMAT}",
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
            raise ModelError(f"{file} has format {_shown(config['format'])}, which never existed")
        try:
            config = upgrade(config)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ModelError(f"{file} is no configuration of format {_shown(written)}: {error!a}") from error
    try:
        _check_keys(config, _KEYS)
        _check_keys(config.get("sha256", {}), dict.fromkeys(config.get("sha256", {}), str), "sha256.")
        _check_parts(config["parts"])
        if "algorithm" in config:
            _check_names(config["algorithm"], "algorithm")
        _check_image(config)
        if config["latent"]["distribution"] not in ("normal", "uniform"):
            raise ModelError(f"latent.distribution is {_shown(config['latent']['distribution'])}; valid: normal, uniform")
        provenance = config.get("provenance", {})
        for where, value, types in (("", provenance, _PROVENANCE), ("dataset.", provenance.get("dataset") or {}, _DATASET)):
            known = {key: item for key, item in value.items() if f"{key}?" in types}  # others are the writer's own affair
            _check_keys(known, types, f"provenance.{where}")
        _check_parent(provenance.get("parent"))
    except ZooError as error:
        raise ModelError(f"{file}: {error.message}", hint=error.hint) from error
    return config


def _check_parent(record: Any, where: str = "provenance.parent.") -> None:
    """Check what a configuration says of the model that its training began with, and of that one's."""
    if record is None:
        return
    _check_keys({key: item for key, item in record.items() if key == "model" or f"{key}?" in _PARENT}, _PARENT, where)
    _check_keys(record.get("sha256", {}), dict.fromkeys(record.get("sha256", {}), str), f"{where}sha256.")
    _check_parent(record.get("parent"), f"{where}parent.")


def digest(config: Mapping[str, Any]) -> str:
    """The checksum of everything in a configuration that decides what the model draws; the rest may be edited by hand."""
    deciding = {key: config.get(key) for key in _DECIDING.get(config.get("format", FORMAT), _DECIDING[FORMAT])}
    return hashlib.sha256(json.dumps(deciding, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def read_json(file: Path, limit: int, *, hint: str = "") -> Any:
    """JSON that nobody vouches for, from a regular file of at most `limit` bytes.

    Raises `ModelError` where it is missing, too large, no JSON, nested more than 32 deep, or has a key twice, text that is
    no Unicode or a number that is not finite.
    """
    try:
        if not file.is_file():
            raise ModelError(f"{file} is missing", hint=hint)
        if file.stat().st_size > limit:
            raise ModelError(f"{file} has {file.stat().st_size:,} bytes; the most is {limit:,}", hint=hint)
        text = file.read_bytes().decode("utf-8")
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_finite, parse_float=_finite)
        json.dumps(value, ensure_ascii=False).encode()  # which text that is no Unicode does not survive
        if _depth(value) > DEPTH:
            raise RecursionError
    except RecursionError as error:
        raise ModelError(f"{file} is nested too deeply: more than {DEPTH} levels", hint=hint) from error
    except (OSError, ValueError) as error:  # json's message tells the place and never quotes what stands there
        raise ModelError(f"{file} cannot be read: {error}", hint=hint) from error
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("it holds a number that is not finite")
    return number


def _depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, inner), default=0)


def _check_keys(value: Mapping[str, Any], schema: Mapping[str, Any], where: str = "") -> None:
    types = {key.rstrip("?"): kind for key, kind in schema.items()}
    for key, item in value.items():
        if key not in types:
            raise ModelError(f"unknown key {_shown(where + key)}; valid: {', '.join(where + name for name in types)}")
        kind = dict if isinstance(types[key], dict) else types[key]
        if not isinstance(item, kind) or (isinstance(item, bool) and kind is int):
            raise ModelError(f"{where}{key} must be {_WORDS[kind]}, not {_shown(item)}")
        if isinstance(types[key], dict):
            _check_keys(item, types[key], f"{where}{key}.")
    for key in schema:
        if not key.endswith("?") and key not in value:
            raise ModelError(f"{where}{key} is missing")


def _check_parts(parts: Mapping[str, Any]) -> None:
    for role in parts:
        try:
            check_role(role)
        except PluginError:
            raise ModelError(f"parts has {_shown(role)}, which is no role") from None
    _check_keys(parts, {"generator": _COMPONENT, **dict.fromkeys(parts, _COMPONENT)}, "parts.")
    for role, component in parts.items():
        _check_names(component, f"parts.{role}")
        if component.get("kind") not in NETWORKS or (role == "generator") != (component["kind"] == "generators"):
            raise ModelError(f"parts.{role}.kind is {_shown(component.get('kind'))}; valid: {', '.join(NETWORKS)}")


def _check_names(component: Mapping[str, Any], part: str) -> None:
    for field, kind in (("name", "registry name"), ("distribution", "distribution")):
        name = component[field]
        try:
            check_name(name.lower() if field == "distribution" else name, field)
        except PluginError:
            raise ModelError(
                f"{part}.{field} is {_shown(name)}, which is no {kind}; "
                "a configuration names what is registered, and nothing that it names is imported or run"
            ) from None


def _check_image(config: Mapping[str, Any]) -> None:
    for key, most in LARGEST.items():
        if config["image"][key] > most:
            raise ModelError(f"image.{key} is {_shown(config['image'][key])}; the most is {most:,}")
    image, classes = ImageSpec(**config["image"]), config.get("classes", [])
    if any(not isinstance(name, str) for name in classes):
        raise ModelError("classes must be a list of names")
    if classes and len(classes) != image.num_classes:
        raise ModelError(f"classes has {len(classes)} names, and image.num_classes is {image.num_classes}")


def _shown(value: Any) -> str:
    """Return a value as a message shows it: escaped, and short whatever it is."""
    text = ascii(value) if not isinstance(value, int) or abs(value) < 10**30 else "a number of more than 30 digits"
    return text if len(text) <= 80 else f"{text[:77]}…"


def describe_choice(config: Mapping[str, Any]) -> str:
    """Say which checkpoint of its run a model is of: "the best checkpoint, after 40,960 of 81,920 images (frechet_scattering
    12.3)"; "" where the configuration does not say.
    """
    provenance = config.get("provenance", {})
    chosen = provenance.get("chosen") or {}
    if "images" not in provenance or "of_images" not in chosen:
        return ""
    name = {"best": "the best checkpoint", "last": "the last checkpoint"}.get(str(chosen.get("as")), "a checkpoint")
    measure = f" ({chosen['measure']} {chosen['value']:.4g})" if "measure" in chosen else ""
    return f"{name}, after {provenance['images']:,} of {chosen['of_images']:,} images{measure}"


def note_choice(config: Mapping[str, Any], report: Reporter) -> None:
    """Say which checkpoint of its run a model is of, where the configuration says it."""
    if words := describe_choice(config):
        report.note(f"from {words}")
