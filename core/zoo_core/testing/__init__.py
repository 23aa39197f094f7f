"""Conformance checks: whether a component keeps what its interface promises.

A plugin's own tests need two lines for each component,

    def test_generator():
        assert_conforms("generators", plugin.generators["mine"])

and the checks of `zoo plugins check` are these too. A component states in the class attribute `tiny` the options of an
instance that is small enough to be checked in a moment. Every problem says what is wrong, what is expected and where.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import torch

from ..algorithms import Phase
from ..errors import OptionError, ZooError, unknown
from ..options import check as check_option
from ..options import complete, members, schema
from ..records import KINDS, Component, ImageSpec, Paper, PretrainedModel, Recipe
from ..registries import Registry, check_class, import_target, registry
from ..settings import OptimizerSettings, TrainingSettings
from . import adversaries, algorithms, datasets, losses, metrics, networks, other_kinds, papers
from .placement import staying_on
from .subjects import Failed, Outcome, Subject, place, require, run, supplied

__all__ = ["Outcome", "assert_conforms", "assert_recipe", "check_component", "check_recipe"]

_CHECKS: dict[str, Sequence[Callable[[Subject], str | None]]] = {
    "algorithms": algorithms.CHECKS,
    "generators": adversaries.GENERATORS,
    "discriminators": adversaries.DISCRIMINATORS,
    "networks": networks.CHECKS,
    "losses": losses.CHECKS,
    "augmentations": other_kinds.AUGMENTATIONS,
    "datasets": datasets.CHECKS,
    "features": other_kinds.FEATURES,
    "metrics": metrics.CHECKS,
    "trackers": other_kinds.TRACKERS,
    "samplers": other_kinds.SAMPLERS,
}


def check_component(
    kind: str,
    target: type | Component | PretrainedModel | Paper | str,
    *,
    options: Mapping[str, Any] | None = None,
    image: ImageSpec | None = None,
) -> list[Outcome]:
    """Check one component, on the CPU.

    Args:
        kind: one of `zoo_core.records.KINDS`.
        target: the class, the `Component`, `PretrainedModel` or `Paper` of a plugin's record, or a registry name ("mine",
            "distribution:mine").
        options: of the instance to check; by default what the class says in `tiny`.
        image: for networks; by default `tiny["image"]`, or 32 × 32 pixels in color.

    Returns:
        The outcome of every check, in order; where one of the first fails (import, base class, schema, constructor), it is
        the last. What needs something from outside has an outcome with the note "not checked: needs …".

    Raises:
        UnknownNameError, AmbiguousNameError: no such kind, or a registry name that nothing bears, or two distributions.
    """
    if kind not in KINDS:
        raise unknown("kind", kind, KINDS)
    if isinstance(target, str):
        found = registry.find(kind, target).value
        assert isinstance(found, Component | PretrainedModel | Paper)
        target = found
    if isinstance(target, PretrainedModel):
        return run(other_kinds.MODELS, target)
    if isinstance(target, Paper):
        return run(papers.CHECKS, target)
    subject = Subject(kind, target, options=options, image=image)
    outcomes = run([_imports, _subclass, _options, _ranges, _constructs], subject, stop=True)
    if any(outcome.problem for outcome in outcomes):
        return outcomes
    if subject.needs:
        return [*outcomes[:-1], Outcome("data", note=f"not checked: needs {subject.needs}")]
    return outcomes + run(_CHECKS[kind], subject)


def check_recipe(name: str, *, within: Registry | None = None) -> list[Outcome]:
    """Check that a recipe's components exist, take its options, and fit together, whatever their size: networks are built
    and run without memory. `within` is the registry to look in, by default that of this process.
    """
    return run(_RECIPES, _Recipe(name, within or registry), stop=True)


def assert_conforms(kind: str, target: type | Component | PretrainedModel | Paper | str, **choices: Any) -> None:
    """Raise `AssertionError` with every problem that `check_component` finds, in words; its arguments are the same."""
    named = next((getattr(target, name) for name in ("target", "where", "title") if hasattr(target, name)), target)
    label = f"{target.__module__}:{target.__qualname__}" if isinstance(target, type) else named
    _raise(f"{kind}: {label}", check_component(kind, target, **choices))


def assert_recipe(name: str, *, within: Registry | None = None) -> None:
    """Raise `AssertionError` with every problem that `check_recipe` finds."""
    _raise(f"recipe {name}", check_recipe(name, within=within))


def _raise(what: str, outcomes: list[Outcome]) -> None:
    problems = [f"- {outcome.name}: {outcome.problem}" for outcome in outcomes if outcome.problem]
    if problems:
        raise AssertionError("\n".join([f"{what} does not conform:", *problems]))


def _imports(subject: Subject) -> None:
    if isinstance(subject.cls, Component):
        subject.cls = import_target(subject.cls.target, "component")


def _subclass(subject: Subject) -> None:
    check_class(subject.kind, subject.cls, subject.label)


def _options(subject: Subject) -> None:
    """Keyword-only, typed, with defaults that JSON can hold; defaults and `tiny` have the types that they should."""
    options = schema(subject.cls)
    for option in options.values():
        check_option(option, option.default, key=f"{subject.label}: the default of {option.name!r}")
    if subject.kind == "datasets":
        missing = " and no ".join(name for name in ("data", "split") if name not in options)
        require(not missing, f"{subject.label}: its constructor takes no {missing}; the zoo hands both over")
    tiny = getattr(subject.cls, "tiny", {})
    unset = tiny is None and subject.kind in ("datasets", "features")
    require(unset or isinstance(tiny, Mapping), f"{subject.label}: tiny is {tiny!r}, expected a mapping of options")
    if subject.given is None:
        subject.given = {name: value for name, value in (tiny or {}).items() if name not in ("image", "parts")}
        subject.needs = "data" if tiny is None else ""
    required: str = getattr(subject.cls, "requires", "")
    if required and find_spec(required.partition(".")[0]) is None:
        subject.needs = required
    image = (tiny or {}).get("image")
    fine = image is None or isinstance(image, ImageSpec)
    require(fine, f"{subject.label}: tiny['image'] is {image!r}, expected an ImageSpec")
    subject.image = subject.wanted_image or image or ImageSpec(32, 3)
    subject.options = complete(subject.cls, subject.given, where=f"{subject.label} tiny")


def _ranges(subject: Subject) -> str:
    """Numbers outside of an option's range are refused before anything is made, by a message that names option and range;
    notes which options state no whole range, and take any number.
    """
    open_ended = []
    for option in schema(subject.cls).values():
        kinds = {kind for kind in members(option.type) if kind in (int, float)}
        if not kinds:
            continue
        if option.range is None or not option.range.is_closed():
            open_ended.append(option.name)
        wrong: list[Any] = [math.nan, math.inf, -math.inf]
        if option.range is not None:
            far = [-(10**30), -1, 0, 10**30, 2**63]
            wrong += [value if int in kinds else float(value) for value in far if value not in option.range]
        for value in wrong:
            try:
                check_option(option, value, key=option.name)
            except OptionError as error:
                named = option.name in error.message and (str(option.range) in error.message or "must be" in error.message)
                require(named, f"{subject.label}: {error.message!r} names neither {option.name} nor what it may be")
            else:
                raise Failed(f"{subject.label}: {option.name} takes {value}, expected an OptionError")
    return f"state no whole range: {', '.join(open_ended)}" if open_ended else ""


def _constructs(subject: Subject) -> None:
    if subject.needs or subject.kind == "trackers":  # which are made of a run folder
        return
    if subject.is_network:
        takes = "image" in inspect.signature(subject.cls).parameters
        require(takes, f"{subject.label}: its constructor must take the keyword 'image'")
    try:
        subject.build()
    except ZooError as error:
        where = f" at {subject.image}" if subject.is_network else ""
        raise Failed(f"{subject.label} cannot be made with {subject.options}{where}: {error.message}") from error


@dataclass
class _Recipe:
    """A recipe under examination; what follows `registry` is known once the first checks have passed."""

    name: str
    registry: Registry
    recipe: Recipe = field(init=False)
    parts: dict[str, tuple[str, str]] = field(init=False)
    algorithm: Any = field(init=False)
    training: TrainingSettings = field(init=False)

    def options(self, part: str) -> dict[str, Any]:
        """Those that begin with `part` and a dot, without it."""
        return {key.removeprefix(f"{part}."): v for key, v in self.recipe.options.items() if key.startswith(f"{part}.")}


def resolves(subject: _Recipe) -> None:
    """It and its bases exist, and every part has a name that its algorithm asks for."""
    subject.recipe = subject.registry.recipe(subject.name)
    subject.parts = subject.registry.parts(subject.recipe)


def components(subject: _Recipe) -> None:
    """The algorithm and its parts can be loaded and take the options that the recipe gives them."""
    name = subject.recipe.algorithm or ""
    subject.algorithm = subject.registry.create("algorithms", name, subject.options("algorithm"))
    for role, (kind, part) in subject.parts.items():
        complete(subject.registry.load(kind, part), subject.options(role), where=role)
    known = {"algorithm", "dataset", "training", "optimizer", *subject.parts}
    for key in subject.recipe.options:
        if (role := key.partition(".")[0]) not in known:
            raise unknown(f"part of recipe {subject.recipe.name!r}", role, known)


def settings(subject: _Recipe) -> None:
    subject.training = TrainingSettings(**complete(TrainingSettings, subject.options("training"), where="training"))
    for name in subject.training.augment:
        subject.registry.load("augmentations", name)
    given = subject.options("optimizer")
    shared = {key: value for key, value in given.items() if "." not in key}
    networks = [role for role, (kind, _) in subject.parts.items() if kind != "losses"]
    for role in {key.partition(".")[0] for key in given if "." in key}:
        if role not in networks:
            raise unknown("role that learns", role, networks)
    for role in networks:
        own = {**shared, **subject.options(f"optimizer.{role}")}
        OptimizerSettings(**complete(OptimizerSettings, own, where="optimizer"))


def networks_fit(subject: _Recipe) -> None:
    """One step with every phase at the recipe's own size, on tensors without numbers, which take no memory."""
    image = _image(subject)
    with algorithms.without_numbers():
        made, phases = _networks(subject, image)
        try:
            _run(subject, made, phases)
        except (RuntimeError, TypeError, ValueError) as error:
            where = f"{error} {place(error)}".strip()
            raise Failed(f"{', '.join(made)} do not fit together at {image}: {where}") from error


