"""`zoo timelapse`."""

from __future__ import annotations

import click

from zoo_core.words import plural

from .completion import completing
from .options import out_option
from .output import echo, json_option, print_json


@click.command(no_args_is_help=True)
@click.argument("run", shell_complete=completing("runs"))
@out_option("the film, which ends in .webp, .gif or .mp4", "timelapse.webp")
@click.option("--seconds", type=float, metavar="N", help="How long it lasts.  [default: 0.25 for each grid, at most 20]")
@click.option("--fps", type=float, metavar="N", help="Grids a second, instead of --seconds.")
@click.option("--width", type=int, metavar="N", help="Width in pixels.  [default: about 512, 1024 for large images]")
@click.option("--caption/--no-caption", default=True, help="Write below each grid how many images had been shown.")
@click.option("--force", is_flag=True, help="Replace a file that exists.")
@json_option
def timelapse(
    run: str,
    out: str,
    seconds: float | None,
    fps: float | None,
    width: int | None,
    caption: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Make a film of the grids that RUN has saved, also while it trains.

    They show the same latents each time, so that one sees them grow.

    \b
    Examples:
      zoo timelapse runs/dcgan-faces --out faces.webp
      zoo timelapse runs/dcgan-faces --out faces.mp4 --seconds 8
      zoo timelapse runs/dcgan-faces --out small.gif --width 256 --no-caption
    """
    import zoo
    from zoo.progress import reporter_for_terminal

    how = {"seconds": seconds, "fps": fps, "width": width, "caption": caption, "force": force}
    film = zoo.timelapse(run, out, **how, report=reporter_for_terminal())  # type: ignore[arg-type]
    if as_json:
        print_json(film.to_json())
        return
    some = f"{len(film.images)} of {film.grids}" if len(film.images) < film.grids else str(film.grids)
    span = f"from {film.images[0]:,} to {plural(film.images[-1], 'image')}"
    echo(f"{film.path}: {some} grids, {span}; it lasts {film.seconds:.1f} s, {film.width}×{film.height} pixels")
