"""The records that plugins hand over: plain frozen data, importable without torch."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any

from .errors import OptionError, PluginError

CONTRACT = 2  # version of the interfaces in this package. A plugin states the one that it was written for.

SINGULAR = {
    "algorithms": "algorithm",
    "generators": "generator",
    "discriminators": "discriminator",
    "networks": "network",
    "losses": "loss",
    "augmentations": "augmentation",
    "datasets": "dataset",
    "features": "feature extractor",
    "metrics": "metric",
    "trackers": "tracker",
    "samplers": "sampler",
    "models": "model",
    "papers": "paper",
    "recipes": "recipe",
    "commands": "command",
}
"""What one of a kind is called."""

KINDS = tuple(SINGULAR)[:-2]  # what a plugin can provide besides recipes and commands; also the plugin record's field names
COMPONENTS = KINDS[:-2]  # kinds of class that a plugin can provide. Models are weights, and papers are lists of claims.

LONGEST_NAME, LONGEST_TEXT, MOST = 100, 2000, 10_000
"""Most characters of a name and of a text, and most recipes, or components of a kind, of one plugin."""

_NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_PLACE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[\w.-]+(?:/[\w.-]+)*|[\w.-]+/[\w.-]+(?:@[\w./-]+)?")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TARGET = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_ROLE = re.compile(r"[a-z][a-z0-9_]*")
_OPTION = re.compile(r"(optimizer\.)?[a-z][a-z0-9_]*\.[a-z]\w*")
_RUNG = re.compile(r"optimizer\.([a-z][a-z0-9_]*\.)?[a-z]\w*|training\.augment|loss(\.[a-z]\w*)?|algorithm\.[a-z]\w*")
RESERVED = (
    "algorithm",
    "dataset",
    "training",
    "optimizer",
    "average",
    "recipe",
    "seed",
    "data",
    "split",
    "channels",
    "tracker",
    "pack",
)
"""What no role of an algorithm may be called: keys of `--set` begin with it, or checkpoints."""

DEVICES = ("con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10)))
"""Nor this: Windows has no file of that name, whatever its ending, and each role has one."""


def check_name(name: object, what: str) -> str:
    """Return `name` if it is lower-case letters, digits and single `-`, `_` or `.`; raise `PluginError` otherwise."""
    if not isinstance(name, str) or len(name) > LONGEST_NAME or not _NAME.fullmatch(name):
        valid = f"at most {LONGEST_NAME} lower-case letters and digits, joined by single '-', '_' or '.'"
        raise PluginError(f"{_shorten(name)} is no name for a {what}: {valid}")
    return name


def _shorten(value: object) -> str:
    """Return a value as a message shows it."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _check_count(given: Sized, what: str) -> None:
    if len(given) > MOST:
        raise PluginError(f"{len(given):,} {what} in one plugin; the most is {MOST:,}")


def _freeze(record: object, name: str, value: Mapping[str, Any]) -> None:
    object.__setattr__(record, name, MappingProxyType(dict(value)))


def _check_texts(record: object, *names: str) -> None:
    for name in names:
        value = getattr(record, name)
        if not isinstance(value, str):
            raise PluginError(f"{type(record).__name__}: {name} must be a text, not {_shorten(value)}")
        if len(value) > LONGEST_TEXT:
            raise PluginError(f"{type(record).__name__}: {name} has {len(value):,} characters; the most is {LONGEST_TEXT:,}")


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
            raise PluginError(f"{_shorten(self.target)} is no import string; write 'package.module:Class'")
        _check_texts(self, "summary", "paper", "license")


def check_role(role: object) -> str:
    """Return `role` if it can name a part of an algorithm; raise `PluginError` otherwise."""
    if not isinstance(role, str) or not _ROLE.fullmatch(role) or role in RESERVED:
        raise PluginError(
            f"{_shorten(role)} is no role: lower-case letters, digits and '_', and none of {', '.join(RESERVED)}"
        )
    if role in DEVICES:
        raise PluginError(f"{role!r} is no role: Windows has no file of that name; write for example '{role}_net'")
    return role


