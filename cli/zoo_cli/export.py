"""`zoo export`."""

from __future__ import annotations

import os

import click

from .completion import completing
from .options import checkpoint_options, out_option, raw_option, take_once
from .output import echo, json_option, print_json, warn_about_plugins


@click.command(no_args_is_help=True)
@click.argument("run", shell_complete=completing("runs"))
@click.argument("directory", metavar="[DIR]", required=False)
@out_option("the model folder", otherwise="RUN-model, here", metavar="DIR")
@raw_option
@click.option("--bf16", is_flag=True, help="Store the parameters in bfloat16: half the size, slightly other pictures.")
@checkpoint_options
@json_option
def export(
    run: str, directory: str | None, out: str | None, raw: bool, bf16: bool, last: bool, at: int | None, as_json: bool
) -> None:
    """Write RUN's best checkpoint as a model folder, which loads anywhere.

    \b
    Examples:
      zoo export runs/dcgan-faces --out my-faces
      zoo export runs/dcgan-faces --out my-faces --bf16
      zoo export runs/dcgan-faces --out my-faces --last
    """
    import zoo
    from zoo.progress import reporter_for_terminal

    warn_about_plugins()
    directory = take_once(directory, out, "DIR", f"{os.path.basename(os.path.abspath(run))}-model")
    folder = zoo.export(run, directory, raw=raw, bf16=bf16, last=last, at=at, report=reporter_for_terminal())
    if as_json:
        print_json({"model": folder})
    else:
        echo(folder)
