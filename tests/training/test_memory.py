"""Whether a minibatch fits, and which would."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import zoo
from helpers.packs import pictures
from helpers.training import samples, train
from zoo.devices import Runtime
from zoo.runs.config import RunConfig
from zoo.training import memory
from zoo.training.memory import bytes_of_step, fitting_batch, free_memory, refuse_too_large
from zoo_core import ImageSpec, TrainingError

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    with samples():
        yield


def configured(**options: Any) -> RunConfig:
    return RunConfig.resolve("dcgan", options=options).with_image(ImageSpec(options.get("training.size", 64), 3))


def test_what_a_step_holds() -> None:
    each, fixed = bytes_of_step(configured()) or (0, 0)
    # The discriminator keeps its input, the first map, and two maps for each of three normalized layers, at least.
    maps = [64 * 32 * 32, 128 * 16 * 16, 256 * 8 * 8, 512 * 4 * 4]
    least = 4 * (3 * 64 * 64 + maps[0] + 2 * sum(maps[1:])) + 4 * 2 * sum(maps)
    assert 0.9 * least < each < 3 * least
    config = configured()
    numbers = [sum(p.numel() for p in network.parameters()) for network in config.build_networks().values()]
    assert fixed == 4 * (5 * numbers[0] + 4 * numbers[1])
    narrow = bytes_of_step(configured(**{"generator.width": 32, "discriminator.width": 32}))
    assert narrow is not None
    assert narrow[0] < 0.7 * each


def test_which_would_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    config = configured()
    each, fixed = bytes_of_step(config) or (0, 0)
    monkeypatch.setattr(memory, "free_memory", lambda device: int((fixed + 100 * each) / memory.SHARE))
    assert fitting_batch(config, CPU, 1) == 64
    monkeypatch.setattr(memory, "free_memory", lambda device: fixed // 2)
    assert fitting_batch(config, CPU, 1) is None


def test_free_memory_is_known_here() -> None:
    if Path("/proc/meminfo").exists():
        assert (free_memory(CPU) or 0) > 1 << 20
    assert free_memory(torch.device("meta")) is None


def test_what_cannot_fit_is_refused_before_anything_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = pictures(tmp_path / "pictures", 30, colored={0})
    options = {"training.batch": 16, "training.size": 16}
    each, fixed = bytes_of_step(configured(**options)) or (0, 0)
    monkeypatch.setattr(memory, "SHARE", 1.0)
    monkeypatch.setattr(memory, "SUSPICIOUS", 1 << 20)
    monkeypatch.setattr(memory, "free_memory", lambda device: fixed + 9 * each)
    message = r"a minibatch of 16 needs about .* of memory, and .* are free\n.*batch=8; or.*accumulate\": 2"
    with pytest.raises(TrainingError, match=message):
        zoo.train("dcgan", dataset="folder", data=data, size=16, batch=16, out=tmp_path / "run", device="cpu", workers=1)
    assert not (tmp_path / "run").exists()
    pieces = configured(**options, **{"training.accumulate": 2})
    refuse_too_large(pieces, Runtime(CPU))
    monkeypatch.setattr(memory, "free_memory", lambda device: 1 << 60)
    monkeypatch.setattr(memory, "bytes_of_step", lambda config: pytest.fail("where there is plenty nothing is estimated"))
    refuse_too_large(configured(**options), Runtime(CPU))


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: you tried to"),
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"),
    ],
)
def test_running_out_of_memory_says_which_would_fit(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = pictures(tmp_path / "pictures", 30, colored={0})

    def fail(*arguments: Any) -> None:
        raise error

    monkeypatch.setattr("zoo.training.engine.Engine.step", fail)
    with pytest.raises(
        TrainingError, match=r"out of memory on cpu with minibatches of 8\n.*batch=4;.*accumulate\": 2"
    ) as caught:
        train("dcgan", data, tmp_path / "run", images=80)
    assert "--resume" not in str(caught.value)


def test_other_errors_are_none_of_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = pictures(tmp_path / "pictures", 30, colored={0})

    def fail(*arguments: Any) -> None:
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr("zoo.training.engine.Engine.step", fail)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        train("dcgan", data, tmp_path / "run", images=80)
