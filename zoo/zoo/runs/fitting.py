"""Whether a checkpoint is one of its run: names, shapes and numbers of all its tensors, before anything is put in place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zoo_core import CheckpointError, PluginError, UsageError

from ..documents import fault
from ..models.building import build_networks, meta_device
from ..models.weights import check_all_finite, compare
from ..schemas import show
from .checkpoints import tensors_below
from .config import RunConfig

_MOMENT = re.compile(r"(\d{1,9})\.([a-z_]{1,40})")
_WORDS = 624  # of the state of a Mersenne Twister


def check_networks_fit(config: RunConfig, stored: Mapping[str, Tensor], path: Path) -> dict[str, Any]:
    """Return the run's networks, without memory; raise unless the tensors of a checkpoint are those of exactly these.

    Raises:
        CheckpointError: the run does not say what its images are, or has options that its networks do not take.
        ModelError: the checkpoint's tensors are others, or not finite.
    """
    beside = path.parent.parent / "run.json"
    if config.image is None:
        raise fault(beside, "it does not say what the images are", error=CheckpointError, ours=True)
    try:
        with meta_device():
            networks = build_networks(config.parts, config.image)
    except PluginError:
        raise
    except UsageError as error:
        raise fault(beside, error.message, error=CheckpointError, ours=True) from error
    except Exception as error:  # the constructor of a plugin, with options that it did not expect
        wrong = f"its networks cannot be built from it: {type(error).__name__}: {error}"
        raise fault(beside, wrong, error=CheckpointError, ours=True) from error
    file = path / "networks.safetensors"
    for role, network in networks.items():
        own = network.state_dict()
        compare(own, tensors_below(stored, role), file)
        if average := tensors_below(stored, f"average.{role}"):
            compare(own, average, file)
    check_all_finite(stored, file)
    return networks


def check_checkpoint_fits(config: RunConfig, tensors: Mapping[str, Mapping[str, Tensor]], path: Path) -> None:
    """Raise unless all tensors of a checkpoint are of this run: as `check_networks_fit`, and moments of the optimizers and
    states of the random generators that are none.
    """
    networks = check_networks_fit(config, tensors["networks.safetensors"], path)
    file = path / "optimizers.safetensors"
    for role, network in networks.items():
        shapes = [tuple(parameter.shape) for parameter in network.parameters()]
        moments: dict[str, set[str]] = {}
        for key, tensor in tensors_below(tensors["optimizers.safetensors"], role).items():
            found = _MOMENT.fullmatch(key)
            if found is None or int(found[1]) >= len(shapes):
                raise fault(file, f"{show(f'{role}.{key}')} belongs to no parameter", error=CheckpointError, ours=True)
            wanted = shapes[int(found[1])]
            if tuple(tensor.shape) not in (wanted, ()) or not tensor.is_floating_point():
                what = f"{role}.{key} is {tensor.dtype} {list(tensor.shape)}, its parameter is {list(wanted)}"
                raise fault(file, what, error=CheckpointError, ours=True)
            moments.setdefault(found[1], set()).add(found[2])
        first = next(iter(moments.values()), set())
        if other := next((number for number, names in moments.items() if names != first), ""):
            what = f"{role}.{other} has {show(sorted(moments[other]))}, and other parameters have {show(sorted(first))}"
            raise fault(file, what, error=CheckpointError, ours=True)
    check_all_finite(tensors["optimizers.safetensors"], file)
    _check_random(tensors["random.safetensors"], path / "random.safetensors")


def _check_random(stored: Mapping[str, Tensor], file: Path) -> None:
    """Raise `CheckpointError` where what should be states of random generators is none."""
    wanted = {
        "torch": (torch.uint8, torch.get_rng_state().shape),
        "numpy_keys": (torch.int64, (_WORDS,)),
        "numpy_rest": (torch.float64, (3,)),
    }
    for rank in {key.partition(".")[0] for key in stored}:
        mine = tensors_below(stored, rank)
        for name, (dtype, shape) in wanted.items():
            tensor = mine.get(name)
            if tensor is None or tensor.dtype != dtype or tuple(tensor.shape) != tuple(shape):
                raise fault(
                    file, f"{show(f'{rank}.{name}')} is no state of a random generator", error=CheckpointError, ours=True
                )
        keys, position = mine["numpy_keys"], float(mine["numpy_rest"][0])
        if not (int(keys.min()) >= 0 and int(keys.max()) < 2**32 and 0 <= position <= _WORDS):
            raise fault(file, f"{show(rank)} holds no state of numpy's random generator", error=CheckpointError, ours=True)
