"""What of a training goes into a checkpoint, and comes back."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..devices import Runtime
from ..models.weights import fill
from ..runs.checkpoints import tensors_below, write_checkpoint
from ..runs.evaluation import Best
from .health import diverged
from .state import State

COUNTERS = ("step", "images", "updates", "seconds")


def save_checkpoint(folder: Path, state: State, runtime: Runtime, keep: int) -> None:
    """Write the state as the newest checkpoint below `folder`; see `write_checkpoint`. Every process calls it, the main one
    writes. Raises `TrainingError` where a weight is not finite: a run could not go on from there.
    """
    states, meter = _random_states(runtime), state.meter.to_json(runtime)
    if not runtime.is_main:
        return
    networks = {f"{name}.{key}": t for name, net in state.tensors().items() for key, t in net.state_dict().items()}
    for key, tensor in networks.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise diverged(f"{key} holds numbers that are not finite at step {state.step}")
    optimizers = {
        f"{role}.{index}.{key}": value
        for role, optimizer in state.optimizers.items()
        for index, values in optimizer.state_dict()["state"].items()
        for key, value in values.items()
        if isinstance(value, Tensor)  # SGD without momentum holds None
    }
    version, internal, gauss = random.getstate()
    description = {
        **{counter: getattr(state, counter) for counter in COUNTERS},
        "meter": meter,
        "best": asdict(state.best) if state.best else None,
        "python_random": [version, list(internal), gauss],
        "scaler": runtime.scaler.state_dict() if runtime.scaler is not None else None,
    }
    tensors = {"networks.safetensors": networks, "optimizers.safetensors": optimizers, "random.safetensors": states}
    write_checkpoint(folder, description, tensors, keep)


def restore(
    state: State, runtime: Runtime, described: Mapping[str, Any], tensors: Mapping[str, Mapping[str, Tensor]], path: Path
) -> None:
    """Put a checkpoint's content into `state` and into the global random generators; raises `ModelError` where it is of
    other networks.
    """
    for name, network in state.tensors().items():
        fill(network, tensors_below(tensors["networks.safetensors"], name), path / "networks.safetensors")
    for role, optimizer in state.optimizers.items():
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        inner: dict[int, dict[str, Tensor]] = {}
        for key, tensor in tensors_below(tensors["optimizers.safetensors"], role).items():
            index, _, what = key.partition(".")
            like = parameters[int(index)]
            if tensor.shape == like.shape:  # fused Adam pairs numbers by their place in memory, not by index
                tensor = torch.empty_like(like).copy_(tensor)
            inner.setdefault(int(index), {})[what] = tensor
        optimizer.load_state_dict({**optimizer.state_dict(), "state": inner})
    for counter in COUNTERS:
        setattr(state, counter, described[counter])
    state.meter.load(described["meter"])
    state.best = Best(**described["best"]) if described.get("best") else None
    if runtime.scaler is not None and described["scaler"]:
        runtime.scaler.load_state_dict(described["scaler"])
    version, internal, gauss = described["python_random"]
    random.setstate((version, tuple(internal), gauss))
    _restore_random(tensors_below(tensors["random.safetensors"], str(runtime.rank)), runtime.device.type)


def _random_states(runtime: Runtime) -> dict[str, Tensor]:
    """The global random states of every process, by "<process>.<what>"."""
    kind, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    assert kind == "MT19937"
    mine = {
        "torch": torch.get_rng_state(),
        "numpy_keys": torch.from_numpy(np.asarray(keys).astype(np.int64)),
        "numpy_rest": torch.tensor([position, has_gauss, cached], dtype=torch.float64),
    }
    if (kind := runtime.device.type) != "cpu":
        mine[kind] = getattr(torch, kind).get_rng_state()
    return {f"{rank}.{key}": tensor for rank, states in enumerate(runtime.gather(mine)) for key, tensor in states.items()}


def _restore_random(states: dict[str, Tensor], kind: str) -> None:
    if "torch" not in states:  # a process that the run did not have before
        return
    torch.set_rng_state(states["torch"])
    position, has_gauss, cached = states["numpy_rest"].tolist()
    keys = states["numpy_keys"].numpy().astype(np.uint32)
    np.random.set_state(("MT19937", keys, int(position), int(has_gauss), cached))
    if kind in states:
        getattr(torch, kind).set_rng_state(states[kind])
