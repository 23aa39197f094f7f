"""`zoo runs`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from zoo_core.words import plural, printable

from .completion import completing
from .output import (
    ListingGroup,
    confirm,
    echo,
    format_age,
    format_bytes,
    json_option,
    print_fitting_table,
    print_json,
)

if TYPE_CHECKING:
    from zoo.runs.listing import Order, RunSummary

_ORDERS = ("age", "name", "images", "distance", "size")


@click.group(cls=ListingGroup)
def runs() -> None:
    """List trainings and delete them.

    \b
    Examples:
      zoo runs
      zoo runs --sort distance
      zoo runs comparison --json
      zoo runs delete runs/dcgan-faces-64-1a2b3c
    """


@runs.command("list")
@click.argument("folder", metavar="[DIR]", required=False)
@click.option("--sort", type=click.Choice(_ORDERS), default="age", show_default=True, help="What comes first.")
@json_option
def list_command(folder: str | None, sort: str, as_json: bool) -> None:
    """List the runs in DIR: state, budget, best distance, size.

    DIR is runs/ unless it is named: a folder of run folders, a run folder, or the folder of a comparison. With --sort age
    and images the newest and the longest come first, with distance the best, with size the largest.

    \b
    States:
      training      a process trains in it now
      finished      its budget is spent
      interrupted   to go on: zoo train --resume RUN
      diverged      its losses or weights were no numbers any more
      failed        it could not go on for another reason
      broken        it cannot be read

    \b
    Examples:
      zoo runs
      zoo runs --sort distance
      zoo runs list comparison --json
    """
    import zoo

    found = zoo.list_runs(folder, sort=cast("Order", sort))
    if as_json:
        print_json([run.to_json() for run in found])
        return
    if not found:
        hint = "zoo train dcgan --dataset faces" if folder is None else "zoo runs"
        echo(f"no runs in {folder or 'runs'}; {'to make one' if folder is None else 'those in runs/'}: {hint}", err=True)
        return
    _print(found)


@runs.command(no_args_is_help=True)
@click.argument("names", metavar="RUN...", nargs=-1, required=True, shell_complete=completing("runs"))
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def delete(names: tuple[str, ...], yes: bool, as_json: bool) -> None:
    """Delete run folders and all that is in them.

    Checkpoints, samples and models go too. Each run is named in full. What is no run folder is never touched, nor is one in
    which a process trains.

    \b
    Examples:
      zoo runs delete runs/dcgan-faces-64-1a2b3c
      zoo runs delete runs/dcgan-faces-32-* --yes
    """
    import zoo
    from zoo.runs.listing import check_deletable, summarize

    folders = list(dict.fromkeys(Path(name) for name in names))
    for folder in folders:
        check_deletable(folder)
    if not yes:
        for run in map(summarize, folders):
            echo(
                f"{run.path}: {_what(run)}, {plural(run.images, 'image')} shown, {run.state}, {format_bytes(run.bytes)}",
                err=True,
            )
        confirm(f"delete {plural(len(folders), 'run')}?")
    gone = [zoo.delete_run(folder) for folder in folders]
    if as_json:
        print_json({"deleted": [str(run.path) for run in gone], "bytes": sum(run.bytes for run in gone)})
    else:
        echo(f"{plural(len(gone), 'run')} deleted, {format_bytes(sum(run.bytes for run in gone))} freed")


def _print(found: list[RunSummary]) -> None:
    heads = ("run", "recipe", "dataset", "size", "state", "images", "budget", "best", "disk", "age")
    rows = [heads, *(_row(run) for run in found)]
    short = [(*row[:6], row[6].partition(" of ")[0], row[7].partition(" ")[0], *row[8:]) for row in rows]
    print_fitting_table([rows, short, [(row[0], *row[4:]) for row in short]])
    for run in found:
        if run.problem:
            echo(f"{printable(str(run.path))}: {printable(run.problem)}")
    measures = sorted({run.measure for run in found if run.measure})
    told = [f"{plural(len(found), 'run')}, {format_bytes(sum(run.bytes for run in found))}"]
    echo("; ".join(told + ([f"best {', '.join(measures)}"] if measures else [])))


def _row(run: RunSummary) -> tuple[str, ...]:
    done = "" if run.done is None else f"{int(run.done * 100)}%"
    best = "" if run.best is None else f"{run.best:.4g} {run.measure}"
    return (
        *(str(run.path), run.recipe, run.dataset, str(run.size or ""), run.state),
        *(f"{run.images:,}" if run.recipe else "", f"{done} of {run.budget}" if done else run.budget, best),
        *(format_bytes(run.bytes), format_age(run.age)),
    )


def _what(run: RunSummary) -> str:
    return f"{run.recipe} on {run.dataset} at {run.size}×{run.size}" if run.recipe else "unreadable"
