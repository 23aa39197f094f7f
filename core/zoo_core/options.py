"""Constructors are the schema: what options a component takes, read from its signature.

One signature serves the help of `zoo show`, the parsing of `--set`, the validation of recipes and of a model folder's
`config.json`. Options are keyword-only, typed, and have defaults that JSON can hold; a type may carry its explanation:
`width: Annotated[int, "feature maps at the finest stage"] = 64`.
"""

from __future__ import annotations

import inspect
import json
import math
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from .errors import OptionError, PluginError, unknown

GIVEN = ("image", "latent_dim", "folder", "images", "config")
"""Constructor arguments that the zoo supplies itself, hence no options, where they have no default."""


@dataclass(frozen=True)
class Range:
    """Which numbers an option takes; stands in its annotation: `Annotated[int, "units", Range(least=1)]`.

    Args:
        least, most: the smallest and the largest number that it takes.
        above, below: the largest and the smallest number that it no longer takes.
    """

    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None

    def __contains__(self, value: float) -> bool:
        return (
            (self.least is None or value >= self.least)
            and (self.most is None or value <= self.most)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )

    def __str__(self) -> str:
        return self._say(math.inf)

    def summarize(self) -> str:
        """Return its ends in words but those of 10,000 and more, which only refuse what nobody means."""
        return self._say(9_999)

    def _say(self, farthest: float) -> str:
        ends = {"at least": self.least, "more than": self.above, "at most": self.most, "less than": self.below}
        shown = [f"{words} {_write_end(end)}" for words, end in ends.items() if end is not None and abs(end) <= farthest]
        return " and ".join(shown)

    def is_closed(self) -> bool:
        """Return whether it has both ends."""
        return (self.least, self.above) != (None, None) and (self.most, self.below) != (None, None)


def _write_end(end: float) -> str:
    return f"{end:,}" if isinstance(end, int) and abs(end) >= 10_000 else f"{end:g}"


@dataclass(frozen=True)
class Option:
    """One option of a component. `type` is a type or typing construct; `default` is what the signature says."""

    name: str
    type: Any
    default: Any
    help: str = ""
    range: Range | None = None

    @property
    def type_name(self) -> str:
        """The type as a person writes it: `int`, `normal | uniform`, `str | none`."""
        return _type_name(self.type)


def schema(target: Callable[..., Any]) -> dict[str, Option]:
    """The options of a class (or function), by name, in the order of its signature; raises `PluginError` for a positional
    argument, a missing annotation or default, or a default that JSON cannot hold.
    """
    function = target.__init__ if inspect.isclass(target) else target
    label = getattr(target, "__qualname__", str(target))
    if function.__qualname__ in ("object.__init__", "Module.__init__"):  # a class that defines no constructor
        return {}
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except Exception as error:
        raise PluginError(f"{label}: its annotations cannot be read: {error}") from error
    options: dict[str, Option] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if name == "self":
            continue
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise PluginError(f"{label}: *args and **kwargs hide which options there are; name each one behind '*'")
        if parameter.kind is not parameter.KEYWORD_ONLY:
            raise PluginError(f"{label}: argument {name!r} must be keyword-only (put it behind '*')")
        if name == "image" or (name in GIVEN and parameter.default is parameter.empty):
            continue
        if parameter.default is parameter.empty:
            raise PluginError(f"{label}: option {name!r} needs a default")
        if name not in hints:
            raise PluginError(f"{label}: option {name!r} needs a type annotation")
        hint, words, numbers = split_annotated(hints[name])
        try:
            json.dumps(parameter.default, allow_nan=False)
        except (TypeError, ValueError):
            raise PluginError(f"{label}: the default of {name!r} must be something JSON can hold") from None
        options[name] = Option(name, hint, parameter.default, words, numbers)
    return options


def split_annotated(hint: Any) -> tuple[Any, str, Range | None]:
    """Return the type that an annotation says, its explanation and its range."""
    if typing.get_origin(hint) is not typing.Annotated:
        return hint, "", None
    kind, *extras = typing.get_args(hint)
    words = next((extra for extra in extras if isinstance(extra, str)), "")
    return kind, words, next((extra for extra in extras if isinstance(extra, Range)), None)


def parse(option: Option, text: str, *, key: str) -> Any:
    """Turn the text behind `--set KEY=` into a value of the option's type; raises `OptionError`, naming `key`, where it is
    none.
    """
    if any(typing.get_origin(m) is typing.Literal and text in typing.get_args(m) for m in members(option.type)):
        return text  # also where it is "none" or "true"
    for read in _READERS:
        with suppress(KeyError, ValueError, RecursionError, OptionError):
            value = _check_type(option, read(text), key)
            break
    else:
        raise _ill_typed(option, text, key)
    return check_range(option, value, key)


