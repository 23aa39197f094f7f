"""Whether a computation stays on its device, as a CUDA graph that repeats it must."""

from __future__ import annotations

import random
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from .subjects import Failed

_HERE, _TORCH = str(Path(__file__)), str(Path(torch.__file__).parent)


class HostTraffic(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Within this context, `found` says which operation first met a tensor on another device; "" for none.

    Numbers, and tensors of no dimensions, may come from anywhere: they are parts of an operation rather than data.
    """

    def __init__(self, device_type: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.device_type, self.found = device_type, ""

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = function(*args, **(kwargs or {}))
        if not self.found:
            others = (t.device.type for t in _tensors((args, kwargs, out)) if t.dim() and t.device.type != self.device_type)
            if (other := next(others, None)) is not None:
                self.found = f"{function.overloadpacket} has data on the {other} ({innermost()})"
        return out


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        yield from _tensors(value.values())
    elif isinstance(value, Iterable) and not isinstance(value, str):
        for one in value:
            yield from _tensors(one)


@contextmanager
def staying_on(device_type: str, what: str) -> Iterator[None]:
    """Fail where an operation has data on another device than `device_type`, or asks a tensor on "meta" for its numbers."""
    advice = (
        "expected all of it on the device of what it is given: torch.rand(…, device=x.device), no .cpu() or .numpy(), "
        "no .item(), .tolist(), boolean indexing, nonzero, or 'if' on a tensor"
    )
    traffic, drawn = HostTraffic(device_type), read_host_random_states()
    try:
        with traffic:
            yield
    except (RuntimeError, NotImplementedError, TypeError) as error:
        problem = traffic.found or f"{str(error).splitlines()[0]} ({innermost(error.__traceback__)})"
        raise Failed(f"{what}: {problem}, {advice}") from error
    if traffic.found:
        raise Failed(f"{what}: {traffic.found}, {advice}")
    if drawn != read_host_random_states():
        raise Failed(
            f"{what} draws random numbers on the host, expected torch's on the device: torch.rand(…, device=x.device)"
        )


def read_host_random_states(*, torch_too: bool = True) -> tuple[Any, ...]:
    """Return the states of the host's global random generators: Python's, numpy's and, where wanted, torch's on the CPU."""
    _, keys, *rest = np.random.get_state(legacy=True)
    own = (torch.get_rng_state().numpy().tobytes(),) if torch_too else ()
    return random.getstate(), np.asarray(keys).tobytes(), *rest, *own


def innermost(trace: TracebackType | None = None) -> str:
    """Return "file:line" of the innermost frame outside of torch, of an error or of the caller; "" for none."""
    frames = traceback.extract_tb(trace) if trace is not None else traceback.extract_stack()
    outside = [frame for frame in frames if not frame.filename.startswith((_HERE, _TORCH))]
    return f"{outside[-1].filename}:{outside[-1].lineno}" if outside else ""
