"""Fixtures: the stand-in with the real client pointed at it, a small model, and time that does not pass."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from zoo_core.hub import forget_silence

from .server import HubServer

TOKEN, OTHER, READER = "hf_adasOwnSecretToken0001", "hf_bobsOwnSecretToken0002", "hf_adasReadOnlyToken0003"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """The stand-in; this process is logged in there as ada, with a cache of its own."""
    from huggingface_hub import constants
    from huggingface_hub.utils import disable_progress_bars

    home = tmp_path / "hf-home"
    with HubServer(tmp_path / "hub", {TOKEN: "ada", OTHER: "bob", READER: "ada"}, {READER}) as server:
        # The client reads its environment when it is imported; these are what it would have read.
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", server.url + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home / "hub"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(home / "token"))
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        for name, value in environment(server, home).items():
            monkeypatch.setenv(name, value)
        disable_progress_bars()
        forget_silence()  # of a test before
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
        with one_thread():
            yield server


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute in one thread: for networks this small, more of them only wait for each other."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def environment(server: HubServer, home: Path) -> dict[str, str]:
    """What points another process at the stand-in."""
    return {
        "HF_ENDPOINT": server.url,
        "HF_HOME": str(home),
        "HF_HUB_CACHE": str(home / "hub"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_TOKEN": os.environ.get("HF_TOKEN", TOKEN),
    }


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that anybody wanted to sleep; nobody does."""
    slept: list[float] = []
    real = time.sleep

    def nap(seconds: float) -> None:
        if seconds >= 0.5:
            slept.append(seconds)
        real(min(seconds, 0.001))

    monkeypatch.setattr(time, "sleep", nap)
    return slept


@pytest.fixture(scope="session")
def pristine_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model folder; tests take copies."""
    with one_thread():
        return make_model(tmp_path_factory.mktemp("model") / "small")


def make_model(folder: Path, *, seed: int = 0, **provenance: Any) -> Path:
    """Write a small untrained model whose configuration says where it comes from."""
    import zoo
    from zoo.models.folder import write_model

    model = zoo.create("dcgan", size=16, seed=seed, options={"generator.width": 4, "discriminator.width": 4})
    model.config["weights"] = "moving average"
    model.config["provenance"] = {
        "step": 10,
        "images": 640,
        "seed": seed,
        "dataset": {"name": "faces", "split": "train", "count": 1000, "license": "CC0-1.0", "credit": "drawn here"},
        "training": {"batch": 64},
        "optimizer": {"generator": {"lr": 0.0002}},
        "command": "zoo train dcgan --dataset faces --images 640",
        **provenance,
    }
    return write_model(model, folder)


@pytest.fixture
def small_model(pristine_model: Path, tmp_path: Path) -> Path:
    """A copy of the small model folder."""
    import shutil

    return Path(shutil.copytree(pristine_model, tmp_path / "small"))


@pytest.fixture
def other_process() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run Python code in a process of its own, with this one's environment and what is given."""

    def run(code: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, **environ}, capture_output=True, text=True, timeout=120
        )

    return run
