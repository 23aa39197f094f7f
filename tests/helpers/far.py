"""A device that is not there: what computes on it computes on the CPU, and what would fail on a GPU fails.

Tensors "on" it say that they are on torch's device "meta", and hold numbers. Under `far_device`

- an operation on tensors of both devices fails, as on a GPU (numbers without dimensions may lie anywhere, and the numbers of
  rows that are taken);
- what computes on the CPU, beyond moving and small things, is noted in `on_cpu`: whatever a test says belongs on the device;
- every transfer back, and every number that Python reads, is noted in `waits`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from zoo import devices

FAR = torch.device("meta")
CPU = torch.device("cpu")
HEAVY = ("convolution", "mm", "addmm", "bmm", "baddbmm", "_cdist_forward", "_pdist_forward", "linalg_eigh", "_linalg_eigh")
HEAVY += ("native_batch_norm", "_native_batch_norm_legit", "cudnn_batch_norm", "linalg_cholesky_ex", "kthvalue")
INDEXED = ("index", "index_put", "index_put_")  # of torch, which take the numbers of rows from the CPU too


class FarTensor(Tensor):
    """A tensor that says that it is on the far device; `here` holds its numbers."""

    here: Tensor

    @staticmethod
    def __new__(cls, here: Tensor) -> FarTensor:
        shape: dict[str, Any] = {"strides": here.stride(), "storage_offset": here.storage_offset(), "dtype": here.dtype}
        made: FarTensor = Tensor._make_wrapper_subclass(cls, here.shape, device=FAR, **shape)  # type: ignore[attr-defined]
        made.here = here
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {}, None)


@dataclass
class Seen:
    """What happened while the far device was there."""

    on_cpu: list[str] = field(default_factory=list)  # heavy operations that computed on the CPU
    far: list[str] = field(default_factory=list)  # and on the device
    waits: list[str] = field(default_factory=list)  # operations that looked into a tensor of the device


class _Mode(TorchDispatchMode):
    def __init__(self, seen: Seen) -> None:
        super().__init__()
        self.seen = seen

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {}, self.seen)


def _run(func: Any, args: Any, kwargs: dict[str, Any], seen: Seen | None) -> Any:
    name = func._schema.name.removeprefix("aten::")
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    far = [tensor for tensor in tensors if isinstance(tensor, FarTensor)]
    near = [tensor for tensor in tensors if not isinstance(tensor, FarTensor) and tensor.dim()]
    if name in INDEXED:
        near = [tensor for tensor in near if tensor.dtype not in (torch.int64, torch.bool)]
    if any(tensor.device == FAR for tensor in near):
        raise RuntimeError(
            f"{name} of numbers that were made on the device, which torch does not show; make them and move them"
        )
    wanted = kwargs.get("device")
    to_far = bool(far) if wanted is None else torch.device(wanted) == FAR
    if name == "copy_":
        to_far = isinstance(args[0], FarTensor)
    elif far and near:
        raise RuntimeError(f"{name} of tensors on both devices, as a GPU would refuse")
    if seen is not None:
        if far and (not to_far or name == "_local_scalar_dense" or name == "nonzero"):
            seen.waits.append(name)
        if (name := name.rstrip("_")) in HEAVY and any(tensor.is_floating_point() for tensor in tensors):
            (seen.far if to_far else seen.on_cpu).append(name)
    if "device" in kwargs:
        kwargs = {**kwargs, "device": CPU}
    own = {id(tensor.here): tensor for tensor in far}

    def unwrap(leaf: Any) -> Any:
        return leaf.here if isinstance(leaf, FarTensor) else leaf

    def wrap(leaf: Any) -> Any:
        if id(leaf) in own:  # an operation in place
            return own[id(leaf)]
        return FarTensor(leaf) if to_far and isinstance(leaf, Tensor) else leaf

    return tree_map(wrap, func(*tree_map(unwrap, args), **tree_map(unwrap, kwargs)))


@contextmanager
def far_device(monkeypatch: pytest.MonkeyPatch) -> Iterator[Seen]:
    """Let the device "meta" be there, and note what happens."""
    monkeypatch.setattr(devices, "available_devices", lambda: ["cpu", FAR.type])
    seen = Seen()
    with _Mode(seen):
        yield seen
