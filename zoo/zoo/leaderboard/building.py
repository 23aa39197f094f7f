"""`zoo.build_leaderboard`: one cell after another that nobody else has, until none is left."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from statistics import fmean
from typing import Any

from zoo_core import UsageError
from zoo_core.options import write_value
from zoo_core.words import are, duration, plural

from ..files import Place, read_use, remove_folder
from ..notebook import reporter_for_caller
from ..progress import Reporter
from ..reports.page import number
from ..training.processor import compute_with, count_granted
from ..training.threads import check_threads
from .cells import Bench, StoppedError, run_cell
from .claims import claim, disk_time
from .configuration import Board, Cell
from .measuring import open_measures
from .planning import PlannedRow, enter_board, read_given, resolve_board
from .results import Result, picture_file, read_result, result_file, write_result
from .summary import Leaderboard, summarize

CELLS = "cells"  # the folder of what is at work


def build_leaderboard(
    folder: Place,
    *,
    recipes: str | Sequence[str] | None = None,
    datasets: str | Sequence[str] | None = None,
    seeds: int | None = None,
    images: int | None = None,
    size: int | None = None,
    channels: int | None = None,
    batch: int | None = None,
    options: Mapping[str, Any] | None = None,
    features: str | Sequence[str] | None = None,
    metrics: str | Sequence[str] | None = None,
    samples: int | None = None,
    real: int | None = None,
    precision: str | None = None,
    threads: int | str | None = None,
    device: str = "auto",
    only: Sequence[str] = (),
    limit_minutes: float | None = None,
    renew: bool = False,
    keep_runs: bool = False,
    dry_run: bool = False,
    workers: int | None = None,
    report: Reporter | None = None,
) -> Leaderboard:
    """Train and measure the cells of a leaderboard, recipes × datasets × seeds, that nobody has done or is doing.

    Any number of processes, on any number of machines that share the folder, fill one board: each takes the next cell that
    is free, and takes over what a process left that is gone. Called again with the folder alone it goes on. More recipes,
    datasets and seeds may be named then. A recipe that fails is a row with its reason.

    Args:
        folder: of the board; its JSON files are the results, and all else in it may be thrown away.
        recipes: names of the registry, "dcgan,mlp-gan" or a list.
        datasets: names with options, "faces,faces:style=notionists" or a list.
        seeds: each recipe is trained on each dataset with seeds 0, 1, …, seeds − 1; 3 by default.
        images: the budget of each training, real images shown.
        size, channels, batch, precision: for every recipe, as in `zoo.train`.
        options: settings as `--set` takes them, each for all recipes that know it; "RECIPE/KEY" is for one recipe.
        features: extractors that see samples and real images, with options as datasets have them; by default
            "scattering,efficientnet-lite0". What is not at hand is left out, and the board says so.
        metrics: "frechet,kid,precision,recall" by default.
        samples, real: pictures drawn of each model, and of each dataset, that are measured; 1,000 each by default.
        threads: of each process, on a CPU: 1 by default, "auto" for all that are free when the board is begun. More
            processes are faster than more threads.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        only: patterns of recipes, datasets, rows ("dcgan*/faces*") or cells ("dcgan/faces/0"); all else is left out now.
        limit_minutes: no cell is begun that would end later, as long as they took so far.
        renew: whether what failed, and rows whose recipes have changed, are trained anew.
        keep_runs: whether run folders stay, in the folder `cells`.
        dry_run: whether only the plan is told.
        workers: processes that decode pictures.
        report: hears notes and progress; by default the notebook or standard error does.

    Returns:
        The board as far as it is.

    Raises:
        UsageError: an argument is wrong, or the folder holds a board with other settings.
        ZooError: the disk is full or cannot be written.
    """
    report, place, begun = report or reporter_for_caller(), Path(folder), time.monotonic()
    if limit_minutes is not None and not limit_minutes > 0:
        raise UsageError(f"--limit-minutes must be more than 0, not {limit_minutes:g}")
    # 1. What is asked for, resolved and checked.
    given: dict[str, Any] = {"recipes": recipes, "datasets": datasets, "seeds": seeds, "images": images, "size": size}
    given |= {"channels": channels, "batch": batch, "precision": precision}
    given["threads"] = count_granted() if threads == "auto" else check_threads(threads)  # bits depend on it: kept
    given |= {"features": features, "metrics": metrics, "samples": samples, "real": real}
    given["options"] = {key: write_value(value) for key, value in options.items()} if options else None
    asked = read_given(place, given, device)
    board, rows = resolve_board(place, asked, device, renew=renew)
    # 2. The cells, and the plan.
    cells = [cell for cell in board.cells if rows[cell.row].plan is not None and _matches(cell, only)]
    if not cells:
        valid = "patterns of recipes, datasets, RECIPE/DATASET or RECIPE/DATASET/SEED, for example 'dcgan*'"
        raise UsageError(f"no cell of the board is {' or '.join(only)}", hint=f"--only takes {valid}")
    started = math.inf

    def is_open(cell: Cell) -> bool:
        found = read_result(place, cell)
        again = found is not None and renew and found.state == "failed" and read_use(result_file(place, cell)) < started
        return found is None or found.hash != rows[cell.row].row.hash or again

    left = list(filter(is_open, cells))
    report.note(_describe_plan(place, board, rows, cells, left))
    if dry_run:
        return summarize(place, board, {name: one.row for name, one in rows.items()})
    # 3. The board's file, once all is known to be well; then one cell after another.
    signal = ""
    with compute_with(board.threads):
        bench = Bench(open_measures(board, device, report), report, workers) if left else None
        board, rows = enter_board(place, asked, board, rows, device, renew=renew)
        started = disk_time(place)
        if bench is not None:
            until = None if limit_minutes is None else begun + 60 * limit_minutes
            signal = fill_cells(place, rows, cells, is_open, bench, until, keep_runs=keep_runs)
        if not keep_runs and not any(rows[cell.row].plan is not None and is_open(cell) for cell in board.cells):
            remove_folder(place / CELLS)
    return summarize(place, board, {name: one.row for name, one in rows.items()}, signal)


def fill_cells(
    place: Path,
    rows: Mapping[str, PlannedRow],
    cells: Sequence[Cell],
    is_open: Callable[[Cell], bool],
    bench: Bench,
    until: float | None,
    *,
    keep_runs: bool,
) -> str:
    """Work at cells until none is left that is open and free; returns the signal that ended it, "" for none."""
    took: list[float] = []
    while True:
        taken, worked = [], False
        for cell in filter(is_open, cells):
            if until is not None and time.monotonic() + (fmean(took) if took else 0) > until:
                bench.report.note("no other cell would be done within --limit-minutes; the same command goes on")
                return ""
            begun, row = time.monotonic(), rows[cell.row]
            with claim(place / CELLS / cell.name) as mine:
                if mine is None:
                    taken.append(cell)
                    continue
                if is_open(cell):  # nobody has been quicker
                    assert row.plan is not None
                    try:
                        where = mine.folder / f"run-{row.row.hash}"
                        result = run_cell(cell, row.row.hash, row.plan, where, bench, picture_file(place, cell))
                    except StoppedError as stopped:
                        return str(stopped)
                    if mine.holds():
                        write_result(place, result)
                    seconds, worked = time.monotonic() - begun, True
                    took += [seconds] if result.state == "done" else []
                    words = _foretell(sum(map(is_open, cells)), fmean(took) if took else 0)
                    bench.report.note(f"{_tell(result)} ({duration(seconds)}); {words}")
                if not keep_runs:
                    for run in mine.folder.glob("run-*"):
                        remove_folder(run)
        if not worked:
            break
    if taken:
        bench.report.note(f"{plural(len(taken), 'cell')} {are(len(taken))} at work in other processes")
    return ""


def _tell(result: Result) -> str:
    """Say in a line what became of a cell."""
    if result.state != "done":
        return f"{result.cell}: {result.state}: {result.reason}"
    features, values = next(iter(result.metrics.items()))
    metric, value = next(iter(values.items()))
    return f"{result.cell}: {metric} {number(value)} ({features})"


def _foretell(left: int, seconds: float) -> str:
    if not left:
        return "none is left"
    return f"{plural(left, 'cell')} left" + (f", about {duration(left * seconds)} of one process" if seconds else "")


def _matches(cell: Cell, only: Sequence[str]) -> bool:
    names = (cell.recipe, cell.dataset, cell.row, f"{cell.row}/{cell.seed}")
    return not only or any(fnmatchcase(name, pattern) for pattern in only for name in names)


def _describe_plan(
    place: Path, board: Board, rows: Mapping[str, PlannedRow], cells: Sequence[Cell], left: Sequence[Cell]
) -> str:
    """Return what a call is about to do, line by line."""
    first = next(one.plan for one in rows.values() if one.plan is not None)
    whole = [plural(len(board.recipes), "recipe"), plural(len(board.datasets), "dataset"), plural(board.seeds, "seed")]
    size = first.config.training.size
    lines = [
        f"board {place}: {' × '.join(whole)}, {plural(len(cells), 'cell')} here",
        f"  each: {plural(board.images, 'image')} at {size}×{size}, {first.precision} on {first.device}",
        f"  recipes: {', '.join(board.recipes)}",
        f"  datasets: {', '.join(board.datasets)}",
        f"  measured: {', '.join(board.metrics)}, diversity of {', '.join(board.features)} features, "
        f"{plural(board.samples, 'sample')} against {plural(board.real, 'real image')}",
    ]
    for key, value in board.options.items():
        owner, _, bare = key.rpartition("/")
        lines.append(f"  {key}={value}{'' if owner else _tell_owners(board, bare, rows)}")
    lines += [f"  cannot be: {name}: {one.row.problem}" for name, one in rows.items() if one.plan is None]
    done = [result for cell in cells if cell not in left and (result := read_result(place, cell))]
    took = [result.seconds + result.measuring_seconds for result in done if result.state == "done"]
    pace = f", {_foretell(len(left), fmean(took))}" if took and left else ""
    lines.append(f"  {len(done)} of {len(cells)} are there{pace}")
    return "\n".join(lines)


def _tell_owners(board: Board, key: str, rows: Mapping[str, PlannedRow]) -> str:
    """Say which recipes a setting is of, or is not of, whichever is shorter; "" where it is of all."""
    known = [recipe for recipe in board.recipes if _knows(recipe, key, rows)]
    without = [recipe for recipe in board.recipes if recipe not in known]
    if not without:
        return ""
    return f" (of {', '.join(known)} alone)" if len(known) < len(without) else f" (not of {', '.join(without)})"


def _knows(recipe: str, key: str, rows: Mapping[str, PlannedRow]) -> bool:
    """Return whether a setting means something to a recipe; "optimizer.lr" stands for that of every role."""
    group, _, option = key.rpartition(".")
    every = [one.row.configuration for name, one in rows.items() if name.startswith(f"{recipe}/") and one.plan is not None]
    return not every or any(k.startswith(group) and k.endswith(f".{option}") for one in every for k in one)
