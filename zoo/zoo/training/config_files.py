"""A training's configuration from a file: what `zoo train --dry-run` prints, a run's `run.json`, or a few lines by hand."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from zoo_core import UsageError
from zoo_core.errors import near

from ..documents import LETTERS, fault, parse_json, read_text, shorten_path
from ..runs.upgrading import upgrade_config
from ..schemas import ListOf, MapOf, Maybe, Number, brief, find_problem, show

LIMIT = 1 << 20
MOST = 100_000  # values
"""Most bytes of such a file."""

_TYPED = {"from": "base", "set": "options"}  # as the command line calls them → the argument of `zoo.train`
_SPELLED = {value: key for key, value in _TYPED.items()}
_BUDGETS = ("epochs", "images", "minutes")
_COMPONENTS = ["recipe", "algorithm", "parts", "dataset", "optimizer", "training"]
_CONFIG = [*_COMPONENTS, "seed", "channels", "image", "pack", "facts", "parent", "frozen", "versions"]
_HOW = ["compile", "deterministic", "graphs"]
_PLAN = [*_HOW, "track", "watch", "rescue", "budget", "device", "precision", "out", "threads", "resume", "command"]
_ARGUMENTS: dict[str, Any] = {
    **{"recipe": str | None, "dataset": str | None, "data": str | None, "download": bool | None},
    **dict.fromkeys(("limit", "size", "channels", "batch", "seed"), int | None),
    **{"out": str | None, **dict.fromkeys(_BUDGETS, Maybe(Number())), "options": Maybe(MapOf(Any))},
    **{"precision": str | None, "device": str | None, "base": str | None},
    **dict.fromkeys(("freeze", "track"), Maybe(ListOf(str))),
    **dict.fromkeys(("compile", "deterministic", "graphs"), bool | None),
    **{"threads": int | str | None, "watch": str | bool | None, "evaluate_every": int | None, "rescue": bool | None},
}
"""Arguments of `plan`, and of what type they are."""
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
    arguments = _interpret(_read(path), path)
    for key in {"freeze", "track"} & {*arguments}:
        if isinstance(arguments[key], str):
            arguments[key] = [arguments[key]]
    if problem := find_problem(arguments, {f"{key}?": kind for key, kind in _ARGUMENTS.items()}):
        key, rest = problem.partition(" ")[::2]
        raise fault(path, f"{_SPELLED.get(key, key)} {rest}", error=UsageError)
    names = [*(arguments.get("options") or ()), *(arguments.get("track") or ()), *(arguments.get("freeze") or ())]
    texts = {key: value for key, value in arguments.items() if isinstance(value, str)}
    for key, text in (*texts.items(), *(("name", name) for name in names)):  # which messages repeat
        if len(text) > (most := 1000 if key in ("data", "out", "base") else 100):
            raise fault(path, f"{show(text[:40])}… has {len(text):,} characters; the most is {most}", error=UsageError)
    return arguments


def _interpret(found: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return the arguments of `zoo.train` that a file means; their names are known, their types are not."""
    if isinstance(found.get("config"), dict):
        _check(found, _RECORD, path)
        config = _upgrade(found["config"], found.get("format"), path)
        _check(config, _CONFIG, path)
        return {**_spell(config, path), **_budget(found.get("budget"), path), **_watch(found, path)}
    if isinstance(found.get("recipe"), dict):
        _check(found, _CONFIG + _PLAN, path)
        track = found.get("track")
        if track and (problem := find_problem(track, MapOf(dict), "track")):
            raise fault(path, problem, error=UsageError)
        how = {key: found[key] for key in _HOW if found.get(key) is not None}
        threads = {} if found.get("threads") in (None, "auto") else {"threads": found["threads"]}
        arguments = {**_spell(found, path), **_budget(found.get("budget"), path), **_watch(found, path), **how, **threads}
        if track:
            arguments["track"] = [*track]
            settings = {f"tracker.{name}.{key}": v for name, given in track.items() for key, v in given.items()}
            arguments["options"] = {**arguments["options"], **{k: v for k, v in settings.items() if v is not None}}
        return arguments
    named = {_TYPED.get(key, key): value for key, value in found.items()}
    _check(named, [*_ARGUMENTS], path)
    return named


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
        found = parse_json(text.encode()) if text.lstrip().startswith("{") else yaml.safe_load(text)
    except (ValueError, LookupError, AttributeError, RecursionError, yaml.YAMLError) as error:  # a tag can raise anything
        where = f" at line {mark.line + 1}" if (mark := getattr(error, "problem_mark", None)) else ""
        why = brief(str(getattr(error, "problem", None) or error), 80)
        raise UsageError(f"{shorten_path(path)} is neither YAML nor JSON{where}: {why}", hint=hint) from error
    if _count(found) > MOST:  # YAML's aliases can make a thousand million of a few lines
        raise UsageError(f"{shorten_path(path)} holds more than {MOST:,} values", hint=hint)
    if not isinstance(found, dict):
        raise UsageError(f"{shorten_path(path)} holds no configuration: expected keys and values (recipe: dcgan)", hint=hint)
    try:  # what YAML has and JSON has not: dates, sets, bytes, keys that are no text
        return dict(parse_json(json.dumps(found).encode()))
    except (ValueError, TypeError, RecursionError) as error:
        what = f"it holds what no JSON can: {str(error) or 'too deep a nest'}"
        raise fault(path, what, error=UsageError, hint=hint) from error


