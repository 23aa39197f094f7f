"""Options that several commands have: each is called the same, says the same and takes the same everywhere.

The first words of its help are the same wherever it stands; what follows is the command's own. A test holds all to that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from .completion import Complete, completing, completing_settings, completing_words

F = TypeVar("F", bound=Callable[..., Any])
OWN = "what MODEL was trained on"  # the images that a command takes where none are named


class Renamed(click.Option):
    """An option that is also understood by names which no help mentions: those that it had before."""

    def __init__(self, *arguments: Any, old: Sequence[str] = (), **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self.old = old

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        shown = self.opts
        self.opts = [*shown, *self.old]
        try:
            super().add_to_parser(parser, ctx)
        finally:
            self.opts = shown


def read_settings(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Return what `--set KEY=VALUE …` says; raises `click.BadParameter`."""
    settings = {}
    for text in values:
        key, sign, value = text.partition("=")
        if not sign or not key:
            raise click.BadParameter(f"{text!r} is not KEY=VALUE; for example: --set generator.width=128")
        settings[key.strip()] = value.strip()
    return settings


def strip_group(settings: Mapping[str, str], group: str) -> dict[str, str]:
    """Return settings without the word before the dot; raises `UsageError` for one of another group."""
    from zoo_core import UsageError

    for key in settings:
        if not key.startswith(f"{group}."):
            raise UsageError(f"--set {key} is no option of the {group}", hint=f"for example: --set {group}.NAME=VALUE")
    return {key.removeprefix(f"{group}."): value for key, value in settings.items()}


def default_words(otherwise: str) -> str:
    """Return what stands behind a help whose default click does not know."""
    return f"  [default: {otherwise}]" if otherwise else ""


def dataset_option(otherwise: str = "", *, default: str | None = None, name: str = "dataset") -> Callable[[F], F]:
    """Return a decorator that adds --dataset; `otherwise` says what is taken without it."""
    return click.option(
        "--dataset",
        name,
        metavar="NAME",
        default=default,
        show_default=default is not None,
        shell_complete=completing("datasets"),
        help=f"Which images; zoo list datasets shows all.{default_words(otherwise)}",
    )


def set_option(keys: str = "those that zoo show RECIPE lists", complete: Complete | None = None) -> Callable[[F], F]:
    """Return a decorator that adds --set; `keys` says which it takes."""
    return click.option(
        "--set",
        "options",
        multiple=True,
        callback=read_settings,
        metavar="KEY=VALUE",
        shell_complete=complete or completing_settings(),
        help=f"Change a setting; repeatable. Keys: {keys}.",
    )


def out_option(
    what: str,
    default: str | None = None,
    *,
    otherwise: str = "",
    metavar: str = "FILE",
    name: str = "out",
    old: Sequence[str] = (),
) -> Callable[[F], F]:
    """Return a decorator that adds --out: where a command writes what it makes.

    Args:
        what: it makes.
        default: where that goes; or `otherwise`, in words.
        metavar: FILE or DIR.
        name: of the command's argument.
        old: names of before.
    """
    return click.option(
        "--out",
        name,
        cls=Renamed,
        old=old,
        metavar=metavar,
        default=default,
        show_default=default is not None,
        help=f"Where to write {what}.{default_words(otherwise)}",
    )


def size_option(otherwise: str = "the recipe's", *, default: int | None = None) -> Callable[[F], F]:
    """Return a decorator that adds --size."""
    words = "Height and width of the images in pixels." + (default_words(otherwise) if default is None else "")
    return click.option("--size", type=int, metavar="N", default=default, show_default=default is not None, help=words)


def channels_option(otherwise: str = "what the pictures are") -> Callable[[F], F]:
    """Return a decorator that adds --channels."""
    return click.option("--channels", type=int, metavar="N", help=f"1 (gray) or 3 (color).{default_words(otherwise)}")


def seed_option(what: str, *, default: int | None = 0) -> Callable[[F], F]:
    """Return a decorator that adds --seed; `what` is drawn from it. A default of None is 0 that nobody has asked for."""
    words = f"Seed of {what}." + (default_words("0") if default is None else "")
    return click.option("--seed", type=int, metavar="N", default=default, show_default=default is not None, help=words)


