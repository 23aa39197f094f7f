"""What there is, as plain data, and whether it is what it should be. Imports no torch by itself."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from zoo_core import Component, OptionError, PluginError, ZooError, registry
from zoo_core.discovery import InstalledPlugin, entry_points, normalize
from zoo_core.errors import near, unknown
from zoo_core.options import Option, choices, schema
from zoo_core.records import CONTRACT, KINDS, SINGULAR, Recipe
from zoo_core.registries import Entry, contract_problem, import_target
from zoo_core.settings import OptimizerSettings, TrainingSettings

from .packs.selection import SELECTION

if TYPE_CHECKING:
    from .runs.config import RunConfig

LISTED = ("recipes", *KINDS)  # what `zoo list` can list

SETTINGS: dict[str, Any] = {"training": TrainingSettings, "optimizer": OptimizerSettings}
"""Keys of `--set` that belong to no component."""

SIZES = (8, 16, 24, 28, 32, 48, 64, 96, 100, 128, 192, 256, 384, 512)
"""Image sizes that are tried to say which a recipe takes."""


def list_entries(kind: str | None = None) -> list[dict[str, str]]:
    """Everything of a kind (or of all kinds): kind, name, summary, paper, distribution, version. Imports no component."""
    return [_common(entry) for listed in (LISTED if kind is None else (kind,)) for entry in registry.entries(listed)]


def list_plugins() -> list[dict[str, Any]]:
    """All plugins: name, distribution, version, status ("ok" or "broken: reason"), what each provides, seconds to import."""
    return [
        {
            **{key: getattr(installed, key) for key in ("name", "distribution", "version")},
            "status": _status(installed),
            "summary": installed.plugin.summary if installed.plugin else "",
            "provides": {kind: sorted(found) for kind, found in installed.provides().items() if found},
            "seconds": round(installed.seconds, 3),
        }
        for installed in registry.plugins()
    ]


def _status(installed: InstalledPlugin) -> str:
    if installed.problem:
        return f"broken: {installed.problem}"
    if installed.plugin is not None and installed.plugin.contract != CONTRACT:
        return f"broken: {contract_problem(installed.plugin.contract, 'it')}"
    return "ok"


def describe(name: str) -> list[dict[str, Any]]:
    """Return everything that bears a name, of whatever kind, with options, types and defaults; raises `UnknownNameError`."""
    if name in SETTINGS:
        target = SETTINGS[name]
        summary = target.__doc__.partition(" Raises")[0]
        return [{"kind": "settings", "name": name, "summary": summary, "options": _options(target)}]
    bare = name.rpartition(":")[2]
    kinds = [kind for kind in LISTED if bare in registry.names(kind)]
    if not kinds:
        everything = {*SETTINGS, *(n for kind in LISTED for n in registry.names(kind))}
        raise unknown("name", name, near(bare, everything) or everything, hint="to see all: zoo list")
    return [_DESCRIBED.get(kind, _component)(kind, name) for kind in kinds]


def _recipe(kind: str, name: str) -> dict[str, Any]:
    """With every value that a training takes, and those apart that the recipe itself sets."""
    from .runs.config import RunConfig

    entry = registry.find(kind, name)
    assert isinstance(entry.value, Recipe)
    resolved, config = registry.recipe(name), RunConfig.resolve(name)
    options = list(_recipe_options(resolved, config))
    return {
        **_common(entry),
        "paper": resolved.paper,
        "base": entry.value.base,
        "algorithm": config.algorithm["name"],
        **{role: part["name"] for role, part in config.parts.items()},
        "parts": {role: {"kind": part["kind"], "name": part["name"]} for role, part in config.parts.items()},
        "sizes": _sizes(config),
        "settings": dict(resolved.options),
        "values": {option["key"]: option["value"] for option in options},
        "options": options,
    }


def _recipe_options(recipe: Recipe, config: RunConfig) -> Iterator[dict[str, Any]]:
    """Yield every option of a recipe's parts and of its training, with its value and whether the recipe says that."""
    assert recipe.algorithm is not None
    groups = [("algorithm", registry.load("algorithms", recipe.algorithm), config.algorithm["options"])]
    for role, (kind, part) in registry.parts(recipe).items():
        groups.append((role, registry.load(kind, part), config.parts[role]["options"]))
    groups.append(("training", TrainingSettings, asdict(config.training)))
    optimizers = list(config.optimizer.items())
    if all(own == optimizers[0][1] for _, own in optimizers):
        optimizers = [("", own) for _, own in optimizers[:1]]
    groups += [(f"optimizer.{role}".rstrip("."), OptimizerSettings, own) for role, own in optimizers]
    for group, target, values in groups:
        first = group.partition(".")[0]
        for option in _options(target):
            says = {f"{group}.{option['name']}", f"{first}.{option['name']}"}
            key = f"{group}.{option['name']}"
            yield {"key": key, **option, "value": values[option["name"]], "set": not says.isdisjoint(recipe.options)}


def _sizes(config: RunConfig) -> list[int]:
    """Which of `SIZES` the networks of a recipe do not refuse."""
    found = []
    for size in SIZES:
        with suppress(OptionError):
            replace(config, training=replace(config.training, size=size)).check_networks()
            found.append(size)
    return found


def _algorithm(kind: str, name: str) -> dict[str, Any]:
    """With its phases for small parts, and a loss that has penalties on both sides."""
    from zoo_core.testing.algorithms import SmallLoss, assemble
    from zoo_core.testing.subjects import Failed

    class Penalized(SmallLoss):
        def penalty(self, *given: Any) -> Any: ...
        def generator_penalty(self, *given: Any) -> Any: ...

    found = registry.load(kind, name)
    tiny = {option: value for option, value in found.tiny.items() if option not in ("image", "parts")}
    phases: list[dict[str, Any]] = []
    with suppress(Failed, ZooError):  # zoo plugins check says what is wrong with it
        phases = [asdict(phase) for phase in assemble(found, tiny, Penalized)[2]]
    return {**_component(kind, name), "parts": dict(found.parts), "averages": list(found.averages), "phases": phases}


