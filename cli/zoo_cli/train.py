"""`zoo train`."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from zoo_core.words import plural

from .completion import completing
from .output import device_option, echo, exit_by_signal, json_option, print_json, warn_about_plugins

if TYPE_CHECKING:
    from zoo.runs.run import Run

F = TypeVar("F", bound=Callable[..., Any])

limit_option = click.option("--limit", type=click.IntRange(1), metavar="N", help="At most N pictures, always the same ones.")
download_option = click.option("--download", is_flag=True, help="Fetch the dataset first, where its page allows that.")
threads_option = click.option(
    "--threads",
    metavar="auto|N",
    help="Threads that compute on a CPU. auto: all, or fewer while others use the processor.  [default: auto]",
)

_OPTIONS = (
    click.option(
        "--dataset", shell_complete=completing("datasets"), help="Registry name of the images; zoo list datasets shows all."
    ),
    click.option("--data", metavar="PATH", help="Where your pictures lie: a folder, an archive, or user/name for hub."),
    download_option,
    limit_option,
    click.option("--size", type=int, help="Height and width of the images in pixels.  [default: the recipe's]"),
    click.option("--channels", type=int, help="1 (gray) or 3 (color).  [default: what the pictures are]"),
    click.option("--batch", type=int, help="Real images in a minibatch.  [default: the recipe's]"),
    click.option("--images", type=int, help="Budget: real images shown."),
    click.option("--minutes", type=float, help="Budget: minutes of training."),
    click.option(
        "--metric",
        shell_complete=completing("metrics", "features"),
        help="What is measured: METRIC, METRIC:FEATURES, or FEATURES for their Fréchet distance.  [default: scattering]",
    ),
    click.option("--precision", help="auto, fp32, bf16 or fp16.  [default: auto: bf16 where the hardware has it]"),
    device_option,
    threads_option,
)


def training_options(command: F) -> F:
    """Add the options that every training has: the images, the budget, the metric, where it computes."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def select_data(choices: dict[str, Any], options: dict[str, str], *, download: bool = True) -> dict[str, str]:
    """Take --limit and --download out of a command's choices, and return its settings with what --limit says.

    With --download the dataset is fetched, unless `download` is false, and `choices["data"]` says where it lies then.
    """
    import zoo

    if (wanted := choices.pop("download")) and choices["dataset"] is None:
        raise click.UsageError("--download needs the name of a dataset; for example: --dataset mnist --download")
    if wanted and download:
        choices["data"] = zoo.download(choices["dataset"], choices["data"], split=choices.get("split", "train"))
    limit = choices.pop("limit")
    if limit is not None and "dataset.limit" in options:
        both = f"--limit {limit} and --set dataset.limit={options['dataset.limit']}"
        raise click.UsageError(f"{both} say the same option twice; leave one of them out")
    return options if limit is None else {**options, "dataset.limit": str(limit)}


