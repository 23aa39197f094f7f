"""`zoo evaluate`."""

from __future__ import annotations

from typing import Any

import click

from .measuring_options import measure, measuring_options


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
