"""What a person wants to know of a training that has just begun: when there is something to see, and how long it takes."""

from __future__ import annotations

from zoo_core.words import duration, plural

from ..runs.budget import Budget
from .state import State

FIRST = 20.0  # seconds of training after which a run that has nothing yet draws a grid and saves
EARLY = 1000  # images after which there is a grid, and after twice as many each time, until `samples_every` is reached
WARM, LOOK = 2.0, 3.0  # seconds of training that are not looked at, and that are: the first steps take longer
LONG, SHORT = 900.0, 10  # seconds of training for which a shorter one is proposed, and its minutes
AGAIN = 120.0  # seconds of training within which a change of speed is worth another line
BRIEF = 10.0  # seconds of training of which nothing is foretold


def crosses(before: int, now: int, every: int) -> bool:
    """Return whether a multiple of `every` lies in (before, now]."""
    return before // every != now // every


def next_grid(images: int, every: int) -> int:
    """Return after how many images the next grid after `images` comes: EARLY · 2ᵏ below `every`, then its multiples."""
    early = EARLY
    while early <= images:
        early *= 2
    return early if early < every else (images // every + 1) * every


class Forecast:
    """Says once how long a training will take here, from how fast its first seconds are.

    Args:
        every: real images between two sample grids.
        count: images in the dataset.
    """

    def __init__(self, budget: Budget, state: State, every: int, count: int) -> None:
        self.budget, self.every, self.count = budget, every, count
        self.fresh, self.told, self.since = state.step == 0, False, 0.0
        self.mark: tuple[float, int] | None = None

    def restart(self, seconds: float) -> None:
        """Look again where another speed shows early that the forecast was wrong."""
        if seconds < AGAIN:
            self.told, self.since, self.mark = False, seconds, None

    def is_due(self, seconds: float) -> bool:
        """Return whether to look, so many seconds of training after this sitting began."""
        return not self.told and seconds >= (self.since + WARM if self.mark is None else self.mark[0] + LOOK)

    def look(self, seconds: float, state: State, *, seen: bool) -> str:
        """Return the forecast, "" before the second look or where it is not worth a line. `seen`: whether there are grids.

        It fits into 80 columns.
        """
        if self.mark is None:
            self.mark = seconds, state.images
            return ""
        self.told = True
        since, images = self.mark
        speed = (state.images - images) / max(seconds - since, 1e-9)
        left = self.budget.total(self.count) - self.budget.done(state)
        lasts = left if self.budget.unit == "seconds" else left / max(speed, 1e-9)
        if lasts < BRIEF or not speed:
            return ""
        rate = f"{speed:,.0f}" if speed >= 10 else f"{speed:.2g}"
        if self.budget.unit == "seconds":
            images = round_images(state.images + left * speed)
            words = f"about {plural(images, 'image')} in {self.budget} at {rate} images/s"
        else:
            lasting = duration(round_seconds(lasts))
            words = f"about {lasting} {'' if self.fresh else 'more '}at {rate} images/s"
        words = f"{words}, {self._pictures(seconds, state, speed, seen)}"
        less = self.fresh and lasts > LONG and self.budget.unit != "seconds"
        return f"{words}; for less: --minutes {SHORT}" if less else words

    def _pictures(self, seconds: float, state: State, speed: float, seen: bool) -> str:
        """Say when the next pictures come."""
        wait = (next_grid(state.images, self.every) - state.images) / speed
        wait = wait if seen else min(wait, FIRST - seconds)
        words = f"in {duration(round_seconds(wait))}" if wait >= 10 else "soon"
        return f"{'next' if seen else 'first'} pictures {words}"


def round_seconds(seconds: float) -> float:
    """Return about as many seconds as can be foretold: to 5 or 15, to one or five minutes, to a day."""
    steps = ((60, 5), (600, 15), (3600, 60), (4 * 86400, 300))
    step = next((step for below, step in steps if seconds < below), 86400)
    return max(round(seconds / step), 1) * step


def round_images(images: float) -> int:
    """Return a number of two digits and zeros."""
    whole = max(int(images), 1)
    return round(whole, 2 - len(str(whole)))
