"""What the commands that measure a model share: options, the call of `zoo`'s function, and how results are printed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from .completion import completing
from .output import json_option, print_json, print_table, warn_about_plugins
from .train import read_settings

F = TypeVar("F", bound=Callable[..., Any])


def measuring_options(*, dataset: str | None = None, features: str | None = None) -> Callable[[F], F]:
    """Return a decorator that adds --dataset, --data, --seed, --device and --json to a command.

    Args:
        dataset: default of --dataset; None for the images that a run was trained on.
        features: default of --features, which comes with --split, --raw and --set; None adds none of them.
    """
    words = "With labels." if dataset else "The real images.  [default: what a run was trained on]"
    options = [
        click.option(
            "--dataset", default=dataset, show_default=dataset is not None, shell_complete=completing("datasets"), help=words
        ),
        click.option("--data", metavar="PATH", help="Where the real images lie."),
        click.option("--seed", type=int, default=0, show_default=True, help="Of the samples and of all that is random."),
        click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps, …"),
        json_option,
    ]
    if features is not None:
        names = completing("features")
        options[2:2] = [
            click.option("--split", default="train", show_default=True, help="Which part of the dataset."),
            click.option("--features", default=features, show_default=True, shell_complete=names, help="Whose features."),
            click.option(
                "--set", "options", multiple=True, callback=read_settings, metavar="KEY=VALUE", help="An option: features.*"
            ),
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
    click.echo("protocol:")
    print_table([(f"  {key.replace('_', ' ')}", str(value)) for key, value in results.protocol.items()])
    show(results)