def _model(kind: str, name: str) -> dict[str, Any]:
    entry = registry.find(kind, name)
    fields = ("where", "recipe", "dataset", "license", "size", "bytes")
    return {**_common(entry), **{field: getattr(entry.value, field) for field in fields}}


def _paper(kind: str, name: str) -> dict[str, Any]:
    """With its claims, each with what it says and how it is judged."""
    entry, claims = registry.find(kind, name), registry.claims(name)
    words = ("title", "statement", "paper", "criterion")
    told = {key: {word: getattr(claim, word) for word in words} for key, claim in claims.items()}
    return {**_common(entry), "url": getattr(entry.value, "url", ""), "claims": told}


def _component(kind: str, name: str) -> dict[str, Any]:
    more = SELECTION if kind == "datasets" else {}
    return {**_common(registry.find(kind, name)), "options": _options(registry.load(kind, name), more)}


_DESCRIBED = {"recipes": _recipe, "algorithms": _algorithm, "models": _model, "papers": _paper}


def _options(target: Any, more: Mapping[str, Option] = MappingProxyType({})) -> list[dict[str, Any]]:
    own = schema(target)
    options = [*own.values(), *(option for name, option in more.items() if name not in own)]
    return [_option(option) for option in options]


def _option(option: Option) -> dict[str, Any]:
    told = {key: getattr(option, key) for key in ("name", "default", "help")}
    return {
        **told,
        "type": option.type_name,
        "choices": list(choices(option)),
        "range": option.range.summarize() if option.range else "",
    }


def _common(entry: Entry) -> dict[str, Any]:
    paper = getattr(entry.value, "paper", "")  # which a paper is itself
    told = {"kind": entry.kind, "name": entry.name, "summary": entry.summary, "paper": paper}
    return {**told, "distribution": entry.plugin.distribution, "version": entry.plugin.version}


_WITHOUT_TORCH = "import importlib, sys; sys.modules['torch'] = None; importlib.import_module(sys.argv[1])"
"""Import a module where there is no torch, which is quicker than to import it and look."""


@dataclass(frozen=True)
class Finding:
    """The outcome of a check of `what` ("generator acme"): a problem, "" where all is well, a note, seconds of CPU time."""

    what: str
    check: str
    problem: str = ""
    note: str = ""
    seconds: float = 0.0


def check_plugins(name: str, *, reserved: Collection[str] = ()) -> Iterator[Finding]:
    """Check all that a distribution or one of its plugins provides; yields a finding for each check, as soon as it is there.

    Args:
        name: of an installed distribution, or of a plugin's entry point.
        reserved: names of commands that a plugin cannot have.

    Raises:
        UnknownNameError: nothing installed bears the name.
    """
    everything = registry.plugins()
    wanted = [p for p in everything if name == p.name or normalize(name) == p.distribution]
    if not wanted:
        known = {n for p in everything for n in (p.name, p.distribution)}
        raise unknown("plugin", name, known, hint="to see all: zoo plugins")
    for installed in wanted:
        yield from _record(installed)
        yield from _provided(installed, reserved)


def _record(installed: InstalledPlugin) -> Iterator[Finding]:
    what = f"plugin {installed.name}"
    yield Finding(what, "record", installed.problem, seconds=installed.seconds)
    if installed.plugin is None:
        return
    contract = installed.plugin.contract
    yield Finding(what, "contract", "" if contract == CONTRACT else contract_problem(contract, "it"))
    for point in entry_points()[0]:  # none of a plugin that was registered in this process
        if point.name == installed.name and point.distro and normalize(point.distro.name) == installed.distribution:
            yield Finding(what, "light", _weight(str(point.module_name)))
            break


def _weight(module: str) -> str:
    done = subprocess.run([sys.executable, "-c", _WITHOUT_TORCH, module], capture_output=True, text=True, check=False)
    if "import of torch halted" not in done.stderr:
        return ""
    return f"importing {module} imports torch, expected a record without it: name classes by import strings"


def _provided(installed: InstalledPlugin, reserved: Collection[str]) -> Iterator[Finding]:
    from zoo_core.testing import check_component, check_recipe

    for kind, provided in installed.provides().items():
        for name, value in provided.items():
            what, claims = f"{SINGULAR[kind]} {name}", registry.entries(kind)
            others = sorted({e.plugin.distribution for e in claims if e.name == name} - {installed.distribution})
            if others:  # which is no fault
                note = f"also claimed by {', '.join(others)}: one has to write {installed.distribution}:{name}"
                yield Finding(what, "name", note=note)
            if kind == "commands":
                yield Finding(what, "command", _command(name, value, reserved))
                continue
            recipe = f"{installed.distribution}:{name}"
            for o in check_recipe(recipe) if kind == "recipes" else check_component(kind, value):
                yield Finding(what, o.name, o.problem, o.note, o.seconds)


def _command(name: str, command: Component, reserved: Collection[str]) -> str:
    import click

    if name in reserved:
        return f"zoo has a command {name} of its own, which wins: choose another name"
    try:
        target = import_target(command.target, f"command {name!r}")
    except PluginError as error:
        return error.message
    if not isinstance(target, click.Command):
        return f"{command.target} is a {type(target).__name__}, expected a click.Command"
    return ""