@dataclass(frozen=True)
class Score:
    """One number that a model was measured by.

    Args:
        metric: its name ("frechet", "precision").
        value, spread: the number and its standard error; a spread of None is not known.
        features: the extractor that it compares features of ("scattering"); "" where it compares none.
    """

    metric: str
    value: float
    spread: float | None = None
    features: str = ""

    def __post_init__(self) -> None:
        _check_texts(self, "metric", "features")
        for name in ("value", "spread"):
            number = getattr(self, name)
            if not (name == "spread" and number is None) and (
                isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number)
            ):
                raise PluginError(f"score {self.metric!r}: {name} must be a finite number, not {_shorten(number)}")


@dataclass(frozen=True)
class PretrainedModel:
    """Trained weights that a plugin provides: a model folder inside of its package, or a repository of the Hub.

    Args:
        where: "package:folder/within" for files of an installed package, or "user/name@revision" on the Hub.
        sha256: file name → checksum of every file that belongs to it; README.md is its card, samples.png its thumbnail.
        recipe, dataset: what it was trained with; `paper` says where the recipe comes from.
        license: of the weights.
        summary: one line for `zoo pull`.
        size, bytes: height and width of its pictures in pixels, and bytes of all its files.
        dataset_options: what was set of the dataset ({"style": "lorelei"}).
        images: real images shown in training; 0 where nobody said.
        parent: the model that its training began with; "" where it began with none.
        scores: what it was measured by; the first is the one that lists show.
    """

    where: str
    sha256: Mapping[str, str]
    recipe: str
    dataset: str
    license: str
    summary: str = ""
    size: int = 0
    bytes: int = 0
    paper: str = ""
    dataset_options: Mapping[str, Any] = field(default_factory=dict)
    images: int = 0
    parent: str = ""
    scores: Sequence[Score] = ()

    def __post_init__(self) -> None:
        _check_texts(self, "where", "recipe", "dataset", "license", "summary", "paper", "parent")
        if not _PLACE.fullmatch(self.where):
            raise PluginError(
                f"{_shorten(self.where)} is no place of a model; write 'package:folder' or 'user/name@revision'"
            )
        if not isinstance(self.sha256, Mapping) or not all(_SHA256.fullmatch(str(v)) for v in self.sha256.values()):
            raise PluginError("sha256 must be a mapping from file names to checksums of 64 hexadecimal digits")
        _freeze(self, "sha256", self.sha256)
        if not isinstance(self.dataset_options, Mapping):
            raise PluginError("dataset_options must be a mapping, such as {'style': 'lorelei'}")
        _freeze(self, "dataset_options", self.dataset_options)
        if isinstance(self.scores, str) or not all(isinstance(score, Score) for score in self.scores):
            raise PluginError("scores must be a sequence of zoo_core.Score records")
        object.__setattr__(self, "scores", tuple(self.scores))


@dataclass(frozen=True)
class Paper:
    """A paper that `zoo reproduce` reproduces: its claims, each a class that says how it is measured and judged.

    Args:
        title, authors: of the paper; "Radford, Metz, Chintala 2015".
        claims: name → import string of a subclass of `zoo_core.Claim`, in the order in which a page tells them.
        url: where it can be read.
    """

    title: str
    claims: Mapping[str, str]
    authors: str = ""
    url: str = ""

    def __post_init__(self) -> None:
        _check_texts(self, "title", "authors", "url")
        if not isinstance(self.claims, Mapping) or not self.claims:
            raise PluginError("claims must be a mapping such as {'stable': 'package.module:Class'}, of one claim at least")
        for name, target in self.claims.items():
            check_name(name, "claim")
            Component(target)
        _freeze(self, "claims", self.claims)

    @property
    def summary(self) -> str:
        """One line for `zoo list`."""
        return f"{self.title} ({self.authors})" if self.authors else self.title


DEFAULT_ALGORITHM = "gan"
"""What a recipe trains with that names no algorithm."""

COMMON = ("generator", "discriminator", "loss")  # roles that have a keyword of their own in `Recipe`


