"""Conformance checks: whether a component keeps what its interface promises.

A plugin's own tests need two lines for each component,

    def test_generator():
        assert_conforms("generators", plugin.generators["mine"])

and the checks of `zoo plugins check` are these too. A component states in the class attribute `tiny` the options of an
instance that is small enough to be checked in a moment. Every problem says what is wrong, what is expected and where.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from ..errors import ZooError, unknown
from ..options import check as check_option
from ..options import complete, schema
from ..records import KINDS, Component, ImageSpec, PretrainedModel
from ..registries import Registry, check_class, import_target, registry
from . import adversaries, algorithms, datasets, losses, metrics, networks, other_kinds, recipes
from .subjects import Failed, Outcome, Subject, require, run

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
}


def check_component(
    kind: str,
    target: type | Component | PretrainedModel | str,
    *,
    options: Mapping[str, Any] | None = None,
    image: ImageSpec | None = None,
) -> list[Outcome]:
    """Check one component, on the CPU.

    Args:
        kind: one of `zoo_core.records.KINDS`.
        target: the class, the `Component` or `PretrainedModel` of a plugin's record, or a registry name ("mine",
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
        assert isinstance(found, Component | PretrainedModel)
        target = found
    if isinstance(target, PretrainedModel):
        return run(other_kinds.MODELS, target)
    subject = Subject(kind, target, options=options, image=image)
    outcomes = run([_imports, _subclass, _options, _constructs], subject, stop=True)
    if any(outcome.problem for outcome in outcomes):
        return outcomes
    if subject.needs:
        return [*outcomes[:-1], Outcome("data", note=f"not checked: needs {subject.needs}")]
    return outcomes + run(_CHECKS[kind], subject)


def check_recipe(name: str, *, within: Registry | None = None) -> list[Outcome]:
    """Check that a recipe's components exist, take its options, and fit together, whatever their size: networks are built
    and run without memory. `within` is the registry to look in, by default that of this process.
    """
    return run(recipes.CHECKS, recipes.RecipeSubject(name, within or registry), stop=True)


def assert_conforms(kind: str, target: type | Component | PretrainedModel | str, **choices: Any) -> None:
    """Raise `AssertionError` with every problem that `check_component` finds, in words; its arguments are the same."""
    named = getattr(target, "target", getattr(target, "where", target))
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
