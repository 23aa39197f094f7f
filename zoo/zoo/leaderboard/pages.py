"""A board as Markdown and as a page that needs no other file."""

from __future__ import annotations

import json
from pathlib import Path

from zoo_core.words import printable

from ..documents import read_bytes
from ..files import Place, atomic_file
from ..reports.figures import COLORS, Intervals, svg
from ..reports.page import Picture, write_page
from .configuration import Cell
from .results import picture_file
from .summary import Leaderboard, read_leaderboard
from .tables import Entry, Table, describe_board, explain_intervals, list_troubles, make_tables, title_of, write_command

_TEMPLATE = Path(__file__).with_name("board.html")


def show_leaderboard(
    folder: Place, *, sort: str | None = None, html: Place | None = None, markdown: Place | None = None
) -> Leaderboard:
    """Return a leaderboard as far as it is; somebody may be at work there meanwhile.

    Args:
        folder: of the board, or a copy of its JSON files.
        sort: the column whose best row comes first in what is written: METRIC:FEATURES, METRIC of the first features,
            "images_per_s" or "operations"; by default the first column.
        html, markdown: files to write: a page that needs no other file, and Markdown.

    Raises:
        UsageError: it holds no board, or there is no such column.
        CheckpointError: a file is damaged.
    """
    found = read_leaderboard(folder)
    found.column(sort)
    if html is not None:
        save_page(found, html, sort)
    if markdown is not None:
        save_markdown(found, markdown, sort)
    return found


def write_markdown(board: Leaderboard, sort: str | None = None) -> str:
    """Return a board as Markdown, with a table for each dataset and each kind of features."""
    lines = ["# Leaderboard", "", *map(_escape, describe_board(board)), "", explain_intervals(board), ""]
    before = ""
    for table in make_tables(board, sort):
        lines += [f"## {_escape(table.dataset)}", ""] if table.dataset != before else []
        lines += [f"### `{table.features}` features", "", *_lines(table), ""]
        before = table.dataset
    if troubles := list_troubles(board):
        lines += ["## Without numbers", "", "| row | why |", "|---|---|"]
        lines += [f"| {_escape(name)} | {_escape(why)} |" for name, why in troubles] + [""]
    if board.warnings:
        lines += [f"**{_escape(text)}**" for text in board.warnings] + [""]
    if checked := [row for row in board.rows if row.checked]:
        lines += ["## Checked", "", "| row | run again with other seeds |", "|---|---|"]
        lines += [f"| {_escape(row.name)} | {_escape(row.checked)} |" for row in checked] + [""]
    lines += ["## To make it", "", "```sh", write_command(board.board), "```", ""]
    return "\n".join(map(printable, lines))


def save_markdown(board: Leaderboard, file: Place, sort: str | None = None) -> Path:
    """Write a board as Markdown, whole or not at all."""
    with atomic_file(path := Path(file)) as temporary:
        temporary.write_text(write_markdown(board, sort), encoding="utf-8")
    return path


def save_page(board: Leaderboard, file: Place, sort: str | None = None) -> Path:
    """Write a board as a page, whole or not at all; raises `ZooError` where it cannot be written."""
    tables = make_tables(board, sort)
    return write_page(
        Path(file),
        _TEMPLATE,
        title="Leaderboard",
        lead=" ".join(describe_board(board)),
        intervals=explain_intervals(board),
        datasets={name: [table for table in tables if table.dataset == name] for name in board.board.datasets},
        charts={name: _draw_all(board, name, sort) for name in board.board.datasets},
        samples={name: _samples(board, name, sort) for name in board.board.datasets},
        troubles=list_troubles(board),
        warnings=board.warnings,
        command=write_command(board.board),
        checked=[row for row in board.rows if row.checked],
        everything=json.dumps(board.to_json()["settings"], indent=1),
    )


def _draw_all(board: Leaderboard, dataset: str, sort: str | None) -> dict[str, str]:
    """Return caption → chart, of the column by which each table of a dataset is sorted."""
    tables = [table for table in make_tables(board, sort) if table.dataset == dataset]
    columns = dict.fromkeys(table.order for table in tables)
    return {title_of(column): _draw(board, dataset, column) for column in columns}


def _draw(board: Leaderboard, dataset: str, column: str) -> str:
    """Return the rows of a dataset with their intervals as SVG; those that may be the best stand out."""
    rows = [row for row in board.of(dataset, column) if row.value(column).mean is not None]
    best = board.best(dataset, column)
    colors = {r.recipe: COLORS[0] for r in rows if r in best or board.overlaps(r, column)}
    values = {row.recipe: (row.value(column).mean or 0.0, row.value(column).interval) for row in rows}
    return svg(Intervals(values, title_of(column), colors), f"{column} of recipes on {dataset}, with 95 % intervals")


def _samples(board: Leaderboard, dataset: str, sort: str | None) -> list[Picture]:
    """Return samples of the rows of a dataset, of those that have some here."""
    found = []
    for row in board.of(dataset, sort):
        file = picture_file(board.path, Cell(row.recipe, row.dataset, 0))
        if row.possible and file.is_file():
            words = f"samples of {row.recipe} on {dataset}, seed 0"
            found.append(Picture(read_bytes(file), words, row.recipe))
    return found


def _lines(table: Table) -> list[str]:
    rows = [[_escape(name), *map(_cell, row)] for name, row in zip(table.names, table.rows, strict=True)]
    every = [list(table.heads), ["---", *("--:" for _ in table.heads[1:])], *rows]
    return [f"| {' | '.join(row)} |" for row in every]


def _cell(entry: Entry) -> str:
    return f"**{entry.text}**" if entry.best else _escape(str(entry))


def _escape(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())