@dataclass(frozen=True)
class Recipe:
    """An algorithm, the parts that it asks for, and hyperparameters: what together trains one kind of GAN.

    A variant names its `base` and states only what differs. A part that a variant replaces takes the base's options for it
    with it: `generator.*` of the base do not reach another generator.

    Args:
        name: what `zoo train` is told.
        base: the recipe that this one changes.
        algorithm: registry name; None takes the base's, and "gan" where there is none.
        generator, discriminator, loss: registry names of the parts that most algorithms have; None takes the base's.
        parts: role → registry name, for all other roles of the algorithm.
        options: what `--set` accepts, with values: `ROLE.*` for each part, `algorithm.*`, `dataset.*`, `optimizer.*` (all
            roles that learn), `optimizer.ROLE.*`, and `training.*` (batch, image size, latents, …; see
            `zoo_core.settings`).
        summary, paper: one line each.
        rescue: the ladder of a training that diverges or collapses, one rung after another: settings that it goes on with
            from its best checkpoint, none of which changes a network. `optimizer.lr`, or one of a role, is what the rate is
            at most then, and at most half of what it was; `training.augment` is added; `loss` names another loss, and
            `loss.*` and `algorithm.*` are options. () takes the base's.
    """

    name: str
    base: str | None = None
    algorithm: str | None = None
    generator: str | None = None
    discriminator: str | None = None
    loss: str | None = None
    parts: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    summary: str = ""
    paper: str = ""
    rescue: Sequence[Mapping[str, Any]] = ()

    def __post_init__(self) -> None:
        check_name(self.name, "recipe")
        named = [part for part in ("base", "algorithm", *COMMON) if getattr(self, part) is not None]
        _check_texts(self, "summary", "paper", *named)
        if not isinstance(self.parts, Mapping) or not all(isinstance(name, str) for name in self.parts.values()):
            raise PluginError(f"recipe {self.name!r}: parts must map roles to names, such as {{'encoder': 'dcgan'}}")
        for role in self.parts:
            check_role(role)
            if role in COMMON:
                raise PluginError(f"recipe {self.name!r}: {role} has a keyword of its own; write {role}=…")
        if not isinstance(self.options, Mapping):
            raise PluginError(f"recipe {self.name!r}: options must be a mapping such as {{'generator.width': 128}}")
        for key in self.options:
            if not isinstance(key, str) or not _OPTION.fullmatch(key):
                what = f"{_shorten(key)} is no option key; write 'generator.width', 'optimizer.lr', …"
                raise PluginError(f"recipe {self.name!r}: {what}")
        if not isinstance(self.rescue, Sequence) or not all(isinstance(rung, Mapping) and rung for rung in self.rescue):
            raise PluginError(f"recipe {self.name!r}: rescue must be a list of mappings such as {{'optimizer.lr': 1e-4}}")
        for key in (key for rung in self.rescue for key in rung):
            if not isinstance(key, str) or not _RUNG.fullmatch(key):
                valid = "'optimizer.lr', 'training.augment', 'loss', …"
                what = f"{_shorten(key)} changes no training that is under way; write {valid}"
                raise PluginError(f"recipe {self.name!r}: {what}")
        _freeze(self, "parts", self.parts)
        _freeze(self, "options", self.options)
        object.__setattr__(self, "rescue", tuple(MappingProxyType(dict(rung)) for rung in self.rescue))

    @property
    def roles(self) -> dict[str, str]:
        """Role → registry name, of all parts that it names."""
        common = {role: name for role in COMMON if (name := getattr(self, role)) is not None}
        return {**common, **self.parts}

    def over(self, base: Recipe) -> Recipe:
        """This recipe with everything that it leaves open taken from `base`."""
        before = {**base.roles, "algorithm": base.algorithm or DEFAULT_ALGORITHM}
        roles = {**base.roles, **self.roles}
        algorithm = self.algorithm or base.algorithm
        now = {**roles, "algorithm": algorithm or DEFAULT_ALGORITHM}
        replaced = {part for part, name in now.items() if before.get(part, name) != name}
        options = {key: value for key, value in base.options.items() if key.partition(".")[0] not in replaced}
        options.update(self.options)
        common: dict[str, Any] = {role: roles.pop(role, None) for role in COMMON}
        kept = ({k: v for k, v in rung.items() if k.partition(".")[0] not in replaced} for rung in base.rescue)
        more: dict[str, Any] = {"paper": self.paper or base.paper, "rescue": self.rescue or [rung for rung in kept if rung]}
        return replace(self, base=None, algorithm=algorithm, **common, parts=roles, options=options, **more)

    def __reduce__(self) -> tuple[Any, ...]:  # a mappingproxy cannot cross a process border by itself
        values = (getattr(self, f.name) for f in fields(self) if f.name != "rescue")
        plain = [dict(v) if isinstance(v, MappingProxyType) else v for v in values]
        return (Recipe, (*plain, tuple(map(dict, self.rescue))))


