"""A training's configuration from a file: what `zoo train --dry-run` prints, a run's `run.json`, or a few lines by hand."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from zoo_core import UsageError
from zoo_core.errors import near

from ..documents import read_text
from ..runs.upgrading import upgrade_config
from .planning import plan

LIMIT = 1 << 20
MOST = 100_000  # values
"""Most bytes of such a file."""

_TYPED = {"from": "base", "set": "options"}  # as the command line calls them → the argument of `zoo.train`
_BUDGETS = ("epochs", "images", "minutes")
_COMPONENTS = ["recipe", "algorithm", "parts", "dataset", "optimizer", "training"]
_CONFIG = [*_COMPONENTS, "seed", "channels", "image", "pack", "facts", "parent", "frozen", "versions"]
_HOW = ["compile", "deterministic", "graphs"]
_PLAN = [*_HOW, "track", "watch", "rescue", "budget", "device", "precision", "out", "threads", "resume", "command"]
_RECORD = ["format", "budget", "command", "precision", "machine", "threads", "watch", "rescue", "interventions", "config"]


def read_config(file: str | Path) -> dict[str, Any]:
    """Read the arguments of `zoo.train` from a YAML or JSON file, or from the `run.json` of a run folder.

    Three things are understood: what `zoo train … --dry-run` prints; a `run.json`, or its folder; and keys as
    `zoo train` calls its options ("recipe", "dataset", "size", "images", "set": {"generator.width": 32}, "from", …).

    Raises:
        UsageError: there is no such file, it is none of these, or it has keys that mean nothing; all of them are named.
    """
    path = Path(file).expanduser()
    path = path / "run.json" if path.is_dir() else path
    found = _read(path)
    if isinstance(found.get("config"), dict):
        _check(found, _RECORD, path)
        config = _upgrade(found["config"], found.get("format"), path)
        _check(config, _CONFIG, path)
        return {**_spell(config, path), **_budget(found.get("budget"), path), **_watch(found, path)}
    if isinstance(found.get("recipe"), dict):
        _check(found, _CONFIG + _PLAN, path)
        how = {key: found[key] for key in _HOW if found.get(key) is not None}
        threads = {} if found.get("threads") in (None, "auto") else {"threads": found["threads"]}
        arguments = {**_spell(found, path), **_budget(found.get("budget"), path), **_watch(found, path), **how, **threads}
        if track := found.get("track"):
            arguments["track"] = [*track]
            settings = {f"tracker.{name}.{key}": v for name, given in dict(track).items() for key, v in dict(given).items()}
            arguments["options"] = {**arguments["options"], **{k: v for k, v in settings.items() if v is not None}}
        return arguments
    known = [*inspect.signature(plan).parameters]
    known.remove("resume")
    _check({_TYPED.get(key, key): value for key, value in found.items()}, known, path)
    return {_TYPED.get(key, key): value for key, value in found.items()}


def merge_config(stored: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a file says with what was given beside it, which wins: one budget, and each setting, takes the place of
    the file's; `optimizer.lr` that of both networks' own.
    """
    budget = any(given.get(key) is not None for key in _BUDGETS)
    kept = {key: value for key, value in stored.items() if not (budget and key in _BUDGETS)}
    options = dict(given.get("options") or {})
    shared = tuple(key.removeprefix("optimizer") for key in options if re.fullmatch(r"optimizer\.\w+", key))
    settings = {
        key: value
        for key, value in dict(kept.get("options") or {}).items()
        if not (shared and key.startswith("optimizer.") and key.endswith(shared))
    }
    for flag, key in (("size", "training.size"), ("batch", "training.batch")):
        if given.get(flag) is not None:
            settings.pop(key, None)
    named = {key: value for key, value in given.items() if value not in (None, [], ())}
    return {**kept, **named, "options": {**settings, **options}}


