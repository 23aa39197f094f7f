"""Devices, precisions, and the processes of one training."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from zoo_core import UsageError

Precision = Literal["auto", "fp32", "bf16", "fp16"]
CPU = torch.device("cpu")
GROUP, GROUP_BYTES = 32, 64 << 20  # tensors of a device that are waited for together


def available_devices() -> list[str]:
    """Names that `--device` takes here."""
    names = ["cpu"]
    if torch.cuda.is_available():
        names += ["cuda", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        names.append("mps")
    return names


def check_device(name: str) -> torch.device:
    """The device called `name`; "auto" is the first GPU where there is one. Raises `UsageError` where it is not here."""
    names = available_devices()
    if name == "auto":
        return torch.device("cuda" if "cuda" in names else "mps" if "mps" in names else "cpu")
    if name not in names:
        valid = ", ".join(("auto", *names))
        raise UsageError(f"there is no device {name!r} here; valid: {valid}", hint="leave --device out to take the best")
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
    checks = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return device.type == "cpu" and any(check is not None and check() for check in checks)


def name_processor() -> str:
    """Return what the processor is called, "" where the system does not tell."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    return platform.processor()


def free_memory(device: torch.device) -> int | None:
    """Return the bytes that this process could still take on `device`, None where the system does not tell."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type != "cpu":
        return None
    try:
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines())
        free = int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None
    with suppress(OSError, ValueError):  # a container may have less than the machine; the limit of one may be "max"
        limit, used = (Path(f"/sys/fs/cgroup/memory.{name}").read_text(encoding="ascii") for name in ("max", "current"))
        free = min(free, int(limit) - int(used))
    with suppress(ImportError, OSError, ValueError):  # `ulimit -v`
        import resource

        most = resource.getrlimit(resource.RLIMIT_AS)[0]
        if most != resource.RLIM_INFINITY:
            pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
            free = min(free, most - pages * resource.getpagesize())
    return max(0, free)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that there is no memory for something, or never can be."""
    words = ("can't allocate memory", "Storage size calculation overflowed", "integer multiplication overflow")
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in words)


def name_device(device: torch.device) -> str:
    """Return what a device is called: the product's name of a GPU."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all that it was told."""
    if device.type in ("cuda", "mps"):
        getattr(torch, device.type).synchronize(*([device] if device.type == "cuda" else []))


def move_to(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a tensor on a device, itself where it is there. Nothing waits: a GPU copies pinned memory while it computes."""
    if device.type != "cuda" or tensor.device.type != "cpu":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def group_pieces(pieces: Iterable[Tensor]) -> Iterator[Tensor]:
    """Yield tensors of the CPU as they come, those of a device concatenated, at most `GROUP` of them and not many more bytes
    than `GROUP_BYTES`: whoever looks into one waits until the device has computed it.
    """
    waiting: list[Tensor] = []
    for piece in pieces:
        waiting.append(piece)
        if piece.device.type == "cpu" or len(waiting) == GROUP or sum(held.nbytes for held in waiting) >= GROUP_BYTES:
            yield torch.cat(waiting) if len(waiting) > 1 else piece
            waiting = []
    if waiting:
        yield torch.cat(waiting)


def bring_back(pieces: Iterable[Tensor]) -> Iterator[Tensor]:
    """Yield tensors on the CPU, grouped as `group_pieces` does."""
    return (piece.cpu() for piece in group_pieces(pieces))


def arithmetic_device(device: torch.device) -> torch.device:
    """Return where distances, moments and solvers compute: on the device, unless it has no double precision (Apple's)."""
    return CPU if device.type == "mps" else device


def free_bytes(device: torch.device) -> int:
    """Return how much memory a device has free; a GiB is taken for granted where it does not tell."""
    return int(torch.cuda.mem_get_info(device)[0]) if device.type == "cuda" else 1 << 30


def rows_that_fit(device: torch.device, bytes_each: int, most: int) -> int:
    """Return how many rows, at most `most` and at least one, take less than a quarter of a device's free memory."""
    return max(1, min(most, free_bytes(device) // 4 // max(1, bytes_each)))


@contextmanager
def exact_float32() -> Iterator[None]:
    """Let CUDA multiply float32 as float32 and not as TF32, whose products have three digits: torch would by default in
    convolutions. So what is measured on a GPU is what a CPU measures, up to rounding.
    """
    switches: tuple[Any, ...] = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [switch.allow_tf32 for switch in switches]
    try:
        for switch in switches:
            switch.allow_tf32 = False
        yield
    finally:
        for switch, value in zip(switches, before, strict=True):
            switch.allow_tf32 = value


@dataclass(frozen=True)
class Runtime:
    """Device, precision and processes of one training; `start_runtime` makes it."""

    device: torch.device
    precision: str = "fp32"  # or "bf16" or "fp16"
    rank: int = 0  # of this process, among `world`
    world: int = 1
    scaler: torch.amp.GradScaler | None = None  # of losses, for fp16
    static: bool = False  # whether steps keep what they count on the device, so that a graph can replay them

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes and speaks."""
        return self.rank == 0

    @property
    def dtype(self) -> torch.dtype:
        """In which convolutions and matrix products compute."""
        return {"bf16": torch.bfloat16, "fp16": torch.float16}.get(self.precision, torch.float32)

    def autocast(self) -> AbstractContextManager[Any]:
        """Compute in the training's precision."""
        return nullcontext() if self.precision == "fp32" else torch.autocast(self.device.type, dtype=self.dtype)

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.world > 1:
            torch.distributed.barrier()

    def mean(self, tensor: Tensor) -> Tensor:
        """Return the mean of a tensor over all processes, all of which must call it; `tensor` itself is left as it is."""
        if self.world == 1:
            return tensor
        total = tensor.clone()
        torch.distributed.all_reduce(total)
        return total / self.world

    def greatest(self, *values: float) -> list[float]:
        """Return the greatest that any process has of each value; every process must call it together."""
        if self.world == 1:
            return list(values)
        found = torch.tensor(values, dtype=torch.float64, device=self.device)
        torch.distributed.all_reduce(found, op=torch.distributed.ReduceOp.MAX)
        return list(found.tolist())

    def from_main(self, value: str) -> str:
        """Return the main process's text, on every process."""
        return str(self.gather(value)[0])

    def gather(self, value: Any) -> list[Any]:
        """Return what every process has, in the order of their ranks."""
        if self.world == 1:
            return [value]
        held: list[Any] = [None] * self.world
        torch.distributed.all_gather_object(held, value)
        return held


@contextmanager
def start_runtime(device: torch.device, precision: str) -> Iterator[Runtime]:
    """Begin a training's communication where a launcher (`torchrun`) has started several processes, and end it.

    The process group is destroyed whatever happens: threads of one that is left may abort the process while Python exits,
    after its work is done. Of several processes on GPUs each takes the one of its local rank. `precision` is resolved.
    """
    world, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    joined = world > 1 and "MASTER_ADDR" in os.environ and not torch.distributed.is_initialized()
    if device.type == "cuda":
        if world > 1:
            device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        if device.index is not None:
            torch.cuda.set_device(device)
    if joined:
        torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    elif not torch.distributed.is_initialized():
        world, rank = 1, 0
    scaler = torch.amp.GradScaler(device.type) if precision == "fp16" else None
    try:
        yield Runtime(device, precision, rank, world, scaler, static=device.type == "cuda")
    finally:
        if joined:
            torch.distributed.destroy_process_group()
