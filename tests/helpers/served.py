"""`zoo demo` in a process of its own, as a person starts it, with a run to look at beside a bundled model."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from helpers.packs import pictures
from helpers.training import train

PATIENCE = 300.0  # seconds that a server has to start or to stop; the machine may be busy


@dataclass(frozen=True)
class Served:
    """A server that runs."""

    process: subprocess.Popen[str]
    address: str  # "http://127.0.0.1:7860"
    folder: Path  # its temporary files

    @property
    def within(self) -> tuple[str, ...]:
        """Beginnings of what its page may ask for."""
        return (f"{self.address}/", "data:", "blob:")


@contextmanager
def serve(*words: object, **env: str) -> Iterator[Served]:
    """Run `zoo demo` with some words, until the block ends; kills it where it does not stop."""
    with tempfile.TemporaryDirectory() as folder, open(Path(folder, "stderr"), "w+", encoding="utf-8") as errors:
        command = [sys.executable, "-m", "zoo_cli", "demo", *map(str, words)]
        temporary = Path(folder, "tmp")
        temporary.mkdir()
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, "TMPDIR": str(temporary), **env},
        )
        watchdog = threading.Timer(PATIENCE, process.kill)
        watchdog.start()
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        watchdog.cancel()
        try:
            errors.seek(0)
            assert address.startswith("http://127.0.0.1:"), errors.read()
            yield Served(process, address, temporary)
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(PATIENCE)
                except subprocess.TimeoutExpired:
                    process.kill()
            process.stdout.close()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a cache, pictures and a run of them that has saved some grids."""
    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_CACHE", str(folder / "cache"))
        often = {"training.samples_every": 32, "training.log_every": 1}
        train(
            "dcgan",
            pictures(folder / "pictures", 30, colored=set(range(30)), side=16),
            folder / "run",
            images=96,
            options=often,
        )
        yield folder


@pytest.fixture(scope="module")
def served(place: Path) -> Iterator[Served]:
    """One server for all tests of a module: of a bundled model and of the run."""
    with serve("dcgan-faces", place / "run", ZOO_CACHE=str(place / "cache")) as found:
        yield found
