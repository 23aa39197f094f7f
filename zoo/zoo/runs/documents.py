"""What a run folder's JSON files must say: `run.json`, `state.json`, each line of `metrics.jsonl`. Imports no torch.

Whoever reads one of them by a function of this module may believe keys, types and ranges; the rest is a `CheckpointError`.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from zoo_core import CheckpointError, UsageError, ZooError
from zoo_core.options import complete
from zoo_core.registries import PART_KINDS
from zoo_core.settings import OptimizerSettings, TrainingSettings

from ..documents import fault, parse_json, read_json
from ..models.config import LARGEST, find_problem_of_names
from ..schemas import ListOf, MapOf, Maybe, Number, OneOf, Row, Whole, find_problem, show
from .budget import Kind
from .upgrading import upgrade_checkpoint, upgrade_command, upgrade_config

FORMAT = 2
LIMIT = 16 << 20
"""Most bytes of a `run.json` or `state.json`."""

LINE = 1 << 16
"""Most bytes of a line of `metrics.jsonl`."""

VALUES = 64
"""Most values that an algorithm may record."""

_UPGRADE = "upgrade it: pip install --upgrade dcgan-zoo"
_COMPONENT = {"kind?": str, "name": str, "distribution": str, "version?": Maybe(str), "options": dict}
_COUNTS = {"step": Whole(0), "images": Whole(0)}
_CONFIG = {
    "recipe": {"name": str, "summary?": str, "paper?": str},
    "algorithm": _COMPONENT,
    "parts": {"generator": {**_COMPONENT, "kind": str}, "*": {**_COMPONENT, "kind": OneOf(PART_KINDS)}},
    "dataset": Maybe({**_COMPONENT, "data": Maybe(str), "split": Maybe(str)}),
    "optimizer": MapOf(dict),
    "training": dict,
    "seed": int,
    "channels?": Maybe(OneOf((1, 3))),
    "image?": Maybe({key: Whole(int(key != "num_classes"), most) for key, most in LARGEST.items()}),
    "pack?": str,
    "facts?": {
        "count?": Whole(0),
        "classes?": ListOf(str),
        "class_counts?": ListOf(Whole(0)),
        **dict.fromkeys(("license?", "credit?"), str),
        "*": Any,
    },
    "parent?": {"model?": str, "where?": Maybe(str), "sha256?": MapOf(str), "images?": Whole(0), "*": Any},
    "frozen?": ListOf(str),
    "versions?": dict,
}
_WATCH = {
    **{"metric?": Maybe(str), "name": str, "samples?": str, "every?": Maybe(Whole(1)), "paced": bool, "looks": Whole(0)},
    **{"spacing": ListOf(Row((Whole(0), Whole(1)))), "seconds": Number(0), "*": Any},
}
_RUNG = MapOf(float | str | bool | list, least=1)
_RUN = {
    "format": Whole(1),
    "budget": MapOf(Number(above=0), least=1, most=1),
    "command": str,
    "precision": OneOf(("auto", "fp32", "bf16", "fp16")),
    "machine?": dict,
    "threads?": int | str,
    "watch?": dict,
    "rescue?": ListOf(_RUNG),
    "interventions?": ListOf(
        {"settings": _RUNG, "back_to": _COUNTS, "at": _COUNTS, "seconds": Number(0), "reason": str, "*": Any}
    ),
    "config": _CONFIG,
    "*": Any,
}
_BEST = Maybe({"name": str, "value": Number(), "step": Whole(0)})
_STATE = {
    "format": Whole(1),
    **_COUNTS,
    "updates": MapOf(Whole(0)),
    "seconds": Number(0),
    "meter": {"start": Whole(0), "values": MapOf(Row((float, Whole(0))), most=VALUES)},  # a sum may be infinite
    "best?": _BEST,
    "anchor?": _BEST,
    "rung?": Whole(0),
    "threads?": Maybe(Whole(1, 1 << 20)),
    "python_random": Row((OneOf((3,)), ListOf(Whole(0, 2**32 - 1), 625, 625), Maybe(Number()))),
    "scaler?": Maybe(MapOf(Number())),
    "*": Any,
}
_LINE = {
    **_COUNTS,
    **{"epoch?": float, "seconds?": float, "stopped?": str, "signs?": ListOf(str), "final?": bool},
    **{"threads?": {"before": Whole(1), "after": Whole(1), "*": Any}, "*": float},
}


def read_run_document(folder: Path) -> dict[str, Any]:
    """Return what the `run.json` of a run folder says, its configuration in today's format, checked.

    Raises `CheckpointError` where it is missing, damaged or of a later version.
    """
    file = folder / "run.json"
    found = read_json(file, LIMIT, error=CheckpointError, ours=True)
    problem = "it states no format" if not isinstance(found, dict) else find_problem(found.get("format"), Whole(1), "format")
    if problem:
        raise fault(file, problem, error=CheckpointError, ours=True)
    if found["format"] > FORMAT:
        raise later_version(folder)
    try:
        found["config"] = upgrade_config(found["config"], found["format"])
        found["command"] = upgrade_command(found["command"], found["format"])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise fault(file, f"{type(error).__name__}: {error}", error=CheckpointError, ours=True) from error
    if problem := find_problem(found, _RUN) or _find_problem_of_run(found):
        raise fault(file, problem, error=CheckpointError, ours=True)
    return found  # type: ignore[no-any-return]


def _find_problem_of_run(found: Mapping[str, Any]) -> str:
    """Return what is wrong with a `run.json` that no schema of keys and types tells; "" for nothing."""
    config, threads = found["config"], found.get("threads", "auto")
    ((kind, _),) = found["budget"].items()
    if kind not in get_args(Kind):
        return f"unknown key {show(f'budget.{kind}')}; valid: {', '.join(get_args(Kind))}"
    if threads != "auto" and (not isinstance(threads, int) or threads < 1):
        return f"threads must be auto or a whole number of at least 1, not {show(threads)}"
    if found.get("watch") and (problem := find_problem(found["watch"], _WATCH, "watch")):
        return problem
    if config.get("parent") and "model" not in config["parent"]:
        return "config.parent.model is missing"
    if config.get("pack") and "count" not in config.get("facts", {}):
        return "config.facts.count is missing"
    named = {"algorithm": config["algorithm"], **{f"parts.{role}": part for role, part in config["parts"].items()}}
    if config["dataset"] is not None:
        named["dataset"] = config["dataset"]
    try:
        shlex.split(found["command"])
        complete(TrainingSettings, config["training"], where="config.training")
        for role, settings in config["optimizer"].items():
            complete(OptimizerSettings, settings, where=f"config.optimizer.{show(role)[1:-1]}")
    except UsageError as error:
        return error.message
    except ValueError as error:
        return f"command is no command line: {error}"
    return next(filter(None, (find_problem_of_names(part, f"config.{where}") for where, part in named.items())), "")


def read_state_document(folder: Path) -> dict[str, Any]:
    """Return what the `state.json` of a checkpoint says, as it was written; `check_state` looks at it more closely.

    Raises `CheckpointError` where it is missing, damaged, of a later version, or has no checksums.
    """
    file = folder / "state.json"
    found = read_json(file, LIMIT, error=CheckpointError, finite=False, ours=True)
    if problem := find_problem(found, {"format": Whole(1), "sha256": MapOf(str), "*": Any}):
        raise fault(file, problem, error=CheckpointError, ours=True)
    if found["format"] > FORMAT:
        raise later_version(folder)
    return found  # type: ignore[no-any-return]


def check_state(found: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return a checkpoint's state in today's format; raises `CheckpointError`, naming the key and what is valid."""
    file = folder / "state.json"
    try:
        state = upgrade_checkpoint(found)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise fault(file, f"{type(error).__name__}: {error}", error=CheckpointError, ours=True) from error
    problem = find_problem(state, _STATE)
    if not problem and state["python_random"][1][-1] > 624:
        problem = "python_random.1 is no state of Python's random generator"
    if not problem and folder.name != f"step-{state['step']:08d}":
        problem = f"step is {state['step']}, and the folder is called {show(folder.name)}"
    if problem:
        raise fault(file, problem, error=CheckpointError, ours=True)
    return state


