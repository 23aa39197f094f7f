"""What claims say alike: means with intervals, shares with intervals, and where one lies beside another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from zoo_core.intervals import apart, mean_interval, share_interval

Interval = tuple[float, float] | None


def write_mean(values: Sequence[float], *, percent: bool = False) -> str:
    """Return a mean with its 95 % interval, "0.66 (0.61 to 0.70)", or in percent."""
    return _write(fmean(values), mean_interval(values), percent)


def write_share(share: Mapping[str, Any]) -> str:
    """Return {"count", "of"} in percent, with its 95 % interval."""
    return _write(share["count"] / share["of"], span(share), True)


def span(share: Mapping[str, Any]) -> tuple[float, float]:
    """Return the 95 % interval of {"count", "of"}; one that has "groups" of trials keeps that of the groups, "interval"."""
    low, high = share.get("interval") or share_interval(share["count"], share["of"])
    return low, high


def keep_share(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is kept of a proportion as analyses tell it."""
    kept: dict[str, Any] = {"count": int(told["count"]), "of": int(told["of"])}
    return {**kept, "interval": list(told["interval95"])} if "groups" in told else kept


def beside(one: Interval, other: Interval) -> str:
    """Return "above", "below" or "not apart from"."""
    return {1: "above", -1: "below", 0: "not apart from"}[apart(one, other)]


def _write(value: float, interval: Interval, percent: bool) -> str:
    digits, sign = (".1%", "") if percent else (".3f", "")
    shown = f"{value:{digits}}{sign}"
    return shown if interval is None else f"{shown} ({interval[0]:{digits}} to {interval[1]:{digits}})"
