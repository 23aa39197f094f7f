"""What the shell may complete at an option or argument. Imports no torch and says nothing about what is broken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click
from click.shell_completion import CompletionItem

Items = list[CompletionItem]
Complete = Callable[[click.Context, click.Parameter, str], Items]
FOLDERS = {"runs", "models", "packs"}
"""What may also be named by the path of its folder."""


def completing(*kinds: str, several: bool = False) -> Complete:
    """Return what `shell_complete=` takes.

    Args:
        kinds: kinds of the registry ("recipes", "datasets", …), "plugins", "runs", "models" (with runs), "packs",
            "cache" for its kinds.
        several: whether names stand in one word, with commas between.
    """

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
        from zoo import suggesting

        found: dict[str, str] = {}
        for kind in kinds:
            if kind in ("runs", "models"):
                found |= suggesting.suggest_models(incomplete) if kind == "models" else suggesting.suggest_runs(incomplete)
            elif kind == "cache":
                found |= suggesting.suggest_cache_kinds()
            elif kind in ("plugins", "packs"):
                found |= suggesting.suggest_plugins() if kind == "plugins" else suggesting.suggest_packs()
            else:
                found |= suggesting.suggest_entries(kind)
        if several:
            found = suggesting.suggest_several(incomplete, found)
        folders = [CompletionItem(incomplete, type="dir")] if FOLDERS.intersection(kinds) else []
        return [*_items(found, incomplete), *folders]

    return complete


def completing_words(*words: str) -> Complete:
    """Return what `shell_complete=` takes: some words, for an option that takes others too."""
    return lambda ctx, param, incomplete: _items(dict.fromkeys(words, ""), incomplete)


def completing_metric(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Complete METRIC, FEATURES or METRIC:FEATURES."""
    from zoo.suggesting import suggest_entries

    metric, colon, _ = incomplete.partition(":")
    features = suggest_entries("features")
    if colon:
        return _items({f"{metric}:{name}": words for name, words in features.items()}, incomplete)
    return _items({**suggest_entries("metrics"), **features}, incomplete)


def completing_settings(*groups: str, features: bool = False) -> Complete:
    """Return what `shell_complete=` takes for --set: keys of these groups (none for all), and their values.

    Args:
        groups: first words of keys: "dataset", "features".
        features: whether keys of the feature extractor are taken beside those of a training.
    """

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
        from zoo.suggesting import suggest_settings

        said = _parse(ctx)
        recipes = said.get("names") or [said.get("recipe") or ""]
        extractor = said.get("features") or (said.get("metric") or "scattering").rpartition(":")[2]
        found = suggest_settings(
            incomplete,
            recipes=[recipe for recipe in recipes if recipe],
            run=said.get("resume"),
            dataset=said.get("dataset") or said.get("named"),
            features=extractor if features or "features" in groups else None,
            sampler=said.get("sampler") if "sampler" in groups else None,
            groups=groups or None,
        )
        return _items(found, incomplete)

    return complete


def _parse(ctx: click.Context) -> dict[str, Any]:
    """Return what the command was given so far: texts, and tuples of texts.

    click stops to read where an option has no value yet, before it comes to the arguments; so the line is read once more
    with one (`zoo_cli.shells` hands it over as the context's `obj`).
    """
    params, words = ctx.params, ctx.obj
    if isinstance(words, list) and ctx.info_name in words:
        rest = words[words.index(ctx.info_name) + 1 :]
        params = ctx.command.make_context(ctx.info_name, rest, resilient_parsing=True).params
    return {name: value for name, value in params.items() if isinstance(value, str | tuple)}


def _items(found: Mapping[str, str], incomplete: str) -> Items:
    """Return those that go on from what is typed; a name with a line break in it would be taken for two."""
    names = sorted(name for name in found if name.startswith(incomplete) and name.isprintable())
    return [CompletionItem(name, help=found[name] or None) for name in names]
