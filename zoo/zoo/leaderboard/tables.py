"""A board as tables: what the terminal, Markdown and the page show alike."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, fields

from zoo_core.words import plural

from ..reports.numbers import format_value
from ..reports.page import number
from .configuration import DIVERSITY, Board
from .summary import COSTS, Leaderboard, Standing, is_lower_better

TITLES = {
    "frechet": "Fréchet distance",
    "fid": "FID",
    "kid": "kernel distance",
    "images_per_s": "images/s",
    "operations": "operations",
}
_PREFIXES = {15: "P", 12: "T", 9: "G", 6: "M", 3: "k"}
NOTHING = "–"  # stands where no value is
OVERLAPS = "≈"  # stands before a value whose interval reaches that of the best


@dataclass(frozen=True)
class Entry:
    """A value of a table; `best` in its column, or not to be told from it (`overlaps`)."""

    text: str
    best: bool = False
    overlaps: bool = False

    def __str__(self) -> str:
        return f"{OVERLAPS} {self.text}" if self.overlaps else self.text


@dataclass(frozen=True)
class Table:
    """The rows of a dataset, seen by one kind of features."""

    dataset: str
    features: str
    order: str  # the column by which its rows are sorted
    heads: Sequence[str]
    names: Sequence[str]  # of recipes
    rows: Sequence[Sequence[Entry]]


def make_tables(board: Leaderboard, sort: str | None = None) -> list[Table]:
    """Return a table for each dataset and each kind of features, the best row of column `sort` first."""
    order = board.column(sort)
    features = list(dict.fromkeys(column.partition(":")[2] for column in board.columns))
    tables = []
    for dataset in board.board.datasets:
        for i, name in enumerate(features):
            columns = [column for column in board.columns if column.partition(":")[2] == name]
            metric = order.partition(":")[0]
            own = f"{metric}:{name}" if f"{metric}:{name}" in columns else order
            shown = [row for row in board.of(dataset, own) if row.possible]
            costs = COSTS if i == 0 else ()
            heads = ["recipe", *(_head(column) for column in (*columns, *costs)), "seeds"]
            rows = [
                [*(_entry(board, row, column) for column in columns), *(_cost(row, cost) for cost in costs), _seeds(row)]
                for row in shown
            ]
            tables.append(Table(dataset, name, own, heads, [row.recipe for row in shown], rows))
    return tables


def title_of(column: str) -> str:
    """Return what a column is called where it stands alone."""
    metric, _, features = column.partition(":")
    return TITLES.get(metric, metric) + (f", {features} features" if features else "")


def _head(column: str) -> str:
    metric = column.partition(":")[0]
    if metric == DIVERSITY:
        return "diversity (data: 1)"
    arrow = "" if column in COSTS else " ↓" if is_lower_better(column) else " ↑"
    return TITLES.get(metric, metric) + arrow


def _entry(board: Leaderboard, row: Standing, column: str) -> Entry:
    spread = row.value(column)
    text = format_value(spread.mean, spread.half_width)
    return Entry(text, row in board.best(row.dataset, column), board.overlaps(row, column))


def _cost(row: Standing, column: str) -> Entry:
    mean = row.value(column).mean
    if column == "operations" and mean is not None:
        power = next((power for power in (15, 12, 9, 6) if mean >= 10**power), 3)
        return Entry(f"{number(mean / 10**power)} {_PREFIXES[power]}flop")
    return Entry(number(mean))


def _seeds(row: Standing) -> Entry:
    counts = {"diverged": row.diverged, "failed": row.failed, "missing": row.missing}
    told = [f"{count} {words}" for words, count in counts.items() if count]
    return Entry(str(row.done) if not told else f"{row.done} of {row.wanted}: {', '.join(told)}")


def describe_board(board: Leaderboard) -> list[str]:
    """Return what a board is, in sentences."""
    told, state = board.board, f"{board.done} of {plural(board.wanted, 'cell')} {'are' if board.done != 1 else 'is'} done"
    size = f" at {told.size}×{told.size}" if told.size else ""
    settings = "".join(f", {key}={value}" for key, value in told.options.items())
    grid = [plural(len(told.recipes), "recipe"), plural(len(told.datasets), "dataset"), plural(told.seeds, "seed")]
    return [
        f"{' × '.join(grid)}: {state}.",
        f"Each was trained on {plural(told.images, 'image')}{size}, {told.precision}{settings}, and measured by "
        f"{plural(told.samples, 'sample')} against {plural(told.real, 'real image')}.",
        *([f"Computed with: {'; '.join(board.machines)}."] if board.machines else []),
        *(f"Features that were not at hand: {name} ({why})." for name, why in board.absent.items()),
    ]


def write_command(board: Board) -> str:
    """Return how a board is begun, as it is typed."""
    words = ["zoo", "leaderboard", "build", "DIR"]
    defaults = {one.name: one.default for one in fields(Board)}
    for one in fields(Board):
        value = getattr(board, one.name)
        if one.name == "options":
            words += [word for key, text in value.items() for word in ("--set", f"{key}={text}")]
        elif value != defaults[one.name]:
            words += [f"--{one.name}", ",".join(value) if isinstance(value, tuple) else str(value)]
    return shlex.join(words)


def explain_intervals(board: Leaderboard, *, bold: bool = True) -> str:
    """Return how to read the numbers; `bold`: whether the best of a column are."""
    costs = (
        "images/s is what the machines made of it beside all else that they did; operations are those of convolutions and "
        "matrix products in a whole training, counted."
    )
    count = board.board.seeds
    if count < 2:
        return f"One seed has no interval, and says nothing of another's; {costs}"
    best = "The best of a column is bold; " if bold else ""
    few = (
        "Fréchet distances of so few images are too large, and the more so the more diverse the images and the longer the "
        "features are; the kernel distance has no such bias. "
        if board.order.startswith("kid:")
        else ""
    )
    return few + (
        f"Numbers are means and 95 % confidence intervals over {count} seeds (Student's t). {best}"
        f"{OVERLAPS} stands before those whose interval reaches the best one's: these seeds do not tell them apart. "
        f"Of the costs, {costs}"
    )


def list_troubles(board: Leaderboard) -> list[tuple[str, str]]:
    """Return rows that cannot be, failed or diverged, each with the reason."""
    found = []
    for row in board.rows:
        if row.reason:
            state = "cannot be" if not row.possible else "failed" if row.failed else "diverged"
            found.append((row.name, f"{state}: {row.reason}"))
    return found
