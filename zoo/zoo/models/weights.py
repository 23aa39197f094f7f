"""Weights on disk: safetensors that may come from anybody, read straight into the network's own memory.

A file is compared with what its configuration builds before a single weight is allocated, so neither a huge number in a
configuration nor a lying header costs memory. Each tensor is then read to where it belongs; there is no second copy.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from zoo_core import ModelError, ZooError

from ..documents import fault, parse_json, shorten_path
from ..schemas import brief, show

HEADER_LIMIT = 16 << 20
"""Most bytes of a safetensors header; that of a GAN has some thousands."""

_FLOATING = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
_WHOLE = {"I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8}
DTYPES = {**_FLOATING, **_WHOLE, "BOOL": torch.bool}
"""What a tensor on disk may be. Floating-point numbers of any width load into a network of any other."""

CHUNK = 1 << 20


@dataclass(frozen=True)
class Stored:
    """One tensor as a header describes it; `start` counts from the beginning of the file."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    start: int


def tensors_of(network: nn.Module, dtype: torch.dtype | None = None) -> dict[str, Tensor]:
    """Return a network's parameters and buffers, contiguous and on the CPU, as safetensors wants them.

    Parameters are stored in `dtype`; buffers (batch-norm statistics) stay as they are, for they are small and rounding them
    would shift every image.
    """
    parameters = dict(network.named_parameters(remove_duplicate=False))
    tensors: dict[str, Tensor] = {}
    for name, tensor in network.state_dict().items():
        rounded = dtype is not None and name in parameters and tensor.is_floating_point()
        tensor = tensor.detach().to("cpu", dtype if rounded else None).contiguous()
        tied = any(tensor.data_ptr() == other.data_ptr() for other in tensors.values())
        tensors[name] = tensor.clone() if tied else tensor  # safetensors wants each by itself
    return tensors


def read_header(file: Path, error: type[ZooError] = ModelError) -> dict[str, Stored]:
    """Return what a safetensors file holds, without reading the tensors.

    Raises `error` where it is missing, no regular file, or its header does not describe its bytes exactly: offsets that
    overlap, leave holes or lie outside, shapes that do not fit them, dtypes that no network has.
    """
    try:
        if not file.is_file():
            raise error(f"{shorten_path(file)} {'is no file' if file.exists() else 'is missing'}")
        with open(file, "rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if not 2 <= length <= min(HEADER_LIMIT, os.fstat(stream.fileno()).st_size - 8):
                raise ValueError("its first 8 bytes are no length of a safetensors header")
            text = stream.read(length)
        with safe_open(file, framework="np"):  # checks that the offsets tile the file and fit the shapes
            pass
        found = {}
        for name, entry in parse_json(text).items():
            if name == "__metadata__":
                continue
            if entry["dtype"] not in DTYPES:
                raise ValueError(f"{show(name)} has dtype {show(entry['dtype'])}; valid: {', '.join(DTYPES)}")
            found[name] = Stored(DTYPES[entry["dtype"]], tuple(entry["shape"]), length + 8 + entry["data_offsets"][0])
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RecursionError) as problem:
        why = getattr(problem, "strerror", None) or problem
        raise fault(file, str(why), error=error, ours=True) from problem
    return found


def compare(own: Mapping[str, Any], stored: Mapping[str, Any], file: Path, hint: str = "") -> None:
    """Raise `ModelError` unless both have the same names, shapes and kinds of number (tensors, or `Stored` records)."""
    missing, extra = sorted(set(own) - set(stored)), sorted(set(stored) - set(own))
    if missing or extra:
        listed = {"missing": missing, "unexpected": extra}.items()
        parts = [f"{what}: {', '.join(ascii(name)[1:-1][:80] for name in names[:3])}" for what, names in listed if names]
        raise fault(file, f"it does not fit its configuration; {'; '.join(parts)}", error=ModelError, hint=hint)
    for name, tensor in stored.items():
        shape, wanted = list(tensor.shape), list(own[name].shape)
        if shape != wanted:
            problem = f"{brief(ascii(name)[1:-1], 80)} is {brief(str(shape), 60)}, its configuration wants {wanted}"
            raise fault(file, problem, error=ModelError, hint=hint)
        dtypes = (tensor.dtype, own[name].dtype)
        if dtypes[0] != dtypes[1] and not all(dtype.is_floating_point for dtype in dtypes):
            kinds = [str(dtype).removeprefix("torch.") for dtype in dtypes]
            problem = f"{brief(ascii(name)[1:-1], 80)} is {kinds[0]}, its configuration wants {kinds[1]}"
            raise fault(file, problem, error=ModelError, hint=hint)