def _read(path: Path) -> dict[str, Any]:
    """Return the object in a file of JSON or YAML."""
    hint = "zoo train … --dry-run prints one; the run.json of a run folder is one too"
    text = read_text(path, LIMIT, error=UsageError, hint=hint)
    try:
        found = json.loads(text) if text.lstrip().startswith("{") else yaml.safe_load(text)
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        where = f" at line {mark.line + 1}" if (mark := getattr(error, "problem_mark", None)) else ""
        why = getattr(error, "problem", None) or str(error)
        raise UsageError(f"{path} is neither YAML nor JSON{where}: {why}", hint=hint) from error
    if _count(found) > MOST:  # YAML's aliases can make a thousand million of a few lines
        raise UsageError(f"{path} holds more than {MOST:,} values", hint=hint)
    if not isinstance(found, dict) or any(not isinstance(key, str) for key in found):
        raise UsageError(f"{path} holds no configuration: expected keys and values (recipe: dcgan)", hint=hint)
    return found


def _count(value: Any) -> int:
    """Return how many values there are in a configuration; more than `MOST` are not counted."""
    waiting, count = [value], 0
    while waiting and count <= MOST:
        inner = waiting.pop()
        count += 1
        waiting += inner.values() if isinstance(inner, dict) else inner if isinstance(inner, list) else ()
    return count


def _check(found: Mapping[str, Any], known: list[str], path: Path) -> None:
    """Raise `UsageError` naming all keys that mean nothing."""
    unknown = [key for key in found if key not in known]
    if unknown:
        shown = [f"{key} (did you mean {close[0]}?)" if (close := near(key, known)) else key for key in unknown]
        what = f"{path} has {'a key that means' if len(unknown) == 1 else 'keys that mean'} nothing: {', '.join(shown)}"
        spelled = {value: key for key, value in _TYPED.items()}
        raise UsageError(what, hint=f"valid: {', '.join(spelled.get(key, key) for key in known)}")


def _upgrade(config: dict[str, Any], format: object, path: Path) -> dict[str, Any]:
    try:
        return upgrade_config(config, int(str(format)))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"{path} is no run.json that can be read: {type(error).__name__}: {error}") from error


def _budget(value: Any, path: Path) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict) or len(value) != 1 or not {*value} <= {*_BUDGETS}:
        raise UsageError(f"{path}: budget must be one of {', '.join(_BUDGETS)} and a number, not {value!r}")
    return dict(value)


def _watch(found: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return what measures the training, and whether it is rescued; nothing of a file that says nothing of it."""
    if "watch" not in found:
        return {}
    watch, rescue = found["watch"], {"rescue": bool(found.get("rescue"))}
    if not watch:
        return {"watch": False, **rescue}
    if not isinstance(watch, dict):
        raise UsageError(f"{path}: watch must be an object with a metric, not {watch!r}")
    every = {"evaluate_every": watch["every"]} if isinstance(watch.get("every"), int) else {}
    return {**({"watch": watch["metric"]} if watch.get("metric") else {}), **every, **rescue}


def _spell(config: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return a resolved configuration as the arguments that give it."""
    try:
        dataset, training = config.get("dataset"), dict(config["training"])
        options: dict[str, Any] = {f"algorithm.{key}": value for key, value in config["algorithm"]["options"].items()}
        for role, part in config["parts"].items():
            options.update({f"{role}.{key}": value for key, value in part["options"].items()})
        for role, settings in config["optimizer"].items():
            options.update({f"optimizer.{role}.{key}": value for key, value in settings.items()})
        found = {"recipe": config["recipe"]["name"], "size": training.pop("size"), "batch": training.pop("batch")}
        found |= {"seed": config.get("seed"), "channels": config.get("channels")}
        options.update({f"training.{key}": value for key, value in training.items()})
        if dataset is not None:
            found |= {"dataset": dataset["name"], "data": dataset.get("data")}
            options.update({f"dataset.{key}": value for key, value in dataset["options"].items()})
        if config.get("parent"):
            found |= {"base": config["parent"]["where"], "freeze": config.get("frozen", [])}
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UsageError(f"{path} is no whole configuration: {type(error).__name__}: {error}") from error
    return {**{key: value for key, value in found.items() if value is not None}, "options": options}
