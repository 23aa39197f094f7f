"""`zoo turn`."""

from __future__ import annotations

import click

from .inside import accuracies, device_option, images_options, out_option, request, sample_options, search_option
from .output import json_option, print_json, warn_about_plugins


@click.command(no_args_is_help=True)
@click.argument("model")
@click.option("--from", "start", required=True, metavar="CONCEPT", help="What the direction leads away from: turn=left.")
@click.option("--to", "end", required=True, metavar="CONCEPT", help="What it leads to: turn=right.")
@click.option("--exemplars", type=int, default=256, show_default=True, help="Most samples in each mean; the paper has 4.")
@click.option("--reach", type=float, default=1.0, show_default=True, help="How far to go, in multiples of the direction.")
@click.option("--steps", type=int, default=9, show_default=True, help="Pictures of each sample.")
@click.option("--samples", type=int, default=64, show_default=True, help="Random samples that are turned.")
@search_option
@images_options
@sample_options
@out_option("turn.png")
@device_option
@json_option
def turn(
    model: str,
    start: str,
    end: str,
    exemplars: int,
    reach: float,
    steps: int,
    samples: int,
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
    """Move MODEL's samples along a direction: from what shows one concept to what shows another.

    The picture has a row for each of eight samples, which themselves stand in the middle.

    \b
    Examples:
      zoo turn runs/dcgan-faces --from turn=left --to turn=right
      zoo turn runs/dcgan-faces --from no-glasses --to glasses --reach 1.5 --json
    """
    import zoo
    from zoo.analysis.exemplars import describe_preservation
    from zoo.progress import reporter_for_terminal

    warn_about_plugins()
    found = zoo.turn(
        model,
        start,
        end,
        images=request(dataset, data, options),
        exemplars=exemplars,
        reach=reach,
        steps=steps,
        samples=samples,
        searched=searched,
        seed=seed,
        label=label,
        device=device,
        out=out,
        report=reporter_for_terminal(),
    )
    told = found.to_json()
    if as_json:
        print_json({"out": out, **told})
        return
    click.echo(out)
    click.echo(f"probability of {end}: " + " ".join(f"{p:.2f}" for p in found.probability))
    click.echo(f"steps at which it does not fall: {found.monotone:.0%}")
    click.echo(
        f"other attributes unchanged: {describe_preservation(told['kept_mean'], told['kept_random_mean'], 'directions')}"
    )
    click.echo(
        f"distance from the sample itself, of that between unrelated samples: {found.identity:.2f} "
        f"(random directions: {found.identity_random:.2f})"
    )
    click.echo(f"exemplars: {found.exemplars[0]} and {found.exemplars[1]}")
    click.echo(accuracies(dict(found.accuracy)))
