"""`zoo project`."""

from __future__ import annotations

import click

from .inside import device_option, out_option, sample_options
from .output import json_option, print_json, warn_about_plugins


@click.command(no_args_is_help=True)
@click.argument("model")
@click.argument("picture")
@click.option("--starts", type=int, default=8, show_default=True, help="Latents that are optimized; the best one counts.")
@click.option("--steps", type=int, default=200, show_default=True, help="Of the optimizer.")
@sample_options
@out_option("project.png")
@device_option
@json_option
def project(
    model: str, picture: str, starts: int, steps: int, seed: int, label: str | None, out: str, device: str, as_json: bool
) -> None:
    """Find the latent of MODEL whose picture is nearest to PICTURE, and write both side by side.

    \b
    Examples:
      zoo project runs/dcgan-faces portrait.jpg
      zoo project runs/dcgan-faces portrait.jpg --starts 16 --steps 500 --json
    """
    import zoo
    from zoo.progress import reporter_for_terminal

    warn_about_plugins()
    found = zoo.project(
        model,
        picture,
        starts=starts,
        steps=steps,
        seed=seed,
        label=label,
        device=device,
        out=out,
        report=reporter_for_terminal(),
    )
    if as_json:
        print_json({"out": out, **found.to_json()})
        return
    click.echo(out)
    click.echo(f"difference: {found.error:.1f} levels of 255 (root mean square)")
    click.echo(f"nearest of 512 random samples: {found.nearest_sample:.1f}")