def read_settings(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    settings = {}
    for text in values:
        key, sign, value = text.partition("=")
        if not sign or not key:
            raise click.BadParameter(f"{text!r} is not KEY=VALUE; for example: --set generator.width=128")
        settings[key.strip()] = value.strip()
    return settings


def _read_list(ctx: click.Context, param: click.Parameter, value: str | None) -> list[str]:
    return [name.strip() for name in (value or "").split(",") if name.strip()]


def set_option(help: str = "Change a setting; repeatable.") -> Callable[[F], F]:
    """Return a decorator that adds --set to a command."""
    return click.option("--set", "options", multiple=True, callback=read_settings, metavar="KEY=VALUE", help=help)


@click.command(no_args_is_help=True)
@click.argument("recipe", required=False, shell_complete=completing("recipes"))
@training_options
@click.option("--seed", type=int, help="Of initial weights, order of the data and latents.  [default: 0]")
@click.option("--out", metavar="RUN", help="Run folder to make.  [default: runs/<recipe>-<dataset>]")
@click.option("--epochs", type=float, help="Budget: passes through the data.  [default: the recipe's]")
@set_option()
@click.option("--compile", is_flag=True, help="Compile the networks first (torch.compile): slow to begin, then faster.")
@click.option("--deterministic", is_flag=True, help="The same bits each time on a GPU too; slower there.")
@click.option(
    "--graphs/--no-graphs", default=True, help="On CUDA GPUs, replay whole steps as graphs, or take each as it is."
)
@click.option("--resume", metavar="RUN", help="Go on with a run; a new budget may be named.")
@click.option(
    "--config",
    "file",
    metavar="FILE",
    type=click.Path(),
    help="Take all this from YAML or JSON, --dry-run's output or a run.json; what is typed beside it wins.",
)
@click.option(
    "--from", "base", metavar="MODEL", shell_complete=completing("models"), help="Begin with a model's weights: fine-tuning."
)
@click.option(
    "--freeze",
    metavar="STAGE,…",
    callback=_read_list,
    help="With --from: stages that stay as they are (discriminator.32x32).",
)
@click.option("--track", metavar="tensorboard", help="Log to TensorBoard, in RUN/tensorboard.")
@click.option("--evaluate-every", type=int, metavar="IMAGES", help="Measure the samples; the best checkpoint is kept.")
@click.option("--dry-run", is_flag=True, help="Print the resolved configuration and stop.")
@json_option
@click.pass_context
def train(
    ctx: click.Context,
    /,
    file: str | None,
    options: dict[str, str],
    evaluate_every: int | None,
    metric: str | None,
    dry_run: bool,
    as_json: bool,
    **choices: Any,
) -> None:
    """Train RECIPE on a dataset, or go on with a run.

    Ctrl-C finishes the step, saves and says how to resume; a second Ctrl-C leaves at once.

    \b
    Examples:
      zoo train dcgan --dataset faces
      zoo train dcgan --dataset faces --data ~/Pictures/portraits --minutes 30
      zoo train dcgan-paper --dataset faces --size 32 --set generator.width=64
      zoo train --resume runs/dcgan-faces --epochs 50
      zoo train --from dcgan-faces --dataset folder --data ~/Pictures/portraits
      zoo train --config runs/dcgan-faces/run.json --seed 1

    \b
    Keys of --set: generator.*, discriminator.*, loss.*, dataset.* (zoo show NAME lists them), training.*, optimizer.* (both
    networks), optimizer.generator.*, optimizer.discriminator.* (zoo show training, zoo show optimizer).
    """
    import zoo
    from zoo.metrics.measuring import FEATURES, watch
    from zoo.training.config_files import merge_config
    from zoo.training.train import execute

    warn_about_plugins()
    if metric is not None and evaluate_every is None:
        raise click.UsageError("--metric says what --evaluate-every measures; for example: --evaluate-every 20000")
    options = select_data(choices, options, download=not dry_run)
    choices["options"] = options
    if file is not None:
        typed = {k: v for k, v in choices.items() if ctx.get_parameter_source(k) != ParameterSource.DEFAULT}
        choices = merge_config(zoo.read_config(file), {**typed, "options": options})
    plan = zoo.plan(**choices)
    if dry_run:
        print_json(plan.to_json())
        return
    evaluation = None
    if evaluate_every is not None:
        evaluation = watch(plan.config, evaluate_every, metric=metric or FEATURES, device=plan.device)
    run = execute(plan, evaluation=evaluation)
    if run.main:  # one of several processes speaks
        _say(run, as_json)
    exit_by_signal(run.signal)


def _say(run: Run, as_json: bool) -> None:
    if as_json:
        told = {key: getattr(run, key) for key in ("model", "finished", "steps", "images", "seconds")}
        print_json({"run": run.path, **told, "signal": run.signal or None, "resume": run.resume_command})
    elif run.finished:
        echo(f"trained on {plural(run.images, 'image')} in {run.seconds / 60:.1f} minutes")
        echo(f"model: {run.model}")
        echo(f"draw from it: zoo sample {shlex.quote(str(run.path))} -n 64 --out samples.png")
    else:
        echo(f"stopped by {run.signal} after {plural(run.images, 'image')}; everything is saved")
        echo(f"go on: {run.resume_command}")
