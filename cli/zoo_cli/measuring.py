"""The commands that measure a model: `zoo evaluate`, `zoo probe`, `zoo neighbors`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from .completion import completing
from .output import device_option, echo, json_option, print_json, print_table, warn_about_plugins
from .train import F, set_option


def measuring_options(*, dataset: str | None = None, features: str | None = None) -> Callable[[F], F]:
    """Return a decorator that adds --dataset, --data, --seed, --device and --json to a command.

    Args:
        dataset: default of --dataset; None for the images that a run was trained on.
        features: default of --features, which comes with --split, --raw and --set; None adds none of them.
    """
    words = "With labels." if dataset else "The real images.  [default: what a run was trained on]"
    shown, datasets, extractors = dataset is not None, completing("datasets"), completing("features")
    options = [
        click.option("--dataset", default=dataset, show_default=shown, shell_complete=datasets, help=words),
        click.option("--data", metavar="PATH", help="Where the real images lie."),
        click.option("--seed", type=int, default=0, show_default=True, help="Of the samples and of all that is random."),
        device_option,
        json_option,
    ]
    if features is not None:
        options[2:2] = [
            click.option("--split", default="train", show_default=True, help="Which part of the dataset."),
            click.option(
                "--features", default=features, show_default=True, shell_complete=extractors, help="Whose features."
            ),
            set_option("An option: features.*"),
            click.option("--raw", is_flag=True, help="Take the weights that are not averaged (run folders only)."),
        ]

    def add(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def measure(
    name: str, show: Callable[[Any], None] = lambda results: None, *, as_json: bool, options: Any = None, **choices: Any
) -> None:
    """Call the function `name` of `zoo` with a command's choices; print its results, and what else `show` prints of them."""
    import zoo
    from zoo.progress import reporter_for_terminal
    from zoo_core import UsageError

    warn_about_plugins()
    for key in options or {}:
        if not key.startswith("features."):
            raise UsageError(f"--set {key} is no option of the features", hint="for example: --set features.size=32")
    if options is not None:
        choices["feature_options"] = {key.removeprefix("features."): value for key, value in options.items()}
    results = getattr(zoo, name)(report=reporter_for_terminal(), **choices)
    if as_json:
        print_json(results.to_json())
        return
    spread = {key: f"± {value:.3g}" for key, value in results.spread.items()}
    print_table([(key, f"{value:.6g}", spread.get(key, "")) for key, value in results.metrics.items()])
    echo("protocol:")
    print_table([(f"  {key.replace('_', ' ')}", str(value)) for key, value in results.protocol.items()])
    show(results)


def _split_names(ctx: click.Context, param: click.Parameter, value: str) -> list[str]:
    return [name.strip() for name in value.split(",") if name.strip()]


@click.command(no_args_is_help=True)
@click.argument("model")
@click.option(
    "--metrics",
    default="fid,kid,precision,recall",
    show_default=True,
    callback=_split_names,
    help="Names, with commas between; zoo list metrics shows all.",
)
@click.option("--samples", type=int, default=50_000, show_default=True, help="Images to draw.")
@click.option("--real", type=int, default=50_000, show_default=True, help="Most real images; of more, as many at random.")
@click.option("--resamples", type=int, default=10, show_default=True, help="Random halves for standard errors; 0 for none.")
@click.option("--out", metavar="FILE", help="Write the result as JSON, besides the model folder.")
@measuring_options(features="inception")
def evaluate(**choices: Any) -> None:
    """Measure how close MODEL's samples come to real images, with the protocol beside each number.

    The result goes into the model folder and its card. Features are kept, so that the same command goes on after an
    interruption. Among the metrics: fid, kid, precision, recall, is, density, coverage, swd (sliced Wasserstein), ms-ssim.

    \b
    Examples:
      zoo evaluate runs/dcgan-faces --dataset faces --samples 10000
      zoo evaluate runs/dcgan-faces --metrics fid,kid --features scattering
      zoo evaluate my-model --dataset faces --features discriminator --set features.model=runs/other
    """
    measure("evaluate", **choices)


def _read_labels(ctx: click.Context, param: click.Parameter, value: str | None) -> int | str | None:
    if value is None or value == "all":
        return value
    if not value.isdigit():
        raise click.BadParameter(f"{value!r} is neither 'all' nor a number of images per class; for example: --labels 400")
    return int(value)


@click.command(no_args_is_help=True)
@click.argument("model")
@click.option("--labels", callback=_read_labels, metavar="N|all", help="Per class.  [default: all; svhn: 100]")
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
    measure("one_nn" if one_nn else "probe", _show_published, **given)


def _show_published(results: Any) -> None:
    if results.details.get("published"):
        echo("published, by other protocols (arXiv:1511.06434; ? not confirmed from the paper itself):")
        rows = [("  " + row["method"], row["all_labels"], row["few_labels"]) for row in results.details["published"]]
        few = "few labels" if any(row[2] for row in rows) else ""
        print_table([("  method", "all labels", few), *rows])


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
    measure("neighbors", _show_copies, **choices)


def _show_copies(results: Any) -> None:
    echo("this model copies training images" if results.details["copies"] else "no copying was found")
    for file in results.details["files"]:
        echo(file)
