"""Which number of threads is the fastest, found out in the course of a training and only when there is a reason to look."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

from .processor import Usage, read_usage

WINDOW = 1.0  # least seconds of steps between two looks at the processor
LOOKS = 2  # looks in a row that must agree before anything is measured: a moment's work of others is none
LEAST = 60.0  # seconds that a training must still last: a shorter one gains nothing
SLACK, QUIET = 0.25, 0.1  # processors that others may have before it counts as use, and at most while it counts as none
SHARE = 0.75  # of its threads' time, which a training has where nobody else computes
FALL = 1.5  # times as long as the best that a step takes where something must have changed

TURN, STEPS = 0.25, 2  # least seconds and timed steps of one number's turn
LIMITS = (1.4, 1.2)  # times the best mean beyond which a number is out after each round; the fastest wins after one more
HOPELESS = 2.0  # times the best mean at which a single step ends a turn
FEWER, MORE = 1.1, 1.03  # times as fast as now must be what takes its place, of fewer and of more threads
PAUSE, BLIND_PAUSE, LONGEST_PAUSE = 10.0, 60.0, 600.0  # least seconds between measurements; where others are not seen; most
COST = 10  # times as long as a measurement took is the pause after it, and twice as long after each that changed nothing

BLOCKED = "threads get less of the processor than they could"
OTHERS, SLOWER, FREE = "others use the processor", "steps take longer than they did", "the processor is free"
TOO_MANY = "there are fewer processors than threads"


def candidates(most: int, granted: int) -> list[int]:
    """Return the numbers of threads that are worth a try, most first: all, all but one, half, one."""
    useful = min(most, granted)
    return sorted({most, useful, max(1, useful - 1), max(1, useful // 2), 1}, reverse=True)


@dataclass
class Timing:
    """Steps of one kind, and their seconds."""

    steps: int = 0
    seconds: float = 0.0

    def add(self, seconds: float) -> None:
        self.steps, self.seconds = self.steps + 1, self.seconds + seconds

    @property
    def mean(self) -> float:
        return self.seconds / max(self.steps, 1)


@dataclass(frozen=True)
class Change:
    """Another number of threads from here on, and why; `speeds` are images/s by number of threads, as measured."""

    before: int
    after: int
    speeds: dict[int, float]
    reason: str

    def __str__(self) -> str:
        now, then = self.speeds[self.after], self.speeds[self.before]
        return f"{self.reason}: training on {count(self.after)} from here, {now:.3g} images/s instead of {then:.3g}"


@dataclass
class Window:
    """What happened since a look at the processor: all steps, and those of the usual kind."""

    usage: Usage
    all: Timing = field(default_factory=Timing)
    usual: Timing = field(default_factory=Timing)


class Chooser:
    """Chooses a number of threads from what steps take and what others use, without touching torch.

    It watches, and when there is a reason it lets each of the candidates take a few real steps, in turns, until one is the
    fastest. Steps differ by the phases that are due; only the most frequent kind is timed.

    Args:
        number: of threads in use.
        most: that torch takes by itself.
        batch: images of a step.
        granted: processors that the process may keep busy.

    Attributes:
        number: for the next step.
        settled: the same, but what was in use before while others are tried.
    """

    def __init__(self, number: int, most: int, batch: int, *, granted: int, read: Callable[[], Usage] = read_usage) -> None:
        self.number = self.settled = number
        self.batch, self.granted, self.read = batch, granted, read
        self.candidates = candidates(max(most, number), granted)
        self.kinds: Counter[Hashable] = Counter()
        self.window: Window | None = None  # None: the next step is not timed
        self.best = float("inf")  # seconds of a usual step in the best window with this number
        self.slow, self.seen, self.looks = 0, "", 0
        self.not_before, self.unchanged = 0.0, 0
        self.looked = 0
        self.trial: Trial | None = None

    @property
    def decided(self) -> bool:
        """Whether the number would stay, as far as is known now."""
        return len(self.candidates) == 1 or (self.trial is None and self.looked >= LOOKS)

    def after_step(self, kind: Hashable, seconds: float, left: Callable[[float], float]) -> Change | None:
        """Hear that a step of some kind took so long; returns a change. `left`: seconds of a step → seconds to the end."""
        if len(self.candidates) == 1:
            return None
        self.kinds[kind] += 1
        usual = kind == self.kinds.most_common(1)[0][0]
        if self.trial is not None:
            if usual and (winner := self.trial.after_step(seconds)):
                return self._settle(self.trial, winner)
            self.number = self.trial.number
            return None
        if self.window is None:
            self.window = Window(self.read())
            return None
        self.window.all.add(seconds)
        if usual:
            self.window.usual.add(seconds)
        if self.window.all.seconds >= WINDOW and self.window.usual.steps:
            self._look(self.window, left)
        return None

    def _look(self, window: Window, left: Callable[[float], float]) -> None:
        """Begin to measure where there is a reason to, and time enough to gain by it."""
        now, self.looked = self.read(), self.looked + 1
        reason = self._reason(now.since(window.usage), window)
        self.looks = self.looks + 1 if reason and reason == self.seen else 1
        self.seen, self.window = reason, Window(now)
        if reason and self.looks >= LOOKS and now.wall >= self.not_before and left(window.all.mean) >= LEAST:
            self.trial = Trial(self.number, window, self.candidates, reason, now.wall)
            self.number = self.trial.number

    def _reason(self, used: Usage, window: Window) -> str:
        """Why another number of threads may be better, "" for no reason."""
        mean = window.usual.mean
        self.slow = self.slow + 1 if mean > FALL * self.best else 0
        self.best = min(self.best, mean)
        if self.number > 1:
            if self.number > self.granted:
                return TOO_MANY
            # Where others are not seen, it tells that threads have less time than they could; not beside long interludes.
            if used.others is not None:
                disturbed = self.number + used.others > self.granted + SLACK
            else:
                disturbed = window.all.seconds > 0.9 * used.wall and used.processors < SHARE * self.number
            if disturbed:
                return OTHERS if used.others is not None else BLOCKED
            if self.slow:
                return SLOWER
        more = [number for number in self.candidates if self.number < number <= self.granted]
        if more and (used.others is None or min(more) + used.others <= self.granted + QUIET):
            return FREE
        return ""

    def _settle(self, trial: Trial, winner: int) -> Change | None:
        """Go on with the fastest, and let it be for a while."""
        before, now = trial.before, self.read()
        self.unchanged = self.unchanged + 1 if winner == before else 0
        pause = max(COST * (now.wall - trial.begun), BLIND_PAUSE if now.total is None else PAUSE)
        self.not_before = now.wall + min(pause * 2**self.unchanged, LONGEST_PAUSE)
        self.number = self.settled = winner
        self.best, self.slow, self.seen, self.looks = trial.times[winner].mean, 0, "", 0
        self.trial = self.window = None
        if winner == before:
            return None
        speeds = {n: self.batch / trial.pace * trial.times[before].mean / t.mean for n, t in sorted(trial.times.items())}
        return Change(before, winner, speeds, trial.reason)


class Trial:
    """Numbers of threads take turns in real steps until one is the fastest; `before` is in use, and `window` its first turn.

    Attributes:
        number: whose turn it is.
        times: number → its timed steps.
        pace: seconds of a step of any kind before.
    """

    def __init__(self, before: int, window: Window, numbers: Sequence[int], reason: str, begun: float) -> None:
        self.before, self.reason, self.begun = before, reason, begun
        self.pace = window.all.mean
        self.times = {before: window.usual}
        self.waiting = [number for number in numbers if number != before]
        self.round = 0
        self.number, self.first, self.turn = self._next_turn()

    def after_step(self, seconds: float) -> int | None:
        """Hear how long a step took; returns the winner once there is one."""
        if self.first:  # with another number of threads kernels are made anew
            self.first = False
            return None
        self.turn.add(seconds)
        self.times.setdefault(self.number, Timing()).add(seconds)
        ranked = sorted(self.times, key=lambda number: self.times[number].mean)
        best = self.times[ranked[0]].mean
        if (self.turn.steps < STEPS or self.turn.seconds < TURN) and seconds < HOPELESS * best:
            return None
        if self.number < ranked[0] and self.times[self.number].mean > LIMITS[0] * best:  # fewer still would be slower still
            self.waiting = [number for number in self.waiting if number > self.number]
        if not self.waiting:
            limit = LIMITS[self.round] if self.round < len(LIMITS) else 0.0
            self.waiting = [number for number in ranked if self.times[number].mean <= limit * best]
            self.round += 1
            if len(self.waiting) < 2:
                return self._winner(ranked[0])
        self.number, self.first, self.turn = self._next_turn()
        return None

    def _next_turn(self) -> tuple[int, bool, Timing]:
        return self.waiting.pop(0), True, Timing()

    def _winner(self, fastest: int) -> int:
        needed = FEWER if fastest < self.before else MORE
        gain = self.times[self.before].mean / self.times[fastest].mean
        return fastest if gain >= needed else self.before


def count(threads: int) -> str:
    """Return "1 thread", "2 threads", …"""
    return f"{threads} thread{'s' if threads != 1 else ''}"
