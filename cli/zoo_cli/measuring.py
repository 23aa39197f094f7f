"""The commands that measure a model: `zoo evaluate`, `zoo probe`, `zoo neighbors`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from .completion import completing, completing_settings
from .options import (
    OWN,
    F,
    checkpoint_options,
    data_option,
    dataset_option,
    device_option,
    model_argument,
    out_option,
    raw_option,
    sampler_option,
    samples_option,
    seed_option,
    set_option,
    split_option,
    strip_group,
)
from .output import echo, json_option, print_json, print_table, warn_about_plugins


def measuring_options(
    *, dataset: str | None = None, features: str | None = None, groups: Sequence[str] = ("features",)
) -> Callable[[F], F]:
    """Return a decorator that adds --dataset, --data, --seed, --device and --json to a command.

    Args:
        dataset: default of --dataset; None for the images that a run was trained on.
        features: default of --features, which comes with --split, --raw and --set; None adds none of them.
        groups: first words of keys that --set takes.
    """
    options: list[Any] = [
        dataset_option(default=dataset) if dataset else dataset_option(OWN),
        data_option,
        seed_option("the samples and of choices of images"),
        device_option,
        json_option,
    ]
    if features is not None:
        options[2:2] = [
            split_option,
            click.option(
                "--features",
                metavar="NAME",
                default=features,
                show_default=True,
                shell_complete=completing("features"),
                help="What describes an image; zoo list features shows all.",
            ),
            set_option(f"those that zoo show {' or '.join(map(str.upper, groups))} lists", completing_settings(*groups)),
            raw_option,
        ]

    def add(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def measure(
    name: str,
    show: Callable[[Any], None] = lambda results: None,
    *,
    as_json: bool,
    options: Any = None,
    dataset_options: Any = None,
    **choices: Any,
) -> None:
    """Call the function `name` of `zoo` with a command's choices; print its results, and what else `show` prints of them."""
    import zoo
    from zoo.progress import reporter_for_terminal
    from zoo.reports.numbers import format_value
    from zoo_core import UsageError

    warn_about_plugins()
    for key in options or {}:
        if not key.startswith("features."):
            raise UsageError(f"--set {key} is no option of the features", hint="for example: --set features.size=32")
    if options is not None:
        choices["feature_options"] = {key.removeprefix("features."): value for key, value in options.items()}
    if dataset_options is not None:
        choices["options"] = dataset_options
    results = getattr(zoo, name)(report=reporter_for_terminal(), **choices)
    if as_json:
        print_json(results.to_json())
        return
    rows = [(key, format_value(value, results.spread.get(key))) for key, value in results.metrics.items()]
    print_table([(*row, results.verdicts.get(row[0], "")) for row in rows])
    echo("protocol:")
    print_table([(f"  {key.replace('_', ' ')}", str(value)) for key, value in results.protocol.items()])
    show(results)


def _split_names(ctx: click.Context, param: click.Parameter, value: str) -> list[str]:
    return [name.strip() for name in value.split(",") if name.strip()]


@click.command(no_args_is_help=True)
@model_argument
@click.option(
    "--metrics",
    default="fid,kid,precision,recall",
    show_default=True,
    metavar="NAMES",
    shell_complete=completing("metrics", several=True),
    callback=_split_names,
    help="Names, with commas between; zoo list metrics shows all.",
)
@samples_option("for each metric", default=50_000)
@click.option("--real", metavar="N", default=50_000, show_default=True, help="Real images, at most; chosen at random.")
@click.option("--resamples", metavar="N", default=10, show_default=True, help="Random halves for standard errors; 0: none.")
@out_option("the result as JSON", otherwise="in the model folder alone")
@sampler_option
@checkpoint_options
@measuring_options(features="inception", groups=("features", "sampler"))
def evaluate(options: dict[str, str], **choices: Any) -> None:
    """Measure how close MODEL's samples come to real images, with the protocol beside each number.

    The result goes into the model folder and its card. Features are kept, so that the same command goes on after an
    interruption. Among the metrics: fid, kid, precision, recall, is, density, coverage, swd (sliced Wasserstein), ms-ssim.

    \b
    Examples:
      zoo evaluate runs/dcgan-faces --dataset faces --samples 10000
      zoo evaluate runs/dcgan-faces --metrics fid,kid --features scattering
      zoo evaluate my-model --features discriminator --set features.model=runs/x
    """
    chosen = {key: value for key, value in options.items() if key.startswith("sampler.")}
    others = {key: value for key, value in options.items() if key not in chosen}
    measure("evaluate", options=others, sampler_options=strip_group(chosen, "sampler"), **choices)


def _read_labels(ctx: click.Context, param: click.Parameter, value: str | None) -> int | str | None:
    if value is None or value == "all":
        return value
    if not value.isdigit():
        raise click.BadParameter(f"{value!r} is neither 'all' nor a number of images per class; for example: --labels 400")
    return int(value)


