"""`zoo turn`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .analysis_options import analysis_options, describe_accuracy, run_analysis

if TYPE_CHECKING:
    from zoo.analysis.directions import Turning


@click.command(no_args_is_help=True)
@click.argument("model")
@click.option("--from", "start", required=True, metavar="CONCEPT", help="What the direction leads away from: turn=left.")
@click.option("--to", "end", required=True, metavar="CONCEPT", help="What it leads to: turn=right.")
@click.option("--exemplars", type=int, default=256, show_default=True, help="Most samples in each mean; the paper has 4.")
@click.option("--reach", type=float, default=1.0, show_default=True, help="How far to go, in multiples of the direction.")
@click.option("--steps", type=int, default=9, show_default=True, help="Pictures of each sample.")
@click.option("--samples", type=int, default=64, show_default=True, help="Random samples that are turned.")
@analysis_options("search", "images", "samples", out="turn.png")
def turn(**choices: Any) -> None:
    """Move MODEL's samples along a direction: from what shows one concept to what shows another.

    The picture has a row for each of eight samples, which themselves stand in the middle.

    \b
    Examples:
      zoo turn runs/dcgan-faces --from turn=left --to turn=right
      zoo turn runs/dcgan-faces --from no-glasses --to glasses --reach 1.5 --json
    """
    run_analysis("turn", _show, **choices)


def _show(found: Turning, end: str, **_: Any) -> None:
    from zoo.analysis.exemplars import describe_preservation

    click.echo(f"probability of {end}: " + " ".join(f"{p:.2f}" for p in found.probability))
    click.echo(f"steps at which it does not fall: {found.monotone:.0%}")
    click.echo(f"other attributes unchanged: {describe_preservation(found.kept, found.kept_random, 'directions')}")
    click.echo(
        f"distance from the sample itself, of that between unrelated samples: {found.identity:.2f} "
        f"(random directions: {found.identity_random:.2f})"
    )
    click.echo(f"exemplars: {found.exemplars[0]} and {found.exemplars[1]}")
    click.echo(describe_accuracy(dict(found.accuracy)))
