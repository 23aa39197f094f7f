"""`zoo report`."""

from __future__ import annotations

from typing import Any

import click

from .analysis_options import analysis_options, analyze
from .output import print_json


@click.command(no_args_is_help=True)
@click.argument("model", metavar="RUN")
@click.option("--attribute", metavar="WORD", help="What is turned and forgotten.  [default: the first that can be absent]")
@click.option("--expression", help="Of the arithmetic.  [default: that attribute and one other]")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the samples, as in zoo sample.")
@click.option("--out", metavar="FILE", help="Web page to write.  [default: report.html in RUN, where zoo push finds it]")
@analysis_options("search", "images")
def report(as_json: bool, **choices: Any) -> None:
    """Write one web page about RUN (or any model): samples, training, walks, features, arithmetic, forgetting, metrics.

    The page needs no other file and no network. What cannot be had (no labels, no discriminator) is left out, and the page
    says so.

    \b
    Examples:
      zoo report runs/dcgan-faces
      zoo report runs/dcgan-faces --attribute hat --out about.html
    """
    found = analyze("report", **choices)
    if as_json:
        print_json(found.to_json())
        return
    click.echo(click.format_filename(found.path))
    for title, why in found.left_out.items():
        click.echo(f"left out: {title}: {why}")
