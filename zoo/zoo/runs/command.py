"""The command line that makes a run: what `run.json` and a model's card say of it."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..packs.download import find_download
from .budget import Budget

DEFAULT_SEED = 0


def write_command(
    recipe: str, given: Mapping[str, Any], budget: Budget, options: Mapping[str, Any], machine: Mapping[str, Any]
) -> str:
    """Return the command line that trains this; absolute paths in it are the person's own affair."""
    words = ["zoo", "train", recipe]
    for key, value in given.items():
        if key == "data" and value is not None and Path(value) == find_download(given["dataset"]):
            words.append("--download")
        elif value is not None and not (key == "seed" and value == DEFAULT_SEED):
            words += [f"--{key}", _write_place(value) if key == "data" else str(value)]
    words += budget.words
    for key, value in machine.items():
        if isinstance(value, bool):
            default = key == "graphs"
            words += [f"--{'no-' if default else ''}{key}"] if value != default else []
        elif isinstance(value, tuple):
            words += [word for one in value for word in (f"--{key}", str(one))]
        elif value is not None:
            words += [f"--{key}", _write_place(value) if key == "out" else str(value)]
    for key, value in options.items():
        words += ["--set", f"{key}={_as_typed(value)}"]
    return shlex.join(words)


def name_place(where: object) -> str | None:
    """Return how a command names a model: an absolute path is the person's own affair, one in memory has no name."""
    if where is None or not isinstance(where, str | os.PathLike):
        return None if where is None else "MODEL"
    return "MODEL" if Path(where).expanduser().is_absolute() else os.fspath(where)


def _write_place(path: str | Path) -> str:
    return "DIR" if Path(path).expanduser().is_absolute() else str(path)


def _as_typed(value: Any) -> str:
    """Return a value as `--set` reads it."""
    return json.dumps(value) if isinstance(value, list | tuple | dict) else str(value)


def leave_out(command: str, option: str, beginning: str = "") -> str:
    """Return a command line without an option and its value, where that has this `beginning`."""
    words = shlex.split(command)
    for at in [i for i, word in enumerate(words[:-1]) if word == option and words[i + 1].startswith(beginning)][::-1]:
        del words[at : at + 2]
    return shlex.join(words)


def replace_budget(command: str, new: Sequence[str]) -> str:
    """Return a command line with another budget, option and value."""
    words = shlex.split(command)
    for at in [words.index(flag) for flag in ("--epochs", "--images", "--minutes") if flag in words]:
        words[at : at + 2] = new
    return shlex.join(words)


def replace_option(command: str, option: str, value: str) -> str:
    """Return a command line with another value of an option, which stands at its end where it was not there."""
    words = shlex.split(command)
    at = words.index(option) if option in words else len(words)
    words[at : at + 2] = [option, value]
    return shlex.join(words)