def fill(network: nn.Module, tensors: Mapping[str, Tensor], file: Path) -> None:
    """Load `tensors` into `network`; raises `ModelError` unless names and shapes agree and all numbers are finite."""
    compare(network.state_dict(), tensors, file)
    check_all_finite(tensors, file)
    network.load_state_dict(dict(tensors))


def read_into(network: nn.Module, stored: Mapping[str, Stored], file: Path, sha256: str | None = None) -> None:
    """Read the weights into `network`, on the CPU, whose names and shapes were compared before.

    Raises `ModelError` where they cannot be read, the file's checksum is another than `sha256` (None where nobody said), or
    a number is not finite.
    """
    own = network.state_dict()
    parameters = {**dict(network.named_parameters(remove_duplicate=False)), **dict(network.named_buffers())}
    direct = all(name in parameters and parameters[name].data_ptr() == own[name].data_ptr() for name in own)
    if not direct:  # a module whose state dict is made up when asked for: it must take it in by itself
        own = {name: torch.empty_like(tensor) for name, tensor in own.items()}
    seen = hashlib.sha256()
    try:
        with open(file, "rb", buffering=0) as stream:
            order = sorted(stored, key=lambda name: stored[name].start)
            seen.update(stream.read(stored[order[0]].start) if order else stream.read())
            for name in order:
                tensor = own[name]
                if tensor.dtype == stored[name].dtype and tensor.is_contiguous():
                    _read(stream, tensor, seen)
                else:
                    buffer = torch.empty(stored[name].shape, dtype=stored[name].dtype)
                    _read(stream, buffer, seen)
                    tensor.copy_(buffer)
                _check_finite(tensor, name, file)
    except (OSError, EOFError) as error:
        raise fault(file, f"it cannot be read: {error}", error=ModelError) from error
    if sha256 is not None and seen.hexdigest() != sha256:
        raise ModelError(
            f"{file} is damaged: its checksum is not the one in config.json", hint="pull or export the model once more"
        )
    network.load_state_dict(own)  # onto itself where it was read in place: runs the hooks that modules have for it


def _read(stream: BinaryIO, tensor: Tensor, seen: Any) -> None:
    """Fill a tensor from where the stream is."""
    if not tensor.numel():
        return
    memory = memoryview(tensor.detach().view(-1).view(torch.uint8).numpy().data)
    while memory:
        count = stream.readinto(memory[:CHUNK])  # type: ignore[attr-defined]
        if not count:
            raise EOFError("it became shorter while it was read")
        seen.update(memory[:count])
        memory = memory[count:]


def check_all_finite(tensors: Mapping[str, Tensor], file: Path) -> None:
    """Raise `ModelError`, naming the file that they are for and the tensor, where a number is not finite."""
    for name, tensor in tensors.items():
        _check_finite(tensor, name, file)


def _check_finite(tensor: Tensor, name: str, file: Path) -> None:
    if name.endswith("running_var") and bool((tensor < 0).any()):
        raise fault(file, f"{ascii(name)[1:-1]} holds variances below 0", error=ModelError)
    # A sum takes no memory and settles nearly all; but it may overflow though every number is finite.
    if not tensor.is_floating_point() or tensor.detach().sum().isfinite():
        return
    if not all(piece.isfinite().all() for piece in torch.split(tensor.detach().reshape(-1), CHUNK)):
        raise fault(file, f"{ascii(name)[1:-1]} holds numbers that are not finite", error=ModelError)
