"""The registry: names to components and recipes, across all plugins."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, cast

from . import options as _options
from .discovery import InstalledPlugin, discover, normalize
from .errors import AmbiguousNameError, PluginError, UsageError, unknown
from .papers import Claim
from .records import (
    COMPONENTS,
    CONTRACT,
    DEFAULT_ALGORITHM,
    SINGULAR,
    Component,
    Paper,
    Plugin,
    PretrainedModel,
    Recipe,
    check_role,
)

PART_KINDS = ("generators", "discriminators", "networks", "losses")  # kinds that a part of an algorithm can have

_CHANGES = {1: "recipes name an algorithm, losses say whether they are separable, images are augmented by the engine"}
"""Earlier version of the contract → what a package must change to follow the next."""


@dataclass(frozen=True)
class Entry:
    """A registered name: what it stands for and who provides it."""

    kind: str
    name: str
    value: Component | Recipe | PretrainedModel | Paper
    plugin: InstalledPlugin

    @property
    def summary(self) -> str:
        """One line about it."""
        return self.value.summary

    @property
    def qualified(self) -> str:
        """ "distribution:name", which no other distribution can claim."""
        return f"{self.plugin.distribution}:{self.name}"


class Registry:
    """Finds components and recipes by name: of the plugins given, or of those installed, which are discovered when something
    is first looked up.
    """

    def __init__(self, plugins: list[InstalledPlugin] | None = None) -> None:
        self._installed = plugins
        self._added: list[InstalledPlugin] = []
        self._problems: list[str] = []
        self._index: dict[tuple[str, str], list[Entry]] | None = None

    def plugins(self) -> list[InstalledPlugin]:
        """Return all plugins, broken ones included, in a stable order."""
        if self._installed is None:
            self._installed, self._problems = discover()
        return [*self._installed, *self._added]

    def problems(self) -> list[str]:
        """Lines about what discovery found amiss, for the person to read; empty when all is well."""
        broken = [p for p in self.plugins() if p.problem]
        lines = [f"plugin {p.name!r} of {p.distribution} is broken and was left out: {p.problem}" for p in broken]
        return [*self._problems, *lines]

    def _remove(self, plugin: InstalledPlugin) -> None:
        self._added.remove(plugin)
        self._index = None

    def add(self, plugin: Plugin, *, distribution: str = "local") -> Any:
        """Register a plugin in this process, for notebooks and tests; leaving the context that is returned takes it out
        again.
        """
        if not isinstance(plugin, Plugin):
            raise PluginError(f"registry.add takes a zoo_core.Plugin, not a {type(plugin).__name__}")
        added = InstalledPlugin("local", normalize(distribution), plugin=plugin)
        self._added.append(added)
        self._index = None
        stack = ExitStack()
        stack.callback(self._remove, added)
        return stack

    def names(self, kind: str) -> list[str]:
        """Return all names of a kind ("generators", …, "recipes", "commands"), sorted."""
        return sorted(name for k, name in self._entries() if k == kind)

    def entries(self, kind: str) -> list[Entry]:
        """Return all entries of a kind, sorted by name; names that two distributions claim are there twice."""
        return [e for (k, _), claims in sorted(self._entries().items()) if k == kind for e in claims]

    def find(self, kind: str, name: str) -> Entry:
        """Look up a name, or "distribution:name"; raises `UnknownNameError`, with near matches, where nothing bears it, and
        `AmbiguousNameError` where two distributions claim it.
        """
        distribution, _, bare = name.rpartition(":")
        claims = self._entries().get((kind, bare), [])
        if distribution:
            claims = [e for e in claims if e.plugin.distribution == normalize(distribution)]
        if not claims:
            command = f"zoo list {kind}" if kind != "commands" else "zoo --help"
            error = unknown(SINGULAR[kind], name, self.names(kind), hint=f"to see all: {command}")
            others = [SINGULAR[other] for other in SINGULAR if other != kind and bare in self.names(other)]
            if others and not distribution:
                article = "an" if others[0][0] in "aeiou" else "a"
                error.message = error.message.replace(f"{name!r}; ", f"{name!r}, which is {article} {others[0]}; ", 1)
            raise error
        if len(claims) > 1:
            who, what = sorted({e.plugin.distribution for e in claims}), f"{SINGULAR[kind]} {bare!r} is claimed by"
            if len(who) == 1:
                plugins = " and ".join(e.plugin.name for e in claims)
                raise AmbiguousNameError(f"{what} the plugins {plugins} of {who[0]}")
            choice = " or ".join(f"{distribution}:{bare}" for distribution in who)
            raise AmbiguousNameError(f"{what} {' and '.join(who)}", hint=f"choose one: {choice}")
        return claims[0]

    def load(self, kind: str, name: str) -> Any:
        """Import the class that bears a name; raises `PluginError` where the import fails, the class does not implement the
        interface of its kind, its constructor is no schema, or its plugin was written for another version of the contract.
        """
        entry = self.find(kind, name)
        plugin, component = entry.plugin, entry.value
        assert isinstance(component, Component)
        who = f"{SINGULAR[kind]} {entry.name!r} of {plugin.distribution}"
        _check_contract(entry, who)
        target = import_target(component.target, who)
        if kind in COMPONENTS:
            check_class(kind, target, f"{who}: {component.target}")
            _options.schema(target)
        return target

    def claims(self, paper: str) -> dict[str, Claim]:
        """Return a paper's claims by name, in its order.

        Raises:
            UnknownNameError: no such paper. PluginError: a claim cannot be imported or is none, or the plugin was written
                for another version of the contract.
        """
        entry = self.find("papers", paper)
        _check_contract(entry, f"paper {entry.name!r} of {entry.plugin.distribution}")
        assert isinstance(entry.value, Paper)
        return {name: load_claim(target, f"claim {name!r} of {paper}") for name, target in entry.value.claims.items()}

    def recipe(self, name: str) -> Recipe:
        """Return a recipe with everything that it inherits from its bases: an algorithm is named, `base` is None.

        Raises:
            UnknownNameError: it or one of its bases does not exist. UsageError: its bases go round in a circle.
            PluginError: its plugin was written for another version of the contract.
        """
        chain: dict[str, Recipe] = {}  # by qualified name, the bases last
        following: str | None = name
        while following is not None:
            try:
                entry = self.find("recipes", following)
            except UsageError as error:
                if not chain:
                    raise
                based = f"recipe {[*chain.values()][-1].name!r} is based on"
                raise type(error)(f"{based} {error.message}", hint=error.hint) from None
            if entry.qualified in chain:
                circle = " → ".join([*(r.name for r in chain.values()), entry.name])
                raise UsageError(f"recipe {name!r} is based on itself: {circle}")
            _check_contract(entry, f"recipe {entry.name!r} of {entry.plugin.distribution}")
            recipe = cast(Recipe, entry.value)
            chain[entry.qualified] = recipe
            following = recipe.base
        resolved = reduce(lambda base, recipe: recipe.over(base), reversed(chain.values()))
        return replace(resolved, algorithm=resolved.algorithm or DEFAULT_ALGORITHM)

    def parts(self, recipe: Recipe) -> dict[str, tuple[str, str]]:
        """Return the parts of a resolved recipe: role → (kind, registry name), as its algorithm asks for them.

        Raises:
            UsageError: a part is missing, a role is named that the algorithm does not know, a name is of another kind.
            PluginError: the algorithm declares parts that no algorithm can have.
        """
        assert recipe.algorithm is not None
        wanted: Mapping[str, str] = self.load("algorithms", recipe.algorithm).parts
        named = recipe.roles
        for role, kind in wanted.items():
            check_role(role)
            if kind not in PART_KINDS:
                valid = ", ".join(PART_KINDS)
                raise PluginError(f"algorithm {recipe.algorithm!r} asks for {kind!r} as its {role}; valid: {valid}")
        missing = [role for role in wanted if role not in named]
        if missing:
            hint = f"algorithm {recipe.algorithm} asks for: {', '.join(wanted)} (zoo show {recipe.algorithm})"
            what = f"names no {' and no '.join(missing)}, and neither does its base"
            raise UsageError(f"recipe {recipe.name!r} {what}", hint=hint)
        for role in named:
            if role not in wanted:
                raise unknown(f"role of algorithm {recipe.algorithm}", role, wanted)
        for role, kind in wanted.items():
            bare = named[role].rpartition(":")[2]
            others = [other for other in PART_KINDS if other != kind and bare in self.names(other)]
            if others and bare not in self.names(kind):
                what = f"its {role} must be one of the {kind}, and {named[role]!r} is a {SINGULAR[others[0]]}"
                raise UsageError(f"recipe {recipe.name!r}: {what}", hint=f"to see all: zoo list {kind}")
        return {role: (kind, named[role]) for role, kind in wanted.items()}

    def create(self, kind: str, name: str, given: Mapping[str, Any] | None = None, **supplied: Any) -> Any:
        """Load a component and call its constructor, with the options `given`, the defaults of the rest, and what the zoo
        supplies beside them (`image`).
        """
        target = self.load(kind, name)
        hint = f"to see them: zoo show {name}"
        return target(**supplied, **_options.complete(target, given or {}, where=SINGULAR[kind], hint=hint))

    def _entries(self) -> dict[tuple[str, str], list[Entry]]:
        if self._index is None:
            self._index = {}
            for installed in self.plugins():
                for kind, provided in installed.provides().items():
                    for name, value in provided.items():
                        self._index.setdefault((kind, name), []).append(Entry(kind, name, value, installed))
        return self._index


def _check_contract(entry: Entry, who: str) -> None:
    assert entry.plugin.plugin is not None
    contract = entry.plugin.plugin.contract
    if contract != CONTRACT:
        hint = f"try another version: pip install --upgrade {entry.plugin.distribution}"
        raise PluginError(contract_problem(contract, who), hint=hint)


def contract_problem(contract: int, who: str) -> str:
    """One line about a plugin that was written for another version of the contract."""
    change = f": {_CHANGES[contract]} (CHANGELOG.md)" if contract in _CHANGES else ""
    return f"{who} was written for contract {contract}; this zoo has contract {CONTRACT}{change}"


def interface_of(kind: str) -> type:
    """Return the class of `zoo_core` that components of a kind subclass. Imports torch where the interface needs it."""
    name = "ImageDataset" if kind == "datasets" else "".join(word.capitalize() for word in SINGULAR[kind].split())
    interface: type = import_target(f"zoo_core:{name}", "zoo")
    return interface


def load_claim(target: str, who: str) -> Claim:
    """Import a claim and make it; raises `PluginError`, naming `who`, where it is none or lacks something."""
    found = import_target(target, who)
    if not (isinstance(found, type) and issubclass(found, Claim)):
        raise PluginError(f"{who}: {target} does not subclass zoo_core.Claim")
    missing = sorted(getattr(found, "__abstractmethods__", ()))
    missing += [name for name in ("title", "statement", "paper", "criterion", "examples") if not hasattr(found, name)]
    if missing:
        raise PluginError(f"{who}: {target} does not define {', '.join(missing)}")
    return found()


def check_class(kind: str, target: Any, who: str) -> None:
    """Raise `PluginError` unless `target` is a class that implements the interface of its kind."""
    interface = interface_of(kind)
    if not (isinstance(target, type) and issubclass(target, interface)):
        raise PluginError(f"{who} does not subclass zoo_core.{interface.__name__}")
    missing = sorted(getattr(target, "__abstractmethods__", ()))
    if missing:
        raise PluginError(f"{who} does not define {', '.join(missing)}")


def import_target(target: str, who: str) -> Any:
    """Import "package.module:Class"; raises `PluginError` naming `who` when that fails."""
    module, _, attribute = target.partition(":")
    try:
        value: Any = importlib.import_module(module)
        for part in attribute.split("."):
            value = getattr(value, part)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise PluginError(f"{who}: {target} cannot be imported: {type(error).__name__}: {error}") from error
    return value


registry = Registry()  # the registry of this process, with every installed plugin
