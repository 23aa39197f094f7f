"""A reporter that remembers."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from zoo.progress import Reporter, Task


class Heard(Reporter):
    """Keeps what it is told: notes, warnings, what tasks there were, how far they came.

    At `stop_at` units of a task called `label` it sends this process a signal, once.
    """

    def __init__(
        self, stop_at: float | None = None, what: signal.Signals = signal.SIGINT, *, label: str = "training"
    ) -> None:
        self.lines: list[str] = []
        self.progress: list[float] = []
        self.stop_at, self.what, self.label = stop_at, what, label

    def note(self, text: str) -> None:
        self.lines.append(text)

    def warn(self, text: str) -> None:
        self.lines.append(f"warning: {text}")

    @contextmanager
    def task(self, label: str, total: float | None = None, unit: str = "") -> Iterator[Task]:
        self.lines.append(f"{label} {total} {unit}")

        def update(done: float, **values: str) -> None:
            self.progress.append(done)
            if label == self.label:
                self._update(done)

        task = Task()
        task.update = update  # type: ignore[method-assign]
        yield task

    def _update(self, done: float) -> None:
        if self.stop_at is not None and done >= self.stop_at:
            self.stop_at = None
            signal.raise_signal(self.what)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)
