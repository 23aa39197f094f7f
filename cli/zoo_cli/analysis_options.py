"""What the commands that analyze a model share: options, the call of `zoo`'s function, and how its result is printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from .completion import completing
from .output import echo, json_option, print_json, warn_about_plugins
from .train import read_settings

F = TypeVar("F", bound=Callable[..., Any])

search_option = click.option(
    "--search", "searched", default=2048, show_default=True, help="Samples among which exemplars are looked for."
)
seed_option = click.option("--seed", default=0, show_default=True, help="Of the samples, as in zoo sample.")

_SHARED = {
    "search": [search_option],
    "images": [
        click.option("--dataset", shell_complete=completing("datasets"), help="Images.  [default: what it was trained on]"),
        click.option("--data", metavar="PATH", help="Where the pictures lie."),
        click.option(
            "--set", "options", multiple=True, callback=read_settings, metavar="KEY=VALUE", help="An option: dataset.*"
        ),
    ],
    "samples": [seed_option, click.option("--label", help="Class to draw, for a conditional model: its name or number.")],
}


def analysis_options(*groups: str, out: str | None = None) -> Callable[[F], F]:
    """Return a decorator that adds shared options to a command.

    Args:
        groups: "search" (--search), "images" (--dataset, --data, --set), "samples" (--seed, --label), in order; --device
            and --json follow.
        out: default of --out, a picture; None adds no such option.
    """
    options = [option for group in groups for option in _SHARED[group]]
    if out is not None:
        options.append(click.option("--out", default=out, show_default=True, metavar="FILE", help="Picture to write."))
    options.append(click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps, …"))

    def add(command: F) -> F:
        for option in (json_option, *reversed(options)):
            command = option(command)
        return command

    return add


def analyze(name: str, *, as_json: bool, **choices: Any) -> Any:
    """Call the function `name` of `zoo` with a command's choices, progress on standard error.

    Return its record for the command to print, after the name of its picture; with `as_json` print it and return None.
    """
    import zoo
    from zoo.progress import reporter_for_terminal

    warn_about_plugins()
    found = getattr(zoo, name)(report=reporter_for_terminal(), **choices)
    picture = {"out": choices["out"]} if hasattr(found, "picture") else {}
    if as_json:
        print_json({**picture, **found.to_json()})
        return None
    for path in picture.values():
        echo(path)
    return found


def print_accuracy(accuracy: Mapping[str, float]) -> None:
    """Print how often the classifier is right, in one line."""
    each = ", ".join(f"{name} {value:.1%}" for name, value in accuracy.items())
    echo(f"classifier's accuracy on held-out images: {each}")