def later_version(path: Path) -> CheckpointError:
    """Return the error for what a later version of the zoo has written."""
    return LaterError(f"{path} was written by a later version of the zoo", hint=_UPGRADE)


class LaterError(CheckpointError):
    """Written by a later version of the zoo: whole, and not ours to pass over."""


def read_lines(file: Path) -> Iterator[dict[str, Any]]:
    """Yield all whole lines of a `metrics.jsonl`; what was half-written when a process was killed is left out.

    Raises `ZooError` where it cannot be read, or a line is whole and not what a training writes: names its number, the key
    and what is valid.
    """
    try:
        if file.exists() and not file.is_file():
            raise ZooError(f"{file} is no file")
        with open(file, "rb") as stream:
            for number, line in enumerate(_split(stream, file), 1):
                try:
                    value = parse_json(line, finite=False)
                except (ValueError, RecursionError):
                    continue
                if not isinstance(value, dict) or "step" not in value:
                    continue
                if problem := find_problem(value, _LINE):
                    hint = f"to go on without it, delete line {number}"
                    raise fault(file, f"line {number}: {problem}", error=ZooError, hint=hint)
                yield value
    except OSError as error:
        raise ZooError(f"{file} cannot be read: {error.strerror}") from error


def _split(stream: Any, file: Path) -> Iterator[bytes]:
    """Yield the lines of a file, an empty one for each longer than `LINE`; one long hole is refused."""
    while line := stream.readline(LINE + 1):
        if len(line) <= LINE:
            yield line
        else:
            passed = 0
            while line and not line.endswith(b"\n"):
                passed += len(line)
                if passed > 1000 * LINE:
                    raise ZooError(f"{file} has a line of more than {passed:,} characters, which no training writes")
                line = stream.readline(LINE)
            yield b""
