"""What can stand at a place of a command line, for the shell to complete. Imports no torch and none of the components."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from zoo_core import Component, ZooError, registry
from zoo_core.options import Option, choices, schema, write_value
from zoo_core.places import cache_root
from zoo_core.records import SINGULAR
from zoo_core.registries import PART_KINDS
from zoo_core.settings import OptimizerSettings, TrainingSettings

from .documents import read_json
from .outlines import outline

Suggestions = dict[str, str]
"""What may be typed → a few words about it, "" for none. What ends in "." or "=" goes on."""

Keys = dict[str, tuple[Option, Any]]
"""Key of `--set` → its option, and the value that it has where nothing is said."""

_Source = tuple[str, Callable[[], Mapping[str, Option]], Mapping[str, Any]]
"""A group of keys ("generator"): its name, what reads its options, and the values that a recipe gives some of its keys."""


def suggest_entries(*kinds: str) -> Suggestions:
    """Return all registered names of some kinds ("recipes", "losses", …) and their summaries."""
    return {entry.name: entry.summary for kind in kinds for entry in registry.entries(kind)}


def suggest_plugins() -> Suggestions:
    """Return the installed distributions and their plugins."""
    found: Suggestions = {}
    for installed in registry.plugins():
        summary = installed.plugin.summary if installed.plugin else ""
        found |= {installed.distribution: summary, installed.name: summary}
    return found


def suggest_runs(typed: str) -> Suggestions:
    """Return the run folders beside what is typed so far, or else those in `runs/`."""
    head, slash, _ = typed.rpartition("/")
    within = head + slash or "runs/"
    found: Suggestions = {}
    with suppress(OSError):
        for entry in sorted(os.scandir(os.path.expanduser(within)), key=lambda entry: entry.name):
            if os.path.isfile(os.path.join(entry.path, "run.json")):
                found[within + entry.name] = "run folder"
    return found


def suggest_models(typed: str) -> Suggestions:
    """Return the run folders and the models of the catalog."""
    return {**suggest_runs(typed), **suggest_entries("models")}


def suggest_packs() -> Suggestions:
    """Return what the cache of packs holds, by name; nothing in it is opened."""
    try:
        names = sorted(entry.name for entry in os.scandir(cache_root() / "packs") if entry.is_dir())
    except OSError:
        return {}
    return {name: "" for name in names if not name.startswith(".")}


def suggest_cache_kinds() -> Suggestions:
    """Return the kinds of what lies in the cache."""
    from .caching import KINDS

    return dict(KINDS)


def suggest_settings(
    typed: str,
    *,
    recipes: Iterable[str] = (),
    run: str | None = None,
    dataset: str | None = None,
    features: str | None = None,
    sampler: str | None = None,
    groups: Iterable[str] | None = None,
) -> Suggestions:
    """Return what `--set` can go on with: groups of keys, the keys of a group, or the values of a key.

    Args:
        typed: what stands there so far ("", "generator.", "generator.norm=").
        recipes: whose parts have the keys; `run` names a run folder whose recipe it is instead.
        dataset, features, sampler: whose options `dataset.*`, `features.*` and `sampler.*` are; None for those that every
            dataset has, and none.
        groups: which first words of a key the command takes; None for all.
    """
    sources = [*_training_sources(recipes if run is None else _recipe_of_run(run))]
    sources.append(("dataset", partial(_dataset_options, dataset), {}))
    for group, kind, name in (("features", "features", features), ("sampler", "samplers", sampler)):
        if name is not None:
            sources.append((group, partial(_component_options, kind, name), {}))
    chosen = [source for source in sources if groups is None or _first(source[0]) in groups]
    if "." not in typed:
        return {f"{_first(group)}.": "settings" for group, _, _ in chosen}
    keys: Keys = {}
    for group, options, values in chosen:
        if _first(group) == _first(typed):
            with suppress(ZooError):
                keys |= {f"{group}.{name}": (o, values.get(f"{group}.{name}", o.default)) for name, o in options().items()}
    key, sign, value = typed.partition("=")
    if sign:
        return {f"{key}={text}": words for text, words in _suggest_values(key, value, keys).items()}
    return {f"{key}=": _describe(option, value) for key, (option, value) in keys.items()}


def _first(key: str) -> str:
    return key.partition(".")[0]


def _training_sources(recipes: Iterable[str]) -> Iterator[_Source]:
    """Yield the groups of keys of a training: those of the recipes' parts, and those that every training has."""
    learning: set[str] = set()
    values: dict[str, Any] = {}
    for name in recipes:
        with suppress(ZooError):
            recipe = registry.recipe(name)
            assert recipe.algorithm is not None
            yield "algorithm", partial(_component_options, "algorithms", recipe.algorithm), recipe.options
            for role, part in recipe.roles.items():
                kind = next((kind for kind in _likely_kinds(role) if part.rpartition(":")[2] in registry.names(kind)), None)
                if kind is not None:
                    yield role, partial(_component_options, kind, part), recipe.options
                    learning |= {role} if kind != "losses" else set()
            values |= recipe.options
    yield "training", partial(schema, TrainingSettings), values
    shared = {key.partition(".")[2]: value for key, value in values.items() if key.startswith("optimizer.")}
    for group in ("optimizer", *(f"optimizer.{role}" for role in sorted(learning))):
        own = {f"{group}.{name}": value for name, value in shared.items()}
        yield group, partial(schema, OptimizerSettings), {**own, **values}


def _recipe_of_run(run: str) -> list[str]:
    with suppress(OSError, ZooError, KeyError, TypeError):
        record = read_json(Path(run).expanduser().joinpath("run.json"), 16 << 20, error=ZooError)
        return [str(record["config"]["recipe"]["name"])]
    return []


def _likely_kinds(role: str) -> list[str]:
    """Return the kinds of which a part can be, those first that are called like it."""
    return sorted(PART_KINDS, key=lambda kind: not role.startswith(SINGULAR[kind]))


def _dataset_options(name: str | None) -> dict[str, Option]:
    from .packs.selection import SELECTION

    found = {**SELECTION, **(_component_options("datasets", name) if name is not None else {})}
    return {key: option for key, option in found.items() if key not in ("data", "split")}


def _component_options(kind: str, name: str) -> dict[str, Option]:
    component = registry.find(kind, name).value
    return outline(component.target) if isinstance(component, Component) else {}


def _describe(option: Option, value: Any) -> str:
    kind = f"{option.type_name} {option.range.summarize()}".strip() if option.range else option.type_name
    shown = f"{kind} [{write_value(value)}]" if value is not Any else kind
    return f"{shown} {option.help}".strip()


def _suggest_values(key: str, typed: str, keys: Keys) -> Suggestions:
    if key == "training.augment":
        return suggest_several(typed, suggest_entries("augmentations"))
    if key == "features.model":
        return suggest_models(typed)
    if key not in keys:
        return {}
    option, value = keys[key]
    found = dict.fromkeys(choices(option), "")
    if value is not Any and not isinstance(value, list | tuple | dict):
        found[write_value(value)] = "what it is"
    return {text: words for text, words in found.items() if text}


def suggest_several(typed: str, names: Suggestions) -> Suggestions:
    """Return names for a list with commas between: those not yet in it, behind what is."""
    before, comma, _ = typed.rpartition(",")
    there = before.split(",")
    return {f"{before}{comma}{name}": words for name, words in names.items() if name not in there}
