"""`zoo report`."""

from __future__ import annotations

import click

from .inside import device_option, images_options, request, search_option
from .output import json_option, print_json, warn_about_plugins


@click.command(no_args_is_help=True)
@click.argument("model", metavar="RUN")
@click.option("--attribute", metavar="WORD", help="What is turned and forgotten.  [default: the first that can be absent]")
@click.option("--expression", help="Of the arithmetic.  [default: that attribute and one other]")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the samples, as in zoo sample.")
@search_option
@images_options
@click.option("--out", metavar="FILE", help="Web page to write.  [default: report.html in RUN, where zoo push finds it]")
@device_option
@json_option
def report(
    model: str,
    attribute: str | None,
    expression: str | None,
    seed: int,
    searched: int,
    dataset: str | None,
    data: str | None,
    options: dict[str, str],
    out: str | None,
    device: str,
    as_json: bool,
) -> None:
    """Write one web page about RUN (or any model): samples, training, walks, features, arithmetic, forgetting, metrics.

    The page needs no other file and no network. What cannot be had (no labels, no discriminator) is left out, and the page
    says so.

    \b
    Examples:
      zoo report runs/dcgan-faces
      zoo report runs/dcgan-faces --attribute hat --out about.html
    """
    import zoo
    from zoo.progress import reporter_for_terminal

    warn_about_plugins()
    found = zoo.report(
        model,
        images=request(dataset, data, options),
        attribute=attribute,
        expression=expression,
        searched=searched,
        seed=seed,
        device=device,
        out=out,
        report=reporter_for_terminal(),
    )
    if as_json:
        print_json(found.to_json())
        return
    click.echo(click.format_filename(found.path))
    for title, why in found.left_out.items():
        click.echo(f"left out: {title}: {why}")
