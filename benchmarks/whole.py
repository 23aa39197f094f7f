"""Trainings of benchmarks that keep what they have measured: to the end, or not counted."""

from __future__ import annotations

from typing import Any

import zoo


def train_whole(*arguments: Any, **choices: Any) -> zoo.Run:
    """Do what `zoo.train` does; where a signal ends the training early, the benchmark ends too. Called again, it goes on.

    Raises:
        SystemExit: with 130, after an interruption.
    """
    run = zoo.train(*arguments, **choices)
    if not run.finished:
        raise SystemExit(130)
    return run
