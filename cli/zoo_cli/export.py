"""`zoo export`."""

from __future__ import annotations

import click

from .output import echo, json_option, print_json, warn_about_plugins


@click.command(no_args_is_help=True)
@click.argument("run")
@click.argument("directory", metavar="DIR")
@click.option("--raw", is_flag=True, help="Take the weights that are not averaged.")
@click.option("--bf16", is_flag=True, help="Store the parameters in bfloat16: half the size, slightly other pictures.")
@json_option
def export(run: str, directory: str, raw: bool, bf16: bool, as_json: bool) -> None:
    """Write RUN's newest checkpoint as a model folder DIR, which loads anywhere.

    \b
    Examples:
      zoo export runs/dcgan-faces my-faces
      zoo export runs/dcgan-faces my-faces --bf16
    """
    import zoo

    warn_about_plugins()
    folder = zoo.export(run, directory, raw=raw, bf16=bf16)
    if as_json:
        print_json({"model": folder})
    else:
        echo(folder)
