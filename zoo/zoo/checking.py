"""`zoo plugins check`: the conformance checks on all that an installed plugin provides."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from zoo_core import Component, PluginError, registry
from zoo_core.discovery import InstalledPlugin, entry_points, normalize
from zoo_core.errors import unknown
from zoo_core.records import CONTRACT, SINGULAR
from zoo_core.registries import contract_problem, import_target

_WITHOUT_TORCH = """
import importlib, sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hidden())
importlib.import_module(sys.argv[1])
"""
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
    if "No module named 'torch" not in done.stderr:
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
