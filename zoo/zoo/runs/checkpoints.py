"""Checkpoints: a folder each, of safetensors and JSON, written whole or not at all.

step-00000400/
    networks.safetensors     <role>.* for every role that has weights, average.<role>.* for every moving average
    optimizers.safetensors   <role>.<number of the parameter>.<exp_avg, …>
    random.safetensors       the states of torch's and numpy's random generators, for each process
    state.json               counters, unwritten losses, Python's random state, gradient scaler; checksums of all

What of a training goes into them is `zoo.training.state`'s affair.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from zoo_core import CheckpointError

from ..files import atomic_folder, remove_folder, sha256
from ..progress import Reporter
from .evaluation import Best
from .folders import checkpoints as checkpoints
from .folders import step_of as step_of
from .upgrading import upgrade_checkpoint, upgrade_checkpoint_tensors

FORMAT = 2
FILES = ("networks.safetensors", "optimizers.safetensors", "random.safetensors")


class _LaterError(CheckpointError):
    """Written by a later version of the zoo: whole, and not ours to pass over."""


def write_checkpoint(folder: Path, state: Mapping[str, Any], tensors: Mapping[str, Mapping[str, Tensor]], keep: int) -> None:
    """Write the newest checkpoint below `folder` and delete all but the newest `keep` and the best.

    Args:
        state: what `state.json` says: "step", "best", … as plain data.
        tensors: by name, for each of `FILES`.

    Raises:
        ZooError: the disk is full or the folder cannot be written; what was there is untouched.
    """
    step = int(state["step"])
    description = {"format": FORMAT, **state}
    with atomic_folder(folder / f"step-{step:08d}", replace=True) as new:
        for file in FILES:
            save_file({key: t.detach().cpu().contiguous() for key, t in tensors[file].items()}, new / file)
        checksums = {**{file: sha256(new / file) for file in FILES}, "state": _checksum(description)}
        (new / "state.json").write_text(json.dumps({**description, "sha256": checksums}), encoding="utf-8")
    # Later ones are damaged: this run went on from an earlier one.
    kept = [path for path in checkpoints(folder) if step_of(path) <= step][-keep:]
    best = state["best"]["step"] if state["best"] else None
    for path in checkpoints(folder):
        if path not in kept and step_of(path) != best:
            remove_folder(path)


def read_checkpoint(path: Path) -> tuple[dict[str, Any], dict[str, dict[str, Tensor]]]:
    """A checkpoint's `state.json` and the tensors of its files; raises `CheckpointError` if any byte is not as written."""
    try:
        described = json.loads((path / "state.json").read_text(encoding="utf-8"))
        checksums = described.pop("sha256")
        if _checksum(described) != checksums["state"]:
            raise CheckpointError(f"{path / 'state.json'} is damaged: its checksum differs")
        if described["format"] > FORMAT:
            raise later_version(path)
        tensors = {}
        for file in FILES:
            if sha256(path / file) != checksums[file]:
                raise CheckpointError(f"{path / file} is damaged: its checksum differs")
            tensors[file] = load_file(path / file)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} is damaged: {Path(error.filename).name} is missing") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path} is damaged: {type(error).__name__}: {error}") from error
    return upgrade_checkpoint(described), upgrade_checkpoint_tensors(tensors, described["format"])


def newest_checkpoint(folder: Path, report: Reporter) -> tuple[Path, dict[str, Any], dict[str, dict[str, Tensor]]]:
    """The newest checkpoint that is whole; a damaged one is reported and the one before is taken. Raises `CheckpointError`
    where there is none, or the newest is of a later version.
    """
    found = checkpoints(folder)
    for path in reversed(found):
        try:
            return (path, *read_checkpoint(path))
        except _LaterError:
            raise
        except CheckpointError as error:
            if not path.exists():  # a training that goes on has newer ones
                continue
            report.warn(f"{error.message}; trying the checkpoint before it")
    if found and (later := checkpoints(folder)) and later[-1] != found[-1]:
        return newest_checkpoint(folder, report)
    if not found:
        again = f"zoo train --resume {shlex.quote(str(folder.parent))}"
        raise CheckpointError(f"there is no checkpoint in {folder} yet", hint=f"to train it: {again}")
    hint = "train it again from the start, into another folder"
    raise CheckpointError(f"none of the {len(found)} checkpoints in {folder} is whole", hint=hint)


def best_checkpoint(folder: Path) -> tuple[Path, Best] | None:
    """The checkpoint below `folder` with the best evaluation, and that evaluation; None where nothing was evaluated. Raises
    `CheckpointError` where the newest checkpoint, which says so, is damaged.
    """
    found = {step_of(path): path for path in checkpoints(folder)}
    told = read_checkpoint(found[max(found)])[0].get("best") if found else None
    best = Best(**told) if told else None
    return (found[best.step], best) if best is not None and best.step in found else None


def later_version(path: Path) -> CheckpointError:
    """Return the error for what a later version of the zoo has written."""
    hint = "upgrade it: pip install --upgrade dcgan-zoo"
    return _LaterError(f"{path} was written by a later version of the zoo", hint=hint)


def tensors_below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with `prefix` and a dot, without it."""
    return {key.removeprefix(f"{prefix}."): t for key, t in tensors.items() if key.startswith(f"{prefix}.")}


def _checksum(description: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()
