r"""How something registered is named together with its options: NAME:KEY=VALUE:KEY=VALUE, as in "faces:style=notionists".

A comma begins the next of several; a comma, colon or backslash that belongs to a value has a backslash before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from zoo_core import UsageError

_ESCAPED, _SPECIAL = re.compile(r"\\([\\:,])"), re.compile(r"([\\:,])")


@dataclass(frozen=True)
class Choice:
    """A registered name ("faces", "distribution:faces") and options of what bears it, as texts."""

    name: str
    options: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        told = [f"{key}={_escape(value)}" for key, value in self.options.items()]
        return ":".join([self.name, *told])


def _split(text: str, mark: str) -> list[str]:
    """Return the parts between marks that no backslash precedes."""
    parts = [""]
    for sign in re.findall(r"\\.|.", text, re.DOTALL):
        if sign == mark:
            parts.append("")
        else:
            parts[-1] += sign
    return parts


def _escape(value: str) -> str:
    return _SPECIAL.sub(r"\\\1", value)


def read_choice(text: str) -> Choice:
    """Read NAME:KEY=VALUE…; raises `UsageError` where it is none."""
    first, *rest = _split(text.strip(), ":")
    name = [first]
    options: dict[str, str] = {}
    for part in rest:
        key, sign, value = part.partition("=")
        if not sign and not options:  # "distribution:name"
            name.append(part)
            continue
        if not sign or not key.strip():
            hint = r"a colon or comma that belongs to a value has a backslash before it: \:"
            raise UsageError(f"{text!r}: {part!r} is not KEY=VALUE", hint=hint)
        if key.strip() in options:
            raise UsageError(f"{text!r} sets {key.strip()} twice", hint="leave one of them out")
        options[key.strip()] = _ESCAPED.sub(r"\1", value.strip())
    if not all(name) or "=" in first:
        raise UsageError(
            f"{text!r} names nothing", hint="write NAME, or NAME:KEY=VALUE; for example: faces:style=notionists"
        )
    return Choice(":".join(name), options)


def read_choices(texts: str | Iterable[str]) -> list[Choice]:
    """Read one or several of them, with commas between; none twice, which raises `UsageError`."""
    found: list[Choice] = []
    for text in [texts] if isinstance(texts, str) else texts:
        for part in filter(None, map(str.strip, _split(text, ","))):
            if (choice := read_choice(part)) in found:
                raise UsageError(f"{part} is named twice", hint="name each once; --seeds repeats them all")
            found.append(choice)
    return found
