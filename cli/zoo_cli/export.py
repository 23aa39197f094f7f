"""`zoo export`."""

from __future__ import annotations

import click

from .output import json_option, print_json, warn_about_plugins


@click.command(no_args_is_help=True)
@click.argument("run")
@click.argument("directory", metavar="DIR")
@click.option("--raw", is_flag=True, help="Take the weights that are not averaged.")
@json_option
def export(run: str, directory: str, raw: bool, as_json: bool) -> None:
    """Write RUN's newest checkpoint as a model folder DIR, which loads anywhere.

    \b
    Example:
      zoo export runs/dcgan-faces my-faces
    """
    import zoo

    warn_about_plugins()
    folder = zoo.export(run, directory, raw=raw)
    if as_json:
        print_json({"model": folder})
    else:
        click.echo(folder)
