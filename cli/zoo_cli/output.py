"""Printing: results to standard output, everything else to standard error."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from typing import Any

import click

from zoo_core import ZooError
from zoo_core.words import printable


def echo(text: object = "", *, err: bool = False, nl: bool = True, lines: bool = False, **style: Any) -> None:
    """Print a line in which names that are not ours may stand: control characters and line breaks are escaped.

    Every command prints by this, which a lint rule holds. With `lines`, line breaks stay: for texts that have no names in
    them, or whose names have been through `printable`.
    """
    shown = printable(str(text), lines=lines)
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    try:
        click.echo(click.style(shown, **style) if style and not plain else shown, err=err, nl=nl)
    except BrokenPipeError:
        raise
    except OSError as error:  # a full disk, a terminal that is gone
        if not err:
            raise ZooError(f"standard output cannot be written: {error.strerror}") from error


def print_json(value: Any) -> None:
    """One JSON object (or list) on standard output."""
    echo(json.dumps(value, indent=2, default=str), lines=True)


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Aligned columns; the last one may be as long as it likes."""
    if not rows:
        return
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=True)]
        echo("  ".join([*cells, row[-1]]).rstrip())


def print_fitting_table(forms: Sequence[Sequence[Sequence[str]]]) -> None:
    """Print the first of several forms of a table that fits the terminal, the last where none does; the first elsewhere."""
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for rows in forms:
        widths = [max(len(printable(row[i])) for row in rows) for i in range(len(rows[0]))]
        if room is None or sum(widths) + 2 * (len(widths) - 1) <= room:
            break
    print_table(rows)


def format_bytes(count: float) -> str:
    """Return a number of bytes as people read it: "24.1 MB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def format_age(seconds: float) -> str:
    """Return how long ago something was, in its largest unit: "3 h"."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} s"


def confirm(question: str) -> None:
    """Ask before something is deleted; exits with 1 unless the answer is yes."""
    try:
        agreed = click.confirm(question, err=True)
    except click.Abort:  # nobody there to answer
        echo(err=True)
        agreed = False
    if not agreed:
        echo("nothing was deleted; --yes deletes without asking", err=True)
        click.get_current_context().exit(1)


class ListingGroup(click.Group):
    """A group that lists when none of its commands is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or args[0] not in {*self.commands, *self.get_help_option_names(ctx)}:
            args = ["list", *args]
        return super().parse_args(ctx, args)


def warn_about_plugins() -> None:
    """Say on standard error what is amiss with installed plugins."""
    from zoo_core import registry

    from .main import BUILT_IN

    hidden = [e for e in registry.entries("commands") if e.name in BUILT_IN]
    left_out = [f"command {e.name!r} of {e.plugin.distribution} is left out: zoo has one of that name" for e in hidden]
    for line in [*registry.problems(), *left_out]:
        echo(f"warning: {printable(line)}", fg="yellow", err=True)


def exit_by_signal(name: str) -> None:
    """Exit as a process does that a signal ended ("SIGINT"); "" goes on."""
    if name:
        click.get_current_context().exit(128 + signal.Signals[name])


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object for a machine to read.")


device_option = click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps, …")
