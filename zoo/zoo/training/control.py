"""Who may end a training before its budget is spent, and the clock."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stop:
    """Remembers that somebody asked the training to stop.

    Attributes:
        signal: what asked, None so far.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    @contextmanager
    def listening(self) -> Iterator[Stop]:
        """Take Ctrl-C and SIGTERM as a wish to finish the step and save; a second Ctrl-C leaves at once.

        Outside of the main thread Python delivers no signals, and nothing is changed.
        """
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        old = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

        def ask(number: int, frame: FrameType | None) -> None:
            if self.signal is not None and number == signal.SIGINT:
                raise KeyboardInterrupt
            self.signal = signal.Signals(number)

        try:
            for number in old:
                signal.signal(number, ask)
            yield self
        finally:
            for number, handler in old.items():
                signal.signal(number, handler)


class Clock:
    """Counts seconds, without the pauses."""

    def __init__(self) -> None:
        self.since = time.monotonic()

    def read(self) -> float:
        """Seconds since the last reading."""
        now = time.monotonic()
        elapsed, self.since = now - self.since, now
        return elapsed

    @contextmanager
    def paused(self) -> Iterator[None]:
        """What happens within does not count."""
        begun = time.monotonic()
        yield
        self.since += time.monotonic() - begun