@dataclass(frozen=True)
class Plugin:
    """The one record that a package hands over, in a module that imports no torch.

    Announced by one entry point of the group `zoo.plugins`. Each mapping of classes goes from a registry name to an import
    string "package.module:Class" or to a `Component`, which has room for a summary and a paper.

    Args:
        summary: one line for `zoo plugins`.
        recipes: in any order; a base may be anybody's.
        commands: name → import string of a `click.Command`, added to `zoo`.
        contract: the contract version that the package was written for.
    """

    summary: str = ""
    algorithms: Mapping[str, str | Component] = field(default_factory=dict)
    generators: Mapping[str, str | Component] = field(default_factory=dict)
    discriminators: Mapping[str, str | Component] = field(default_factory=dict)
    networks: Mapping[str, str | Component] = field(default_factory=dict)
    losses: Mapping[str, str | Component] = field(default_factory=dict)
    augmentations: Mapping[str, str | Component] = field(default_factory=dict)
    datasets: Mapping[str, str | Component] = field(default_factory=dict)
    features: Mapping[str, str | Component] = field(default_factory=dict)
    metrics: Mapping[str, str | Component] = field(default_factory=dict)
    trackers: Mapping[str, str | Component] = field(default_factory=dict)
    samplers: Mapping[str, str | Component] = field(default_factory=dict)
    models: Mapping[str, PretrainedModel] = field(default_factory=dict)
    papers: Mapping[str, Paper] = field(default_factory=dict)
    recipes: Sequence[Recipe] = ()
    commands: Mapping[str, str | Component] = field(default_factory=dict)
    contract: int = CONTRACT

    def __post_init__(self) -> None:
        _check_texts(self, "summary")
        for kind in (*COMPONENTS, "commands"):
            given = getattr(self, kind)
            if not isinstance(given, Mapping):
                raise PluginError(f"{kind} must be a mapping from names to import strings, not {type(given).__name__}")
            _check_count(given, kind)
            checked = {}
            for name, target in given.items():
                check_name(name, SINGULAR[kind])
                checked[name] = target if isinstance(target, Component) else Component(target)
            _freeze(self, kind, checked)
        if not isinstance(self.models, Mapping) or not all(isinstance(m, PretrainedModel) for m in self.models.values()):
            raise PluginError("models must be a mapping from names to zoo_core.PretrainedModel records")
        _check_count(self.models, "models")
        for name in self.models:
            check_name(name, "model")
        _freeze(self, "models", self.models)
        if not isinstance(self.papers, Mapping) or not all(isinstance(paper, Paper) for paper in self.papers.values()):
            raise PluginError("papers must be a mapping from names to zoo_core.Paper records")
        for name in self.papers:
            check_name(name, "paper")
        _freeze(self, "papers", self.papers)
        if not isinstance(self.recipes, Sequence) or isinstance(self.recipes, str):
            raise PluginError(f"recipes must be a list of zoo_core.Recipe records, not {type(self.recipes).__name__}")
        _check_count(self.recipes, "recipes")
        object.__setattr__(self, "recipes", tuple(self.recipes))
        for recipe in self.recipes:
            if not isinstance(recipe, Recipe):
                raise PluginError(f"recipes must hold zoo_core.Recipe records, not {type(recipe).__name__}")
        counts = Counter(recipe.name for recipe in self.recipes)
        if repeated := sorted(name for name, count in counts.items() if count > 1):
            raise PluginError(f"recipe {', '.join(repeated)} stands twice in one plugin"[:250])
        if type(self.contract) is not int:
            raise PluginError(f"contract must be a whole number such as {CONTRACT}, not {_shorten(self.contract)}")
