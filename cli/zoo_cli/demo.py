"""`zoo demo`."""

from __future__ import annotations

import click

from .completion import completing
from .options import device_option
from .output import echo, warn_about_plugins


@click.command(no_args_is_help=True)
@click.argument("models", metavar="MODEL...", nargs=-1, required=True, shell_complete=completing("models"))
@click.option("--port", type=int, metavar="N", help="Port to serve at.  [default: a free one]")
@click.option("--open", is_flag=True, help="Open the page in the browser.")
@click.option("--share", is_flag=True, help="Also make a public address, through Gradio's server.")
@device_option
def demo(models: tuple[str, ...], port: int | None, open: bool, share: bool, device: str) -> None:
    """Serve a page to look at MODEL and play with it, on this machine alone, until Ctrl-C.

    Samples, walks, arithmetic and directions in latent space, feature maps, a discriminator to ask about your pictures, and
    of a run how its training goes. Several models stand beside each other. Needs the extra demo: pip install
    "dcgan-zoo[demo]"

    \b
    Examples:
      zoo demo dcgan-faces
      zoo demo runs/dcgan-faces dcgan-faces --open
    """
    from zoo.demo import serve

    warn_about_plugins()
    serve(list(models), port=port, open=open, share=share, device=device, tell=echo)
