"""Training up to a budget in a folder of one's own, and on from where it was left; what `zoo compare` and boards share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from zoo_core import CheckpointError, TrainingError

from ..files import remove_folder
from ..progress import SILENT, Reporter, Task
from ..runs.budget import Budget
from ..runs.checkpoints import newest_checkpoint
from ..runs.command import leave_out
from ..runs.run import Run, is_complete, is_run, read_run
from ..training.planning import Plan, plan
from ..training.train import execute


def train_to(
    folder: Path, first: Plan, seed: int, budget: Budget, *, report: Reporter, workers: int | None = None
) -> Run | None:
    """Bring the run in `folder` up to a budget, begin it if need be; None where it is there already.

    `first` says how its recipe is trained, `seed` with which seed. Raises as `training.train.execute` does.
    """
    if not is_run(folder):
        remove_folder(folder)  # all that a process left that was killed before it began
        config = replace(first.config, seed=seed)
        command = leave_out(leave_out(first.command, "--out"), "--seed")  # what every training has of its own
        command = f"{command} --seed {seed}" if seed else command
        mine = replace(first, config=config, folder=folder, budget=budget, command=command)
        return execute(mine, report=report, workers=workers)
    if _reached(folder, budget):
        return None
    wanted: dict[str, Any] = {budget.kind: budget.amount, "threads": first.threads}
    stored, dataset = read_run(folder).config.dataset, first.config.dataset
    if stored is not None and dataset is not None and stored["data"] != dataset["data"]:
        wanted["data"] = dataset["data"]  # the same pictures lie elsewhere now
    return execute(plan(resume=folder, device=str(first.device), **wanted), report=report, workers=workers)


def _reached(folder: Path, budget: Budget) -> bool:
    try:
        counters = newest_checkpoint(folder / "checkpoints", SILENT)[1] if is_complete(folder) else {}
    except CheckpointError:
        return False
    return bool(counters.get("seconds" if budget.kind == "minutes" else "images", 0) >= budget.total(1))


def has_diverged(error: TrainingError) -> bool:
    """Return whether a training failed by itself, and not for want of memory, say: that is a result of its recipe."""
    return "diverged" in error.message


class NamedReporter(Reporter):
    """Passes on warnings and progress, under the name of one of many trainings; what each opens with would be said too
    often.
    """

    def __init__(self, report: Reporter, label: str) -> None:
        self.report, self.label = report, label

    def warn(self, text: str) -> None:
        self.report.warn(f"{self.label}: {text}")

    @contextmanager
    def task(self, label: str, total: float | None = None, unit: str = "") -> Iterator[Task]:
        with self.report.task(self.label if label == "training" else label, total, unit) as task:
            yield task
