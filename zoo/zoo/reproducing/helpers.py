"""Other processes that measure claims of the same reproduction; run as a module, this is one of them.

A helper takes claims that nobody has taken. It is told what to do by a line of JSON, says what is to be read in lines, and
stops, as at Ctrl-C, when its input ends: with the process that started it, however that came to its end.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from zoo_core import registry

from ..progress import Reporter
from ..training.processor import compute_with
from .bench import Interrupted, Shop
from .measuring import measure_claims

_TOLD = ("profile", "data", "device", "precision", "workers", "threads")
_WARNING = "warning: "


class Helpers:
    """Processes that help to measure claims, for the time of a `with` block; then they are stopped."""

    def __init__(self, paper: str, claims: Sequence[str], shop: Shop, count: int) -> None:
        told = {"paper": paper, "claims": list(claims), "folder": str(shop.folder.absolute())}
        told |= {key: getattr(shop, key) for key in _TOLD}
        self.order, self.shop, self.count = json.dumps(told), shop, count
        self.processes: list[subprocess.Popen[str]] = []
        self.listening: list[threading.Thread] = []

    def __enter__(self) -> Helpers:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        if self.shop.threads:
            environment["OMP_NUM_THREADS"] = str(self.shop.threads)
        for _ in range(self.count):
            command = [sys.executable, "-m", __spec__.name]
            pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
            # Ctrl-C on the terminal is for us alone.
            process = subprocess.Popen(
                command, **pipes, text=True, encoding="utf-8", env=environment, start_new_session=True
            )
            assert process.stdin is not None
            with suppress(OSError):
                process.stdin.write(f"{self.order}\n")
                process.stdin.flush()
            listening = threading.Thread(target=self._listen, args=(process,), daemon=True, name="helper")
            listening.start()
            self.processes.append(process)
            self.listening.append(listening)
        return self

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            text = line.rstrip("\n")
            if text.startswith(_WARNING):
                self.shop.report.warn(text[len(_WARNING) :])
            else:
                self.shop.report.note(text)

    def wait(self) -> None:
        """Wait until all have no claim left, and warn of those that failed; raises `Interrupted` at Ctrl-C."""
        try:
            for process, listening in zip(self.processes, self.listening, strict=True):
                if code := process.wait():
                    self.shop.report.warn(
                        f"a process that helped ended with exit code {code}; this one measures what it left"
                    )
                listening.join()
        except KeyboardInterrupt:
            raise Interrupted("SIGINT") from None

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            assert process.stdin is not None
            with suppress(OSError):
                process.stdin.close()
        for process in self.processes:
            process.wait()


class _Lines(Reporter):
    """Says notes and warnings in lines, to the process that started this one."""

    def note(self, text: str) -> None:
        with suppress(OSError):
            print(" ".join(text.splitlines()), flush=True)  # noqa: T201

    def warn(self, text: str) -> None:
        self.note(f"{_WARNING}{text}")


def main() -> None:
    """Measure claims until none is left, or the input ends."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell begins in the background ignores it
    told = json.loads(sys.stdin.readline())

    def stop_with_parent() -> None:
        sys.stdin.read()
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=stop_with_parent, daemon=True).start()
    shop = Shop(Path(told["folder"]), report=_Lines(), **{key: told[key] for key in _TOLD})
    known = registry.claims(told["paper"])
    with suppress(Interrupted, KeyboardInterrupt), compute_with(shop.threads):
        measure_claims({name: known[name] for name in told["claims"]}, shop)


if __name__ == "__main__":
    main()
