"""`zoo.train_seeds`: one training with several seeds, one after another, and how much their results differ."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from zoo_core import CheckpointError, TrainingError, UsageError

from ..files import Place
from ..notebook import reporter_for_caller
from ..progress import SILENT, Reporter
from ..reports.numbers import format_value
from ..runs.checkpoints import newest_checkpoint
from ..runs.command import DEFAULT_SEED
from ..runs.folders import is_run
from ..runs.listing import RunSummary, summarize
from ..runs.run import is_complete, read_run
from .continuing import continue_run, is_spent
from .planning import Plan, plan
from .train import execute
from .watch_choice import choose_watch


@dataclass(frozen=True)
class SeedRuns:
    """Trainings that differ by their seeds, as far as they are.

    Args:
        seeds, runs: the seed of each, and its run folder at a glance; None where it has none yet.
        signal: what interrupted them ("SIGINT"), "" if nothing did.
    """

    seeds: tuple[int, ...]
    runs: tuple[RunSummary | None, ...]
    signal: str = ""

    @property
    def finished(self) -> bool:
        """Whether all have spent their budgets."""
        return all(run is not None and run.state == "finished" for run in self.runs)

    @property
    def measure(self) -> str:
        """The measure of the finished runs' best distances; "" where there is none, or not the same one for all."""
        names = {run.measure for run in self._done()}
        return names.pop() if len(names) == 1 else ""

    @property
    def values(self) -> list[float]:
        """The best distance of each finished run that was measured."""
        return [run.best for run in self._done() if run.best is not None] if self.measure else []

    @property
    def mean(self) -> float | None:
        """The mean of `values`."""
        return fmean(self.values) if self.values else None

    @property
    def spread(self) -> float | None:
        """The standard deviation of `values`, from one seed to another; None for fewer than two."""
        return stdev(self.values) if len(self.values) > 1 else None

    @property
    def sentence(self) -> str:
        """What mean and spread say, and what they do not."""
        done, values = len(self._done()), len(self.values)
        words = f"{done} of {len(self.runs)} finished"
        if not values:
            return f"{words}; no distance that they share was measured"
        shown = f"best {self.measure} {format_value(self.mean, self.spread)}"
        if values == 1:
            return f"{words}; {shown}; one seed says nothing of the spread"
        told = f"mean and standard deviation over {values} seeds"
        return f"{words}; {shown} ({told}; the best of a run's looks at itself, which is a little too low)"

    def rows(self) -> list[list[str]]:
        """The table of the runs, its head first."""
        table = [["seed", "best distance", "by", "images", "minutes", "state", "run"]]
        for seed, run in zip(self.seeds, self.runs, strict=True):
            if run is None:
                table.append([str(seed), "–", "–", "0", "0.0", "not begun", ""])
            else:
                counted = [f"{run.images:,}", f"{run.minutes:.1f}", run.state, str(run.path)]
                table.append([str(seed), format_value(run.best), run.measure or "–", *counted])
        return table

    def to_json(self) -> dict[str, Any]:
        """Plain data, for `--json`."""
        pairs = zip(self.seeds, self.runs, strict=True)
        keys = ("measure", "best", "images", "minutes", "state", "problem", "path")
        runs = [{"seed": seed, **({key: getattr(run, key) for key in keys} if run else {})} for seed, run in pairs]
        told = {key: getattr(self, key) for key in ("finished", "measure", "mean", "spread", "sentence")}
        return {"runs": runs, **told, "count": len(self.values), "signal": self.signal or None}

    def _done(self) -> list[RunSummary]:
        return [run for run in self.runs if run is not None and run.state == "finished"]


def train_seeds(plans: Sequence[Plan], *, workers: int | None = None, report: Reporter | None = None) -> SeedRuns:
    """Train several plans that differ by their seeds, one after another, and say how much their results differ.

        zoo.train_seeds([zoo.plan("dcgan", dataset="faces", seed=seed) for seed in range(3)])

    The same call goes on after an interruption; what is finished is not trained again. One that diverges does not keep the
    next from being trained.

    Args:
        plans: as `zoo.plan` makes them, each with a folder of its own.
        workers: processes that decode pictures.
        report: hears notes and progress; by default the notebook or standard error does.

    Raises:
        UsageError: there are no plans, or two of them would train in one folder.
        ZooError: a training cannot go on for another reason than that it diverged.
    """
    if not plans:
        raise UsageError("there is no plan to train", hint='make some: zoo.plan("dcgan", dataset="faces", seed=1)')
    if len({planned.folder.absolute() for planned in plans}) < len(plans):
        raise UsageError("two of the plans have the same run folder", hint="give each a seed or a folder of its own")
    report, signal = report or reporter_for_caller(), ""
    for planned in plans:
        if _is_finished(planned):
            report.note(f"seed {planned.config.seed} is finished: {planned.folder}")
            continue
        try:
            signal = execute(planned, report=report, workers=workers).signal
        except TrainingError as error:
            if "diverged" not in error.message:  # such as no memory, which the next one would not have either
                raise
            report.warn(f"seed {planned.config.seed}: {error.message}")
        if signal:
            break
    seeds = tuple(planned.config.seed for planned in plans)
    folders = [planned.folder for planned in plans]
    return SeedRuns(seeds, tuple(summarize(folder) if is_run(folder) else None for folder in folders), signal)


def check_seeds(seeds: int, *, resume: Place | None, out: Place | None) -> None:
    """Raise `UsageError` where `zoo train --seeds` cannot be."""
    if seeds < 1:
        raise UsageError(f"{seeds} seeds are impossible", hint="the least is 1; for example: --seeds 3")
    if resume is not None:
        hint = "leave --seeds out; the command that began several goes on with all of them"
        raise UsageError("--resume goes on with one run, and --seeds trains several", hint=hint)
    if out is not None and is_run(Path(out)):
        raise UsageError(f"{out} is a run folder; --seeds makes several in --out", hint="choose another folder: --out DIR")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        hint = "start each seed by itself: --seed 0, --seed 1, …"
        raise UsageError("--seeds trains in one process, and this is one of several", hint=hint)


def plan_seeds(seeds: int, choices: Mapping[str, Any]) -> list[Plan]:
    """Plan what `zoo.plan` is told by `choices` with as many seeds, from its own on; in `out` each has a folder."""
    first, out = choices.get("seed") or DEFAULT_SEED, choices.get("out")
    check_seeds(seeds, resume=choices.get("resume"), out=out)
    told = [{**choices, "seed": seed} for seed in range(first, first + seeds)]
    return [_plan_in(Path(out) / f"seed-{one['seed']}", one) if out is not None else plan(**one) for one in told]


def _plan_in(folder: Path, choices: Mapping[str, Any]) -> Plan:
    """Plan a training in `folder`, or to go on with the run there that has this configuration."""
    if not is_run(folder):
        return plan(**{**choices, "out": folder})
    # As if nothing were there, which says the configuration to compare with.
    planned = plan(**{**choices, "out": folder / "again"})
    asked = (choices.get("watch"), choices.get("evaluate_every"), choices.get("rescue"))
    how = choose_watch(planned.config, read_run(folder), *asked)
    return continue_run(folder, planned.config, replace(planned, folder=folder, resume=True, **how))


def _is_finished(planned: Plan) -> bool:
    if not is_run(planned.folder) or not is_complete(planned.folder):
        return False
    try:
        counters = newest_checkpoint(planned.folder / "checkpoints", SILENT)[1]
    except CheckpointError:
        return False
    return is_spent(replace(planned, config=read_run(planned.folder).config), counters)