def _count(value: Any) -> int:
    """Return how many values there are in a configuration, ten letters as one; more than `MOST` are not counted."""
    waiting, count = [value], 0
    while waiting and count <= MOST:
        inner = waiting.pop()
        count += 1 + (len(inner) // 10 if isinstance(inner, str) else 0)
        waiting += inner.values() if isinstance(inner, dict) else inner if isinstance(inner, list) else ()
    return count


def _check(found: Mapping[str, Any], known: list[str], path: Path) -> None:
    """Raise `UsageError` naming all keys that mean nothing."""
    unknown = [key for key in found if key not in known]
    if unknown:
        names = [(key, show(key)[1:-1]) for key in unknown]
        shown = [f"{name} (did you mean {close[0]}?)" if (close := near(key, known)) else name for key, name in names]
        what = f"{'a key that means' if len(unknown) == 1 else 'keys that mean'} nothing: {brief(', '.join(shown), 120)}"
        message, hint = f"{shorten_path(path)} has {what}", f"valid: {', '.join(_SPELLED.get(key, key) for key in known)}"
        fits = len(message) + len(hint) < LETTERS
        raise UsageError(message, hint=hint if fits else "zoo train … --dry-run prints all that are valid")


def _upgrade(config: dict[str, Any], format: object, path: Path) -> dict[str, Any]:
    try:
        return upgrade_config(config, int(str(format)))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise fault(
            path, f"it is no run.json that can be read: {type(error).__name__}: {error}", error=UsageError
        ) from error


def _budget(value: Any, path: Path) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict) or len(value) != 1 or not {*value} <= {*_BUDGETS}:
        raise fault(path, f"budget must be one of {', '.join(_BUDGETS)} and a number, not {show(value)}", error=UsageError)
    return dict(value)


def _watch(found: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return what measures the training, and whether it is rescued; nothing of a file that says nothing of it."""
    if "watch" not in found:
        return {}
    watch, rescue = found["watch"], {"rescue": bool(found.get("rescue"))}
    if not watch:
        return {"watch": False, **rescue}
    if not isinstance(watch, dict):
        raise fault(path, f"watch must be an object with a metric, not {show(watch)}", error=UsageError)
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
        raise fault(path, f"it is no whole configuration: {type(error).__name__}: {error}", error=UsageError) from error
    return {**{key: value for key, value in found.items() if value is not None}, "options": options}
