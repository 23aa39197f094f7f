"""Conformance checks: whether a component keeps what its interface promises.

A plugin's own tests need two lines for each component,

    def test_generator():
        assert_conforms("generators", plugin.generators["mine"])

and the checks of `zoo plugins check` are these too. A component states in the class attribute `tiny` the options of an
instance that is small enough to be checked in a moment. Every problem says what is wrong, what is expected and where.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import PluginError, ZooError, unknown
from ..options import check as check_option
from ..options import complete, schema
from ..records import Component, ImageSpec
from ..registries import Registry, import_target, interface_of, registry
from . import datasets, discriminators, features, generators, losses, metrics, recipes
from .subjects import Failed, Outcome, Subject, require, run

__all__ = ["Outcome", "assert_conforms", "assert_recipe", "check_component", "check_recipe"]

_CHECKS = {
    "generators": generators.CHECKS,
    "discriminators": discriminators.CHECKS,
    "losses": losses.CHECKS,
    "datasets": datasets.CHECKS,
    "features": features.CHECKS,
    "metrics": metrics.CHECKS,
}


def check_component(
    kind: str,
    target: type | Component | str,
    *,
    options: Mapping[str, Any] | None = None,
    image: ImageSpec | None = None,
) -> list[Outcome]:
    """Check one component, on the CPU.

    The first checks (its import, base class, schema and constructor) decide whether there is anything to run the others on:
    when one of them fails, its outcome is the last.

    Args:
        kind: "generators", "discriminators", "losses", "datasets", "features" or "metrics".
        target: the class, the `Component` of a plugin's record, or a registry name ("mine", "distribution:mine").
        options: of the instance to check; by default what the class says in `tiny`.
        image: for networks; by default `tiny["image"]`, or 32 × 32 pixels in color.

    Returns:
        The outcome of every check, in order. A problem is a sentence, "" where all is well. A dataset or a feature extractor
        that needs something from outside (`tiny` is None) and is given no options has an outcome with the note "not checked:
        needs data".

    Raises:
        UnknownNameError: no such kind, or a registry name that nothing bears.
        AmbiguousNameError: a registry name that two distributions claim.
    """
    if kind not in _CHECKS:
        raise unknown("kind", kind, _CHECKS)
    if isinstance(target, str):
        found = registry.find(kind, target).value
        assert isinstance(found, Component)
        target = found
    subject = Subject(kind, options=options, image=image)
    outcomes = run([_imports(target), _subclass, _options, _constructs], subject, stop=True)
    if any(outcome.problem for outcome in outcomes):
        return outcomes
    if subject.needs_data:
        return [*outcomes[:-1], Outcome("data", note="not checked: needs data")]
    return outcomes + run(_CHECKS[kind], subject)


def check_recipe(name: str, *, within: Registry | None = None) -> list[Outcome]:
    """Check that a recipe's components exist, take its options, and fit together.

    Networks are built and run without memory for their weights, so that the size does not matter.

    Args:
        name: of the recipe.
        within: the registry to look in; None takes that of this process.
    """
    return run(recipes.CHECKS, recipes.RecipeSubject(name, within or registry), stop=True)


def assert_conforms(
    kind: str,
    target: type | Component | str,
    *,
    options: Mapping[str, Any] | None = None,
    image: ImageSpec | None = None,
) -> None:
    """Raise `AssertionError` with every problem that `check_component` finds, in words; its arguments are the same."""
    _raise(f"{kind}: {_label(target)}", check_component(kind, target, options=options, image=image))


def assert_recipe(name: str, *, within: Registry | None = None) -> None:
    """Raise `AssertionError` with every problem that `check_recipe` finds."""
    _raise(f"recipe {name}", check_recipe(name, within=within))


def _raise(what: str, outcomes: list[Outcome]) -> None:
    problems = [f"- {outcome.name}: {outcome.problem}" for outcome in outcomes if outcome.problem]
    if problems:
        raise AssertionError("\n".join([f"{what} does not conform:", *problems]))


def _label(target: type | Component | str) -> str:
    if isinstance(target, Component):
        return target.target
    return target if isinstance(target, str) else f"{target.__module__}:{target.__qualname__}"


def _imports(target: type | Component) -> Any:
    def imports(subject: Subject) -> None:
        subject.cls = import_target(target.target, "component") if isinstance(target, Component) else target

    return imports


def _subclass(subject: Subject) -> None:
    interface = interface_of(subject.kind)
    require(isinstance(subject.cls, type), f"{subject.label} is a {type(subject.cls).__name__}, expected a class")
    require(issubclass(subject.cls, interface), f"{subject.label} does not subclass zoo_core.{interface.__name__}")
    missing = sorted(getattr(subject.cls, "__abstractmethods__", ()))
    require(
        not missing, f"{subject.label} does not define {', '.join(missing)}, which zoo_core.{interface.__name__} asks for"
    )


def _options(subject: Subject) -> None:
    """Keyword-only, typed, with defaults that JSON can hold; defaults and `tiny` have the types that they should."""
    options = schema(subject.cls)
    for option in options.values():
        check_option(option, option.default, key=f"{subject.label}: the default of {option.name!r}")
    if subject.kind == "datasets":
        missing = [name for name in ("data", "split") if name not in options]
        require(
            not missing, f"{subject.label}: its constructor takes no {' and no '.join(missing)}; the zoo hands both over"
        )
    tiny = getattr(subject.cls, "tiny", {})
    unset = tiny is None and subject.kind in ("datasets", "features")
    require(unset or isinstance(tiny, Mapping), f"{subject.label}: tiny is {tiny!r}, expected a mapping of options")
    if subject.given is None:
        subject.given = {name: value for name, value in (tiny or {}).items() if name != "image"}
        subject.needs_data = tiny is None
    else:
        subject.needs_data = False
    image = (tiny or {}).get("image")
    require(
        image is None or isinstance(image, ImageSpec), f"{subject.label}: tiny['image'] is {image!r}, expected an ImageSpec"
    )
    subject.image = subject.wanted_image or image or ImageSpec(32, 3)
    subject.options = complete(subject.cls, subject.given, where=f"{subject.label} tiny")


def _constructs(subject: Subject) -> None:
    if subject.needs_data:
        return
    try:
        subject.build()
    except ZooError as error:
        where = f" at {subject.image}" if subject.is_network else ""
        raise Failed(f"{subject.label} cannot be made with {subject.options}{where}: {error.message}") from error
    except TypeError as error:
        if "image" in str(error):
            raise PluginError(f"{subject.label}: its constructor must take the keyword 'image': {error}") from error
        raise
