"""How long work tells a person where it is: rich progress on a terminal, plain lines elsewhere, or nothing.

Everything goes to standard error; standard output belongs to results.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from zoo_core.callers import for_caller
from zoo_core.words import printable

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Task:
    """One piece of long work; this one tells nobody."""

    def update(self, done: float, **values: str) -> None:
        """Say how much is done, of the task's total, and what else is worth seeing (`images_per_s="41"`)."""


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


class PlainReporter(Reporter):
    """Lines of text, at most one progress line every `every` seconds."""

    def __init__(self, every: float = 10.0) -> None:
        self.every = every

    def note(self, text: str) -> None:
        print(printable(for_caller(text), lines=True), file=sys.stderr, flush=True)  # noqa: T201

    def warn(self, text: str) -> None:
        self.note(f"warning: {text}")

    @contextmanager
    def task(self, label: str, total: float | None = None, unit: str = "") -> Iterator[Task]:
        yield _PlainTask(self, label, total, unit)


class _PlainTask(Task):
    def __init__(self, reporter: PlainReporter, label: str, total: float | None, unit: str) -> None:
        self.reporter, self.label, self.total, self.unit = reporter, label, total, unit
        self.last = time.monotonic()
        self.first: tuple[float, float] | None = None  # when, and what had been done by then

    def update(self, done: float, **values: str) -> None:
        now = time.monotonic()
        since, before = self.first = self.first or (now, done)
        if now - self.last < self.reporter.every:
            return
        self.last = now
        total = f" of {self.total:,.0f}" if self.total else ""
        parts = [f"{self.label}: {done:,.0f}{total} {self.unit}".rstrip(), *_phrases(values)]
        if self.total and done > before:
            seconds = int((now - since) * max(self.total - done, 0) / (done - before))
            left = str(timedelta(seconds=seconds))  # H:MM:SS
            parts.append(f"left {left if seconds >= 3600 else left.removeprefix('0:').removeprefix('0')}")
        self.reporter.note(", ".join(parts))


class RichReporter(Reporter):
    """A progress bar on a terminal."""

    def __init__(self) -> None:
        from rich.console import Console

        self.console = Console(stderr=True, highlight=False)

    def note(self, text: str) -> None:
        self.console.print(printable(for_caller(text), lines=True), markup=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        shown = printable(for_caller(text), lines=True)
        self.console.print(f"warning: {shown}", style="yellow", markup=False, soft_wrap=True)

    @contextmanager
    def task(self, label: str, total: float | None = None, unit: str = "") -> Iterator[Task]:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[amount]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[values]}", style="dim", markup=False),
        )
        with Progress(*columns, console=self.console) as progress:
            yield _RichTask(progress, progress.add_task(printable(label), total=total, amount="", values=""), total, unit)


class _RichTask(Task):
    def __init__(self, progress: Progress, identity: TaskID, total: float | None, unit: str) -> None:
        self.progress, self.identity, self.total, self.unit = progress, identity, total, unit

    def update(self, done: float, **values: str) -> None:
        amount = f"{done:,.0f}" + (f"/{self.total:,.0f}" if self.total else "") + f" {self.unit}".rstrip()
        self.progress.update(self.identity, completed=done, amount=amount, values=printable("  ".join(_phrases(values))))


def _phrases(values: Mapping[str, str]) -> list[str]:
    return [f"{key.replace('_', ' ')} {value}" for key, value in values.items()]


def reporter_for_terminal() -> Reporter:
    """Rich progress where standard error is a terminal, plain lines elsewhere."""
    return RichReporter() if sys.stderr.isatty() else PlainReporter()
