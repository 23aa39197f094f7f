"""`zoo.check_leaderboard`: a row run again, with seeds that the board has not seen, and one that it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from zoo_core import TrainingError, UsageError
from zoo_core.errors import unknown
from zoo_core.words import plural

from ..comparing.spreads import Spread
from ..files import Place, read_use, remove_folder, write_json
from ..notebook import reporter_for_caller
from ..progress import Reporter
from ..reports.displaying import Displayed
from ..reports.page import number
from ..runs.differences import list_differences, say_differences
from ..training.processor import compute_with
from .building import CELLS, fill_cells
from .cells import Bench
from .claims import disk_time
from .configuration import Cell, read_board, row_of
from .measuring import open_measures
from .planning import keep_row, plan_row
from .results import Result, read_result, result_file
from .summary import CHECKS, Standing, check_file, read_leaderboard

CRITERION = (
    "inside: the mean of the new seeds lies in the interval in which, by the board's seeds, the mean of as many others is "
    "expected 19 times of 20 (mean ± t · s · √(1/n + 1/m))"
)


@dataclass(frozen=True)
class Judgment:
    """A column of a row that was run again: means of both, where the new one was expected, and whether it lies there."""

    board: float
    new: float
    low: float
    high: float

    @property
    def inside(self) -> bool:
        """Whether the new mean lies where it was expected."""
        return self.low <= self.new <= self.high


@dataclass(frozen=True, repr=False)
class Check(Displayed):
    """What became of a row that was run again, as `zoo.check_leaderboard` returns it.

    Args:
        row: its name.
        seeds: new ones that were trained and measured.
        column: the one that decides.
        columns: all of them.
        repeated: the seed of the board that was trained again.
        same_weights: whether it gave the same weights, None where that cannot be asked.
        words: on that.
        signal: what interrupted it, "" for nothing.
    """

    row: str
    seeds: tuple[int, ...]
    column: str
    columns: Mapping[str, Judgment]
    repeated: int
    same_weights: bool | None
    words: str
    signal: str = ""

    @property
    def inside(self) -> bool:
        """Whether the column that decides lies inside its interval."""
        return self.columns[self.column].inside

    @property
    def passed(self) -> bool:
        """Whether it does, and equal seeds have not given different weights."""
        return self.inside and self.same_weights is not False

    @property
    def sentence(self) -> str:
        """Both in a line."""
        judged = self.columns[self.column]
        place = "inside" if judged.inside else "outside"
        return (
            f"{self.column} {number(judged.new)} over {plural(len(self.seeds), 'new seed')}, {place} "
            f"{number(judged.low)} to {number(judged.high)}; {self.words}"
        )

    def _describe(self) -> str:
        return f"{self.row}: {self.sentence}"

    def to_json(self) -> dict[str, Any]:
        """Plain data, for `--json`."""
        columns = {name: {**asdict(judged), "inside": judged.inside} for name, judged in self.columns.items()}
        told = {key: getattr(self, key) for key in ("inside", "passed", "sentence")}
        return {**asdict(self), "columns": columns, **told, "criterion": CRITERION, "signal": self.signal or None}


def check_leaderboard(
    folder: Place,
    row: str,
    *,
    seeds: int = 3,
    metric: str | None = None,
    device: str = "auto",
    renew: bool = False,
    keep_runs: bool = False,
    workers: int | None = None,
    report: Reporter | None = None,
) -> Check:
    """Run a row of a leaderboard again, with seeds that are new to it, and say whether it lies where its seeds foretell.

    The criterion is the 95 % prediction interval of a new mean. The board's first seed is trained once more too: on the same
    kind of machine, with as many threads, it must give the same weights, bit for bit. The board's results stay as they are;
    what is found is kept in its folder `checks`, and an interrupted check goes on.

    Args:
        folder: of the board, or a copy of its JSON files.
        row: RECIPE/DATASET, "dcgan/faces:style=notionists".
        seeds: how many new ones.
        metric: the column that decides, METRIC:FEATURES, or METRIC of the first features; by default the board's first.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        renew: whether a check that is there is made anew.
        keep_runs: whether run folders stay, in the folder `checks/cells`.
        workers: processes that decode pictures.
        report: hears notes and progress; by default the notebook or standard error does.

    Raises:
        UsageError: there is no such row, it has no spread, or its recipe has changed since.
        TrainingError: none of the new seeds came to an end.
    """
    report, place = report or reporter_for_caller(), Path(folder)
    if seeds < 1:
        raise UsageError(f"--seeds must be at least 1, not {seeds}")
    # 1. The row, as the board has it and as it would be trained today.
    board, rows = read_board(place)
    there = read_leaderboard(place)
    standing = _find(there.rows, row)
    column = there.column(metric)
    if standing.value(column).deviation is None:
        why = standing.reason or f"{plural(standing.done, 'seed')} of it {'is' if standing.done == 1 else 'are'} done"
        raise UsageError(f"{standing.name} has no spread to compare with: {why}", hint="the least is two seeds")
    planned = keep_row(rows[standing.name], plan_row(board, standing.recipe, standing.dataset, device))
    if planned.plan is None or planned.row.hash != standing.hash:
        old, new = rows[standing.name].configuration, planned.row.configuration
        lines = list_differences(old, new, "the board") if planned.plan else [planned.row.problem]
        hint = "zoo leaderboard build --renew trains it anew"
        raise UsageError(f"{standing.name} has changed since it was measured" + say_differences(lines, hint), hint=hint)
    # 2. New seeds, and one of the board's.
    known = [read_result(place, Cell(standing.recipe, standing.dataset, seed)) for seed in range(board.seeds)]
    first = next(
        result for result in known if result is not None and result.state == "done" and result.hash == standing.hash
    )
    fresh = [Cell(standing.recipe, standing.dataset, board.seeds + i) for i in range(seeds)]
    checks, cells = place / CHECKS, [first.cell, *fresh]
    checks.mkdir(exist_ok=True)
    started = disk_time(checks)

    def is_open(cell: Cell) -> bool:
        found = read_result(checks, cell)
        old = renew and read_use(result_file(checks, cell)) < started
        return found is None or found.hash != standing.hash or old

    report.note(f"{standing.name}: {plural(seeds, 'new seed')}, and seed {first.seed} once more; {CRITERION}")
    with compute_with(board.threads):
        bench = Bench(open_measures(board, device, report), report, workers)
        signal = fill_cells(checks, {standing.name: planned}, cells, is_open, bench, None, keep_runs=keep_runs)
    if not keep_runs and not any(map(is_open, cells)):
        remove_folder(checks / CELLS)
    # 3. What they say.
    again, *others = (read_result(checks, cell) for cell in cells)
    done = [result for result in others if result is not None and result.state == "done"]
    if not done:
        reasons = {result.reason for result in others if result is not None}
        raise TrainingError(f"none of the new seeds came to an end: {'; '.join(reasons) or signal or 'others are at work'}")
    same, words = compare_weights(first, again)
    found = Check(
        standing.name,
        tuple(result.seed for result in done),
        column,
        judge(standing.values, done),
        first.seed,
        same,
        words,
        signal,
    )
    if not signal and len(done) == seeds:
        write_json(check_file(place, standing.name), {"hash": standing.hash, **found.to_json()})
    return found


def judge(values: Mapping[str, Spread], results: list[Result]) -> dict[str, Judgment]:
    """Return column → judgment, for columns that both have."""
    found = {}
    for column, spread in values.items():
        metric, _, features = column.partition(":")
        new = [result.metrics[features][metric] for result in results if metric in result.metrics.get(features, {})]
        expected = spread.predict(len(new)) if new else None
        if expected is not None and spread.mean is not None:
            found[column] = Judgment(spread.mean, fmean(new), *expected)
    return found


def compare_weights(first: Result, again: Result | None) -> tuple[bool | None, str]:
    """Say whether a seed gave the same weights twice; None where that cannot be asked."""
    seed = f"seed {first.seed}"
    if again is None or again.state != "done":
        return None, f"{seed} did not come to an end again"
    if first.machine.get("device") != "cpu":
        return None, f"{seed} was trained on a GPU, which need not give the same bits"
    if first.comparable != again.comparable:
        return None, f"{seed} was trained on another kind of machine, whose bits may differ"
    if first.weights == again.weights:
        return True, f"{seed} gave the same weights again"
    changed = ", ".join(role for role in first.weights if first.weights[role] != again.weights.get(role))
    return False, f"{seed} gave other weights: {changed}"


def _find(rows: tuple[Standing, ...], name: str) -> Standing:
    recipe, dataset = row_of(name)
    for row in rows:
        if (row.recipe, row.dataset) == (recipe, dataset):
            return row
    raise unknown("row", name, [row.name for row in rows], hint="zoo leaderboard show DIR lists them")
