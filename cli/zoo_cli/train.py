"""`zoo train`."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from zoo_core.words import duration, plural

from .completion import completing, completing_metric
from .options import (
    F,
    batch_option,
    channels_option,
    data_option,
    dataset_option,
    device_option,
    download_option,
    limit_option,
    out_option,
    precision_option,
    seed_option,
    set_option,
    size_option,
    threads_option,
)
from .output import echo, exit_by_signal, json_option, print_json, print_table, warn_about_plugins

if TYPE_CHECKING:
    from pathlib import Path

    from zoo.runs.run import Run

_TYPED = "zoo_cli.train.typed"

_OPTIONS: tuple[Any, ...] = (
    dataset_option(),
    data_option,
    download_option,
    limit_option,
    size_option(),
    channels_option(),
    batch_option,
    click.option("--images", type=int, metavar="N", help="Budget: real images shown."),
    click.option("--minutes", type=float, metavar="N", help="Budget: minutes of training."),
    click.option(
        "--metric",
        metavar="NAME",
        shell_complete=completing_metric,
        help="What is measured: METRIC, METRIC:FEATURES, or FEATURES for their Fréchet distance.  [default: scattering]",
    ),
    precision_option(),
    device_option,
    threads_option,
)


def training_options(command: F) -> F:
    """Add the options that every training has: the images, the budget, the metric, where it computes."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def select_data(choices: dict[str, Any], options: dict[str, str], *, download: bool = True) -> dict[str, str]:
    """Take --limit and --download out of a command's choices, and return its settings with what --limit says. Where --data
    stands without --dataset, the choices say then what reads it, and the person is told.

    With --download the dataset is fetched, unless `download` is false, and `choices["data"]` says where it lies then.
    """
    import zoo
    from zoo.packs.selection import limit_options

    data = choices["data"]
    if data is not None and choices["dataset"] is None and not choices.get("resume"):
        from zoo.names import infer_dataset

        choices["dataset"] = infer_dataset(data)
        echo(f"reading {data} as --dataset {choices['dataset']}", err=True)
    if (wanted := choices.pop("download")) and choices["dataset"] is None:
        raise click.UsageError("--download needs the name of a dataset; for example: --dataset mnist --download")
    if wanted and download:
        choices["data"] = zoo.download(choices["dataset"], choices["data"], split=choices.get("split", "train"))
    limit = choices.pop("limit")
    return limit_options(options, limit)


def _read_list(ctx: click.Context, param: click.Parameter, value: str | None) -> list[str]:
    return [name.strip() for name in (value or "").split(",") if name.strip()]