def steps_option(what: str, otherwise: str = "", *, default: int | None = None) -> Callable[[F], F]:
    """Return a decorator that adds --steps; `what` they are."""
    words = f"Steps of {what}.{default_words(otherwise)}"
    return click.option("--steps", type=int, metavar="N", default=default, show_default=default is not None, help=words)


def samples_option(what: str, otherwise: str = "", *, default: int | None = None) -> Callable[[F], F]:
    """Return a decorator that adds --samples; `what` they are for."""
    words = f"Samples to draw {what}.{default_words(otherwise)}"
    return click.option("--samples", type=int, metavar="N", default=default, show_default=default is not None, help=words)


def searched_option(default: int = 2048) -> Callable[[F], F]:
    """Return a decorator that adds --searched."""
    return click.option(
        "--searched",
        cls=Renamed,
        old=["--search"],
        metavar="N",
        default=default,
        show_default=True,
        help="Samples among which examples are looked for.",
    )


def precision_option(*, default: str | None = None) -> Callable[[F], F]:
    """Return a decorator that adds --precision."""
    words = "auto (bf16 where the hardware has it), fp32, bf16 or fp16." + (default_words("auto") if default is None else "")
    return click.option(
        "--precision",
        metavar="NAME",
        default=default,
        show_default=default is not None,
        shell_complete=completing_words("auto", "fp32", "bf16", "fp16"),
        help=words,
    )


def license_option(what: str, default: str | None = None) -> Callable[[F], F]:
    """Return a decorator that adds --license; `what` is given away under it."""
    return click.option(
        "--license",
        metavar="ID",
        default=default,
        shell_complete=completing_words("apache-2.0", "mit", "bsd-3-clause", "cc-by-4.0", "cc0-1.0"),
        help=f"License of {what}, such as apache-2.0 or mit.  [default: none]",
    )


def take_once(argument: str | None, option: str | None, name: str, otherwise: str, *, flag: str = "--out") -> str:
    """Return what was said as an argument or by an option, `otherwise` where neither was; raises `click.UsageError` where
    both say something, and not the same.
    """
    if argument is not None and option is not None and argument != option:
        raise click.UsageError(f"{name} {argument} and {flag} {option} say different things; leave one of them out")
    return argument or option or otherwise


data_option = click.option(
    "--data", metavar="PATH", help="Where the pictures lie: a folder, an archive, or user/name for hub."
)
limit_option = click.option("--limit", type=click.IntRange(1), metavar="N", help="At most N pictures, always the same ones.")
download_option = click.option("--download", is_flag=True, help="Fetch the dataset first, where its page allows that.")
split_option = click.option(
    "--split",
    metavar="NAME",
    default="train",
    show_default=True,
    shell_complete=completing_words("train", "test", "valid", "val", "all"),
    help="Which part of the dataset.",
)
batch_option = click.option("--batch", type=int, metavar="N", help="Real images in a minibatch.  [default: the recipe's]")
threads_option = click.option(
    "--threads",
    metavar="auto|N",
    shell_complete=completing_words("auto"),
    help="Threads that compute on a CPU. auto: all, or fewer while others use the processor.  [default: auto]",
)
device_option = click.option(
    "--device",
    metavar="NAME",
    default="auto",
    show_default=True,
    shell_complete=completing_words("auto", "cpu", "cuda", "mps"),
    help="What computes: auto, cpu, cuda, cuda:1, mps, …",
)
label_option = click.option("--label", metavar="CLASS", help="Class to draw, for a conditional model: its name or number.")
sampler_option = click.option(
    "--sampler",
    metavar="NAME",
    shell_complete=completing("samplers"),
    help="What chooses the samples; zoo list samplers shows all.  [default: nothing]",
)
raw_option = click.option("--raw", is_flag=True, help="Take the weights that are not averaged (run folders only).")


def checkpoint_options(command: F) -> F:
    """Add --last and --at, which choose a checkpoint of a run, to a command."""
    at = click.option("--at", type=int, metavar="N", help="Of a run, the checkpoint after N images instead of the best.")
    return click.option("--last", is_flag=True, help="Of a run, the last checkpoint instead of the best.")(at(command))


model_argument = click.argument("model", shell_complete=completing("models"))
"""MODEL: a run folder, a model folder, a name of the catalog, or user/name on the Hub."""