def stays_on_the_device(subject: _Recipe) -> None:
    """The same on a device that holds no data, and whose tensors nothing else can be mixed with."""
    with torch.device("meta"):
        made, phases = _networks(subject, _image(subject))
    with staying_on("meta", "a step"):
        _run(subject, made, phases, "meta")


def _image(subject: _Recipe) -> ImageSpec:
    return ImageSpec(subject.training.size, 3, 2 if subject.algorithm.conditional else 0)


def _networks(subject: _Recipe, image: ImageSpec) -> tuple[dict[str, Any], Sequence[Phase]]:
    """Build the parts of a recipe; return them by role, and the phases."""
    made: dict[str, Any] = {}
    for role, (kind, name) in sorted(subject.parts.items(), key=lambda item: item[0] != "generator"):
        given = supplied(subject.registry.load(kind, name), image, made["generator"].latent_dim if made else 0)
        made[role] = subject.registry.create(kind, name, subject.options(role), **given)
    return made, subject.algorithm.phases(made)


def _run(subject: _Recipe, made: dict[str, Any], phases: Sequence[Phase], device: str = "cpu") -> None:
    """Take the first step of each phase."""
    for number in {min(phase.at) for phase in phases}:
        list(algorithms.run_phases(subject.algorithm, made, phases, number, device=device))


_RECIPES = (resolves, components, settings, networks_fit, stays_on_the_device)
