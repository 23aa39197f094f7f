"""`zoo features`."""

from __future__ import annotations

import click

from .inside import device_option, images_options, out_option, request
from .output import json_option, print_json, print_table, warn_about_plugins


@click.command(no_args_is_help=True)
@click.argument("model")
@click.option("--images", "count", type=int, default=512, show_default=True, help="Real images to look at.")
@click.option("--features", "shown", type=int, default=6, show_default=True, help="Strongest features to show.")
@click.option("--each", type=int, default=6, show_default=True, help="Images for each feature.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the choice of images and of the random weights.")
@images_options
@out_option("features.png")
@device_option
@json_option
def features(
    model: str,
    count: int,
    shown: int,
    each: int,
    seed: int,
    dataset: str | None,
    data: str | None,
    options: dict[str, str],
    out: str,
    device: str,
    as_json: bool,
) -> None:
    """Show what MODEL's discriminator looks at: guided backpropagation for the strongest features of its last stage.

    Beside it stands a discriminator with random weights. Where the images have labels, it is measured how well single
    features tell them apart, for both.

    \b
    Examples:
      zoo features runs/dcgan-faces
      zoo features runs/dcgan-faces --images 2000 --json
    """
    import zoo
    from zoo.progress import reporter_for_terminal

    warn_about_plugins()
    found = zoo.features(
        model,
        images=request(dataset, data, options),
        count=count,
        shown=shown,
        each=each,
        seed=seed,
        device=device,
        out=out,
        report=reporter_for_terminal(),
    )
    told = found.to_json()
    if as_json:
        print_json({"out": out, **told})
        return
    click.echo(out)
    click.echo(f"stage {found.trained.stage}, features {', '.join(map(str, found.trained.features))}")
    if "selectivity" not in told:
        click.echo("the images have no labels, so selectivity is not measured")
        return
    s = told["selectivity"]
    click.echo(f"selectivity: {s['trained']:.3f}, with random weights {s['random']:.3f} ({s['ratio']:.2f} times as much)")
    print_table([("best feature for", "trained", "random")])
    print_table([(n, f"{v['trained']:.2f}", f"{v['random']:.2f}") for n, v in told["best_feature"].items()])
