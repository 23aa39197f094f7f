"""What the commands that look inside a model share: options, and how images are named."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .completion import completing
from .train import read_settings

if TYPE_CHECKING:
    from zoo.packs import PackRequest

F = TypeVar("F", bound=Callable[..., Any])

_IMAGES = (
    click.option("--dataset", shell_complete=completing("datasets"), help="Images.  [default: what it was trained on]"),
    click.option("--data", metavar="PATH", help="Where the pictures lie."),
    click.option(
        "--set", "options", multiple=True, callback=read_settings, metavar="KEY=VALUE", help="An option: dataset.*"
    ),
)
_SAMPLES = (
    click.option("--seed", type=int, default=0, show_default=True, help="Of the samples, as in zoo sample."),
    click.option("--label", help="Class to draw, for a conditional model: its name or number."),
)
device_option = click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps, …")
search_option = click.option(
    "--search", "searched", type=int, default=2048, show_default=True, help="Samples among which exemplars are looked for."
)


def _all(options: tuple[Callable[[F], F], ...]) -> Callable[[F], F]:
    def add(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def images_options(command: F) -> F:
    """--dataset, --data and --set."""
    return _all(_IMAGES)(command)


def sample_options(command: F) -> F:
    """--seed and --label."""
    return _all(_SAMPLES)(command)


def out_option(example: str) -> Callable[[F], F]:
    """--out, a picture; `example` is its default."""
    return click.option("--out", default=example, show_default=True, metavar="FILE", help="Picture to write.")


def request(dataset: str | None, data: str | None, options: dict[str, str]) -> PackRequest | None:
    """The images that were named; None where none were."""
    from zoo.packs import PackRequest
    from zoo.packs.request import parse_options
    from zoo_core import UsageError

    if dataset is None:
        if data is not None or options:
            raise UsageError("--data and --set belong to a dataset", hint="add: --dataset faces (or folder, …)")
        return None
    return PackRequest(dataset, data=data, options=parse_options(dataset, options))


def numbers(text: str | None) -> list[int] | None:
    """ "3,17,40" as numbers; raises `click.BadParameter`."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isdigit() for part in parts):
        raise click.BadParameter(f"{text!r} are no numbers of samples; for example: 3,17,40")
    return [int(part) for part in parts]


def accuracies(found: dict[str, float]) -> str:
    """Return how often the classifier is right, in one line."""
    told = ", ".join(f"{name} {value:.1%}" for name, value in found.items())
    return f"classifier's accuracy on held-out images: {told}"
