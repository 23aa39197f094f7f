"""Checkpoints: a folder each, of safetensors and JSON, written whole or not at all.

step-00000400/
    networks.safetensors     generator.*, discriminator.*, average.*
    optimizers.safetensors   generator.<number of the parameter>.<exp_avg, …>, discriminator.…
    random.safetensors       the states of torch's and numpy's random generators, for each process
    state.json               counters, unwritten losses, Python's random state, gradient scaler; checksums of all
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from zoo_core import CheckpointError, TrainingError

from ..files import atomic_folder, remove_folder, sha256
from ..models.weights import fill
from ..progress import Reporter
from ..training.state import State
from .evaluation import Best

FORMAT = 1
FILES = ("networks.safetensors", "optimizers.safetensors", "random.safetensors")


class _LaterError(CheckpointError):
    """Written by a later version of the zoo: whole, and not ours to pass over."""


def save_checkpoint(folder: Path, state: State, accelerator: Any, keep: int) -> None:
    """Write the state as the newest checkpoint below `folder` and delete all but the newest `keep` and the best.

    Every process calls it; only the main one writes.

    Raises:
        TrainingError: a weight is not finite; a run could not go on from there.
        ZooError: the disk is full or the folder cannot be written; what was there is untouched.
    """
    states, meter = _random_states(accelerator), state.meter.to_json(accelerator)
    if not accelerator.is_main_process:
        return
    networks = {f"{name}.{key}": t for name, net in state.networks().items() for key, t in net.state_dict().items()}
    for key, tensor in networks.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise TrainingError(
                f"{key} holds numbers that are not finite at step {state.step}: the training diverged",
                hint="try a lower learning rate (--set optimizer.lr=1e-4) or --precision fp32",
            )
    optimizers = {
        f"{name}.{index}.{key}": value
        for name, optimizer in _optimizers(state).items()
        for index, values in optimizer.state_dict()["state"].items()
        for key, value in values.items()
    }
    version, internal, gauss = random.getstate()
    description = {
        "format": FORMAT,
        "step": state.step,
        "images": state.images,
        "updates": state.updates,
        "seconds": state.seconds,
        "meter": meter,
        "best": asdict(state.best) if state.best else None,
        "python_random": [version, list(internal), gauss],
        "scaler": accelerator.scaler.state_dict() if accelerator.scaler is not None else None,
    }
    with atomic_folder(folder / f"step-{state.step:08d}", replace=True) as new:
        for file, tensors in zip(FILES, (networks, optimizers, states), strict=True):
            save_file({key: t.detach().cpu().contiguous() for key, t in tensors.items()}, new / file)
        checksums = {**{file: sha256(new / file) for file in FILES}, "state": _checksum(description)}
        (new / "state.json").write_text(json.dumps({**description, "sha256": checksums}), encoding="utf-8")
    # Later ones are damaged: this run went on from an earlier one.
    kept = [path for path in checkpoints(folder) if step_of(path) <= state.step][-keep:]
    best = state.best.step if state.best else None
    for path in checkpoints(folder):
        if path not in kept and step_of(path) != best:
            remove_folder(path)


def checkpoints(folder: Path) -> list[Path]:
    """All checkpoints below `folder`, oldest first."""
    return sorted((path for path in folder.glob("step-*") if re.fullmatch(r"step-\d{8,}", path.name)), key=step_of)


def step_of(path: Path) -> int:
    """The step that a checkpoint's name tells."""
    return int(path.name.removeprefix("step-"))


def read_checkpoint(path: Path) -> tuple[dict[str, Any], dict[str, dict[str, Tensor]]]:
    """A checkpoint's `state.json` and the tensors of its files; raises `CheckpointError` if any byte is not as written."""
    try:
        described = json.loads((path / "state.json").read_text(encoding="utf-8"))
        checksums = described.pop("sha256")
        if _checksum(described) != checksums["state"]:
            raise CheckpointError(f"{path / 'state.json'} is damaged: its checksum differs")
        if described["format"] > FORMAT:
            raise _LaterError(
                f"{path} was written by a later version of the zoo", hint="upgrade it: pip install --upgrade dcgan-zoo"
            )
        tensors = {}
        for file in FILES:
            if sha256(path / file) != checksums[file]:
                raise CheckpointError(f"{path / file} is damaged: its checksum differs")
            tensors[file] = load_file(path / file)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} is damaged: {Path(error.filename).name} is missing") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path} is damaged: {type(error).__name__}: {error}") from error
    return described, tensors


