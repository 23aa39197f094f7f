"""What there is: listings and descriptions of everything in the registry, as plain data. Imports no torch by itself."""

from __future__ import annotations

from typing import Any

from zoo_core import registry
from zoo_core.discovery import InstalledPlugin
from zoo_core.errors import near, unknown
from zoo_core.options import schema
from zoo_core.records import CONTRACT, KINDS, Recipe
from zoo_core.settings import OptimizerSettings, TrainingSettings

LISTED = ("recipes", *KINDS)
"""What `zoo list` can list."""

SETTINGS: dict[str, Any] = {"training": TrainingSettings, "optimizer": OptimizerSettings}
"""Keys of `--set` that belong to no component."""


def list_entries(kind: str | None = None) -> list[dict[str, str]]:
    """Everything of a kind (or of all kinds): kind, name, summary, paper, distribution, version. Imports no component."""
    return [
        {
            "kind": entry.kind,
            "name": entry.name,
            "summary": entry.summary,
            "paper": entry.value.paper,
            "distribution": entry.plugin.distribution,
            "version": entry.plugin.version,
        }
        for listed in (LISTED if kind is None else (kind,))
        for entry in registry.entries(listed)
    ]


def list_plugins() -> list[dict[str, Any]]:
    """All plugins: name, distribution, version, status ("ok" or "broken: reason"), what each provides, seconds to import."""
    rows = []
    for installed in registry.plugins():
        provides: dict[str, list[str]] = {}
        summary = ""
        if installed.plugin is not None:
            summary = installed.plugin.summary
            found = {kind: list(getattr(installed.plugin, kind)) for kind in (*KINDS, "commands")}
            found["recipes"] = [recipe.name for recipe in installed.plugin.recipes]
            provides = {kind: sorted(names) for kind, names in found.items() if names}
        rows.append(
            {
                "name": installed.name,
                "distribution": installed.distribution,
                "version": installed.version,
                "status": _status(installed),
                "summary": summary,
                "provides": provides,
                "seconds": round(installed.seconds, 3),
            }
        )
    return rows


def _status(installed: InstalledPlugin) -> str:
    if installed.problem:
        return f"broken: {installed.problem}"
    if installed.plugin is not None and installed.plugin.contract != CONTRACT:
        return f"broken: it was written for contract {installed.plugin.contract}; this zoo has contract {CONTRACT}"
    return "ok"


def describe(name: str) -> list[dict[str, Any]]:
    """Everything that bears a name, of whatever kind, with options, types and defaults.

    Raises:
        UnknownNameError: nothing bears it.
    """
    if name in SETTINGS:
        return [
            {
                "kind": "settings",
                "name": name,
                "summary": SETTINGS[name].__doc__.split("\n")[0],
                "options": _options(SETTINGS[name]),
            }
        ]
    bare = name.rpartition(":")[2]
    kinds = [kind for kind in LISTED if bare in registry.names(kind)]
    if not kinds:
        everything = {*SETTINGS, *(n for kind in LISTED for n in registry.names(kind))}
        raise unknown("name", name, near(bare, everything) or everything, hint="to see all: zoo list")
    return [_recipe(name) if kind == "recipes" else _component(kind, name) for kind in kinds]


def _recipe(name: str) -> dict[str, Any]:
    entry = registry.find("recipes", name)
    assert isinstance(entry.value, Recipe)
    resolved = registry.recipe(name)
    return {
        **_common(entry),
        "paper": resolved.paper,
        "base": entry.value.base,
        "generator": resolved.generator,
        "discriminator": resolved.discriminator,
        "loss": resolved.loss,
        "settings": dict(resolved.options),
    }


def _component(kind: str, name: str) -> dict[str, Any]:
    return {**_common(registry.find(kind, name)), "options": _options(registry.load(kind, name))}


def _options(target: Any) -> list[dict[str, Any]]:
    options = schema(target).values()
    return [{"name": o.name, "type": o.type_name, "default": o.default, "help": o.help} for o in options]


def _common(entry: Any) -> dict[str, Any]:
    return {
        "kind": entry.kind,
        "name": entry.name,
        "summary": entry.summary,
        "paper": entry.value.paper,
        "distribution": entry.plugin.distribution,
        "version": entry.plugin.version,
    }
