"""By what and how often a training is watched, and whether it is rescued: as asked, as begun, or as usual."""

from __future__ import annotations

from typing import Any

from zoo_core import UsageError

from ..runs.config import RunConfig
from ..runs.run import RunRecord
from .rescue import ladder_of

WATCH = "scattering"  # quick, without a download


def check_watch(watch: str | bool | None, every: int | None) -> None:
    """Raise `UsageError` for a measure that nobody knows, an interval that cannot be, or one without a measure."""
    if every is not None and every < 1:
        hint = "for example: --evaluate-every 20000"
        raise UsageError(f"a measurement every {every} images is impossible; the least is 1", hint=hint)
    if every is not None and watch is False:
        what = "--evaluate-every says how often to measure, and nothing is to be measured"
        raise UsageError(what, hint="leave it out, or name a measure: --watch scattering")
    if isinstance(watch, str):
        from ..metrics.measuring import split_criterion  # heavy, and the default needs no check

        split_criterion(watch)


def choose_watch(
    config: RunConfig, record: RunRecord | None, watch: str | bool | None, every: int | None, rescue: bool | None
) -> dict[str, Any]:
    """Return `watch`, `evaluate_every` and `rescue` of a plan; `record` is that of a run that is gone on with."""
    asked = WATCH if watch is None or watch is True else watch or None
    if record is None:
        wanted = watch is not False if rescue is None else rescue  # without a watch there is no best to go back to
        return {"watch": asked, "evaluate_every": every, "rescue": ladder_of(config) if wanted else []}
    anew = rescue and not record.rescue
    return {
        "watch": record.watch.get("metric") if watch is None else asked,
        "evaluate_every": every or record.watch.get("every"),
        "rescue": ladder_of(config) if anew else [] if rescue is False else record.rescue,
    }


def watch_words(watch: str | bool | None, every: int | None, rescue: bool | None) -> list[str]:
    """Return what a command line says of it, as far as somebody chose."""
    words = ["--no-watch"] if watch is False else ["--watch", watch] if isinstance(watch, str) else []
    words += ["--evaluate-every", str(every)] if every is not None else []
    return words + ([] if rescue is None else ["--rescue" if rescue else "--no-rescue"])
