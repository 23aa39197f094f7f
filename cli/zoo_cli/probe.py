"""`zoo probe`."""

from __future__ import annotations

from typing import Any

import click

from .measuring_options import measure, measuring_options
from .output import print_table


def read_labels(ctx: click.Context, param: click.Parameter, value: str | None) -> int | str | None:
    if value is None or value == "all":
        return value
    if not value.isdigit():
        raise click.BadParameter(f"{value!r} is neither 'all' nor a number of images per class; for example: --labels 400")
    return int(value)


@click.command(no_args_is_help=True)
@click.argument("model")
@click.option("--labels", callback=read_labels, metavar="N|all", help="Per class.  [default: all; svhn: 100]")
@click.option("--repeats", type=int, help="Random choices of the labeled images.  [default: 10; with all of them 1]")
@click.option("--test", type=int, help="Most test images.  [default: all]")
@click.option("--untrained", is_flag=True, default=None, help="Random initial weights, as a control; MODEL may be a recipe.")
@click.option("--solver", type=click.Choice(["auto", "sklearn", "torch"]), help="Of the SVM.  [default: auto]")
@click.option("--one-nn", is_flag=True, help="Instead: a nearest-neighbor classifier of labeled samples, on real images.")
@click.option("--samples", type=int, help="Samples that --one-nn draws.  [default: 50000]")
@click.option("--out", metavar="FILE", help="Write the result as JSON, besides the model folder.")
@measuring_options(dataset="cifar10")
def probe(one_nn: bool, **choices: Any) -> None:
    """Test what MODEL's discriminator has learned: a linear classifier on its features, as in section 5 of the paper.

    Features are kept, so that the same command goes on after an interruption.

    \b
    Examples:
      zoo probe runs/dcgan-imagenet32-cifar10 --data ~/cifar10
      zoo probe dcgan-imagenet32 --untrained --data ~/cifar10 --labels 400
      zoo probe runs/mnist --one-nn --dataset mnist --data ~/mnist
    """
    from zoo_core import UsageError

    given = {name: value for name, value in choices.items() if value is not None}
    for name in ("labels", "repeats", "untrained", "solver") if one_nn else ("samples",):
        if name in given:
            word = "takes no" if one_nn else "is needed for"
            raise UsageError(f"--one-nn {word} --{name}", hint=f"leave --{name} out" if one_nn else "add: --one-nn")
    measure("one_nn" if one_nn else "probe", _show, **given)


def _show(results: Any) -> None:
    if results.details.get("published"):
        click.echo("published, by other protocols (arXiv:1511.06434; ? not confirmed from the paper itself):")
        rows = [("  " + row["method"], row["all_labels"], row["few_labels"]) for row in results.details["published"]]
        few = "few labels" if any(row[2] for row in rows) else ""
        print_table([("  method", "all labels", few), *rows])
