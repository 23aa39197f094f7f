"""What every test gets."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers.pretrained import register_checkout

os.environ.setdefault("OMP_NUM_THREADS", "1")  # networks are tiny, and threads of several workers wait for each other
# Nothing that a test tracks leaves this machine, or lands among the person's own runs.
os.environ["WANDB_MODE"] = "offline"
os.environ["TRACKIO_DIR"] = str(Path(tempfile.gettempdir(), "zoo-tests-trackio"))

register_checkout()

pytest_plugins = ["helpers.hub_server.fixtures"]

UNIX = re.compile(r"\b(fcntl|termios|pty|mkfifo|SIGKILL|import resource)\b|helpers\.(terminal|shell)\b")


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """On Windows leave out the modules that test what only Unix has."""
    if sys.platform == "win32" and collection_path.suffix == ".py":
        return True if UNIX.search(collection_path.read_text("utf-8")) else None
    return None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give a worker whole files, unless `--dist` says otherwise: what a file trains or imports once is not made by each."""
    from xdist.scheduler import LoadFileScheduling

    if config.getoption("dist") != "load":
        return None
    config.option.loadscopereorder = False  # by how many tests they have; the order of below is by how long they take
    return LoadFileScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let workers begin with the files that have most slow tests: at the end none is to be waited for."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of its own for every test."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("ZOO_CACHE", str(folder))
    return folder


@pytest.fixture
def nobody() -> Iterator[Path]:
    """A folder of a user for whom rights count: root reads everything."""
    if not hasattr(os, "geteuid"):
        pytest.skip("the system has no rights of this kind")
    with tempfile.TemporaryDirectory() as folder:
        user = os.geteuid()
        if user == 0:
            os.chown(folder, 65534, 65534)
            os.seteuid(65534)
        yield Path(folder)
        os.seteuid(user)
