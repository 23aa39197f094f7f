"""`zoo features`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .analysis_options import analysis_options, run_analysis
from .output import print_table

if TYPE_CHECKING:
    from zoo.analysis.features import FeatureComparison


@click.command(no_args_is_help=True)
@click.argument("model")
@click.option("--images", "count", type=int, default=512, show_default=True, help="Real images to look at.")
@click.option("--features", "shown", type=int, default=6, show_default=True, help="Strongest features to show.")
@click.option("--each", type=int, default=6, show_default=True, help="Images for each feature.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the choice of images and of the random weights.")
@analysis_options("images", out="features.png")
def features(**choices: Any) -> None:
    """Show what MODEL's discriminator looks at: guided backpropagation for the strongest features of its last stage.

    Beside it stands a discriminator with random weights. Where the images have labels, it is measured how well single
    features tell them apart, for both.

    \b
    Examples:
      zoo features runs/dcgan-faces
      zoo features runs/dcgan-faces --images 2000 --json
    """
    run_analysis("features", _show, **choices)


def _show(found: FeatureComparison, **_: Any) -> None:
    numbers = found.to_json()
    click.echo(f"stage {found.trained.stage}, features {', '.join(map(str, found.trained.features))}")
    if "selectivity" not in numbers:
        click.echo("the images have no labels, so selectivity is not measured")
        return
    s = numbers["selectivity"]
    click.echo(f"selectivity: {s['trained']:.3f}, with random weights {s['random']:.3f} ({s['ratio']:.2f} times as much)")
    print_table([("best feature for", "trained", "random")])
    print_table([(n, f"{v['trained']:.2f}", f"{v['random']:.2f}") for n, v in numbers["best_feature"].items()])
