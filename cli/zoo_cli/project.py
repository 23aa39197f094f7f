"""`zoo project`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .analysis_options import analysis_options, run_analysis

if TYPE_CHECKING:
    from zoo.analysis.projection import Projection


@click.command(no_args_is_help=True)
@click.argument("model")
@click.argument("picture")
@click.option("--starts", default=8, show_default=True, help="Latents that are optimized; the best one counts.")
@click.option("--steps", type=int, help="Of the optimizer.  [default: 200, or 0 for a model with an encoder]")
@analysis_options("samples", out="project.png")
def project(**choices: Any) -> None:
    """Find the latent of MODEL whose picture is nearest to PICTURE, and write both side by side.

    A model with an encoder (recipe bigan) answers at once; --steps refines its answer.

    \b
    Examples:
      zoo project runs/dcgan-faces portrait.jpg
      zoo project runs/dcgan-faces portrait.jpg --starts 16 --steps 500 --json
    """
    run_analysis("project", _show, **choices)


def _show(found: Projection, **_: Any) -> None:
    click.echo(f"found {found.how}")
    click.echo(f"difference: {found.error:.1f} levels of 255 (root mean square)")
    click.echo(f"nearest of 512 random samples: {found.nearest_sample:.1f}")
