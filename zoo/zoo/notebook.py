"""Progress and samples in a notebook: one output of a cell, updated in place, however long the work is.

What is shown is plain HTML beside plain text, which every notebook shows and keeps when it is saved; no widget is needed.
"""

from __future__ import annotations

import html
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

from zoo_core.callers import for_caller
from zoo_core.words import printable, printable_message

from .progress import SILENT, Reporter, Task, reporter_for_terminal

if TYPE_CHECKING:
    from PIL import Image

LEAST = 0.25  # seconds between two updates
LINES = 30  # notes that stay
_BAR = '<progress value="{:.4f}" max="1" style="width:14em;vertical-align:middle"></progress> '
_TEXT = '<div style="font-family:monospace;white-space:pre-wrap">{}</div>'


def find_kernel() -> Any:
    """Return the IPython shell of the notebook whose cell runs this; None anywhere else."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell if getattr(shell, "kernel", None) is not None else None


class _Output:
    """One output of a cell that is replaced by what comes next."""

    def __init__(self) -> None:
        self.handle: Any = None

    def show(self, text: str, markup: str) -> None:
        display: Any = import_module("IPython.display").display
        shown = {"text/plain": text, "text/html": markup}
        if self.handle is None:
            self.handle = display(shown, raw=True, display_id=True)
        else:
            self.handle.update(shown, raw=True)


class NotebookReporter(Reporter):
    """Notes, warnings and a bar for each piece of work, in one output that is updated in place."""

    def __init__(self) -> None:
        self.output = _Output()
        self.lines: deque[str] = deque(maxlen=LINES)
        self.tasks: list[_NotebookTask] = []
        self.drawn = 0.0

    def note(self, text: str) -> None:
        self.lines.append(printable_message(for_caller(text)))
        self.draw()

    def warn(self, text: str) -> None:
        self.note(f"warning: {text}")

    @contextmanager
    def task(self, label: str, total: float | None = None, unit: str = "") -> Iterator[Task]:
        # What is done leaves the stage to the next of its kind: a comparison has dozens.
        self.tasks = [task for task in self.tasks if task.ended is None or task.label != label][-8:]
        task = _NotebookTask(self, label, total, unit)
        self.tasks.append(task)
        self.draw()
        try:
            yield task
        finally:
            task.ended = time.monotonic()
            self.draw()

    def draw(self, *, soon: bool = False) -> None:
        """Show what there is; `soon` leaves it out where something was shown a moment ago."""
        now = time.monotonic()
        if soon and now - self.drawn < LEAST:
            return
        self.drawn = now
        text = "\n".join([*self.lines, *map(str, self.tasks)])
        notes = _TEXT.format(html.escape("\n".join(self.lines))) if self.lines else ""
        self.output.show(text, notes + "".join(task.markup() for task in self.tasks))


class _NotebookTask(Task):
    def __init__(self, reporter: NotebookReporter, label: str, total: float | None, unit: str) -> None:
        self.reporter, self.label, self.total, self.unit = reporter, printable(label), total, unit
        self.done, self.values = 0.0, dict[str, str]()
        self.first: tuple[float, float] | None = None  # when, and what had been done by then
        self.ended: float | None = None
        self.begun = time.monotonic()

    def update(self, done: float, **values: str) -> None:
        self.first = self.first or (time.monotonic(), done)
        self.done, self.values = done, values
        self.reporter.draw(soon=True)

    def __str__(self) -> str:
        amount = f"{self.done:,.0f}" + (f" of {self.total:,.0f}" if self.total else "")
        parts = [f"{self.label}: {amount} {self.unit}".rstrip(), *self._time(), *_phrases(self.values)]
        return ", ".join(parts)

    def markup(self) -> str:
        """Return a bar, where the length is known, and the line beside it."""
        bar = _BAR.format(min(1.0, self.done / self.total)) if self.total else ""
        return f'<div style="font-family:monospace">{bar}{html.escape(str(self))}</div>'

    def _time(self) -> list[str]:
        if self.ended is not None:
            return [f"in {timedelta(seconds=int(self.ended - self.begun))}"]
        if not self.total or self.first is None or self.done <= self.first[1]:
            return []
        since, before = self.first
        seconds = (time.monotonic() - since) * max(self.total - self.done, 0) / (self.done - before)
        return [f"left {timedelta(seconds=int(seconds))}"]


def _phrases(values: Mapping[str, str]) -> list[str]:
    return [f"{printable(key.replace('_', ' '))} {printable(value)}" for key, value in values.items()]


class InlineSamples:
    """Shows the newest grid of a training under its progress."""

    def __init__(self) -> None:
        self.output = _Output()

    def __call__(self, picture: Image.Image, images: int) -> None:
        from .reports.pictures import data_url

        words = f"samples after {images:,} images"
        image = f'<img alt="{words}" src="{data_url(picture)}" style="max-width:100%">'
        self.output.show(words, f"<figure>{image}<figcaption>{words}</figcaption></figure>")


_of_cell: tuple[Any, NotebookReporter] | None = None


def _reporter_of_cell(shell: Any) -> NotebookReporter:
    """Return the one reporter of the cell that runs now."""
    global _of_cell
    if _of_cell is None or _of_cell[0] != shell.execution_count:
        _of_cell = (shell.execution_count, NotebookReporter())
    return _of_cell[1]


def reporter_for_caller() -> Reporter:
    """Return the reporter of a notebook's cell; elsewhere that of the terminal."""
    shell = find_kernel()
    return reporter_for_terminal() if shell is None else _reporter_of_cell(shell)


def choose_show(
    asked: bool | Callable[[Image.Image, int], None], report: Reporter
) -> Callable[[Image.Image, int], None] | None:
    """Return what shows the grids of a training; says where they lie where there is no notebook to show them."""
    if callable(asked):
        return asked
    if asked and find_kernel() is None:
        report.note("no notebook is here to show samples; they lie in the folder samples of the run")
    return InlineSamples() if asked and find_kernel() is not None else None


class _Automatic(Reporter):
    """Shows in a notebook, and tells nobody elsewhere."""

    def _reporter(self) -> Reporter:
        shell = find_kernel()
        return SILENT if shell is None else _reporter_of_cell(shell)

    def note(self, text: str) -> None:
        self._reporter().note(text)

    def warn(self, text: str) -> None:
        self._reporter().warn(text)

    @contextmanager
    def task(self, label: str, total: float | None = None, unit: str = "") -> Iterator[Task]:
        with self._reporter().task(label, total, unit) as task:
            yield task


AUTOMATIC = _Automatic()
"""The default of public functions that could report: a notebook shows it, a script stays silent."""
