"""How long work tells a person where it is: a bar on a terminal, plain lines elsewhere, or nothing.

Everything goes to standard error; standard output belongs to results.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TextIO

from zoo_core.callers import for_caller
from zoo_core.words import printable, printable_message

from .pace import Pace

if TYPE_CHECKING:
    from rich.text import Text

PERIOD = 0.25  # seconds between two looks at whether a bar is still what it should be
BAR = (6, 40)  # least and most columns of a bar
ERASE_BELOW = "\r\x1b[J"  # from the beginning of the line to the end of the screen


class Task:
    """One piece of long work; this one tells nobody."""

    def update(self, done: float, *, amount: str = "", **values: str) -> None:
        """Say how much is done, of the task's total, and what else is worth seeing (`images_per_s="41"`).

        `amount` is shown instead of what is done and the unit, where another count says more ("24,000 images").
        """


class Reporter:
    """Where notes, warnings and progress go; this one tells nobody."""

    def note(self, text: str) -> None:
        """A line that the person should read."""

    def warn(self, text: str) -> None:
        """A line about something amiss that does not stop the work."""

    @contextmanager
    def task(self, label: str, total: float | None = None, unit: str = "") -> Iterator[Task]:
        """Announce long work of `total` units (None: unknown)."""
        yield Task()


SILENT = Reporter()
"""The default of functions that could report."""


def _phrases(values: Mapping[str, str]) -> list[str]:
    return [f"{key.replace('_', ' ')} {value}" for key, value in values.items()]


class PlainReporter(Reporter):
    """Lines of text, at most one progress line every `every` seconds."""

    def __init__(self, every: float = 10.0) -> None:
        self.every = every

    def note(self, text: str) -> None:
        with suppress(OSError, ValueError):  # a terminal that is gone, a disk that is full: the work goes on
            print(printable_message(for_caller(text)), file=sys.stderr, flush=True)  # noqa: T201

    def warn(self, text: str) -> None:
        self.note(f"warning: {text}")

    @contextmanager
    def task(self, label: str, total: float | None = None, unit: str = "") -> Iterator[Task]:
        yield _PlainTask(self, label, total, unit)


class _PlainTask(Task):
    def __init__(self, reporter: PlainReporter, label: str, total: float | None, unit: str) -> None:
        self.reporter, self.label, self.total, self.unit = reporter, label, total, unit
        self.pace, self.told = Pace(total), time.monotonic()

    def update(self, done: float, *, amount: str = "", **values: str) -> None:
        self.pace.update(done)
        now = time.monotonic()
        if now - self.told < self.reporter.every:
            return
        self.told = now
        total = f" of {self.total:,.0f}" if self.total else ""
        parts = [f"{self.label}: {amount or f'{done:,.0f}{total} {self.unit}'}".rstrip(), *_phrases(values)]
        if left := self.pace.left():
            parts.append(f"left {left}")
        self.reporter.note(", ".join(parts))


class RichReporter(Reporter):
    """A bar on a terminal: label, bar, amount and time left in one line, and below it what else fits.

    The cursor waits at the beginning of the first of these lines. Terminals keep it there when their windows are made
    narrower and lines are broken anew, so that erasing what is below it never leaves a stale bar, nor takes a line too many.
    A thread draws four times a second where something changed; what others print meanwhile appears above.
    """

    def __init__(self) -> None:
        from rich.console import Console

        self.console = Console(stderr=True, highlight=False)
        self.lock = threading.RLock()
        self.tasks: list[_BarTask] = []
        self.shown: tuple[str, Any] = ("", None)  # the lines, and the terminal's size
        self.stream: TextIO | None = None  # while there are tasks

    def note(self, text: str) -> None:
        self._print(for_caller(text))

    def warn(self, text: str) -> None:
        self._print(f"warning: {for_caller(text)}", "yellow")

    @contextmanager
    def task(self, label: str, total: float | None = None, unit: str = "") -> Iterator[Task]:
        task = _BarTask(label, total, unit)
        with self.lock:
            first = not self.tasks
            self.tasks.append(task)
        if not first:
            try:
                yield task
            finally:
                self._end(task)
            return
        ended = threading.Event()
        with _above(self):
            thread = threading.Thread(target=self._keep_drawing, args=(ended,), name="progress", daemon=True)
            thread.start()
            try:
                yield task
            finally:
                ended.set()
                thread.join()
                self._end(task)

    def write_above(self, text: str, stream: TextIO) -> None:
        """Write whole lines where the bars are, and the bars below them."""
        with self.lock:
            with suppress(OSError, ValueError):  # see `PlainReporter.note`
                self._write(ERASE_BELOW if self.shown[0] else "")
                stream.write(text)
                stream.flush()
                self.shown = ("", None)
                self.draw()

    def draw(self) -> None:
        """Draw the bars, if they are not what the terminal shows."""
        with self.lock:
            size = self.console.size
            lines = [line for task in self.tasks for line in task.lines(size.width - 1, self._ascii)]
            lines = lines[: max(1, size.height - 1)]
            frame = self._render(lines).removesuffix("\n")
            if (frame, size) == self.shown:
                return
            up = f"\x1b[{len(lines) - 1}A" if len(lines) > 1 else ""
            self._write(f"{ERASE_BELOW}{frame}{up}\r" if lines else "")
            self.shown = (frame, size)

    def _keep_drawing(self, ended: threading.Event) -> None:
        with suppress(OSError, ValueError):  # a terminal that is gone
            self.draw()
            while not ended.wait(PERIOD):
                self.draw()

    def _end(self, task: _BarTask) -> None:
        """Leave the last state of a task above what others have to show."""
        with self.lock:
            self.tasks.remove(task)
            lines = task.lines(self.console.size.width - 1, self._ascii, ended=True)
            self.write_above(self._render(lines), self.stream or self.console.file)  # type: ignore[arg-type]

    def _print(self, text: str, style: str = "") -> None:
        from rich.text import Text

        with self.lock:
            line = self._render([Text(printable_message(text), style=style)])
            self.write_above(line, self.stream or self.console.file)  # type: ignore[arg-type]

    def _render(self, lines: Sequence[Text]) -> str:
        from rich.text import Text

        with self.console.capture() as captured:
            for line in lines:
                self.console.print(Text(line.plain) if self.console.no_color else line, soft_wrap=True)
        return captured.get()

    def _write(self, text: str) -> None:
        stream = self.stream or self.console.file
        stream.write(text)
        stream.flush()

    @property
    def _ascii(self) -> bool:
        return not (self.console.encoding or "").lower().startswith("utf")


class _BarTask(Task):
    def __init__(self, label: str, total: float | None, unit: str) -> None:
        self.label, self.total, self.unit = printable(label), total, unit
        self.pace = Pace(total)
        self.amount, self.values = self._count(0) if total else "", list[str]()

    def _count(self, done: float) -> str:
        return f"{done:,.0f}" + (f"/{self.total:,.0f}" if self.total else "") + f" {self.unit}".rstrip()

    def update(self, done: float, *, amount: str = "", **values: str) -> None:
        self.pace.update(done)
        self.amount = printable(amount) or self._count(done)
        self.values = [printable(phrase) for phrase in _phrases(values)]

    def lines(self, width: int, ascii: bool, *, ended: bool = False) -> list[Text]:
        """Return one or two lines of at most `width` columns: what matters always stands, values that do not fit go."""
        from rich.cells import cell_len, set_cell_size
        from rich.text import Text

        end = f"left {self.pace.left() or '-:--'}" if self.total else self.pace.elapsed()
        rest = "  ".join(part for part in (self.amount, f"in {self.pace.elapsed()}" if ended else end) if part)
        if cell_len(rest) > width:  # a window that hardly shows anything
            rest = rest.replace(f" {self.unit}", "")
        room = width - cell_len(rest) - 2
        label, most = self.label, room - (BAR[0] + 2 if self.total else 0)
        if cell_len(label) > most:
            label = f"{set_cell_size(label, most - 1).rstrip()}{'.' if ascii else '…'}" if most > 3 else ""
        line = Text(f"{label}  " if label else "")
        size = min(room - cell_len(line.plain), BAR[1])
        if self.total and size >= BAR[0] // 2:
            full = round(size * min(max(self.pace.last[1] / self.total, 0), 1))
            line.append(("#" if ascii else "━") * full, style="cyan")
            line.append(f"{('.' if ascii else '─') * (size - full)}  ", style="dim")
        line.append(rest if cell_len(rest) <= width else set_cell_size(rest, max(width, 1)))
        fitting: list[str] = []
        for value in self.values:
            if cell_len("  ".join([*fitting, value])) <= width:
                fitting.append(value)
        return [line, Text("  ".join(fitting), style="dim")] if fitting else [line]


class _Above:
    """A stream whose lines appear above the bars of a reporter."""

    def __init__(self, reporter: RichReporter, stream: TextIO) -> None:
        self.reporter, self.stream, self.process, self.begun = reporter, stream, os.getpid(), ""

    def write(self, text: str) -> int:
        if os.getpid() != self.process:  # a fork, in which no thread draws and the lock may be held for ever
            return self.stream.write(text)
        whole, line_break, self.begun = (self.begun + text).rpartition("\n")
        if line_break:
            self.reporter.write_above(whole + line_break, self.stream)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextmanager
def _above(reporter: RichReporter) -> Iterator[None]:
    """Let what is printed on the terminal appear above the bars."""
    before = sys.stdout, sys.stderr
    reporter.stream = reporter.console.file  # type: ignore[assignment]
    for name, stream in zip(("stdout", "stderr"), before, strict=True):
        if stream is not None and stream.isatty():
            setattr(sys, name, _Above(reporter, stream))
    try:
        yield
    finally:
        put = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = before
        reporter.stream = None
        for proxy in put:
            if isinstance(proxy, _Above) and proxy.begun:
                proxy.stream.write(proxy.begun)


def reporter_for_terminal() -> Reporter:
    """Return bars where standard error is a terminal that can move its cursor, plain lines elsewhere."""
    if not sys.stderr.isatty() or os.environ.get("TERM", "").lower() in ("dumb", "unknown"):
        return PlainReporter()
    reporter = RichReporter()
    return PlainReporter() if reporter.console.legacy_windows else reporter
