"""With how many threads the networks compute on a CPU.

An operation that is cut into pieces for several threads ends with the last of them. One that has to share its processor
keeps all others waiting, a thousand times a step: beside one busy process two threads may be slower than one. So the steps
of a training are timed with other numbers of threads when there is a reason to, and only then: sums are rounded otherwise
with another number, and a run that is left alone should give the same bits whenever it is resumed.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from zoo_core import UsageError

from ..devices import Runtime
from ..progress import Reporter
from ..runs.budget import Budget
from .choosing import Change, Chooser, count
from .processor import count_granted, count_processors
from .state import State


def check_threads(value: int | str | None) -> int | None:
    """Return how many threads `--threads` asks for, None for "auto"; raises `UsageError` where it makes no sense here."""
    if value is None or value == "auto":
        return None
    most = count_processors()
    hint = "valid: auto, 1" + (f" to {most}" if most > 1 else "")
    try:
        number = int(value) if isinstance(value, str) else value
    except ValueError:
        number = None  # type: ignore[assignment]
    if not isinstance(number, int) or isinstance(number, bool):
        raise UsageError(f"--threads takes auto or a number of threads, not {value!r}", hint=hint)
    if number < 1:
        raise UsageError(f"--threads must be 1 or more, not {number}", hint=hint)
    if number > most:
        what = f"--threads {number} is more than the {most} processor{'s' if most > 1 else ''} of this machine"
        raise UsageError(f"{what}: threads would wait for each other", hint=hint)
    return number


@dataclass
class Threads:
    """The threads of a training; `choose_threads` makes it. `chooser` is None where the number stays."""

    number: int | None  # in use, None where the networks compute elsewhere
    budget: Budget
    chooser: Chooser | None = None

    def after_step(self, kind: Hashable, state: State, seconds: float, images: int) -> Change | None:
        """Hear that a step of some kind took so long, and use another number of threads where that is better.

        `images`: in the dataset.
        """
        change = None
        if self.chooser is not None:
            rest = self.budget.total(images) - self.budget.done(state)
            steps = rest / self.chooser.batch
            change = self.chooser.after_step(
                kind, seconds, lambda step: rest if self.budget.unit == "seconds" else steps * step
            )
            self.number = self.chooser.number
            state.threads = self.chooser.settled
        if self.number is not None and torch.get_num_threads() != self.number:  # also what came between may have changed it
            torch.set_num_threads(self.number)
        return change

    def choose_now(self, step: Callable[[], tuple[Hashable, float]], state: State, report: Reporter) -> None:
        """Take steps, each of which returns its kind and its seconds, until the number would stay."""
        while self.chooser is not None and not self.chooser.decided:
            kind, seconds = step()
            if change := self.after_step(kind, state, seconds, 1):
                report.note(str(change))


@contextmanager
def choose_threads(
    asked: int | None, recorded: int | None, budget: Budget, batch: int, runtime: Runtime, report: Reporter, *, keep: bool
) -> Iterator[Threads]:
    """Use as many threads as `asked`, else as `recorded` in the checkpoint, else as torch takes; put torch's number back.

    Nothing is chosen anew later where a number is asked for, where it is to be kept (`keep`), and beside other processes,
    each of which would choose by itself.
    """
    if runtime.device.type != "cpu":
        if asked is not None:
            report.note(f"--threads {asked} changes nothing: the networks compute on {runtime.device}")
        yield Threads(None, budget)
        return
    most, there = torch.get_num_threads(), count_processors()
    alone = runtime.world == 1
    kept = asked or (recorded if alone else None)  # what is asked for may be recorded too, on a larger machine
    number = kept or min(most, count_granted())
    if kept and kept > there:
        report.note(f"the run used {count(number)}, this machine has {there}: it goes on with {there}, and bits may differ")
        number = there
    elif recorded and number != recorded:
        report.note(
            f"the run used {count(recorded)} so far and goes on with {number}: bits differ from those with {recorded}"
        )
    chooser = None
    if asked is None and alone and not keep:
        chooser = Chooser(number, most, batch, granted=count_granted())
    torch.set_num_threads(number)
    try:
        yield Threads(number, budget, chooser)
    finally:
        torch.set_num_threads(most)
