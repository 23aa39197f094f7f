"""Which device and which precision, with words when there is no such thing."""

from __future__ import annotations

from typing import Any, Literal

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, PartialState

from zoo_core import UsageError

Precision = Literal["auto", "fp32", "bf16", "fp16"]


def available_devices() -> list[str]:
    """Names that `--device` takes here."""
    names = ["cpu"]
    if torch.cuda.is_available():
        names += ["cuda", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        names.append("mps")
    return names


def check_device(name: str) -> torch.device:
    """The device called `name`; "auto" is the first GPU where there is one.

    Raises:
        UsageError: there is no such device here.
    """
    names = available_devices()
    if name == "auto":
        return torch.device("cuda" if "cuda" in names else "mps" if "mps" in names else "cpu")
    if name not in names:
        raise UsageError(
            f"there is no device {name!r} here; valid: auto, {', '.join(names)}", hint="leave --device out to take the best"
        )
    return torch.device(name)


def resolve_precision(name: str, device: torch.device) -> str:
    """ "auto" becomes bf16 where the device multiplies it in hardware, else fp32; raises `UsageError` for what cannot be."""
    if name not in ("auto", "fp32", "bf16", "fp16"):
        raise UsageError(f"unknown precision {name!r}; valid: auto, fp32, bf16, fp16")
    if name == "fp16" and device.type != "cuda":
        raise UsageError(f"--precision fp16 needs a CUDA GPU, and this is {device.type}", hint="try: --precision auto")
    return ("bf16" if _has_bf16(device) else "fp32") if name == "auto" else name


def _has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        checks = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
        return any(check is not None and check() for check in checks)
    return False


def make_accelerator(device: torch.device, precision: str) -> Any:
    """An Accelerator for one training. Outside of a distributed launch it knows nothing of the trainings before it."""
    if PartialState._shared_state == {} or not PartialState().use_distributed:
        AcceleratorState._reset_state(reset_partial_state=True)  # it is a singleton: a second training could not differ
    if device.type == "cuda" and device.index is not None:
        torch.cuda.set_device(device)
    return Accelerator(cpu=device.type == "cpu", mixed_precision="no" if precision == "fp32" else precision)


def leave_processes() -> None:
    """End the communication with the other processes of a launch, if there are any.

    Threads of a process group that is never destroyed may still run while Python exits, and then abort the process after its
    work is done.
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
        AcceleratorState._reset_state(reset_partial_state=True)