def check(option: Option, value: Any, *, key: str) -> Any:
    """Return `value` if it has the option's type (a whole number passes for a float) and lies in its range; raise
    `OptionError` otherwise.
    """
    return check_range(option, _check_type(option, value, key), key)


def check_range(option: Option, value: Any, key: str) -> Any:
    """Return `value` unless it is a number outside of the option's range; raise `OptionError` then."""
    if option.range is not None and isinstance(value, int | float) and value not in option.range:
        hint = f"for example: --set {key}={write_value(option.default)}"
        shown = str(value) if isinstance(value, float) or abs(value) < 10**30 else "a number of more than 30 digits"
        raise OptionError(f"{key} is {shown}; it must be {option.range}", hint=hint)
    return value


def _check_type(option: Option, value: Any, key: str) -> Any:
    for member in members(option.type):
        origin = typing.get_origin(member)
        if member is type(None) and value is None:
            return None
        if member is float and isinstance(value, int | float) and not isinstance(value, bool):
            if abs(value) <= sys.float_info.max:  # a whole number may be one that no float can have
                return float(value)
        elif member is Any or (member in (int, bool, str) and type(value) is member):
            return value
        elif origin is typing.Literal:
            if any(type(value) is type(valid) and value == valid for valid in typing.get_args(member)):
                return value
        elif origin in (tuple, list) and isinstance(value, list | tuple):
            kinds = typing.get_args(member)
            if origin is list or kinds[-1] is Ellipsis:
                kinds = (kinds[0],) * len(value)
            if len(kinds) == len(value):
                return [check(Option(option.name, k, option.default), v, key=key) for k, v in zip(kinds, value, strict=True)]
        elif origin is dict and isinstance(value, Mapping):
            return dict(value)
    raise _ill_typed(option, value, key)


def complete(
    target: Callable[..., Any], given: Mapping[str, Any], *, where: str, hint: str = "", texts: bool = False
) -> dict[str, Any]:
    """Return all options of `target` with their values: those given, checked, and the defaults of the rest.

    Args:
        target: class or function whose signature is the schema.
        given: option name → value.
        where: what stands before the dot in messages ("generator").
        hint: the command to type next.
        texts: whether values of type str are read as `--set` reads them.

    Raises:
        OptionError: an ill-typed value.
        UnknownNameError: an option that does not exist, with the valid ones.
    """
    options = schema(target)
    for name in given:
        if name not in options:
            raise unknown(f"option of {where}", name, options, hint=hint)
    found = {name: json.loads(json.dumps(option.default)) for name, option in options.items()}
    for name, value in given.items():
        read = parse if texts and isinstance(value, str) else check
        found[name] = read(options[name], value, key=f"{where}.{name}")
    return found


def choices(option: Option) -> Iterator[str]:
    """Yield the values that an option can have, as `--set` reads them; those alone that can be listed."""
    for member in members(option.type):
        if typing.get_origin(member) is typing.Literal:
            yield from (write_value(value) for value in typing.get_args(member))
        elif member is bool:
            yield from ("true", "false")
        elif member is type(None):
            yield "none"


def write_value(value: Any) -> str:
    """Return a value as `--set KEY=` reads it: `none`, `true`, `64`, `cat,dog`."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple) and value and all(isinstance(v, str) and "," not in v for v in value):
        return ",".join(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


_WORDS: dict[str, Any] = {
    **dict.fromkeys(("none", "null")),
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}
_READERS: tuple[Callable[[str], Any], ...] = (
    lambda text: _WORDS[text.lower()],
    int,
    float,
    json.loads,
    lambda text: text.split(","),
    str,  # which takes anything, hence last
)


def members(kind: Any) -> tuple[Any, ...]:
    """Return the types that a union is made of, or the type itself."""
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return typing.get_args(kind)
    return (kind,)


def _type_name(kind: Any) -> str:
    names = []
    for member in members(kind):
        origin, args = typing.get_origin(member), typing.get_args(member)
        if member is type(None):
            names.append("none")
        elif origin is typing.Literal:
            names += [str(value) for value in args]
        elif origin is tuple and args[-1] is not Ellipsis:
            names.append(f"list of {', '.join(map(_type_name, args))}")
        elif origin in (tuple, list):
            names.append(f"list of {_type_name(args[0])}")
        else:
            names.append(getattr(origin or member, "__name__", str(member)))
    return " | ".join(names)


def _ill_typed(option: Option, value: Any, key: str) -> OptionError:
    hint = f"for example: --set {key}={write_value(option.default)}"
    shown = repr(value) if not isinstance(value, int) or abs(value) < 10**30 else "a number of more than 30 digits"
    shown = shown if len(shown) <= 80 else f"{shown[:79]}…"
    return OptionError(f"{key} must be {option.type_name}, not {shown}", hint=hint)
