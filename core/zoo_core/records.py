"""The records that plugins hand over: plain frozen data, importable without torch."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any

from .errors import OptionError, PluginError

CONTRACT = 1
"""Version of the interfaces in this package. A plugin states the one that it was written for."""

KINDS = ("generators", "discriminators", "losses", "datasets", "features")
"""What a plugin can provide besides recipes and commands; also the plugin record's field names."""

SINGULAR = {
    "generators": "generator",
    "discriminators": "discriminator",
    "losses": "loss",
    "features": "feature extractor",
    "datasets": "dataset",
    "recipes": "recipe",
    "commands": "command",
}
"""What one of a kind is called."""

_NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_TARGET = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_OPTION = re.compile(r"(generator|discriminator|loss|dataset|training|optimizer(\.generator|\.discriminator)?)\.[a-z]\w*")


def check_name(name: object, what: str) -> str:
    """Return `name` if it is lower-case letters, digits and single `-`, `_` or `.`; raise `PluginError` otherwise."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise PluginError(
            f"{name!r} is no name for a {what}: lower-case letters and digits, joined by single '-', '_' or '.'"
        )
    return name


def _check_texts(record: object, *names: str) -> None:
    for name in names:
        value = getattr(record, name)
        if not isinstance(value, str):
            raise PluginError(f"{type(record).__name__}: {name} must be a text, not {value!r}")


@dataclass(frozen=True)
class ImageSpec:
    """What the dataset tells the networks about its images.

    Args:
        size: height and width in pixels.
        channels: 1 (gray) or 3 (RGB).
        num_classes: number of labels, 0 where the images have none or the model ignores them.
    """

    size: int
    channels: int = 3
    num_classes: int = 0

    def __post_init__(self) -> None:
        for name, least in (("size", 1), ("channels", 1), ("num_classes", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise OptionError(f"image {name} must be a whole number of at least {least}, not {value!r}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, size, size)."""
        return (self.channels, self.size, self.size)


@dataclass(frozen=True)
class Component:
    """One class that a plugin provides, named by an import string so that listing it imports nothing.

    Args:
        target: "package.module:Class".
        summary: one line for `zoo list`.
        paper: where it comes from ("Radford et al. 2015, arXiv:1511.06434").
        license: of weights or data that the component carries; "" where it carries none.
    """

    target: str
    summary: str = ""
    paper: str = ""
    license: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.target, str) or not _TARGET.fullmatch(self.target):
            raise PluginError(f"{self.target!r} is no import string; write 'package.module:Class'")
        _check_texts(self, "summary", "paper", "license")


@dataclass(frozen=True)
class Recipe:
    """Names and hyperparameters that together train one kind of GAN.

    A variant names its `base` and states only what differs. A component that a variant replaces takes the base's options
    for that component with it: `generator.*` of the base do not reach another generator.

    Args:
        name: what `zoo train` is told.
        base: the recipe that this one changes.
        generator, discriminator, loss: registry names; None takes the base's.
        options: what `--set` accepts, with values: `generator.*`, `discriminator.*`, `loss.*`, `dataset.*`, `optimizer.*`
            (both networks), `optimizer.generator.*`, `optimizer.discriminator.*` and `training.*` (batch, image size, update
            schedule, latent distribution, …; see `zoo_core.settings`).
        summary, paper: one line each.
    """

    name: str
    base: str | None = None
    generator: str | None = None
    discriminator: str | None = None
    loss: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    summary: str = ""
    paper: str = ""

    def __post_init__(self) -> None:
        check_name(self.name, "recipe")
        _check_texts(
            self, "summary", "paper", *(p for p in ("base", "generator", "discriminator", "loss") if getattr(self, p))
        )
        if not isinstance(self.options, Mapping):
            raise PluginError(f"recipe {self.name!r}: options must be a mapping such as {{'generator.width': 128}}")
        for key in self.options:
            if not isinstance(key, str) or not _OPTION.fullmatch(key):
                raise PluginError(
                    f"recipe {self.name!r}: {key!r} is no option key; write 'generator.width', 'optimizer.lr', …"
                )
        object.__setattr__(self, "options", MappingProxyType(dict(self.options)))

    def over(self, base: Recipe) -> Recipe:
        """This recipe with everything that it leaves open taken from `base`."""
        inherited = dict(base.options)
        for part in ("generator", "discriminator", "loss"):
            named = getattr(self, part)
            if named is not None and named != getattr(base, part):
                inherited = {key: value for key, value in inherited.items() if not key.startswith(f"{part}.")}
        return replace(
            self,
            base=None,
            generator=self.generator or base.generator,
            discriminator=self.discriminator or base.discriminator,
            loss=self.loss or base.loss,
            options={**inherited, **self.options},
            paper=self.paper or base.paper,
        )

    def __reduce__(self) -> tuple[Any, ...]:  # a mappingproxy cannot cross a process border by itself
        values = (getattr(self, f.name) for f in fields(self))
        return (Recipe, tuple(dict(v) if isinstance(v, MappingProxyType) else v for v in values))


@dataclass(frozen=True)
class Plugin:
    """The one record that a package hands over, in a module that imports no torch.

    Announced by one entry point of the group `zoo.plugins`. Each mapping goes from a registry name to an import string
    "package.module:Class" or to a `Component`, which has room for a summary and a paper.

    Args:
        summary: one line for `zoo plugins`.
        generators, discriminators, losses, datasets, features: classes of the interfaces in `zoo_core`.
        recipes: in any order; a base may be anybody's.
        commands: name → import string of a `click.Command`, added to `zoo`.
        contract: the contract version that the package was written for.
    """

    summary: str = ""
    generators: Mapping[str, str | Component] = field(default_factory=dict)
    discriminators: Mapping[str, str | Component] = field(default_factory=dict)
    losses: Mapping[str, str | Component] = field(default_factory=dict)
    datasets: Mapping[str, str | Component] = field(default_factory=dict)
    features: Mapping[str, str | Component] = field(default_factory=dict)
    recipes: Sequence[Recipe] = ()
    commands: Mapping[str, str | Component] = field(default_factory=dict)
    contract: int = CONTRACT

    def __post_init__(self) -> None:
        _check_texts(self, "summary")
        for kind in (*KINDS, "commands"):
            given = getattr(self, kind)
            if not isinstance(given, Mapping):
                raise PluginError(f"{kind} must be a mapping from names to import strings, not {type(given).__name__}")
            checked = {}
            for name, target in given.items():
                check_name(name, SINGULAR[kind])
                checked[name] = target if isinstance(target, Component) else Component(target)
            object.__setattr__(self, kind, MappingProxyType(checked))
        if not isinstance(self.recipes, Sequence) or isinstance(self.recipes, str):
            raise PluginError(f"recipes must be a list of zoo_core.Recipe records, not {type(self.recipes).__name__}")
        recipes = tuple(self.recipes)
        for recipe in recipes:
            if not isinstance(recipe, Recipe):
                raise PluginError(f"recipes must hold zoo_core.Recipe records, not {type(recipe).__name__}")
        repeated = {r.name for r in recipes if [other.name for other in recipes].count(r.name) > 1}
        if repeated:
            raise PluginError(f"recipe {', '.join(sorted(repeated))} stands twice in one plugin")
        object.__setattr__(self, "recipes", recipes)
        if type(self.contract) is not int:
            raise PluginError(f"contract must be a whole number such as {CONTRACT}, not {self.contract!r}")
