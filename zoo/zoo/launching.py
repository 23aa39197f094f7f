"""`zoo.train`: a plan carried out, with an evaluation that watches it where one is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from PIL import Image

from zoo_core import UsageError

from .files import Place
from .models.model import ModelLike
from .notebook import choose_show, reporter_for_caller
from .progress import Reporter
from .runs.evaluation import Evaluation
from .runs.run import Run
from .training.planning import plan
from .training.train import execute


def train(
    recipe: str | None = None,
    *,
    dataset: str | None = None,
    data: Place | None = None,
    download: bool = False,
    limit: int | None = None,
    size: int | None = None,
    channels: int | None = None,
    batch: int | None = None,
    seed: int | None = None,
    out: Place | None = None,
    epochs: float | None = None,
    images: int | None = None,
    minutes: float | None = None,
    options: Mapping[str, Any] | None = None,
    precision: str | None = None,
    device: str = "auto",
    resume: Place | None = None,
    base: ModelLike | None = None,
    freeze: Sequence[str] = (),
    track: str | Sequence[str] | None = None,
    compile: bool = False,
    deterministic: bool = False,
    graphs: bool = True,
    threads: int | str | None = None,
    watch: str | bool | None = None,
    metric: str | None = None,
    evaluate_every: int | None = None,
    rescue: bool | None = None,
    evaluation: Evaluation | None = None,
    show_samples: bool | Callable[[Image.Image, int], None] = False,
    workers: int | None = None,
    report: Reporter | None = None,
) -> Run:
    """Train a recipe on a dataset, or go on with a run.

    Ctrl-C, SIGTERM and SIGHUP finish the step, save and return; a second Ctrl-C leaves at once.

    Args:
        recipe: what to train ("dcgan"); not needed with `resume`.
        dataset: registry name of the images ("faces"; "folder" for pictures of your own).
        data: where they lie, for a dataset that is not drawn by itself.
        download: whether the dataset is fetched first, where its page allows that; see `zoo.download`.
        limit: at most so many pictures, always the same ones.
        size, channels, batch, seed: height and width, 1 or 3, images in a minibatch, any whole number.
        out: the run folder; by default runs/<recipe>-<dataset>.
        epochs, images, minutes: the budget, one of them; counted from the beginning of the run. `images` are real images
            shown.
        options: settings, as `--set` takes them: {"generator.width": 128, "optimizer.lr": 1e-4}.
        precision: "auto", "fp32", "bf16" or "fp16".
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        resume: the run to go on with, or its folder.
        base: a model whose weights the training begins with, fine-tuning: a folder, a run, a name of the catalog or of the
            Hub. It says recipe, size, channels and the networks' options, unless these are given.
        freeze: stages that keep its weights: ["discriminator.32x32"].
        track: registry name of a tracker ("tensorboard"), or several; options of theirs are {"tracker.wandb.project": …}.
        compile: whether the networks are compiled (`torch.compile`) before they are trained.
        deterministic: whether a GPU must compute the same, bit for bit, each time. CPUs do as long as the number of threads
            is the same, which is then kept.
        graphs: whether a CUDA GPU replays whole steps as graphs, which is several times as fast.
        threads: that compute on a CPU: "auto", or a number that is kept. By default what the run was begun with, or "auto".
        watch: what measures the training now and then: METRIC, METRIC:FEATURES, or FEATURES for their Fréchet distance;
            "scattering" by default, False for nothing. The checkpoint with the best value becomes the model.
        metric: the same as `watch`.
        evaluate_every: real images between two measurements; by default as often as 3 % of the time allows.
        rescue: whether a training that fails goes back to its best checkpoint and on gentler; see `zoo.plan`.
        evaluation: an evaluation of your own instead, see `zoo.Evaluation`.
        show_samples: whether a notebook shows the newest grid of samples while it trains; or a function that hears each
            grid, a PIL picture, and how many images had been shown by then.
        workers: processes that decode pictures.
        report: hears notes and progress; by default the notebook or standard error does.

    Returns:
        The run; its folder holds a model folder when the budget is spent.

    Raises:
        UsageError: an argument is wrong, or differs from the run that is resumed.
        DataError: there are no usable pictures.
        TrainingError: it diverged, and no rung of its ladder is left. Any `ZooError` leaves earlier checkpoints as they are.
    """
    if metric is not None and watch is not None:
        raise UsageError("--watch and --metric both say what is measured", hint="leave one of them out")
    if evaluation is not None and evaluate_every is not None:
        raise UsageError("evaluation and --evaluate-every both say what is measured", hint="leave one of them out")
    planned = plan(
        recipe,
        dataset=dataset,
        data=data,
        download=download,
        limit=limit,
        size=size,
        channels=channels,
        batch=batch,
        seed=seed,
        out=out,
        epochs=epochs,
        images=images,
        minutes=minutes,
        options=options,
        precision=precision,
        device=device,
        resume=resume,
        base=base,
        freeze=freeze,
        track=track,
        compile=compile,
        deterministic=deterministic,
        graphs=graphs,
        threads=threads,
        watch=metric if watch is None else watch,
        evaluate_every=evaluate_every,
        rescue=rescue,
    )
    report = report or reporter_for_caller()
    show = choose_show(show_samples, report)
    return execute(planned, report=report, workers=workers, evaluation=evaluation, show=show)
