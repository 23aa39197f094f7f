"""`zoo arithmetic`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .analysis_options import analysis_options, describe_accuracy, run_analysis

if TYPE_CHECKING:
    from zoo.analysis.arithmetic import Arithmetic


def _read_numbers(ctx: click.Context, param: click.Parameter, text: str | None) -> list[int] | None:
    """Return "3,17,40" as numbers; raises `click.BadParameter`."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isdigit() for part in parts):
        raise click.BadParameter(f"{text!r} are no numbers of samples; for example: 3,17,40")
    return [int(part) for part in parts]


@click.command(no_args_is_help=True)
@click.argument("model")
@click.argument("expression", default="A - B + C")
@click.option(
    "--a",
    metavar="IDS",
    callback=_read_numbers,
    help="Exemplars of the first concept, by hand: numbers that zoo sample --numbered shows.",
)
@click.option("--b", metavar="IDS", callback=_read_numbers, help="Of the second.")
@click.option("--c", metavar="IDS", callback=_read_numbers, help="Of the third.")
@click.option("--exemplars", type=int, default=3, show_default=True, help="Samples in each mean.")
@click.option("--trials", type=int, default=100, show_default=True, help="Most trials, each with fresh exemplars.")
@analysis_options("search", "images", "samples", out="arithmetic.png")
def arithmetic(a: list[int] | None, b: list[int] | None, c: list[int] | None, **choices: Any) -> None:
    """Add and subtract what MODEL's latents mean.

    EXPRESSION has concepts with + or - between them, and blanks around these. A concept is words joined by + without blanks.
    A word is a value ("smile"), attribute=value ("hair_color=brown"), or an attribute that can be absent ("glasses").
    "neutral" has none of what the rest of the expression names. Exemplars are found by a classifier, which is trained
    once on the labeled images, or named by hand.

    \b
    Examples:
      zoo arithmetic runs/dcgan-faces "glasses+smile - smile + neutral"
      zoo sample runs/dcgan-faces -n 100 --numbered --out samples.png
      zoo arithmetic runs/dcgan-faces "A - B + C" --a 3,17,40 --b 5,9,12 --c 1,2,8
    """
    chosen = [ids for ids in (a, b, c) if ids is not None]
    run_analysis("arithmetic", _show, chosen=chosen or None, **choices)


def _show(found: Arithmetic, **_: Any) -> None:
    for term, ids in zip(found.terms, found.exemplars, strict=True):
        click.echo(f"{term}: samples {','.join(map(str, ids))}")
    if found.success is not None:
        s = found.success
        click.echo(f"wanted: {s.wanted}")
        click.echo(f"  latent arithmetic: {s.latent}")
        click.echo(f"  the same in pixels: {s.pixel}")
        click.echo(f"  any sample: {s.base}")
        click.echo(f"  latent arithmetic, clear pictures only: {s.latent_clear}")
        click.echo(f"  the same in pixels, clear pictures only: {s.pixel_clear}")
        click.echo(describe_accuracy(dict(s.accuracy)))
