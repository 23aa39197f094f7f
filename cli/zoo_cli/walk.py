"""`zoo walk`."""

from __future__ import annotations

import click

from .inside import device_option, out_option, sample_options
from .output import json_option, print_json, warn_about_plugins


@click.command(no_args_is_help=True)
@click.argument("model")
@click.option("--latents", type=int, default=9, show_default=True, help="Random latents that the walk goes through.")
@click.option("--steps", type=int, default=10, show_default=True, help="Pictures from each latent to the next.")
@click.option(
    "--how", type=click.Choice(["spherical", "linear"]), default="spherical", show_default=True, help="Interpolation."
)
@sample_options
@out_option("walk.png")
@device_option
@json_option
def walk(
    model: str, latents: int, steps: int, how: str, seed: int, label: str | None, out: str, device: str, as_json: bool
) -> None:
    """Walk through MODEL's latent space: a row of pictures from each latent to the next.

    Smooth rows mean that it has learned; jumps mean that it repeats training images. A name that ends in .gif makes an
    animation.

    \b
    Examples:
      zoo walk runs/dcgan-faces --out walk.png
      zoo walk runs/dcgan-faces --how linear --out walk.gif --json
    """
    import zoo

    warn_about_plugins()
    found = zoo.walk(model, latents=latents, steps=steps, how=how, seed=seed, label=label, device=device, out=out)  # type: ignore[arg-type]
    if as_json:
        print_json({"out": out, **found.to_json()})
        return
    click.echo(out)
    for space, s in found.smoothness.items():
        click.echo(
            f"{space}: largest step {s.path:.2f} × the mean step (shuffled: {s.shuffled:.2f}); "
            f"{s.jump:.2f} × the difference of unrelated pictures (worst path: {s.worst:.2f})"
        )
