"""`zoo forget`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .analysis_options import analysis_options, describe_accuracy, run_analysis

if TYPE_CHECKING:
    from zoo.analysis.forgetting import Ablation


@click.command(no_args_is_help=True)
@click.argument("model")
@click.option("--attribute", metavar="WORD", help="What to forget: glasses, hat, mouth=smile.")
@click.option("--boxes", metavar="FILE", help="Where it lies: boxes for numbered samples (.json), or a mask (a picture).")
@click.option("--most", type=int, help="Silence only so many maps.  [default: all with a positive weight]")
@click.option("--samples", type=int, default=150, show_default=True, help="Most samples from which the maps are found.")
@click.option("--tested", type=int, default=256, show_default=True, help="Other samples on which it is measured.")
@click.option("--search", "searched", type=int, default=1024, show_default=True, help="Samples in which it is looked for.")
@click.option("--save", metavar="DIR", help="Write the edited generator as a model folder.")
@analysis_options("images", "samples", out="forget.png")
def forget(**choices: Any) -> None:
    """Make MODEL forget to draw something: find the feature maps that draw it, and silence them.

    Where it lies in samples is found by the classifier, or read from FILE: boxes that you drew for samples that zoo sample
    --numbered shows ({"17": [[12, 20, 50, 34]]}: left, top, right, bottom), or one black and white mask for all.

    \b
    Examples:
      zoo forget runs/dcgan-faces --attribute glasses
      zoo forget runs/dcgan-faces --attribute glasses --most 20 --save no-glasses
      zoo forget runs/dcgan-rooms --boxes windows.json
    """
    run_analysis("forget", _show, **choices)


def _show(found: Ablation, attribute: str | None, **_: Any) -> None:
    from zoo.analysis.exemplars import describe_preservation

    click.echo(f"silenced {len(found.maps)} of {found.of} maps of stage {found.stage}")
    if (r := found.rates) is not None:
        click.echo(f"{attribute} before: {r.before}")
        click.echo(f"{attribute} after:  {r.after}")
        click.echo(f"after silencing as many random maps: {r.random}")
        click.echo(f"other attributes unchanged: {describe_preservation(r.kept, r.kept_random, 'maps')}")
        click.echo(describe_accuracy({attribute or "": r.accuracy}))
    where = f"{found.inside:.1f} where it was, " if found.inside is not None else ""
    click.echo(
        f"mean change in levels of 255: {where}{found.outside:.1f} elsewhere (random maps: {found.outside_random:.1f})"
    )
    if found.saved is not None:
        click.echo(f"model: {click.format_filename(found.saved)}")
