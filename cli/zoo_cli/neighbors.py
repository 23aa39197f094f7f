"""`zoo neighbors`."""

from __future__ import annotations

from typing import Any

import click

from .completion import completing
from .evaluate import feature_options, print_results
from .output import json_option, print_json, warn_about_plugins
from .train import read_settings


@click.command(no_args_is_help=True)
@click.argument("model")
@click.option("--dataset", shell_complete=completing("datasets"), help="Its training images.  [default: those of the run]")
@click.option("--data", metavar="PATH", help="Where they lie.")
@click.option("--split", default="train", show_default=True, help="Which part of the dataset it was trained on.")
@click.option("--held-out", metavar="SPLIT", help="Images it never saw.  [default: each training image against all others]")
@click.option("--features", default="discriminator", show_default=True, shell_complete=completing("features"), help="Whose.")
@click.option("--samples", type=int, default=1000, show_default=True, help="Samples, and most held-out images.")
@click.option("--show", "shown", type=click.IntRange(1, 500), default=48, show_default=True, help="Samples in the pictures.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the samples and the held-out images.")
@click.option("--raw", is_flag=True, help="Take the weights that are not averaged (run folders only).")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps, …")
@click.option("--out", "page", default="neighbors", show_default=True, metavar="DIR", help="For neighbors.png and .html.")
@click.option("--set", "options", multiple=True, callback=read_settings, metavar="KEY=VALUE", help="An option: features.*")
@json_option
def neighbors(model: str, options: dict[str, str], as_json: bool, **choices: Any) -> None:
    """Show the training images nearest to MODEL's samples, and test whether they are nearer than chance: does it copy?

    \b
    Examples:
      zoo neighbors runs/dcgan-faces
      zoo neighbors my-model --dataset cifar10 --data ~/cifar10 --held-out test --features scattering
    """
    import zoo
    from zoo.progress import reporter_for_terminal

    warn_about_plugins()
    results = zoo.neighbors(model, feature_options=feature_options(options), report=reporter_for_terminal(), **choices)
    if as_json:
        print_json(results.to_json())
        return
    print_results(results)
    click.echo("this model copies training images" if results.details["copies"] else "no copying was found")
    for file in results.details["files"]:
        click.echo(click.format_filename(file))
