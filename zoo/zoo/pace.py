"""How fast work goes, and how much time is left."""

from __future__ import annotations

import time
from collections import deque

LEAST = 1.0  # seconds of work from which the time that is left is told
MARKS = 120  # of how far work was, a second or more apart, that tell how fast it goes


class Pace:
    """How fast work goes, of late: it may have been slower to begin with, or beside other work."""

    def __init__(self, total: float | None) -> None:
        self.total, self.begun = total, time.monotonic()
        self.marks: deque[tuple[float, float]] = deque(maxlen=MARKS)
        self.last = (self.begun, 0.0)

    def update(self, done: float) -> None:
        self.last = now = (time.monotonic(), done)
        if not self.marks or now[0] - self.marks[-1][0] >= 1:
            self.marks.append(now)

    def elapsed(self) -> str:
        return format_clock(time.monotonic() - self.begun)

    def left(self) -> str:
        """Return the time that is left, "" while nobody knows."""
        if not self.total or not self.marks:
            return ""
        (since, before), (then, done) = self.marks[0], self.last
        if done <= before or then - since < LEAST:
            return ""
        seconds = (then - since) * max(self.total - done, 0) / (done - before)
        return format_clock(max(seconds - (time.monotonic() - then), 0))


def format_clock(seconds: float) -> str:
    """Return "0:07", "12:30", "1:02:03", "123:00:00"."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
