"""`zoo probe`."""

from __future__ import annotations

from typing import Any

import click

from .completion import completing
from .evaluate import print_results
from .output import json_option, print_json, print_table, warn_about_plugins


def read_labels(ctx: click.Context, param: click.Parameter, value: str | None) -> int | str | None:
    if value is None or value == "all":
        return value
    if not value.isdigit():
        raise click.BadParameter(f"{value!r} is neither 'all' nor a number of images per class; for example: --labels 400")
    return int(value)


@click.command(no_args_is_help=True)
@click.argument("model")
@click.option("--dataset", default="cifar10", show_default=True, shell_complete=completing("datasets"), help="With labels.")
@click.option("--data", metavar="PATH", help="Where its images lie.")
@click.option("--labels", callback=read_labels, metavar="N|all", help="Per class.  [default: all; svhn: 100]")
@click.option("--repeats", type=int, help="Random choices of the labeled images.  [default: 10; with all of them 1]")
@click.option("--test", type=int, help="Most test images.  [default: all]")
@click.option("--untrained", is_flag=True, help="Random initial weights, as a control; MODEL may be a recipe.")
@click.option(
    "--solver", type=click.Choice(["auto", "sklearn", "torch"]), default="auto", show_default=True, help="Of the SVM."
)
@click.option("--one-nn", is_flag=True, help="Instead: a nearest-neighbor classifier of labeled samples, on real images.")
@click.option("--samples", type=int, help="Samples that --one-nn draws.  [default: 50000]")
@click.option("--seed", type=int, default=0, show_default=True, help="Of all that is random.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps, …")
@click.option("--out", metavar="FILE", help="Write the result as JSON, besides the model folder.")
@json_option
def probe(model: str, one_nn: bool, as_json: bool, **choices: Any) -> None:
    """Test what MODEL's discriminator has learned: a linear classifier on its features, as in section 5 of the paper.

    Features are kept, so that the same command goes on after an interruption.

    \b
    Examples:
      zoo probe runs/dcgan-imagenet32-cifar10 --data ~/cifar10
      zoo probe dcgan-imagenet32 --untrained --data ~/cifar10 --labels 400
      zoo probe runs/mnist --one-nn --dataset mnist --data ~/mnist
    """
    import zoo
    from zoo.progress import reporter_for_terminal
    from zoo_core import UsageError

    warn_about_plugins()
    for_probe, for_one_nn = ("labels", "repeats", "untrained", "solver"), ("samples",)
    for name in for_probe if one_nn else for_one_nn:
        value = choices.pop(name)
        if value not in (None, False, "auto"):
            word = "takes no" if one_nn else "is needed for"
            raise UsageError(f"--one-nn {word} --{name}", hint=f"leave --{name} out" if one_nn else "add: --one-nn")
    choices = {key: value for key, value in choices.items() if value is not None}
    results = (zoo.one_nn if one_nn else zoo.probe)(model, report=reporter_for_terminal(), **choices)
    if as_json:
        print_json(results.to_json())
        return
    print_results(results)
    if results.details.get("published"):
        click.echo("published, by other protocols (arXiv:1511.06434; ? not confirmed from the paper itself):")
        rows = [("  " + row["method"], row["all_labels"], row["few_labels"]) for row in results.details["published"]]
        few = "few labels" if any(row[2] for row in rows) else ""
        print_table([("  method", "all labels", few), *rows])
