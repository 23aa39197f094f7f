"""A real shell on a pseudo-terminal, in which a person types and presses Tab."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

ALL = "\x1b*"  # readline's insert-completions: every completion there is, behind each other
_PROMPT = "READY>"


class Shell:
    """A shell that was started with a command, in a folder; lines are typed without being run.

    Args:
        command: the shell, interactive and without anybody's settings.
        setup: lines that it runs first; the last one must set its prompt to READY and a ">".
        is_patient: whether it completes while more has been typed already, as bash does and zsh does not.
    """

    def __init__(
        self, command: list[str], setup: list[str], folder: Path, env: Mapping[str, str], *, is_patient: bool = True
    ) -> None:
        self._is_patient = is_patient
        ours, theirs = pty.openpty()
        self._screen = ours
        self._process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder, env=env, start_new_session=True
        )
        os.close(theirs)
        for line in setup:
            self._send(line + "\n")
        self._wait(_PROMPT)

    def complete(self, typed: str, keys: str = "\t") -> list[str]:
        """Type, press Tab (or other keys), and return the words that then stand on the line."""
        self._send(typed + keys)
        if not self._is_patient:
            self._settle()
        self._send("\x01printf '[%s]' \x05; echo; echo DO''NE\n")
        shown = self._wait("DONE").replace("\r", "")
        line = [line for line in shown.split("\n") if line.startswith("[")][-1]
        return line[1:-1].split("][")

    def run(self, command: str) -> str:
        """Run a command, and return what it shows."""
        self._send(f"{command}; echo DO''NE\n")
        return self._wait("DONE").replace("\r", "")

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        os.close(self._screen)

    def _send(self, text: str) -> None:
        os.write(self._screen, text.encode())

    def _settle(self, seconds: float = 60) -> None:
        """Wait until the shell has shown something and is then silent."""
        select.select([self._screen], [], [], seconds)
        time.sleep(0.1)
        while select.select([self._screen], [], [], 1.5)[0]:
            os.read(self._screen, 65536)

    def _wait(self, until: str, seconds: float = 120) -> str:
        shown, end = "", time.monotonic() + seconds
        while until not in shown:
            assert time.monotonic() < end, f"the shell never said {until!r}: {shown!r}"
            if select.select([self._screen], [], [], 1)[0]:
                shown += os.read(self._screen, 65536).decode(errors="replace")
        return shown
