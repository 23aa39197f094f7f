"""`zoo arithmetic`."""

from __future__ import annotations

import click

from .inside import accuracies, device_option, images_options, numbers, out_option, request, sample_options, search_option
from .output import json_option, print_json, warn_about_plugins


@click.command(no_args_is_help=True)
@click.argument("model")
@click.argument("expression", default="A - B + C")
@click.option(
    "--a", metavar="IDS", help="Exemplars of the first concept, by hand: numbers that zoo sample --numbered shows."
)
@click.option("--b", metavar="IDS", help="Of the second.")
@click.option("--c", metavar="IDS", help="Of the third.")
@click.option("--exemplars", type=int, default=3, show_default=True, help="Samples in each mean.")
@click.option("--trials", type=int, default=100, show_default=True, help="Most trials, each with fresh exemplars.")
@search_option
@images_options
@sample_options
@out_option("arithmetic.png")
@device_option
@json_option
def arithmetic(
    model: str,
    expression: str,
    a: str | None,
    b: str | None,
    c: str | None,
    exemplars: int,
    trials: int,
    searched: int,
    dataset: str | None,
    data: str | None,
    options: dict[str, str],
    seed: int,
    label: str | None,
    out: str,
    device: str,
    as_json: bool,
) -> None:
    """Add and subtract what MODEL's latents mean.

    EXPRESSION has concepts with + or - between them, and blanks around these. A concept is words joined by + without blanks.
    A word is a value ("smile"), attribute=value ("hair_color=brown"), or an attribute that can be absent ("glasses").
    "neutral" has none of what the rest of the expression names. Exemplars are found by a classifier, which is trained
    once on the labeled images, or named by hand.

    \b
    Examples:
      zoo arithmetic runs/dcgan-faces "glasses+smile - smile + neutral"
      zoo sample runs/dcgan-faces -n 100 --numbered --out samples.png
      zoo arithmetic runs/dcgan-faces "A - B + C" --a 3,17,40 --b 5,9,12 --c 1,2,8
    """
    import zoo
    from zoo.progress import reporter_for_terminal

    warn_about_plugins()
    chosen = [ids for ids in map(numbers, (a, b, c)) if ids is not None]
    found = zoo.arithmetic(
        model,
        expression,
        images=request(dataset, data, options),
        chosen=chosen or None,
        exemplars=exemplars,
        trials=trials,
        searched=searched,
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
    for term, ids in zip(found.terms, found.exemplars, strict=True):
        click.echo(f"{'+' if term.sign > 0 else '-'} {term.concept}: samples {','.join(map(str, ids))}")
    if found.success is not None:
        s = found.success
        click.echo(f"wanted: {s.wanted}")
        click.echo(f"  latent arithmetic: {s.latent}")
        click.echo(f"  the same in pixels: {s.pixel}")
        click.echo(f"  any sample: {s.base}")
        click.echo(f"  latent arithmetic, clear pictures only: {s.latent_clear}")
        click.echo(f"  the same in pixels, clear pictures only: {s.pixel_clear}")
        click.echo(accuracies(dict(s.accuracy)))
