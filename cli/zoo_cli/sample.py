"""`zoo sample`."""

from __future__ import annotations

from pathlib import Path

import click

from .options import checkpoint_options, device_option, label_option, model_argument, out_option, raw_option, seed_option
from .output import echo, json_option, print_json, warn_about_plugins


@click.command(no_args_is_help=True)
@model_argument
@click.option("-n", "--number", "n", type=int, metavar="N", default=64, show_default=True, help="How many to draw.")
@seed_option("the samples: number i depends on the seed and i alone")
@out_option("the grid; a folder gets single pictures", "samples.png")
@click.option("--numbered", is_flag=True, help="Write each picture's number below it (grids only).")
@label_option
@raw_option
@checkpoint_options
@device_option
@json_option
def sample(
    model: str,
    n: int,
    seed: int,
    out: str,
    numbered: bool,
    label: str | None,
    raw: bool,
    last: bool,
    at: int | None,
    device: str,
    as_json: bool,
) -> None:
    """Draw samples from MODEL: a run folder, a model folder, a name that zoo pull lists, or user/name on the Hub.

    \b
    Examples:
      zoo sample runs/dcgan-faces --out samples.png
      zoo sample runs/dcgan-faces -n 1000 --seed 7 --out samples/
    """
    import zoo
    from zoo.models.config import describe_choice, note_choice
    from zoo.models.sampling import sample_to
    from zoo.progress import reporter_for_terminal

    warn_about_plugins()
    loaded, report = zoo.load(model, device=device, raw=raw, last=last, at=at), reporter_for_terminal()
    note_choice(loaded.config, report)
    written = sample_to(loaded, Path(out), n, seed=seed, label=label, numbered=numbered, report=report)
    if as_json:
        print_json({"out": written, "n": n, "seed": seed, "checkpoint": describe_choice(loaded.config) or None})
    else:
        echo(written)