def newest_checkpoint(folder: Path, report: Reporter) -> tuple[Path, dict[str, Any], dict[str, dict[str, Tensor]]]:
    """The newest checkpoint that is whole; a damaged one is reported and the one before is taken.

    Raises:
        CheckpointError: there is none, or the newest is of a later version.
    """
    found = checkpoints(folder)
    for path in reversed(found):
        try:
            return (path, *read_checkpoint(path))
        except _LaterError:
            raise
        except CheckpointError as error:
            report.warn(f"{error.message}; trying the checkpoint before it")
    if not found:
        again = f"zoo train --resume {shlex.quote(str(folder.parent))}"
        raise CheckpointError(f"there is no checkpoint in {folder} yet", hint=f"to train it: {again}")
    raise CheckpointError(
        f"none of the {len(found)} checkpoints in {folder} is whole",
        hint="train it again from the start, into another folder",
    )


def best_checkpoint(folder: Path) -> tuple[Path, Best] | None:
    """The checkpoint below `folder` with the best evaluation, and that evaluation; None where nothing was evaluated.

    Raises:
        CheckpointError: the newest checkpoint, which says so, is damaged.
    """
    found = checkpoints(folder)
    if not found:
        return None
    described, _ = read_checkpoint(found[-1])
    if not described.get("best"):
        return None
    best = Best(**described["best"])
    paths = [path for path in found if step_of(path) == best.step]
    return (paths[0], best) if paths else None


def restore(
    state: State, accelerator: Any, described: dict[str, Any], tensors: dict[str, dict[str, Tensor]], path: Path
) -> None:
    """Put a checkpoint's content into `state` and into the global random generators.

    Raises:
        ModelError: it is of other networks.
    """
    for name, network in state.networks().items():
        fill(network, _below(tensors["networks.safetensors"], name), path / "networks.safetensors")
    for name, optimizer in _optimizers(state).items():
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        inner: dict[int, dict[str, Tensor]] = {}
        for key, tensor in _below(tensors["optimizers.safetensors"], name).items():
            index, _, what = key.partition(".")
            inner.setdefault(int(index), {})[what] = _laid_out_like(parameters[int(index)], tensor)
        optimizer.load_state_dict({**optimizer.state_dict(), "state": inner})
    for counter in ("step", "images", "updates", "seconds"):
        setattr(state, counter, described[counter])
    state.meter.load(described["meter"])
    state.best = Best(**described["best"]) if described.get("best") else None
    if accelerator.scaler is not None and described["scaler"]:
        accelerator.scaler.load_state_dict(described["scaler"])
    version, internal, gauss = described["python_random"]
    random.setstate((version, tuple(internal), gauss))
    _restore_random(_below(tensors["random.safetensors"], str(accelerator.process_index)))


def _laid_out_like(parameter: Tensor, tensor: Tensor) -> Tensor:
    """`tensor` in the memory format of its parameter: fused Adam pairs numbers by their place in memory, not by index."""
    return torch.empty_like(parameter).copy_(tensor) if tensor.shape == parameter.shape else tensor


def _checksum(description: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()


def _optimizers(state: State) -> dict[str, Any]:
    return {"generator": state.generator_optimizer, "discriminator": state.discriminator_optimizer}


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(f"{prefix}."): t for key, t in tensors.items() if key.startswith(f"{prefix}.")}


def _random_states(accelerator: Any) -> dict[str, Tensor]:
    """The global random states of every process, by "<process>.<what>"."""
    kind, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    assert kind == "MT19937"
    mine = {
        "torch": torch.get_rng_state(),
        "numpy_keys": torch.from_numpy(np.asarray(keys).astype(np.int64)),
        "numpy_rest": torch.tensor([position, has_gauss, cached], dtype=torch.float64),
    }
    if accelerator.device.type == "cuda":
        mine["cuda"] = torch.cuda.get_rng_state(accelerator.device)
    elif accelerator.device.type == "mps":
        mine["mps"] = torch.mps.get_rng_state()
    everybody = [mine]
    if accelerator.num_processes > 1:
        everybody = [{}] * accelerator.num_processes
        torch.distributed.all_gather_object(everybody, mine)
    return {f"{rank}.{key}": tensor for rank, states in enumerate(everybody) for key, tensor in states.items()}


def _restore_random(states: dict[str, Tensor]) -> None:
    if "torch" not in states:  # a process that the run did not have before
        return
    torch.set_rng_state(states["torch"])
    position, has_gauss, cached = states["numpy_rest"].tolist()
    keys = states["numpy_keys"].numpy().astype(np.uint32)
    np.random.set_state(("MT19937", keys, int(position), int(has_gauss), cached))
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])
    if "mps" in states and torch.backends.mps.is_available():
        torch.mps.set_rng_state(states["mps"])
