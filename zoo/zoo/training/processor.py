"""How much of the processor this process and others use."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

STAT, QUOTA = Path("/proc/stat"), Path("/sys/fs/cgroup/cpu.max")


@dataclass(frozen=True)
class Usage:
    """Seconds since some moment, or between two.

    Args:
        wall: of the clock.
        own: that this process computed, all threads together.
        total: that the processors computed which it may use, also for other guests of the host; None where the system does
            not tell.
    """

    wall: float
    own: float
    total: float | None = None

    def since(self, before: Usage) -> Usage:
        """Return what has been used since an earlier reading."""
        known = self.total is not None and before.total is not None
        return Usage(self.wall - before.wall, self.own - before.own, self.total - before.total if known else None)  # type: ignore[operator]

    @property
    def others(self) -> float | None:
        """Processors that others had, on average; None where the system does not tell."""
        return None if self.total is None else max(0.0, self.total - self.own) / max(self.wall, 1e-9)

    @property
    def processors(self) -> float:
        """Processors that this process had, on average."""
        return self.own / max(self.wall, 1e-9)


def read_usage() -> Usage:
    """Return what has been used so far; Linux alone tells what all processors did."""
    total = None
    try:
        names = {f"cpu{number}" for number in os.sched_getaffinity(0)}
        lines = [line.split() for line in STAT.read_text(encoding="ascii").splitlines()]
        # user nice system idle iowait irq softirq steal: all but idle and iowait is work, or another guest's
        ticks = [list(map(int, words[1:9])) for words in lines if words and words[0] in names]
        if ticks:
            total = sum(sum(each) - each[3] - each[4] for each in ticks) / os.sysconf("SC_CLK_TCK")
    except (AttributeError, OSError, ValueError, IndexError):
        pass
    return Usage(time.monotonic(), time.process_time(), total)


def count_processors() -> int:
    """Return how many processors this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def count_granted() -> int:
    """Return how many processors this process may keep busy: a container may have less of them than it sees."""
    try:
        quota, period = map(int, QUOTA.read_text(encoding="ascii").split())  # "max 100000" where there is no limit
        return min(count_processors(), max(1, math.ceil(quota / period)))
    except (OSError, ValueError):
        return count_processors()


@contextmanager
def compute_with(threads: int | None) -> Iterator[None]:
    """Let torch compute with so many threads, also while it measures; None leaves their number as it is."""
    import torch  # here, as readings of the processor need none

    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
