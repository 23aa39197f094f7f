"""Two processes on the CPU, as torchrun starts them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from helpers.packs import pictures
from helpers.training import differing, leftovers, newest, readings, resume, samples, tensors, train

pytestmark = pytest.mark.slow

TESTS = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    with samples():
        yield


def start(folder: Path, *arguments: object, replayed: bool = False) -> subprocess.Popen[str]:
    """`zoo train` in two processes; `replayed` lets a stand-in for CUDA graphs replay its steps."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "0", "--standalone"]
    command = [
        *launch,
        "-m",
        "helpers.training_process",
        *(["--replayed"] if replayed else []),
        folder,
        "train",
        *arguments,
        "--device",
        "cpu",
        "--precision",
        "fp32",
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(TESTS)}
    return subprocess.Popen(
        [str(word) for word in command],
        env=environment,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_two_processes_are_one_training(tmp_path: Path) -> None:
    data = pictures(tmp_path / "pictures", 30, colored={0})
    alone = train("linear", data, tmp_path / "alone", images=200)
    pieces = ("--set", "training.accumulate=2")
    running = start(
        tmp_path, "linear", "--dataset", "folder", "--data", data, "--images", 200, "--out", "both", "--json", *pieces
    )
    out, err = running.communicate(timeout=240)
    assert running.returncode == 0, err
    assert json.loads(out)["images"] == 200  # one process speaks
    assert err.count("run folder: both") == 1
    assert "2 processes of 4 images each: gradients are averaged, weights are the same" in err
    ranks = [load_file(tmp_path / f"{rank}.safetensors") for rank in (0, 1)]
    assert all(ranks[0][key].equal(ranks[1][key]) for key in ranks[0])
    both = tmp_path / "both"
    assert all(tensors(both)[f"networks/{key}"].equal(tensor) for key, tensor in ranks[0].items())
    for key, tensor in tensors(alone.path).items():
        if key.startswith("networks/"):
            torch.testing.assert_close(tensors(both)[key], tensor, rtol=1e-3, atol=1e-5)
    assert len(readings(both)) == len(readings(alone.path))
    for one, other in zip(readings(both), readings(alone.path), strict=True):
        for name in one.keys() - {"d_right"}:  # counted in each piece by itself
            assert one[name] == pytest.approx(other[name], rel=1e-3, abs=1e-4)


def test_steps_of_two_processes_are_replayed(tmp_path: Path) -> None:
    """Gradients are averaged within a captured step."""
    data = pictures(tmp_path / "pictures", 30, colored={0})
    for out, more in (("replayed", ()), ("eager", ("--no-graphs",))):
        flags = ("linear", "--dataset", "folder", "--data", data, "--images", 200, "--out", out, *more)
        running = start(tmp_path, *flags, replayed=out == "replayed")
        _, err = running.communicate(timeout=240)
        assert running.returncode == 0, err
    a, b = tensors(tmp_path / "replayed"), tensors(tmp_path / "eager")
    for key in a:
        torch.testing.assert_close(a[key], b[key], rtol=1e-5, atol=1e-6)  # but for how an average's decay is rounded


def test_two_processes_stop_together_and_go_on(tmp_path: Path) -> None:
    data = pictures(tmp_path / "pictures", 30, colored={0})
    flags = (
        "dropout",
        "--dataset",
        "folder",
        "--data",
        data,
        "--minutes",
        9,
        "--out",
        "both",
        "--set",
        "training.log_every=1",
    )
    running = start(tmp_path, *flags)
    deadline = time.monotonic() + 200
    while not (tmp_path / "both" / "metrics.jsonl").exists() and time.monotonic() < deadline and running.poll() is None:
        time.sleep(0.1)
    os.kill(running.pid, signal.SIGTERM)  # torchrun hands it on
    _, err = running.communicate(timeout=60)
    assert (tmp_path / "both" / "checkpoints").exists(), err
    stopped = newest(tmp_path / "both")
    assert leftovers(tmp_path) == []
    states = tensors(tmp_path / "both")
    assert not states["random/0.torch"].equal(states["random/1.torch"])
    images = json.loads((stopped / "state.json").read_text())["images"]
    assert resume(tmp_path / "both", images=images + 80).finished  # another number of processes is another run, but no error
    assert differing(tmp_path / "both", tmp_path / "both") == []


def test_two_processes_that_fail_end_with_words(tmp_path: Path) -> None:
    data = pictures(tmp_path / "pictures", 30, colored={0})
    running = start(tmp_path, "broken", "--dataset", "folder", "--data", data, "--images", 200, "--out", "both")
    _, err = running.communicate(timeout=240)
    assert running.returncode == 1, err
    assert "loss is nan at step" in err
    assert "SIGABRT" not in err
    assert "terminate called" not in err
