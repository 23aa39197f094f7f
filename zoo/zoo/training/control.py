"""How long to train, and who may end it sooner: budgets, signals, the clock."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any, Literal

from zoo_core import UsageError

from .state import State

Kind = Literal["epochs", "images", "minutes"]


@dataclass(frozen=True)
class Budget:
    """How long to train, counted from the beginning of the run: epochs of the data, real images shown, or minutes.

    Raises:
        UsageError: `amount` is not more than 0.
    """

    kind: Kind
    amount: float

    def __post_init__(self) -> None:
        if not 0 < self.amount < float("inf"):
            raise UsageError(
                f"--{self.kind} must be more than 0, not {self.amount:g}", hint=f"for example: --{self.kind} 10"
            )

    @classmethod
    def choose(cls, given: Mapping[Kind, float | None], default: Budget) -> Budget:
        """The one budget that was given, else `default`; raises `UsageError` for more than one."""
        named = {kind: amount for kind, amount in given.items() if amount is not None}
        if len(named) > 1:
            flags = [f"--{kind}" for kind in named]
            raise UsageError(f"{' and '.join(flags)} are budgets; give one of them", hint=f"for example only {flags[0]}")
        for kind, amount in named.items():
            return cls(kind, amount)
        return default

    def total(self, count: int) -> float:
        """The budget in its progress unit: images, or seconds. `count`: images in the dataset."""
        scale = {"epochs": count, "images": 1, "minutes": 60}[self.kind]
        return self.amount * scale

    def done(self, state: State) -> float:
        """How much of `total` is used up."""
        return state.seconds if self.kind == "minutes" else state.images

    def spent(self, state: State, count: int) -> bool:
        """Whether to stop."""
        return self.done(state) >= self.total(count)

    def __str__(self) -> str:
        return f"{self.amount:g} {self.kind}"


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


def agree(accelerator: Any, *values: float) -> list[float]:
    """The greatest that any process has of each value; every process must call it together."""
    if accelerator.num_processes == 1:
        return list(values)
    import torch

    greatest = torch.tensor(values, dtype=torch.float64, device=accelerator.device)
    torch.distributed.all_reduce(greatest, op=torch.distributed.ReduceOp.MAX)
    found: list[float] = greatest.tolist()
    return found
