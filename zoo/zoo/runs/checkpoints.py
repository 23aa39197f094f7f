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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from zoo_core import CheckpointError, UsageError

from ..documents import fault, read_json
from ..files import atomic_folder, name_in_text, remove_folder, sha256
from ..models.weights import read_header
from ..notebook import reporter_for_caller
from ..progress import Reporter
from .documents import FORMAT, LIMIT, LaterError, check_state, read_state_document
from .evaluation import Best
from .folders import checkpoints as checkpoints
from .folders import step_of as step_of
from .upgrading import upgrade_checkpoint_tensors

FILES = ("networks.safetensors", "optimizers.safetensors", "random.safetensors")


def write_checkpoint(folder: Path, state: Mapping[str, Any], tensors: Mapping[str, Mapping[str, Tensor]], keep: int) -> None:
    """Write the newest checkpoint below `folder` and delete all but the newest `keep`, the best, and the
    one that a rescue would go back to.

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
    best = {kind["step"] for key in ("best", "anchor") if (kind := state.get(key))}
    for path in checkpoints(folder):
        if path not in kept and step_of(path) not in best:
            remove_folder(path)


def read_checkpoint(path: Path) -> tuple[dict[str, Any], dict[str, dict[str, Tensor]]]:
    """A checkpoint's `state.json` and the tensors of its files; raises `CheckpointError` if any byte is not as written."""
    missing = [file for file in ("state.json", *FILES) if not (path / file).exists()]
    if missing:
        raise CheckpointError(f"{path} is damaged: {missing[0]} is missing")
    described = read_state_document(path)
    checksums = described.pop("sha256")
    if _checksum(described) != checksums.get("state"):
        raise CheckpointError(f"{path / 'state.json'} is damaged: its checksum differs")
    tensors = {}
    for file in FILES:
        read_header(path / file, CheckpointError)
        try:
            if sha256(path / file) != checksums.get(file):
                raise CheckpointError(f"{path / file} is damaged: its checksum differs")
            with name_in_text(path / file) as name:
                tensors[file] = load_file(name)
        except (OSError, SafetensorError, ValueError, KeyError, RuntimeError, MemoryError) as error:
            raise fault(path / file, f"it cannot be read: {error}", error=CheckpointError, ours=True) from error
    return check_state(described, path), upgrade_checkpoint_tensors(tensors, described["format"])


def read_state(path: Path) -> dict[str, Any]:
    """A checkpoint's `state.json`, unchecked; {} where it cannot be read."""
    try:
        found = read_json(path / "state.json", LIMIT, error=CheckpointError, finite=False)
    except CheckpointError:
        return {}
    return found if isinstance(found, dict) else {}


def newest_checkpoint(folder: Path, report: Reporter) -> tuple[Path, dict[str, Any], dict[str, dict[str, Tensor]]]:
    """The newest checkpoint that is whole; a damaged one is reported and the one before is taken. Raises `CheckpointError`
    where there is none, or the newest is of a later version.
    """
    found = checkpoints(folder)
    for path in reversed(found):
        try:
            return (path, *read_checkpoint(path))
        except LaterError:
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


@dataclass(frozen=True)
class Choice:
    """A checkpoint that was chosen of a run's.

    Args:
        described, tensors: what `read_checkpoint` gave.
        by: why it: "best", "last" or "at".
        best: the best measurement, where it is that one's.
        last: step of the newest checkpoint. batch: images of a step.
    """

    path: Path
    described: dict[str, Any]
    tensors: dict[str, dict[str, Tensor]]
    by: str
    best: Best | None
    last: int
    batch: int

    def to_json(self, watch: Mapping[str, Any], interventions: list[dict[str, Any]]) -> dict[str, Any]:
        """Plain data for a model's provenance; `watch` and `interventions` are those of `run.json`."""
        chosen: dict[str, Any] = {"as": self.by, "of_images": self.last * self.batch}
        if self.best is not None:
            chosen |= {"measure": self.best.name, "value": self.best.value}
            chosen |= {"samples": watch["samples"]} if watch.get("samples") else {}
        found: dict[str, Any] = {"trained": {"step": self.last, "images": self.last * self.batch}, "chosen": chosen}
        return {**found, "interventions": interventions} if interventions else found


def choose_checkpoint(
    folder: Path, batch: int, *, last: bool = False, at: int | None = None, report: Reporter | None = None
) -> Choice:
    """The best checkpoint of the run in `folder`, the newest where nothing was measured or with `last`, or the one after
    `at` images, of which a step shows `batch`. A damaged one is reported, and the newest that is whole is taken.

    Raises:
        UsageError: there is none after so many images, or both are asked for.
        CheckpointError: none is whole.
    """
    place, report = folder / "checkpoints", report or reporter_for_caller()
    found = {step_of(path): path for path in checkpoints(place)}
    if last and at is not None:
        raise UsageError("--last and --at name two checkpoints", hint="leave one of them out")
    if at is not None and at not in (there := [step * batch for step in found]):
        shown = ", ".join(f"{images:,}" for images in there) or "none"
        what = f"{folder} has no checkpoint after {at:,} images; there are: {shown}"
        raise UsageError(what, hint=f"for example: --at {min(there, key=lambda n: abs(n - at))}" if there else "")
    if at is not None:
        path = found[at // batch]
        described, tensors = read_checkpoint(path)
        return Choice(path, described, tensors, "at", None, max(found), batch)
    newest, counters, tensors = newest_checkpoint(place, report)
    best = Best(**counters["best"]) if counters.get("best") and not last else None
    if best is not None and best.step in found and found[best.step] != newest:
        try:
            return Choice(found[best.step], *read_checkpoint(found[best.step]), "best", best, step_of(newest), batch)
        except CheckpointError as error:
            report.warn(f"{error.message}; it was the best, and the newest is taken")
    best = best if best is not None and best.step == step_of(newest) else None
    return Choice(newest, counters, tensors, "best" if best else "last", best, step_of(newest), batch)


def tensors_below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with `prefix` and a dot, without it."""
    return {key.removeprefix(f"{prefix}."): t for key, t in tensors.items() if key.startswith(f"{prefix}.")}


def _checksum(description: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()
