"""`zoo compare`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from .completion import completing, completing_settings
from .options import out_option, samples_option, set_option
from .output import echo, exit_by_signal, json_option, print_json, print_table, warn_about_plugins
from .train import select_data, training_options

if TYPE_CHECKING:
    from zoo.comparing.page import Spread
    from zoo.comparing.running import Comparison


@click.command(no_args_is_help=True)
@click.argument("recipes", nargs=-1, required=True, shell_complete=completing("recipes"))
@training_options
@click.option("--seeds", metavar="N", default=3, show_default=True, help="Trainings of each recipe: seeds 0, 1 and so on.")
@samples_option("for each measurement", default=2048)
@click.option("--points", metavar="N", default=5, show_default=True, help="Measurements in each training.")
@set_option("as in zoo train, and features.*, the metric's", completing_settings(features=True))
@out_option("report, table and run folders", "comparison", metavar="DIR")
@json_option
def compare(recipes: tuple[str, ...], options: dict[str, str], as_json: bool, **choices: Any) -> None:
    """Train RECIPES under the same budget, on the same data, with the same seeds, and measure them alike.

    Writes DIR/report.html and DIR/comparison.csv: distance to the data, diversity, collapse, divergence, losses, samples,
    speed. The same command goes on with a comparison that was interrupted, even killed; more recipes and seeds may be named
    then.

    \b
    Examples:
      zoo compare dcgan mlp-gan --dataset faces --size 32 --images 50000
      zoo compare dcgan wgan-gp --dataset folder --data ~/flowers --minutes 30
    """
    import zoo

    warn_about_plugins()
    options = select_data(choices, options)
    done = zoo.compare(recipes, options=options, **choices)
    if as_json:
        told = {**asdict(done), "signal": done.signal or None}
        print_json({"out": told.pop("path"), "recipes": told.pop("rows"), **told})
    else:
        _say(done)
    exit_by_signal(done.signal)


def _say(done: Comparison) -> None:
    heads = ("recipe", "distance", "diversity", "diverged", "collapsed", "images/s")
    rows = []
    for row in done.rows:
        troubles = [f"{count} of {row.seeds}" for count in (row.diverged, row.collapsed)]
        rows.append((row.recipe, _spread(row.distance), _spread(row.diversity), *troubles, _spread(row.images_per_s)))
    print_table([heads, *rows])
    *metric, features = done.metric.split(":")[1::2]  # without distributions
    echo(f"{metric[0] if metric else 'distance'} of {features} features; two halves of the data: {done.floor:.3g}")
    echo(f"report: {done.report}")
    if done.signal:
        echo(f"stopped by {done.signal}; everything is saved, and the same command goes on")


def _spread(spread: Spread) -> str:
    if spread.mean is None:
        return "–"
    return f"{spread.mean:.4g}" + (f" ± {spread.deviation:.2g}" if spread.deviation is not None else "")
