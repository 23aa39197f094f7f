"""Boards of made-up numbers: no cell of theirs was ever trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.leaderboard.configuration import Board, Cell, Row, write_board
from zoo.leaderboard.results import Result, write_result

MACHINE = {"device": "cpu", "precision": "fp32", "instructions": "DEFAULT", "threads": 1}


def make_result(recipe: str, seed: int, value: float, dataset: str = "faces", **more: Any) -> Result:
    """Return the result of a cell: its Fréchet distance is `value`, all else follows from that."""
    metrics = {"scattering": {"frechet": value, "precision": 1 / (1 + value), "diversity": 0.9}}
    chosen = {
        "hash": f"hash of {recipe}",
        "state": "done",
        "metrics": metrics,
        "weights": {"generator": f"{recipe}-{seed}"},
        "pictures": "pack",
        "images": 1000,
        "seconds": 2.0,
        "images_per_s": 500.0,
        "flop_per_image": 3e6,
        "machine": MACHINE,
        "versions": {"torch": "2"},
    }
    return Result(recipe, dataset, seed, **{**chosen, **more})


def make_board(
    folder: Path, values: Mapping[str, Sequence[float | None]], *, datasets: Sequence[str] = ("faces",), **more: Any
) -> Board:
    """Write a board: recipe → the Fréchet distance of each seed on every dataset, None where nobody has done it."""
    seeds = max(map(len, values.values()))
    given = {"features": ("scattering",), "metrics": ("frechet", "precision"), "precision": "fp32", "size": 32, **more}
    board = Board(tuple(values), tuple(datasets), 1000, seeds, **given)
    folder.mkdir(parents=True, exist_ok=True)
    rows = {Cell(*row, 0).row: Row(f"hash of {row[0]}", {"optimizer.lr": 1e-3, "recipe": row[0]}) for row in board.rows}
    write_board(folder, board, rows)
    for recipe, of_seeds in values.items():
        for dataset in datasets:
            for seed, value in enumerate(of_seeds):
                if value is not None:
                    write_result(folder, make_result(recipe, seed, value, dataset))
    return board
