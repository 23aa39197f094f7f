"""`zoo compare`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from .completion import completing, completing_settings
from .options import out_option, samples_option, set_option
from .output import (
    echo,
    exit_by_signal,
    json_option,
    print_fitting_table,
    print_json,
    print_table,
    warn_about_plugins,
)
from .train import select_data, training_options

if TYPE_CHECKING:
    from zoo.comparing.running import Comparison
    from zoo.comparing.runs import RunComparison
    from zoo.comparing.spreads import Spread


@click.command(no_args_is_help=True)
@click.argument("names", metavar="RECIPE_OR_RUN...", nargs=-1, required=True, shell_complete=completing("recipes", "runs"))
@training_options
@click.option("--seeds", metavar="N", default=3, show_default=True, help="Trainings of each recipe: seeds 0, 1 and so on.")
@samples_option("for each measurement", default=2048)
@click.option("--points", metavar="N", default=5, show_default=True, help="Measurements in each training.")
@set_option("as in zoo train, and features.*, the metric's", completing_settings(features=True))
@out_option("report, table and run folders", otherwise="comparison; of runs, none is written", metavar="DIR")
@json_option
def compare(names: tuple[str, ...], options: dict[str, str], as_json: bool, **choices: Any) -> None:
    """Train recipes and compare them, or compare runs that are there.

    Recipes are trained under the same budget, on the same data, with the same seeds, and measured alike.

    Writes DIR/report.html and DIR/comparison.csv: distance to the data, diversity, collapse, divergence, losses, samples,
    speed. The same command goes on with a comparison that was interrupted, even killed; more recipes and seeds may be named
    then.

    Runs are compared as they are: what was measured, what they cost, how their settings differ. Nothing is trained.

    \b
    Examples:
      zoo compare dcgan mlp-gan --dataset faces --size 32 --images 50000
      zoo compare dcgan wgan-gp --dataset folder --data ~/flowers --minutes 30
      zoo compare runs/dcgan-faces-64-1a2b3c runs/wgan-gp-faces-64-4d5e6f
    """
    import zoo

    warn_about_plugins()
    if _are_runs(names):
        _refuse_training_options(click.get_current_context())
        found = zoo.compare_runs(names, out=choices["out"])
        print_json(found.to_json()) if as_json else _say_runs(found)
        return
    recipes = names
    choices["out"] = choices["out"] or "comparison"
    options = select_data(choices, options)
    done = zoo.compare(recipes, options=options, **choices)
    if as_json:
        told = {**asdict(done), "signal": done.signal or None}
        print_json({"out": told.pop("path"), "recipes": told.pop("rows"), **told})
    else:
        _say(done)
    exit_by_signal(done.signal)


def _are_runs(names: tuple[str, ...]) -> bool:
    """Return whether the names are those of runs; some of each are refused."""
    from zoo.runs.folders import find_run, is_run
    from zoo_core import registry

    recipes = set(registry.names("recipes"))
    runs = [name for name in names if is_run(Path(name)) or (name not in recipes and is_run(find_run(name)))]
    if runs and len(runs) < len(names):
        other = next(name for name in names if name not in runs)
        raise click.UsageError(f"{runs[0]} is a run and {other} is none; compare recipes, or runs (zoo runs shows them)")
    return bool(runs)


def _refuse_training_options(ctx: click.Context) -> None:
    for param in ctx.command.params:
        given = ctx.get_parameter_source(param.name or "") is ParameterSource.COMMANDLINE
        if given and param.name not in ("names", "out", "as_json"):
            raise click.UsageError(f"{param.opts[0]} is for trainings, and runs are compared as they are; leave it out")


def _say_runs(found: RunComparison) -> None:
    from zoo.comparing.runs import best_of, format_value, list_measures

    measures = list_measures(found.rows)
    evaluated = dict.fromkeys(name for row in found.rows for name in row.evaluated)
    heads = ("run", "state", "images", "minutes", "images/s", *measures, *evaluated)
    rows = [heads]
    for row in found.rows:
        cost = (f"{row.images:,}", f"{row.minutes:.1f}", "–" if row.images_per_s is None else f"{row.images_per_s:.0f}")
        numbers = [best_of(row, name) for name in measures]
        rows.append((row.name, row.state, *cost, *numbers, *(format_value(row.evaluated.get(name)) for name in evaluated)))
    short = [(row[0], row[2], row[3], *row[5:]) for row in rows]
    print_fitting_table([rows, short])
    echo()
    if found.differences:
        settings = [(key, *map(format_value, values)) for key, values in found.differences.items()]
        print_table([("settings", *(row.name for row in found.rows)), *settings])
    else:
        echo("all settings are the same")
    for text in found.warnings:
        echo(f"warning: {text}", fg="yellow", err=True)
    if found.report:
        echo(f"report: {found.report}")


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
    from zoo.reports.numbers import format_value

    return format_value(spread.mean, spread.deviation)
