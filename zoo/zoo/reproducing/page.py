"""What is written about a reproduction: a page that needs no other file, and Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from zoo_core import Estimates, Figure, Lines, Paper, Table, ZooError
from zoo_core.papers import PROFILES, Shown
from zoo_core.words import duration, plural, printable

from ..documents import read_bytes
from ..files import atomic_file
from ..reports.figures import OTHERS, Curves, Intervals, Line, svg
from ..reports.numbers import format_value
from ..reports.page import Picture, write_page
from ..runs.command import leave_out
from ..runs.folders import is_run
from ..runs.run import read_run
from .bench import RUNS, Shop, WorkBench
from .rows import Reproduction, Row

_TEMPLATE = Path(__file__).with_name("report.html")
MARKS = {"holds": "best", "does not hold here": "bad", "failed": "bad"} | dict.fromkeys(("not tried", "not yet"), "quiet")
"""Verdict → the class of its words on the page; others have none."""


class Item(NamedTuple):
    """Something that a claim shows, as the template takes it: "pictures", a "chart" or a "table"."""

    kind: str
    title: str = ""
    pictures: Sequence[Picture] = ()
    drawing: str = ""
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()


def write_report(done: Reproduction, entry: Paper, shop: Shop) -> None:
    """Write the page; raises `ZooError` where it cannot be written."""
    described = json.dumps(done.to_json(), indent=1)
    write_page(
        done.page,
        _TEMPLATE,
        title=f"{entry.title}: claim by claim",
        lead="",
        entry=entry,
        summary=summarize(done),
        how=say_how(done),
        rows=done.rows,
        marks=MARKS,
        costs={row.name: duration(row.seconds) if row.seconds else "–" for row in done.rows},
        paid={row.name: say_cost(row) for row in done.rows},
        shows={row.name: list(_items(find_figures(row, shop), row, shop)) for row in done.rows},
        typed={row.name: list_commands(row, done.path) for row in done.rows},
        everything=described,
    )


def write_markdown(file: Path, done: Reproduction, entry: Paper, shop: Shop) -> None:
    """Write the same as Markdown, tables for charts and no pictures; raises `ZooError` where it cannot be written."""
    data = "".join(f" --data {name}=DIR" for name in shop.data)  # where it lies here is nobody's business
    command = f"zoo reproduce {done.paper} --profile {done.profile}{data} --out {done.path.name}"
    lines = [f"# {_escape(entry.title)}, claim by claim", ""]
    lines += [
        f"{_escape(entry.authors)}, <{entry.url}>. Written by `{command} --markdown {file.name}`; typed by nobody.",
        "",
    ]
    lines += [f"**{_escape(summarize(done))}** {_escape(say_how(done))}", ""]
    lines += _table(
        ["claim", "verdict", "here", "the paper", "cost"],
        [
            [row.claim.title, row.kind, row.ours, row.claim.paper, duration(row.seconds) if row.seconds else "–"]
            for row in done.rows
        ],
    )
    for row in done.rows:
        lines += [f"## {_escape(row.claim.title)}: {row.kind}", "", f"**{_escape(row.why)}**", ""]
        claim = row.claim
        told = {"The claim": claim.statement, "The paper": claim.paper, "Here": row.ours, "The rule": claim.criterion}
        told["What it cost"] = say_cost(row)
        lines += [*(f"- {name}: {_escape(words)}" for name, words in told.items()), ""]
        for shown in find_figures(row, shop):
            lines += _lines(shown)
        if commands := list_commands(row, done.path):
            lines += ["```sh", *commands, "```", ""]
    with atomic_file(file) as temporary:
        temporary.write_text("\n".join(lines), encoding="utf-8")


def summarize(done: Reproduction) -> str:
    """Return how many claims have which verdict, in a sentence."""
    counts = ", ".join(f"{kind} {count}" for kind, count in done.counts.items())
    return f"Of {plural(len(done.rows), 'claim')}: {counts}."


def say_how(done: Reproduction) -> str:
    """Return with what, and how long it took."""
    took = f"All that is here took {duration(done.seconds)} of computing."
    stopped = f" Stopped by {done.signal}: the same command goes on." if done.signal else ""
    return f"Profile {done.profile} ({PROFILES[done.profile]}), on {done.device}. {took}{stopped}"


def say_cost(row: Row) -> str:
    """Return what a claim took, and what it shares."""
    if not row.facts and not row.trainings:
        return "nothing"
    own = {name: seconds for name, seconds in row.trainings.items() if name not in row.shared}
    words = f"{duration(row.measuring)} of measuring"
    if own:
        words += f", {duration(sum(own.values()))} of {plural(len(own), 'training')}"
    if row.shared:
        spent = sum(row.trainings[name] for name in row.shared)
        words += f"; shares {plural(len(row.shared), 'training')} ({duration(spent)}) with claims before it"
    return words


def list_commands(row: Row, folder: Path) -> list[str]:
    """Return what to type, in the folder of the reproduction, to train and measure the same."""
    commands = []
    for name in row.trainings:
        run = folder / RUNS / name
        if run.name == name and is_run(run):
            try:
                commands.append(f"{leave_out(read_run(run).command, '--out')} --out {RUNS}/{name}")
            except ZooError:
                continue
    return commands + list(row.commands)


def find_figures(row: Row, shop: Shop) -> list[Shown]:
    """Return what a claim has to show; a claim that fails to show it shows nothing."""
    if not row.facts or row.error:
        return []
    try:
        return list(row.claim.figures(row.facts, WorkBench(shop, row.name)))
    except Exception as error:  # of anybody's claim; the numbers stand without them
        shop.report.warn(f"{row.name}: its figures cannot be made: {error}")
        return []


def _items(figures: Sequence[Shown], row: Row, shop: Shop) -> Iterator[Item]:
    pictures: list[Picture] = []
    for shown in figures:
        if isinstance(shown, Figure):
            file = WorkBench(shop, row.name).find_picture(shown.name)
            if file.is_file():
                pictures.append(Picture(read_bytes(file), shown.alt, shown.caption))
            continue
        if pictures:
            yield Item("pictures", pictures=pictures)
            pictures = []
        if isinstance(shown, Table):
            yield Item("table", shown.title, head=shown.head, rows=[[_cell(cell) for cell in row] for row in shown.rows])
        else:
            yield Item("chart", shown.title, drawing=svg(_chart(shown), f"{row.name}: {shown.title}"))
    if pictures:
        yield Item("pictures", pictures=pictures)


def _chart(shown: Estimates | Lines) -> Any:
    if isinstance(shown, Estimates):
        colors = dict.fromkeys(list(shown.values)[:1], OTHERS[0])
        return Intervals(shown.values, shown.x, colors)
    count = len(OTHERS)
    lines = [
        Line(name, points, OTHERS[i % count], dashed=i >= count)
        for i, (name, points) in enumerate(shown.lines.items())
        if points
    ]
    return Curves(lines, shown.x, shown.y)


def _lines(shown: Shown) -> list[str]:
    """Return a figure as Markdown: numbers as a table, nothing for a picture."""
    if isinstance(shown, Figure):
        return []
    if isinstance(shown, Table):
        head, rows = list(shown.head), [[_cell(cell) for cell in row] for row in shown.rows]
    elif isinstance(shown, Estimates):
        head = ["", shown.x, "95 % interval"]
        rows = [
            [name, format_value(value), f"{format_value(span[0])} to {format_value(span[1])}" if span else "–"]
            for name, (value, span) in shown.values.items()
        ]
    else:
        head = [f"{shown.y} at {shown.x}", *(f"{x:,.6g}" for x, _ in max(shown.lines.values(), key=len, default=()))]
        rows = [[name, *(format_value(y) for _, y in points)] for name, points in shown.lines.items()]
    return [f"{_escape(shown.title)}:", "", *_table(head, rows)]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(map(_escape, head))} |", f"|{'---|' * len(head)}"]
    return [*lines, *(f"| {' | '.join(map(_escape, row))} |" for row in rows), ""]


def _cell(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else format_value(value)


def _escape(text: str) -> str:
    return printable(text).replace("|", "\\|").replace("<", "&lt;")