@click.command(no_args_is_help=True)
@model_argument
@click.option("--attribute", metavar="WORD", help="Attribute to classify by, instead of classes: glasses.")
@click.option("--labels", callback=_read_labels, metavar="N|all", help="Labels per class.  [default: all; svhn: 100]")
@click.option("--repeats", type=int, metavar="N", help="Random choices of labeled images.  [default: 10; of all 1]")
@click.option("--test", type=int, metavar="N", help="Most test images.  [default: all]")
@click.option("--untrained", is_flag=True, default=None, help="Random initial weights, as a control; MODEL may be a recipe.")
@click.option("--mirror", is_flag=True, default=None, help="Features are means of each image's and its mirror image's.")
@click.option("--per-layer", is_flag=True, default=None, help="Also what each stage is worth, alone and with those below.")
@click.option(
    "--solver",
    type=click.Choice(["auto", "sklearn", "torch"]),
    metavar="NAME",
    help="What fits the SVM: auto, sklearn or torch.  [default: auto]",
)
@click.option("--one-nn", is_flag=True, help="Instead: a nearest-neighbor classifier of labeled samples, on real images.")
@samples_option("for --one-nn", "50000")
@set_option("those that zoo show DATASET lists", completing_settings("dataset"))
@out_option("the result as JSON", otherwise="in the model folder alone")
@measuring_options(dataset="cifar10")
def probe(one_nn: bool, **choices: Any) -> None:
    """Test what MODEL's discriminator has learned: a linear classifier on its features, as in section 5 of the paper.

    Features are kept, so that the same command goes on after an interruption.

    \b
    Examples:
      zoo probe runs/dcgan-imagenet32-cifar10 --data ~/cifar10
      zoo probe dcgan-imagenet32 --untrained --data ~/cifar10 --labels 400
      zoo probe runs/dcgan-faces --dataset faces --attribute mouth --per-layer
      zoo probe runs/mnist --one-nn --dataset mnist --data ~/mnist
    """
    from zoo_core import UsageError

    given = {name: value for name, value in choices.items() if value is not None and value != {}}
    for name in (
        ("attribute", "labels", "repeats", "untrained", "mirror", "per_layer", "solver", "options")
        if one_nn
        else ("samples",)
    ):
        if name in given:
            word = "takes no" if one_nn else "is needed for"
            flag = "set" if name == "options" else name.replace("_", "-")
            raise UsageError(f"--one-nn {word} --{flag}", hint=f"leave --{flag} out" if one_nn else "add: --one-nn")
    if "options" in given:
        given["dataset_options"] = given.pop("options")
    measure("one_nn" if one_nn else "probe", _show_published, **given)


def _show_published(results: Any) -> None:
    if "guessing" in results.details:
        echo(f"guessing would be right in {results.details['guessing']:.1%}")
    if "probe_accuracy" in results.verdicts:
        echo("what training added to random weights: the same command with --untrained is the control")
    if results.details.get("layers"):
        echo(f"what each stage is worth, of {results.details['layers_of']:,} labeled images:")
        each = results.details["layers"]
        rows = [("  " + row["stage"], f"{row['features']:,}", f"{row['alone']:.1%}", f"{row['up_to']:.1%}") for row in each]
        print_table([("  stage", "features", "alone", "with those below"), *rows])
    if results.details.get("published"):
        echo("published, by other protocols (arXiv:1511.06434; ? not confirmed from the paper itself):")
        methods = [("  " + row["method"], row["all_labels"], row["few_labels"]) for row in results.details["published"]]
        few = "few labels" if any(row[2] for row in methods) else ""
        print_table([("  method", "all labels", few), *methods])


@click.command(no_args_is_help=True)
@model_argument
@click.option("--held-out", metavar="SPLIT", help="Images it never saw.  [default: each training image against all others]")
@samples_option("and, at most, held-out images to look at", default=1000)
@click.option(
    "--show",
    "shown",
    type=click.IntRange(1, 500),
    metavar="N",
    default=48,
    show_default=True,
    help="How many to show in the pictures.",
)
@out_option("neighbors.png and neighbors.html", "neighbors", metavar="DIR", name="page")
@measuring_options(features="discriminator")
def neighbors(**choices: Any) -> None:
    """Show the training images nearest to MODEL's samples, and test whether they are nearer than chance: does it copy?

    \b
    Examples:
      zoo neighbors runs/dcgan-faces
      zoo neighbors my-model --dataset cifar10 --data ~/cifar10 --held-out test
    """
    measure("neighbors", _show_copies, **choices)


def _show_copies(results: Any) -> None:
    echo("this model copies training images" if results.details["copies"] else "no copying was found")
    for file in results.details["files"]:
        echo(file)
