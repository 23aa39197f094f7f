"""`zoo directions`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .analysis_options import WHAT_IT_MEANS, analysis_options, analyze
from .options import model_argument, samples_option, steps_option
from .output import echo, print_table

if TYPE_CHECKING:
    from zoo.analysis.directions import Directions


def _split(ctx: click.Context, param: click.Parameter, text: str | None) -> tuple[str, ...]:
    return tuple(word.strip() for word in (text or "").split(",") if word.strip())


@click.command(no_args_is_help=True)
@model_argument
@click.option(
    "--method",
    type=click.Choice(["sefa", "pca", "attributes"]),
    metavar="NAME",
    default="sefa",
    show_default=True,
    help="How to find them: sefa (first weights), pca (of activations) or attributes (what labels name).",
)
@click.option("--count", metavar="N", default=8, show_default=True, help="Directions to find, at most.")
@click.option("--stage", metavar="NAME", help="Stage whose activations pca takes.  [default: the first]")
@click.option(
    "--attributes",
    metavar="WORDS",
    callback=_split,
    help="What to lead to: glasses,hair=long.  [default: what latents tell best]",
)
@click.option("--reach", metavar="N", default=3.0, show_default=True, help="How far to go, in standard deviations.")
@steps_option("each direction, from one end to the other", default=7)
@samples_option("and to measure what a direction changes", default=32)
@click.option(
    "--vectors",
    metavar="FILE",
    default="directions.safetensors",
    show_default=True,
    help="Where to write the vectors.",
)
@analysis_options("search", "images", "samples", out="directions.png")
def directions(**choices: Any) -> None:
    """Find directions of MODEL's latent space along which its pictures change most.

    The picture has a row for each: one sample in the middle, moved to either side. Those of sefa and pca have no names;
    those of attributes lead to what the labels of the images name, as an attribute classifier sees it.

    \b
    Examples:
      zoo directions dcgan-faces
      zoo directions dcgan-faces --method pca --stage 8x8
      zoo directions dcgan-faces --method attributes --attributes glasses,hat
    """
    found: Directions | None = analyze("find_directions", **choices)
    if not found:
        return
    echo(choices["vectors"])
    head: tuple[str, ...] = ("direction", "change")
    rows: list[tuple[str, ...]] = [
        (name, f"{change / found.random_change:.1f} ×") for name, change in zip(found.names, found.change, strict=True)
    ]
    if found.probability:
        head = (*head, "probability", "")
        ends = (f"{start:.2f} → {end:.2f}" for start, end in found.probability)
        rows = [(*row, way, verdict) for row, way, verdict in zip(rows, ends, found.verdicts, strict=True)]
    print_table([head, *rows])
    echo(f"(change from −1 to 1 standard deviation; along random directions {found.random_change:.1f} levels of 255)")
    if found.probability:
        echo(WHAT_IT_MEANS)
