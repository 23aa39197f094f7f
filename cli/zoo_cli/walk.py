"""`zoo walk`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .analysis_options import analysis_options, run_analysis

if TYPE_CHECKING:
    from zoo.analysis.walks import Walk


@click.command(no_args_is_help=True)
@click.argument("model")
@click.option("--latents", type=int, default=9, show_default=True, help="Random latents that the walk goes through.")
@click.option("--steps", type=int, default=10, show_default=True, help="Pictures from each latent to the next.")
@click.option(
    "--how", type=click.Choice(["spherical", "linear"]), default="spherical", show_default=True, help="Interpolation."
)
@analysis_options("samples", out="walk.png")
def walk(**choices: Any) -> None:
    """Walk through MODEL's latent space: a row of pictures from each latent to the next.

    Smooth rows mean that it has learned; jumps mean that it repeats training images. A name that ends in .gif makes an
    animation.

    \b
    Examples:
      zoo walk runs/dcgan-faces --out walk.png
      zoo walk runs/dcgan-faces --how linear --out walk.gif --json
    """
    run_analysis("walk", _show, **choices)


def _show(found: Walk, **_: Any) -> None:
    for space, s in found.smoothness.items():
        click.echo(
            f"{space}: largest step {s.path:.2f} × the mean step (shuffled: {s.shuffled:.2f}); "
            f"{s.jump:.2f} × the difference of unrelated pictures (worst path: {s.worst:.2f})"
        )
