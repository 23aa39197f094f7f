"""What can go wrong, in words for the person who typed the command.

Every error says what was wrong, what would be valid and what to type next. The command line prints the message and exits
with `exit_code`; a traceback appears only with `--debug`. Messages and hints name flags; `str` of an error names Python's
arguments instead where no command line runs, see `callers`. Names in them are nobody's to trust: `str` escapes control
characters, and line breaks but those before an indented line.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from functools import partial

from .callers import for_caller
from .words import printable_message


class ZooError(Exception):
    """Base of every error that a user can cause or mend. `exit_code` 1: something failed while running."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return for_caller("\n".join(printable_message(text) for text in (self.message, self.hint) if text))

    def __reduce__(self) -> tuple[object, ...]:  # keeps the hint when a worker process raises
        return (partial(type(self), hint=self.hint), (self.message,))


class UsageError(ZooError):
    """The command itself was wrong. Exit code 2."""

    exit_code = 2


class UnknownNameError(UsageError):
    """A name that is not registered."""


class OptionError(UsageError):
    """An option that does not exist, has the wrong type or an impossible value."""


class AmbiguousNameError(UsageError):
    """A name that two distributions provide."""


class PluginError(ZooError):
    """A plugin that is broken, missing or written for another version of the contract."""


class DataError(ZooError):
    """Images that are missing, unreadable or not what the dataset expects."""


class CheckpointError(ZooError):
    """A run folder or checkpoint that cannot be read."""


class ModelError(ZooError):
    """A model folder that cannot be read or does not fit."""


class TrainingError(ZooError):
    """Training stopped because it could not go on."""


def near(name: str, valid: Iterable[str], *, limit: int = 3) -> list[str]:
    """Return the valid names closest to `name`, best first, at most `limit`."""
    valid = sorted(set(valid))
    folded: dict[str, list[str]] = {}
    for word in valid:
        folded.setdefault(word.lower().replace("_", "-"), []).append(word)
    wanted = name.lower().replace("_", "-")
    close = difflib.get_close_matches(wanted, folded, n=limit, cutoff=0.5)
    inside = [v for v in folded if v not in close and (wanted in v or v in wanted)] if len(name) > 1 else []
    return [word for match in close + inside for word in folded[match]][:limit]


def unknown(what: str, name: str, valid: Iterable[str], *, hint: str = "") -> UnknownNameError:
    """Return an error for an unknown `what` called `name`, with the near matches or all the valid names."""
    valid = sorted(set(valid))
    if close := near(name, valid):
        advice = f"did you mean {' or '.join(close)}?"
    elif len(valid) <= 20:
        advice = f"valid: {', '.join(valid)}" if valid else "there is none"
    else:
        advice = f"{len(valid)} exist, for example {', '.join(valid[:5])}"
    shown = repr(name) if len(name) <= 60 else f"{name[:60]!r}…"
    return UnknownNameError(f"unknown {what} {shown}; {advice}", hint=hint)
