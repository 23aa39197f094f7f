"""The processes of a training: what they agree on, and that their group is gone at the end whatever happens."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from helpers.far import FAR, far_device
from zoo import devices
from zoo.devices import Runtime, bring_back, exact_float32, move_to, rows_that_fit, start_runtime

CPU = torch.device("cpu")

PROCESS = """
import sys
import torch
from zoo.devices import start_runtime

assert not torch.distributed.is_initialized()
try:
    with start_runtime(torch.device("cpu"), "fp32") as runtime:
        assert torch.distributed.is_initialized()
        assert (runtime.world, runtime.is_main) == (2, runtime.rank == 0)
        assert runtime.mean(torch.tensor(float(runtime.rank))).item() == 0.5
        assert runtime.greatest(runtime.rank, -runtime.rank) == [1.0, 0.0]
        assert runtime.from_main(f"of {runtime.rank}") == "of 0"
        assert runtime.gather({"rank": runtime.rank}) == [{"rank": 0}, {"rank": 1}]
        runtime.wait()
        if sys.argv[1] == "error":
            raise ValueError("on purpose")
except ValueError as error:
    print(error)
assert not torch.distributed.is_initialized()
print("destroyed")
"""


@pytest.mark.parametrize("ending", ["well", "error"])
def test_the_group_of_several_processes_is_destroyed(ending: str) -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    where = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, ending],
            env={**os.environ, **where, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    for process in running:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert out.splitlines() == [*(["on purpose"] if ending == "error" else []), "destroyed"]


def test_one_process_needs_no_group() -> None:
    with start_runtime(CPU, "fp32") as runtime:
        assert (runtime.rank, runtime.world, runtime.is_main) == (0, 1, True)
        assert not torch.distributed.is_initialized()
    assert runtime.greatest(1.0, -2.0) == [1.0, -2.0]
    assert runtime.gather("x") == ["x"]
    assert runtime.from_main("y") == "y"
    runtime.wait()


def test_a_launcher_for_one_needs_none_either(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("WORLD_SIZE", "1"), ("RANK", "0"), ("MASTER_ADDR", "127.0.0.1"), ("MASTER_PORT", "1")):
        monkeypatch.setenv(name, value)
    with start_runtime(CPU, "fp32") as runtime:
        assert runtime.world == 1
        assert not torch.distributed.is_initialized()


def test_precisions() -> None:
    layer = torch.nn.Linear(2, 2)
    for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        runtime = Runtime(CPU, precision)
        with runtime.autocast():
            assert layer(torch.zeros(1, 2)).dtype == dtype
        assert runtime.scaler is None


def test_tensors_of_a_device_come_back_in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = [torch.full((2, 5), float(i)) for i in range(7)]
    assert [len(piece) for piece in bring_back(iter(pieces))] == [2] * 7  # nothing of a CPU has to wait
    with far_device(monkeypatch) as seen:
        monkeypatch.setattr(devices, "GROUP", 3)
        found = list(bring_back(move_to(piece, FAR) for piece in pieces))
        assert [len(piece) for piece in found] == [6, 6, 2]
        assert len(seen.waits) == 3
        monkeypatch.setattr(devices, "GROUP_BYTES", 80)  # two of them
        assert [len(piece) for piece in bring_back(move_to(piece, FAR) for piece in pieces)] == [4, 4, 4, 2]
    assert torch.equal(torch.cat(found), torch.cat(pieces))


def test_what_goes_to_a_gpu_is_pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    pinned: list[torch.Tensor] = []

    def pin(tensor: torch.Tensor) -> torch.Tensor:
        pinned.append(tensor)
        return tensor

    monkeypatch.setattr(torch.Tensor, "pin_memory", pin)  # there is no GPU to pin memory for
    with FakeTensorMode():
        there = move_to(torch.ones(3), torch.device("cuda"))
        assert there.device.type == "cuda"
        assert move_to(there, torch.device("cuda")).device.type == "cuda"
        assert move_to(torch.ones(3), CPU).device.type == "cpu"
    assert len(pinned) == 1


def test_what_the_far_device_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    with far_device(monkeypatch) as seen:
        x = torch.ones(3, 3)
        with pytest.raises(RuntimeError, match="both devices"):
            x.to(FAR) + x
        assert float((x.to(FAR) @ x.to(FAR)).sum()) == 27
        assert (x @ x).sum() == 27
        assert (seen.far, seen.on_cpu, seen.waits) == (["mm"], ["mm"], ["_local_scalar_dense"])


def test_float32_is_not_rounded_to_tf32() -> None:
    products, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = products.allow_tf32, cudnn.allow_tf32
    try:
        products.allow_tf32 = cudnn.allow_tf32 = True
        with exact_float32():
            assert (products.allow_tf32, cudnn.allow_tf32) == (False, False)
        assert (products.allow_tf32, cudnn.allow_tf32) == (True, True)
    finally:
        products.allow_tf32, cudnn.allow_tf32 = before


def test_as_many_rows_as_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "free_bytes", lambda device: 4000)
    assert rows_that_fit(FAR, 100, 4096) == 10
    assert rows_that_fit(FAR, 100, 3) == 3
    assert rows_that_fit(FAR, 10_000, 3) == 1
