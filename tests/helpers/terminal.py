"""A terminal that a program runs in: a real pseudo-terminal, whose screen pyte interprets."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

import pyte

PATIENCE = 120.0  # seconds until a screen must show what is waited for, on a very busy machine
ROWS = 24


# a session whose terminal this is, so that Ctrl-C reaches the program
_SESSION: dict[str, Any] = {"start_new_session": True, "preexec_fn": lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0)}


class ReflowingScreen(pyte.Screen):
    """Breaks lines anew when it is resized, as most terminals of today do; xterm and pyte itself cut them off."""

    def resize(self, lines: int | None = None, columns: int | None = None) -> None:
        wide = columns or self.columns
        rows = [line.rstrip() for line in self.display]
        row, column = self.cursor.y, self.cursor.x
        broken = [[line[i : i + wide] for i in range(0, max(len(line), 1), wide)] for line in rows]
        at = sum(len(pieces) for pieces in broken[:row]) + column // wide
        while broken and broken[-1] == [""] and len(broken) > row + 1:
            broken.pop()
        flat = [piece for pieces in broken for piece in pieces]
        scrolled = max(0, min(at, len(flat) - (lines or self.lines)))
        super().resize(lines, columns)
        self.erase_in_display(2)
        for y, piece in enumerate(flat[scrolled : scrolled + self.lines]):
            self.cursor_position(y + 1, 1)
            self.draw(piece)
        self.cursor_position(at - scrolled + 1, column % wide + 1)


class Terminal:
    """A program in a terminal of some width; `text` is all that it ever wrote, with control characters."""

    def __init__(
        self, words: Sequence[str], columns: int, *, reflowing: bool = False, environment: dict[str, str] | None = None
    ) -> None:
        self.screen = (ReflowingScreen if reflowing else pyte.Screen)(columns, ROWS)
        self.stream, self.text = pyte.ByteStream(self.screen), b""
        self.master, slave = pty.openpty()
        self.set_size(columns)
        settings = termios.tcgetattr(slave)
        settings[3] &= ~termios.ECHO  # what is typed is not to be seen
        termios.tcsetattr(slave, termios.TCSANOW, settings)
        left_out = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
        known = {key: value for key, value in os.environ.items() if key not in left_out}
        known |= {"TERM": "xterm-256color", "PYTHONUTF8": "1", "OMP_NUM_THREADS": "1", **(environment or {})}
        self.process = subprocess.Popen(words, stdin=slave, stdout=slave, stderr=slave, env=known, **_SESSION)
        os.close(slave)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.master)

    def set_size(self, columns: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))

    def resize(self, columns: int) -> None:
        """Give the window another width, as a mouse does."""
        self.screen.resize(ROWS, columns)
        self.set_size(columns)

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def read(self, seconds: float) -> bool:
        """Show what the program writes within some time; returns whether it may write more."""
        if not select.select([self.master], [], [], seconds)[0]:
            return True
        try:
            found = os.read(self.master, 1 << 16)
        except OSError:  # Linux's way to say that nobody has the other end any more
            return False
        self.text += found
        self.stream.feed(found)
        return bool(found)

    @property
    def lines(self) -> list[str]:
        """The lines of the screen that hold something."""
        return [line.rstrip() for line in self.screen.display if line.strip()]

    def wait_for(self, condition: Callable[[list[str]], bool]) -> list[str]:
        """Read until the screen's lines are as they should be, and return them."""
        deadline = time.monotonic() + PATIENCE
        while not condition(self.lines):
            goes_on = self.read(0.1)
            assert goes_on or condition(self.lines), "\n".join(self.lines)
            assert time.monotonic() < deadline, "\n".join(self.lines)
        return self.lines

    def finish(self) -> int:
        """Read until the program ends; returns its exit code."""
        deadline = time.monotonic() + PATIENCE
        while self.read(0.1):
            assert time.monotonic() < deadline, "\n".join(self.lines)
        return self.process.wait(PATIENCE)
