"""When to stop, to save and to draw: budgets, signals, the clock."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any, Literal

from zoo_core import UsageError

from .state import State


@dataclass(frozen=True)
class Budget:
    """How long to train, counted from the beginning of the run: epochs of the data, real images shown, or minutes.

    Raises:
        UsageError: `amount` is not more than 0.
    """

    kind: Literal["epochs", "images", "minutes"]
    amount: float

    def __post_init__(self) -> None:
        if not 0 < self.amount < float("inf"):
            raise UsageError(
                f"--{self.kind} must be more than 0, not {self.amount:g}", hint=f"for example: --{self.kind} 10"
            )

    @classmethod
    def choose(cls, *, epochs: float | None, images: int | None, minutes: float | None, default: float) -> Budget:
        """The one budget that was given, else `default` epochs; raises `UsageError` for more than one."""
        given = {"epochs": epochs, "images": images, "minutes": minutes}
        named = {kind: amount for kind, amount in given.items() if amount is not None}
        if len(named) > 1:
            raise UsageError(f"{' and '.join(f'--{kind}' for kind in named)} are both budgets; give one of them")
        for kind, amount in named.items():
            return cls(kind, amount)  # type: ignore[arg-type]
        return cls("epochs", default)

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

    def agreed(self, accelerator: Any) -> bool:
        """Whether any process was asked; every process gets the same answer, and all must call it together."""
        if accelerator.num_processes == 1:
            return self.signal is not None
        import torch

        flag = torch.tensor(int(self.signal is not None), device=accelerator.device)
        torch.distributed.all_reduce(flag, op=torch.distributed.ReduceOp.MAX)
        return bool(flag.item())

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


class Alarm:
    """Rings every so many seconds, in the same step on every process."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.last = seconds, time.monotonic()

    def rings(self, accelerator: Any) -> bool:
        """Whether the time is up; if so it starts anew. The main process's clock counts."""
        up = time.monotonic() - self.last >= self.seconds
        if accelerator.num_processes > 1:
            import torch

            flag = torch.tensor(int(up), device=accelerator.device)
            torch.distributed.broadcast(flag, src=0)
            up = bool(flag.item())
        if up:
            self.last = time.monotonic()
        return up
