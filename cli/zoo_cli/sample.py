"""`zoo sample`."""

from __future__ import annotations

from pathlib import Path

import click

from .completion import completing_settings
from .options import (
    checkpoint_options,
    device_option,
    label_option,
    model_argument,
    out_option,
    raw_option,
    sampler_option,
    seed_option,
    set_option,
    strip_group,
)
from .output import echo, json_option, print_json, warn_about_plugins


@click.command(no_args_is_help=True)
@model_argument
@click.option("-n", "--number", "n", type=int, metavar="N", default=64, show_default=True, help="How many to draw.")
@seed_option("the samples: number i depends on the seed and i alone")
@out_option("the grid; a folder gets single pictures", "samples.png")
@click.option("--numbered", is_flag=True, help="Write each picture's number below it (grids only).")
@label_option
@sampler_option
@set_option("those that zoo show SAMPLER lists", completing_settings("sampler"))
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
    sampler: str | None,
    options: dict[str, str],
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
      zoo sample runs/dcgan-faces --sampler drs --set sampler.percentile=90
    """
    import zoo
    from zoo.models.config import describe_choice, note_choice
    from zoo.models.sampling import sample_to
    from zoo.progress import reporter_for_terminal

    warn_about_plugins()
    given = strip_group(options, "sampler")
    loaded, report = zoo.load(model, device=device, raw=raw, last=last, at=at), reporter_for_terminal()
    loaded = loaded.with_sampler(sampler, given)
    note_choice(loaded.config, report)
    written = sample_to(loaded, Path(out), n, seed=seed, label=label, numbered=numbered, report=report)
    if as_json:
        found = {"out": written, "n": n, "seed": seed, "checkpoint": describe_choice(loaded.config) or None}
        print_json({**found, **({"sampler": loaded.sampler.to_json()} if loaded.sampler else {})})
    else:
        echo(written)
        if loaded.sampler and loaded.sampler.judged:
            echo(loaded.sampler.tell_cost(n))
