"""What became of a cell: one small JSON file in the board's folder, apart from the run, which may be thrown away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from zoo_core import CheckpointError
from zoo_core.words import plural

from ..documents import fault, read_json
from ..files import write_json
from ..schemas import MapOf, Maybe, Number, OneOf, Whole, find_problem
from .configuration import Cell

State = Literal["done", "diverged", "failed", "not applicable"]
FORMAT = 1
_SCHEMA = {
    **{"format": Whole(1), "recipe": str, "dataset": str, "seed": Whole(0), "hash": str, "state": OneOf(get_args(State))},
    **{"reason?": str, "metrics?": MapOf(MapOf(Number())), "absent?": MapOf(str), "weights?": MapOf(str), "pictures?": str},
    **{"images?": Whole(0), "parameters?": MapOf(Whole(0)), "versions?": MapOf(str)},
    "machine?": {"threads?": Maybe(Whole(0)), "*": Maybe(str)},
    **dict.fromkeys(("seconds?", "images_per_s?", "flop_per_image?", "measuring_seconds?"), Number(0)),
}


@dataclass(frozen=True)
class Result:
    """A cell that somebody was done with.

    Args:
        recipe, dataset, seed: the cell.
        hash: of the configuration that it was trained and measured by, see `configuration.hash_row`.
        state, reason: "done", or why there are no numbers: it diverged (a result too), it failed, or cannot be.
        metrics: features → metric → value; "diversity" among them, the mean distance between two samples as a share of that
            between two real images.
        absent: features that were not at hand → why.
        weights: role → checksum of its weights, those that samples are drawn with.
        pictures: key of the pack that it was trained on and compared with.
        images, seconds, images_per_s: real images shown, of training alone, and what that makes.
        flop_per_image: operations of a training step for each real image, counted.
        parameters: role → how many.
        measuring_seconds: what measuring took.
        machine: "device", "instructions", "threads", "precision": with an equal one, and an equal torch, equal seeds give
            equal weights.
        versions: of what computed.
    """

    recipe: str
    dataset: str
    seed: int
    hash: str
    state: State
    reason: str = ""
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)
    weights: Mapping[str, str] = field(default_factory=dict)
    pictures: str = ""
    images: int = 0
    seconds: float = 0.0
    images_per_s: float = 0.0
    flop_per_image: float = 0.0
    parameters: Mapping[str, int] = field(default_factory=dict)
    measuring_seconds: float = 0.0
    machine: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def cell(self) -> Cell:
        """Which cell it is of."""
        return Cell(self.recipe, self.dataset, self.seed)

    @property
    def machine_words(self) -> str:
        """What it was computed with: "cpu, AVX512, 1 thread, torch 2.9.0"."""
        threads = self.machine.get("threads")
        parts = [self.machine.get("device"), self.machine.get("instructions"), threads and plural(threads, "thread")]
        return ", ".join([*(str(part) for part in parts if part), f"torch {self.versions.get('torch', 'not stated')}"])

    @property
    def comparable(self) -> tuple[Any, ...]:
        """What must be equal for equal seeds to give equal weights."""
        return tuple(sorted(self.machine.items())), self.versions.get("torch")


def result_file(folder: Path, cell: Cell) -> Path:
    """Return the file of a cell's result in a board's folder."""
    return folder / f"{cell.name}.json"


def picture_file(folder: Path, cell: Cell) -> Path:
    """Return the file of a cell's samples; not every cell has one."""
    return folder / "samples" / f"{cell.name}.png"


def write_result(folder: Path, result: Result) -> None:
    """Write a result, whole or not at all."""
    write_json(result_file(folder, result.cell), {"format": FORMAT, **asdict(result)})


def read_result(folder: Path, cell: Cell) -> Result | None:
    """Return a cell's result, None where there is none; raises `CheckpointError` for a file that is damaged."""
    file = result_file(folder, cell)
    if not file.exists() and not file.is_symlink():
        return None
    hint = "delete it, and zoo leaderboard build makes it anew"
    found = read_json(file, error=CheckpointError, hint=hint, ours=True)
    if isinstance(found, dict) and isinstance(found.get("format"), int) and found["format"] > FORMAT:
        raise CheckpointError(f"{file} was written by a later version of the zoo")
    problem = find_problem(found, _SCHEMA)
    if not problem and Cell(found["recipe"], found["dataset"], found["seed"]) != cell:
        problem = "it is no result of this cell"
    if problem:
        raise fault(file, problem, error=CheckpointError, hint=hint, ours=True)
    return Result(**{key: value for key, value in found.items() if key != "format"})
