"""A board as far as it is: means and intervals over seeds, what cannot be told apart, and what is missing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zoo_core import ZooError, registry
from zoo_core.errors import unknown

from ..comparing.spreads import Spread
from ..documents import read_document
from ..files import Place
from ..reports.displaying import Displayed
from .configuration import DIVERSITY, Board, Cell, Row, read_board
from .results import Result, read_result

CHECKS = "checks"  # the folder of rows that were run again
COSTS = ("images_per_s", "operations")
ENOUGH = 10_000  # images of either kind, with which Fréchet distances order models rightly


@dataclass(frozen=True)
class Standing:
    """A row of a board: one recipe on one dataset, over its seeds.

    Args:
        values: column → mean, deviation and the values, of the seeds that are done.
        done, wanted: seeds.
        diverged, failed: seeds.
        reason: why seeds gave no numbers, or why the row cannot be.
        possible: whether the row can be.
        operations: of all its training, counted; 0 where they could not be.
        checked: what `zoo leaderboard check` found last, "" for a row that it has not seen.
    """

    recipe: str
    dataset: str
    hash: str
    values: Mapping[str, Spread]
    done: int
    wanted: int
    diverged: int
    failed: int
    reason: str
    possible: bool
    images_per_s: Spread
    operations: float
    parameters: Mapping[str, int]
    checked: str = ""

    @property
    def name(self) -> str:
        """What `zoo leaderboard check` calls it."""
        return f"{self.recipe}/{self.dataset}"

    @property
    def missing(self) -> int:
        """Seeds that nobody has done yet."""
        return self.wanted - self.done - self.diverged - self.failed if self.possible else 0

    def value(self, column: str) -> Spread:
        """Return the values of a column, empty where there are none."""
        if column == "images_per_s":
            return self.images_per_s
        if column == "operations":
            return Spread.of([self.operations] if self.operations else [])
        return self.values.get(column, Spread.of(()))

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        values = {column: {**asdict(s), "interval": s.interval} for column, s in self.values.items()}
        return {**asdict(self), "values": values, "missing": self.missing}


@dataclass(frozen=True, repr=False)
class Leaderboard(Displayed):
    """A board, as `zoo.build_leaderboard` and `zoo.show_leaderboard` return it.

    Args:
        path: its folder.
        board: what it was told.
        columns: METRIC:FEATURES, of what is at hand.
        absent: features that were not at hand where cells were measured → why.
        rows: in the order of the board.
        machines: what its cells were computed with.
        warnings: why some numbers do not compare.
        signal: what interrupted its building ("SIGINT"), "" for nothing.
    """

    path: Path
    board: Board
    columns: tuple[str, ...]
    absent: Mapping[str, str]
    rows: tuple[Standing, ...]
    machines: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    signal: str = ""

    def _describe(self) -> str:
        return f"{self.path}: {len(self.board.recipes)} recipes, {self.done} of {self.wanted} cells"

    @property
    def wanted(self) -> int:
        """Cells that can be."""
        return sum(row.wanted for row in self.rows if row.possible)

    @property
    def done(self) -> int:
        """Cells that somebody was done with, also those that diverged or failed."""
        return sum(row.wanted - row.missing for row in self.rows if row.possible)

    @property
    def finished(self) -> bool:
        """Whether no cell is missing."""
        return self.done == self.wanted

    def of(self, dataset: str, sort: str | None = None) -> list[Standing]:
        """Return the rows of a dataset, the best of a column first, by default of `order`; rows without values last."""
        column = self.column(sort)
        rows = [row for row in self.rows if row.dataset == dataset]
        return sorted(rows, key=lambda row: _badness(column, row.value(column).mean))

    @property
    def order(self) -> str:
        """The column that rows are sorted by: the first; but where it is a Fréchet distance of few images and there is a
        kernel distance, that one, which has no bias (Bińkowski et al. 2018, arXiv:1801.01401). A Fréchet distance of few
        images is too large, and the more so the more diverse they are: it would prefer models that have collapsed.
        """
        metric, _, features = self.columns[0].partition(":")
        few = min(self.board.samples, self.board.real) < ENOUGH
        unbiased = f"kid:{features}"
        return unbiased if metric in ("frechet", "fid") and few and unbiased in self.columns else self.columns[0]

    def column(self, sort: str | None) -> str:
        """Return the column that `--sort` names: METRIC:FEATURES, METRIC of the first features, images_per_s, operations;
        `order` where none is named.

        Raises `UsageError` for none of them.
        """
        if sort is None:
            return self.order
        first = [column for column in self.columns if column.partition(":")[0] == sort]
        valid = [*self.columns, *COSTS]
        if not first and sort not in valid:
            raise unknown("column", sort, valid, hint=f"valid: {', '.join(valid)}, or a metric of the first features")
        return first[0] if first else sort

    def best(self, dataset: str, column: str) -> list[Standing]:
        """Return the rows of a dataset whose mean is best; none where all are alike, or none was measured."""
        found = [row for row in self.of(dataset, column) if row.value(column).mean is not None]
        best = [row for row in found if row.value(column).mean == found[0].value(column).mean]
        return best if len(best) < len(found) or len(found) == 1 else []

    def overlaps(self, row: Standing, column: str) -> bool:
        """Return whether a row's 95 % interval reaches that of the best row of its dataset: the seeds do not tell which is
        better. A single seed counts as its value.
        """
        best = self.best(row.dataset, column)
        if not best or row in best or row.value(column).mean is None:
            return False
        (low, high), (lowest, highest) = (_span(one.value(column)) for one in (row, best[0]))
        return low <= highest and lowest <= high

    def to_json(self) -> dict[str, Any]:
        """Plain data, for `--json`."""
        told = {
            key: getattr(self, key) for key in ("columns", "absent", "machines", "warnings", "done", "wanted", "finished")
        }
        return {
            "board": str(self.path),
            **told,
            "settings": asdict(self.board),
            "rows": [
                {**row.to_json(), "overlaps_best": [c for c in self.columns if self.overlaps(row, c)]} for row in self.rows
            ],
            "signal": self.signal or None,
        }


def read_leaderboard(folder: Place) -> Leaderboard:
    """Return the board in a folder as far as it is; raises as `zoo.show_leaderboard` does."""
    place = Path(folder)
    return summarize(place, *read_board(place))


def summarize(place: Path, board: Board, rows: Mapping[str, Row], signal: str = "") -> Leaderboard:
    """Return what `read_leaderboard` does, of a board that is told; `signal` interrupted its building."""
    found = [_read_row(place, board, *names, rows.get(Cell(*names, 0).row, Row())) for names in board.rows]
    results = [result for _, of_row in found for result in of_row if result.state == "done"]
    known = list(dict.fromkeys(column for result in results for column in _columns(result)))
    asked = [f"{metric}:{name}" for name in board.features for metric in (*board.metrics, DIVERSITY)]
    absent = {name: why for result in results for name, why in result.absent.items()}
    columns = [c for c in asked if c in known] or [c for c in asked if c.partition(":")[2] == board.features[0]]
    standings = tuple(row for row, _ in found)
    machines = tuple(sorted({result.machine_words for result in results}))
    warnings = tuple(_warn(board, results))
    return Leaderboard(place, board, tuple(columns), absent, standings, machines, warnings, signal)


def _read_row(folder: Path, board: Board, recipe: str, dataset: str, row: Row) -> tuple[Standing, list[Result]]:
    every = [read_result(folder, Cell(recipe, dataset, seed)) for seed in range(board.seeds)]
    results = [result for result in every if result is not None and result.hash == row.hash]
    done = [result for result in results if result.state == "done"]
    cannot = [result for result in results if result.state == "not applicable"]
    columns = dict.fromkeys(column for result in done for column in _columns(result))
    standing = Standing(
        recipe,
        dataset,
        row.hash,
        values={c: Spread.of(_columns(r)[c] for r in done if c in _columns(r)) for c in columns},
        done=len(done),
        wanted=board.seeds,
        diverged=sum(result.state == "diverged" for result in results),
        failed=sum(result.state == "failed" for result in results),
        reason=row.problem or next((result.reason for result in results if result.reason), ""),
        possible=not row.problem and not cannot,
        images_per_s=Spread.of(result.images_per_s for result in done),
        operations=max((result.flop_per_image * result.images for result in done), default=0.0),
        parameters=done[0].parameters if done else {},
        checked=_read_check(check_file(folder, f"{recipe}/{dataset}"), row.hash),
    )
    return standing, results


def _columns(result: Result) -> dict[str, float]:
    return {f"{metric}:{name}": value for name, values in result.metrics.items() for metric, value in values.items()}


def _warn(board: Board, results: Sequence[Result]) -> list[str]:
    lines = []
    for dataset in board.datasets:
        if len({result.pictures for result in results if result.dataset == dataset}) > 1:
            lines.append(f"{dataset}: cells were measured against different pictures, and do not compare")
    return lines


def _span(spread: Spread) -> tuple[float, float]:
    assert spread.mean is not None
    return spread.interval or (spread.mean, spread.mean)


def _badness(column: str, mean: float | None) -> float:
    """Return what is least for the best mean of a column; diversity is best where it is that of the data, 1."""
    if mean is None:
        return math.inf
    if column.partition(":")[0] == DIVERSITY:
        return abs(mean - 1)
    return mean if is_lower_better(column) else -mean


def is_lower_better(column: str) -> bool:
    """Return whether the least value of a column is the best; so it is where nobody here knows the metric."""
    metric = column.partition(":")[0]
    if column in COSTS:
        return column == "operations"
    try:
        return bool(registry.load("metrics", metric).lower_is_better)
    except ZooError:
        return True


def check_file(folder: Path, row: str) -> Path:
    """Return the file of what `zoo leaderboard check` found of a row."""
    recipe, _, dataset = row.partition("/")
    return folder / CHECKS / f"{Cell(recipe, dataset, 0).name.rpartition('--')[0]}.json"


def _read_check(file: Path, hash: str) -> str:
    """Return what a check found of a row with that configuration, "" for nothing."""
    try:
        found = read_document(file, {"sentence": str, "hash": str, "*": Any}, error=ZooError)
    except ZooError:
        return ""
    return str(found["sentence"]) if found["hash"] == hash else ""
