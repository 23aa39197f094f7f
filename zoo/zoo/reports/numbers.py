"""Numbers for people: a value and its spread with as many digits as they carry, and in words whether something worked.

Every number that says whether something worked is judged by one rule. It has a value that chance gives, and one that could
not be better; what counts is how far it goes from the one to the other:

- *good*: at least half of the way (`GOOD`). What was asked for is then nearer to certain than to what happens anyhow.
- *no better than chance*: its 95 % interval reaches the value of chance; where there is no interval, less than a tenth of
  the way (`LEAST`), which is what such numbers differ by from seed to seed.
- *weak*: between these.
"""

from __future__ import annotations

import math
from typing import Literal

Verdict = Literal["good", "weak", "no better than chance"]

GOOD, LEAST = 0.5, 0.1
_DIGITS = 2  # of a spread: more would be digits of chance
_MOST = 6  # digits of a value, however small its spread
_LARGE, _SMALL = 7, -4  # powers of ten from which, and below which, a number is written with an exponent


def format_value(value: float | None, spread: float | None = None, digits: int = 4) -> str:
    """Return a value with its spread, "1,300 ± 350": the spread has two digits that matter, the value ends where it does, or
    after six digits.

    Args:
        value: a dash where there is none.
        spread: a standard error or deviation; left out where it is None, 0 or no number, and the value then has `digits`
            digits that matter.
    """
    if value is None:
        return "–"
    if not math.isfinite(value):
        return str(value)
    if spread is None or not math.isfinite(spread) or spread <= 0:
        return _write(value, digits - 1 - _power(value, digits))
    places = _DIGITS - 1 - _power(spread, _DIGITS)
    if _power(value, digits) >= _LARGE or max(_power(value, digits), _power(spread, _DIGITS)) < _SMALL:
        return f"{value:.{max(0, _power(value, digits) + places)}e} ± {spread:.{_DIGITS - 1}e}".replace("-", "−")
    return f"{_write(value, min(places, _MOST - 1 - _power(value, _MOST)))} ± {_write(spread, places)}"


def judge(value: float, chance: float, best: float, interval: tuple[float, float] | None = None) -> Verdict:
    """Say whether a number shows that something worked; see above.

    Args:
        value: the number.
        chance: what it would be where nothing worked.
        best: what it would be where all did; above or below `chance`.
        interval: that holds it with 95 % probability, if one is known.
    """
    way = best - chance
    if not way or not math.isfinite(value):
        return "no better than chance"
    reached = (value - chance) / way
    surely = min((end - chance) / way for end in interval) > 0 if interval is not None else reached >= LEAST
    if not surely:
        return "no better than chance"
    return "good" if reached >= GOOD else "weak"


def spread_interval(value: float, spread: float | None) -> tuple[float, float] | None:
    """Return the 95 % interval of a number whose standard error is known, None where it is not."""
    return (value - 2 * spread, value + 2 * spread) if spread else None


def _power(value: float, digits: int) -> int:
    """Return the power of ten of a number's first digit, once it is rounded to `digits` digits."""
    return int(f"{value:.{digits - 1}e}".partition("e")[2]) if value else 0


def _write(value: float, places: int) -> str:
    """Return a number rounded to so many places, which may be negative, in plain digits where that can be read."""
    rounded = round(value, places)
    power = _power(rounded, 6)
    if rounded and not _SMALL <= power < _LARGE:
        return f"{rounded:.{max(0, power + places)}e}".replace("-", "−")
    return f"{rounded:,.{max(0, places)}f}".replace("-", "−")
