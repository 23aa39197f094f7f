"""What a board is told: which cells it has and how each is trained and measured; `board.json` in its folder."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from zoo_core import CheckpointError, UsageError

from ..documents import fault, read_json
from ..files import write_json
from ..runs.differences import list_differences
from ..schemas import ListOf, MapOf, Maybe, OneOf, Whole, find_problem
from .spelling import read_choice

FORMAT = 1
FILE = "board.json"
METRICS = ("frechet", "kid", "precision", "recall")
FEATURES = ("scattering", "efficientnet-lite0")
DIVERSITY = "diversity"  # a column of all features, which is no metric of the registry
_MORE = ("recipes", "datasets", "seeds")  # what may be added to a board that is there
LIMIT = 16 << 20  # most bytes of a board.json
_NAMES = ListOf(str, least=1)
_SCHEMA = {
    **{"format": Whole(1), "recipes": _NAMES, "datasets": _NAMES, "images": Whole(1), "seeds?": Whole(1)},
    **{"size?": Maybe(Whole(1)), "channels?": Maybe(OneOf((1, 3))), "batch?": Maybe(Whole(1)), "precision?": Maybe(str)},
    **{"options?": MapOf(str), "features?": ListOf(str), "metrics?": ListOf(str), "samples?": Whole(1), "real?": Whole(1)},
    **{"threads?": Whole(1), "shared": MapOf(Any)},
    "rows": MapOf({"hash": str, "problem": str, "configuration": MapOf(Any)}),
}
_LONGEST = 120  # characters of a file's name that tell a row


@dataclass(frozen=True)
class Board:
    """Everything that decides what stands in the cells of a board. All values are plain data.

    Args:
        recipes, datasets: names, of datasets with options ("faces:style=notionists").
        images: budget of each training, real images shown.
        seeds: each recipe is trained on each dataset with seeds 0, 1, …, seeds − 1.
        size, channels, batch, precision: as a training takes them, None for what it takes by itself.
        options: settings of every recipe that knows them, RECIPE/KEY those of one.
        features, metrics, samples, real: what measures, of how many pictures.
        threads: of each process, on a CPU; as many for every cell, since bits depend on it.
    """

    recipes: tuple[str, ...]
    datasets: tuple[str, ...]
    images: int
    seeds: int = 3
    size: int | None = None
    channels: int | None = None
    batch: int | None = None
    precision: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    features: tuple[str, ...] = FEATURES
    metrics: tuple[str, ...] = METRICS
    samples: int = 1000
    real: int = 1000
    threads: int = 1

    @property
    def rows(self) -> list[tuple[str, str]]:
        """Recipe and dataset of each row."""
        return [(recipe, dataset) for recipe in self.recipes for dataset in self.datasets]

    @property
    def cells(self) -> Iterator[Cell]:
        """All cells, every row's first seed before any row's second: an unfinished board is a fair one."""
        return (Cell(*row, seed) for seed in range(self.seeds) for row in self.rows)

    def differences(self, other: Board) -> list[str]:
        """Return a line for each setting that differs, but for those that may grow and have."""
        lines = []
        for key, old in asdict(self).items():
            new = getattr(other, key)
            grown = key in _MORE and (new >= old if isinstance(old, int) else set(old) <= set(new))
            if key == "options":
                lines += list_differences(old, new, "the board")
            elif old != new and not grown:
                lines.append(f"{key}: {_told(old)} in the board, {_told(new)} now")
        return lines


@dataclass(frozen=True)
class Cell:
    """One training of a board."""

    recipe: str
    dataset: str  # with its options
    seed: int

    def __str__(self) -> str:
        return f"{self.recipe} on {self.dataset}, seed {self.seed}"

    @property
    def row(self) -> str:
        """What `zoo leaderboard check` calls its row: "dcgan/faces:style=notionists"."""
        return f"{self.recipe}/{self.dataset}"

    @property
    def name(self) -> str:
        """What its files are called; different for different cells."""
        plain = f"{self.recipe}--{self.dataset}"
        safe = re.sub(r"[^A-Za-z0-9._=+-]", "-", plain.replace(":", "+"))
        if safe.replace("+", ":") != plain or len(safe) > _LONGEST or plain != plain.lower():  # some disks know no case
            safe = f"{safe[:_LONGEST]}-{hashlib.sha256(plain.encode()).hexdigest()[:6]}"
        return f"{safe}--seed-{self.seed}"


def row_of(text: str) -> tuple[str, str]:
    """Return recipe and dataset of a row's name; raises `UsageError` where it is none."""
    recipe, slash, dataset = text.partition("/")
    if not slash or not recipe or not dataset:
        raise UsageError(f"{text!r} names no row", hint="write RECIPE/DATASET, for example: dcgan/faces:style=notionists")
    return recipe, str(read_choice(dataset))


@dataclass(frozen=True)
class Row:
    """What `board.json` keeps of a row: how it is trained in full, or why it cannot be."""

    hash: str = ""  # of `configuration`, budget and measures
    configuration: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""


def hash_row(board: Board, configuration: Mapping[str, Any]) -> str:
    """Return what names a row's configuration: equal for equal trainings, measured alike."""
    measures = {key: getattr(board, key) for key in ("images", "precision", "features", "metrics", "samples", "real")}
    text = json.dumps({"training": dict(configuration), **measures}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def write_board(folder: Path, board: Board, rows: Mapping[str, Row]) -> None:
    """Write `board.json`. What all rows share of their configurations stands there once."""
    every = [row.configuration for row in rows.values() if row.hash]
    shared = {k: v for k, v in every[0].items() if all(k in one and one[k] == v for one in every)} if every else {}
    told = {
        name: {
            "hash": row.hash,
            "problem": row.problem,
            "configuration": {k: v for k, v in row.configuration.items() if k not in shared},
        }
        for name, row in rows.items()
    }
    write_json(folder / FILE, {"format": FORMAT, **asdict(board), "shared": shared, "rows": told})


def read_board(folder: Path) -> tuple[Board, dict[str, Row]]:
    """Return what `write_board` wrote; raises `UsageError` where nothing was, `CheckpointError` where it is damaged."""
    if not (folder / FILE).is_file():
        raise UsageError(
            f"{folder} holds no board: there is no {FILE} in it",
            hint="to begin one: zoo leaderboard build DIR --recipes dcgan,mlp-gan --datasets faces --images 20000",
        )
    file = folder / FILE
    found = read_json(file, LIMIT, error=CheckpointError, ours=True)
    if isinstance(found, dict) and isinstance(found.get("format"), int) and found["format"] > FORMAT:
        raise CheckpointError(f"{file} was written by a later version of the zoo")
    if problem := find_problem(found, _SCHEMA):
        raise fault(file, problem, error=CheckpointError, ours=True)
    shared, rows = found["shared"], found["rows"]
    told: dict[str, Any] = {key: value for key, value in found.items() if key not in ("format", "shared", "rows")}
    told = {key: tuple(value) if isinstance(value, list) else value for key, value in told.items()}
    return Board(**told), {
        name: Row(row["hash"], {**shared, **row["configuration"]} if row["hash"] else {}, row["problem"])
        for name, row in rows.items()
    }


def is_board(folder: Path) -> bool:
    """Return whether a folder holds a board."""
    return (folder / FILE).is_file()


def refuse_other(folder: Path) -> None:
    """Raise `UsageError` unless a new board can be begun in a folder: nothing is there, or an empty one."""
    if folder.exists() and (not folder.is_dir() or any(path.name != ".lock" for path in folder.iterdir())):
        raise UsageError(f"{folder} exists and holds no board", hint="choose another folder")


def _told(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else repr(value)
