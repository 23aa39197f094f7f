"""Printing: results to standard output, everything else to standard error."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Sequence
from typing import Any

import click

from zoo_core.words import printable


def echo(text: object = "", *, err: bool = False, nl: bool = True, **style: Any) -> None:
    """Print a text in which names that are not ours may stand: control characters are escaped, line breaks stay.

    Every command prints by this, which a lint rule holds.
    """
    shown = printable(str(text), lines=True)
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    click.echo(click.style(shown, **style) if style and not plain else shown, err=err, nl=nl)


def print_json(value: Any) -> None:
    """One JSON object (or list) on standard output."""
    echo(json.dumps(value, indent=2, default=str))


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Aligned columns; the last one may be as long as it likes."""
    if not rows:
        return
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=True)]
        echo("  ".join([*cells, row[-1]]).rstrip())


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
