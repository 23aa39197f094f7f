"""`zoo forget`."""

from __future__ import annotations

import click

from .inside import accuracies, device_option, images_options, out_option, request, sample_options
from .output import json_option, print_json, warn_about_plugins


@click.command(no_args_is_help=True)
@click.argument("model")
@click.option("--attribute", metavar="WORD", help="What to forget: glasses, hat, mouth=smile.")
@click.option("--boxes", metavar="FILE", help="Where it lies: boxes for numbered samples (.json), or a mask (a picture).")
@click.option("--most", type=int, help="Silence only so many maps.  [default: all with a positive weight]")
@click.option("--samples", type=int, default=150, show_default=True, help="Most samples from which the maps are found.")
@click.option("--tested", type=int, default=256, show_default=True, help="Other samples on which it is measured.")
@click.option("--search", "searched", type=int, default=1024, show_default=True, help="Samples in which it is looked for.")
@click.option("--save", metavar="DIR", help="Write the edited generator as a model folder.")
@images_options
@sample_options
@out_option("forget.png")
@device_option
@json_option
def forget(
    model: str,
    attribute: str | None,
    boxes: str | None,
    most: int | None,
    samples: int,
    tested: int,
    searched: int,
    save: str | None,
    dataset: str | None,
    data: str | None,
    options: dict[str, str],
    seed: int,
    label: str | None,
    out: str,
    device: str,
    as_json: bool,
) -> None:
    """Make MODEL forget to draw something: find the feature maps that draw it, and silence them.

    Where it lies in samples is found by the classifier, or read from FILE: boxes that you drew for samples that zoo sample
    --numbered shows ({"17": [[12, 20, 50, 34]]}: left, top, right, bottom), or one black and white mask for all.

    \b
    Examples:
      zoo forget runs/dcgan-faces --attribute glasses
      zoo forget runs/dcgan-faces --attribute glasses --most 20 --save no-glasses
      zoo forget runs/dcgan-rooms --boxes windows.json
    """
    import zoo
    from zoo.analysis.exemplars import describe_preservation
    from zoo.progress import reporter_for_terminal

    warn_about_plugins()
    found = zoo.forget(
        model,
        attribute,
        images=request(dataset, data, options),
        boxes=boxes,
        most=most,
        samples=samples,
        tested=tested,
        searched=searched,
        seed=seed,
        label=label,
        save=save,
        device=device,
        out=out,
        report=reporter_for_terminal(),
    )
    told = found.to_json()
    if as_json:
        print_json({"out": out, **told})
        return
    click.echo(out)
    click.echo(f"silenced {len(found.maps)} of {found.of} maps of stage {found.stage}")
    if found.rates is not None:
        click.echo(f"{attribute} before: {found.rates.before}")
        click.echo(f"{attribute} after:  {found.rates.after}")
        click.echo(f"after silencing as many random maps: {found.rates.random}")
        click.echo(
            f"other attributes unchanged: {describe_preservation(told['kept_mean'], told['kept_random_mean'], 'maps')}"
        )
        click.echo(accuracies({attribute or "": found.rates.accuracy}))
    where = f"{found.inside:.1f} where it was, " if found.inside is not None else ""
    click.echo(
        f"mean change in levels of 255: {where}{found.outside:.1f} elsewhere (random maps: {found.outside_random:.1f})"
    )
    if found.saved is not None:
        click.echo(f"model: {click.format_filename(found.saved)}")