class _Typed(click.Command):
    """A command that remembers in `ctx.meta` what was typed, to say how it is typed again."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[_TYPED] = shlex.join([*ctx.command_path.split(), *args])
        return super().parse_args(ctx, args)


@click.command(cls=_Typed, no_args_is_help=True)
@click.argument("recipe", required=False, shell_complete=completing("recipes"))
@training_options
@seed_option("initial weights, order of the data and latents", default=None)
@click.option("--seeds", type=int, metavar="N", help="Trainings of N seeds, from --seed on; with --out in DIR/seed-0 …")
@out_option("the run folder", otherwise="runs/<recipe>-<dataset>-<size>-<hash>", metavar="DIR")
@click.option("--epochs", type=float, metavar="N", help="Budget: passes through the data.  [default: the recipe's]")
@set_option()
@click.option(
    "--compile/--no-compile", default=False, help="Compile the networks (torch.compile); slow at first, then faster."
)
@click.option("--deterministic", is_flag=True, help="The same bits each time on a GPU too; slower there.")
@click.option(
    "--graphs/--no-graphs", default=True, help="Replay whole steps as CUDA graphs; without, each is taken as it is."
)
@click.option(
    "--resume", metavar="RUN", shell_complete=completing("runs"), help="Go on with a run; maybe with another budget."
)
@click.option(
    "--config",
    "file",
    metavar="FILE",
    type=click.Path(),
    help="Take all this from YAML, JSON or a run.json; what is typed beside it wins.",
)
@click.option(
    "--from",
    "base",
    metavar="MODEL",
    shell_complete=completing("models", "runs"),
    help="What the training begins with: a model's weights.",
)
@click.option(
    "--freeze",
    metavar="STAGES",
    callback=_read_list,
    help="With --from: stages that stay as they are (discriminator.32x32).",
)
@click.option(
    "--track",
    multiple=True,
    metavar="NAME",
    shell_complete=completing("trackers"),
    help="Tracker to log to as well (zoo list trackers); repeatable.",
)
@click.option(
    "--watch",
    metavar="METRIC[:FEATURES]",
    shell_complete=completing_metric,
    help="Measure the samples by it now and then; the best checkpoint becomes the model.  [default: scattering]",
)
@click.option("--no-watch", is_flag=True, help="Measure nothing: the last checkpoint becomes the model.")
@click.option(
    "--evaluate-every", type=int, metavar="N", help="Measure every N images.  [default: as at most 3 % of the time allow]"
)
@click.option(
    "--rescue/--no-rescue", default=None, help="Where it fails, go on gentler from the best, or stop.  [default: rescue]"
)
@click.option("--dry-run", is_flag=True, help="Only say what would be done: the resolved configuration.")
@json_option
@click.pass_context
def train(
    ctx: click.Context,
    /,
    file: str | None,
    options: dict[str, str],
    watch: str | None,
    no_watch: bool,
    evaluate_every: int | None,
    metric: str | None,
    dry_run: bool,
    seeds: int | None,
    as_json: bool,
    **choices: Any,
) -> None:
    """Train RECIPE on a dataset, or go on with a run.

    Ctrl-C finishes the step, saves and says how to resume; a second Ctrl-C leaves at once. The same command goes on with the
    run that it made; another --seed or --out makes another.

    It measures itself now and then, and the best checkpoint becomes the model. Where it diverges or collapses, it goes back
    to the best and on with gentler settings, those of the recipe's ladder, at most three times.

    \b
    Examples:
      zoo train dcgan --dataset faces
      zoo train dcgan --dataset faces --data ~/Pictures/portraits --minutes 30
      zoo train dcgan-paper --dataset faces --size 32 --set generator.width=64
      zoo train --resume runs/dcgan-faces --epochs 50
      zoo train --from dcgan-faces --dataset folder --data ~/Pictures/portraits
      zoo train --config runs/dcgan-faces/run.json --seed 1
      zoo train dcgan --dataset faces --seeds 3

    Keys of --set are those that zoo show RECIPE lists, and those that zoo show DATASET lists.
    """
    import zoo
    from zoo.training.config_files import merge_config
    from zoo.training.seeds import check_seeds
    from zoo.training.train import execute

    warn_about_plugins()
    if (watch or metric) and no_watch:
        raise click.UsageError(f"--watch {watch or metric} and --no-watch exclude each other; leave one of them out")
    if watch and metric and watch != metric:
        raise click.UsageError("--watch and --metric say the same; leave --metric out")
    if seeds is not None:
        check_seeds(seeds, resume=choices["resume"], out=choices["out"])
    choices |= {"watch": False if no_watch else watch or metric, "evaluate_every": evaluate_every}
    options = select_data(choices, options, download=not dry_run)
    choices["options"] = options
    if file is not None:
        typed = {k: v for k, v in choices.items() if ctx.get_parameter_source(k) != ParameterSource.DEFAULT}
        typed["watch"] = choices["watch"]
        choices = merge_config(zoo.read_config(file), {**typed, "options": options})
    if seeds is not None:
        _train_seeds(ctx, seeds, choices, dry_run=dry_run, as_json=as_json)
        return
    plan = zoo.plan(**choices)
    if dry_run:
        print_json(plan.to_json())
        return
    try:
        run = execute(plan)
    except KeyboardInterrupt as interrupt:
        words = str(interrupt) or "stopped before the training began; to begin, type the same command again"
        raise KeyboardInterrupt(words) from None
    if run.main:  # one of several processes speaks
        _say(run, as_json)
    exit_by_signal(run.signal)


def _describe_choice(folder: Path | None) -> str:
    from zoo.models.config import describe_choice, read_config

    words = describe_choice(read_config(folder)) if folder is not None else ""
    return f" ({words})" if words else ""


def _say(run: Run, as_json: bool) -> None:
    if as_json:
        told = {key: getattr(run, key) for key in ("model", "finished", "steps", "images", "seconds")}
        print_json({"run": run.path, **told, "signal": run.signal or None, "resume": run.resume_command})
    elif run.finished:
        echo(f"trained on {plural(run.images, 'image')} in {duration(run.seconds)}")
        echo(f"model: {run.model}{_describe_choice(run.model)}")
        echo(f"draw from it: zoo sample {shlex.quote(str(run.path))} -n 64 --out samples.png")
    else:
        echo(f"stopped by {run.signal} after {plural(run.images, 'image')}; everything is saved")
        echo(f"go on: {run.resume_command}")


def _train_seeds(ctx: click.Context, seeds: int, choices: dict[str, Any], *, dry_run: bool, as_json: bool) -> None:
    """Train with several seeds, and print what became of them; exits with 1 where one could not go on."""
    import zoo
    from zoo.training.seeds import plan_seeds

    plans, again = plan_seeds(seeds, choices), ctx.meta[_TYPED]
    if dry_run:
        print_json([plan.to_json() for plan in plans])
        return
    try:
        found = zoo.train_seeds(plans)
    except KeyboardInterrupt as interrupt:
        first = next(iter(str(interrupt).splitlines()), "stopped between two trainings")
        raise KeyboardInterrupt(f"{first}\ngo on with all: {again}") from None
    if as_json:
        print_json({**found.to_json(), "again": again})
    else:
        print_table(found.rows())
        echo()
        echo(found.sentence)
        if not found.finished:
            echo(f"go on with all: {again}")
    exit_by_signal(found.signal)
    if not found.finished:
        ctx.exit(1)
