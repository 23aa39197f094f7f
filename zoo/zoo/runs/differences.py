"""What differs between two configurations, and how an error says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..schemas import brief


def list_differences(old: Mapping[str, Any], new: Mapping[str, Any], where: str = "the run") -> list[str]:
    """Return a line for each key whose value differs: "generator.width: 64 in the run, 128 now"."""
    absent = object()
    lines = []
    for key in sorted({*old, *new}):
        before, now = old.get(key, absent), new.get(key, absent)
        if before != now:
            words = ["nothing" if value is absent else brief(repr(value), 45) for value in (before, now)]
            lines.append(f"{brief(key, 60)}: {words[0]} in {where}, {words[1]} now")
    return lines


def say_differences(lines: Sequence[str], hint: str) -> str:
    """Return differences as an error with this hint ends in them: four, or as many as keep it short, and how many more."""
    room = max(100, 240 - len(hint))
    kept = [brief(lines[0], room)]
    for line in lines[1:]:
        if len(kept) >= 4 and len("".join([*kept, line])) > room:
            kept.append(f"and {len(lines) - len(kept)} more")
            break
        kept.append(line)
    return ":\n  " + "\n  ".join(kept)
