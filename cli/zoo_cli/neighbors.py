"""`zoo neighbors`."""

from __future__ import annotations

from typing import Any

import click

from .measuring_options import measure, measuring_options


@click.command(no_args_is_help=True)
@click.argument("model")
@click.option("--held-out", metavar="SPLIT", help="Images it never saw.  [default: each training image against all others]")
@click.option("--samples", type=int, default=1000, show_default=True, help="Samples, and most held-out images.")
@click.option("--show", "shown", type=click.IntRange(1, 500), default=48, show_default=True, help="Samples in the pictures.")
@click.option("--out", "page", default="neighbors", show_default=True, metavar="DIR", help="For neighbors.png and .html.")
@measuring_options(features="discriminator")
def neighbors(**choices: Any) -> None:
    """Show the training images nearest to MODEL's samples, and test whether they are nearer than chance: does it copy?

    \b
    Examples:
      zoo neighbors runs/dcgan-faces
      zoo neighbors my-model --dataset cifar10 --data ~/cifar10 --held-out test --features scattering
    """
    measure("neighbors", _show, **choices)


def _show(results: Any) -> None:
    click.echo("this model copies training images" if results.details["copies"] else "no copying was found")
    for file in results.details["files"]:
        click.echo(click.format_filename(file))
