"""`zoo.train`: from a plan to a run folder."""

from __future__ import annotations

import hashlib
import math
import shlex
import shutil
from contextlib import ExitStack, closing, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from zoo_core import Generator, OptionError, TrainingError, UsageError, ZooError

from ..allocator import keep_freed_memory_during
from ..devices import leave_processes, make_accelerator
from ..files import remove_unfinished, translate_errors
from ..models.folder import write_model
from ..models.model import Model
from ..packs import Pack, PackRequest, build_pack
from ..progress import Reporter, Task, reporter_for_terminal
from ..randomness import preserve_rng_state, seed_everything
from ..runs import run as runs
from ..runs.checkpoints import checkpoints, newest_checkpoint, restore, save_checkpoint
from ..runs.config import RunConfig, model_config
from ..runs.evaluation import Evaluation, better
from .batches import Batches, share_of
from .control import Stop, agree
from .determinism import reproducible
from .diversity import Distance
from .health import ensure_finite
from .loop import train_loop
from .memory import refuse_too_large, translate_memory_errors
from .metrics import Recorder, TensorBoard, Tracker
from .planning import Plan, record_of, refuse_existing, refuse_finished
from .planning import plan as plan
from .samples import SAMPLES, save_samples
from .state import State


def train(
    recipe: str | None = None,
    *,
    report: Reporter | None = None,
    workers: int | None = None,
    evaluation: Evaluation | None = None,
    **choices: Any,
) -> runs.Run:
    """Train a recipe on a dataset, or go on with a run.

    Ctrl-C and SIGTERM finish the step, save and return; a second Ctrl-C leaves at once.

    Args:
        recipe: what to train; not needed with `resume`.
        dataset: registry name of the images.
        data: where they lie, for a dataset that is not drawn by itself.
        size, channels, batch, seed: height and width, 1 or 3, images in a minibatch, any whole number.
        epochs, images, minutes: the budget, one of them; counted from the beginning of the run.
        options: what `--set` takes: {"generator.width": 128}.
        out: the run folder; by default runs/<recipe>-<dataset>.
        precision: "auto", "fp32", "bf16" or "fp16". device: "auto", "cpu", "cuda", "cuda:1", "mps".
        compile: whether the networks are compiled (`torch.compile`) before they are trained.
        deterministic: whether a GPU must compute the same, bit for bit, each time; CPUs do anyway.
        resume: the run folder to go on with.
        track: "tensorboard".
        report: hears notes and progress; by default standard error does.
        workers: processes that decode pictures.
        evaluation: what to measure now and then, see `zoo.runs.evaluation`; the checkpoint with the best value is kept.

    Returns:
        The run; its folder holds a model folder when the budget is spent.

    Raises:
        UsageError: an argument is wrong, or differs from the run that is resumed.
        DataError: there are no usable pictures.
        TrainingError: it diverged. Any `ZooError` leaves earlier checkpoints as they are.
    """
    return execute(plan(recipe, **choices), report=report, workers=workers, evaluation=evaluation)


def execute(
    plan: Plan,
    *,
    report: Reporter | None = None,
    workers: int | None = None,
    evaluation: Evaluation | None = None,
) -> runs.Run:
    """Train what `plan` resolved; see `train`."""
    with ExitStack() as stack:
        stack.callback(leave_processes)
        accelerator = make_accelerator(plan.device, plan.precision)
        report = (report or reporter_for_terminal()) if accelerator.is_main_process else Reporter()
        share = share_of(plan.config.training.batch, accelerator.num_processes, plan.config.training.accumulate)
        if share < plan.config.training.batch:
            plan.config.check_networks(share)
        stack.enter_context(reproducible(plan.deterministic, plan.device))
        stack.enter_context(keep_freed_memory_during())
        # 1. A run to go on with is entered before anything is built; it may be in use, damaged or finished.
        checkpoint = None
        if plan.resume:
            assert plan.folder is not None
            if accelerator.is_main_process:
                _enter(plan.folder, stack)
            accelerator.wait_for_everyone()
            if checkpoints(plan.folder / "checkpoints"):  # none yet: begin again, which the seed makes the same run
                checkpoint = newest_checkpoint(plan.folder / "checkpoints", report)
                if runs.is_complete(plan.folder):
                    refuse_finished(plan.folder, plan.config, plan.budget, checkpoint[1])

        # 2. The pictures; only now is it known how many channels they have.
        pack = build_pack(_request(plan.config), workers=workers, report=report)
        config = _with_pack(plan.config, pack)
        batches = Batches(
            pack,
            config.training.batch,
            config.seed,
            accelerator.device,
            conditional=config.conditional,
            rank=accelerator.process_index,
            world=accelerator.num_processes,
        )

        # 3. The networks, as the seed or the checkpoint says.
        refuse_too_large(config, accelerator)
        seed_everything(config.seed, accelerator.process_index)
        state = State.create(config, accelerator)
        if checkpoint is not None:
            path, described, tensors = checkpoint
            restore(state, accelerator, described, tensors, path)

        # 4. The run folder, and who else hears.
        chosen = _begin(plan, config, stack) if accelerator.is_main_process else None
        folder = _agreed(chosen, accelerator)
        tracker: Tracker | None = None
        if plan.track and accelerator.is_main_process:
            tracker = TensorBoard(folder / "tensorboard", state.images)
        report.note(_opening(plan, config, pack, folder, state, accelerator))
        if accelerator.num_processes > 1:
            report.note(_shared(config, state, accelerator))

        # 5. Train.
        stop = stack.enter_context(Stop().listening())
        try:
            watched = closing(tracker) if tracker is not None else nullcontext()
            with watched, report.task("training", plan.budget.total(len(pack)), _unit(plan)) as task:
                told = Told(tracker, task, report, evaluation)
                with translate_memory_errors(config, accelerator):
                    finished = _run(plan, config, folder, state, batches, accelerator, stop, told)
        except ZooError as error:
            kept = checkpoints(folder / "checkpoints")
            if kept or not isinstance(error, TrainingError):  # what diverged from the start would do so again
                whole = f"{kept[-1]} is whole; to go on from it" if kept else "to begin this run again"
                error.hint = f"{error.hint}\n{whole}: zoo train --resume {shlex.quote(str(folder))}".strip()
            raise
        model = folder / "model" if finished else None
        name = stop.signal.name if stop.signal is not None and not finished else ""
        main = bool(accelerator.is_main_process)
        return runs.Run(folder, config, finished, state.step, state.images, state.seconds, model, name, main)


@dataclass(frozen=True)
class Told:
    """Who hears of a training, and what measures it."""

    tracker: Tracker | None
    task: Task
    report: Reporter
    evaluation: Evaluation | None


def _run(
    plan: Plan,
    config: RunConfig,
    folder: Path,
    state: State,
    batches: Batches,
    accelerator: Any,
    stop: Stop,
    told: Told,
) -> bool:
    """The loop with what it writes; returns whether the budget is spent."""
    saved = state.step if checkpoints(folder / "checkpoints") else None
    main, evaluation, measured = bool(accelerator.is_main_process), told.evaluation, -1
    distance = Distance(batches)

    def save() -> None:
        nonlocal saved
        ensure_finite(state.meter.means(accelerator), state.step)
        if state.step != saved:
            save_checkpoint(folder / "checkpoints", state, accelerator, config.training.keep)
            saved = state.step

    def draw(generator: Generator | None = None, *, final: bool = False) -> None:
        if main:
            samples = Model(generator or state.evaluated(), None).sample(SAMPLES)
            picture = save_samples(samples, folder / "samples", state.images)
            recorder.measure(state, "diversity", distance.ratio(samples), final=final)
            if told.tracker is not None:
                told.tracker.picture("samples", picture, state.images)

    def evaluate(*, final: bool = False) -> None:
        nonlocal measured
        if evaluation is None or measured == state.step:
            return
        value = math.nan
        if main:
            with preserve_rng_state(accelerator.device):
                value = float(evaluation.measure(state.evaluated()))
            if math.isfinite(value):
                recorder.measure(state, evaluation.name, value, final=final)
            else:
                told.report.warn(f"{evaluation.name} is {value} at {state.images:,} images")
        measured, before = state.step, state.best
        state.best = better(evaluation, agree(accelerator, -math.inf if math.isnan(value) else value)[0], state.step, before)
        if state.best != before:
            save()

    told.task.update(plan.budget.done(state))  # a resumed run begins in the middle
    count = len(batches.pack)
    recorder = Recorder(folder / "metrics.jsonl", state, count, told.task, told.tracker, report=told.report, writes=main)
    try:
        finished = train_loop(
            config,
            plan.budget,
            state,
            batches,
            accelerator,
            recorder,
            stop,
            save=save,
            draw=draw,
            evaluate=evaluate,
            evaluate_every=evaluation.every if evaluation else None,
            compile=plan.compile,
        )
    except TrainingError as error:
        recorder.stopped(state, error.message)
        raise
    told.task.update(plan.budget.done(state))
    if finished:
        evaluate(final=True)
    save()
    if finished and main:
        generator = state.evaluated()
        draw(generator, final=True)
        provenance = runs.provenance_of(config, {"step": state.step, "images": state.images}, plan.command)
        described = model_config(config, provenance, "raw" if state.average is None else "moving average")
        write_model(Model(generator, state.discriminator.eval(), described).to("cpu"), folder / "model", replace=True)
    return finished


def _enter(folder: Path, stack: ExitStack) -> None:
    """Keep others out of a run folder, and clear away what a killed process left half-written."""
    lock = runs.lock_run(folder)
    stack.callback(lock.release)
    for place in (folder, folder / "checkpoints", folder / "samples"):
        remove_unfinished(place)


def _begin(plan: Plan, config: RunConfig, stack: ExitStack) -> Path:
    """Write `run.json`, into a new run folder unless one is resumed; leave no folder without one."""
    record = record_of(plan, config)
    if plan.resume:
        assert plan.folder is not None
        runs.write_run(plan.folder, record)
        return plan.folder
    made = True
    if plan.folder is None:
        assert config.dataset is not None
        folder = runs.make_folder(config.recipe["name"], config.dataset["name"])
    else:
        folder, made = plan.folder, not plan.folder.exists()
        refuse_existing(folder, config)
        with translate_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
    try:
        _enter(folder, stack)
        runs.write_run(folder, record)
    except ZooError:
        if made and not runs.is_run(folder):
            shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def _agreed(folder: Path | None, accelerator: Any) -> Path:
    """The main process's folder, on every process."""
    chosen = [str(folder)]
    if accelerator.num_processes > 1:
        torch.distributed.broadcast_object_list(chosen)
    return Path(chosen[0])


def _request(config: RunConfig) -> PackRequest:
    dataset = config.dataset
    assert dataset is not None
    return PackRequest(
        dataset=f"{dataset['distribution']}:{dataset['name']}",
        data=dataset["data"],
        split=dataset["split"],
        size=config.training.size,
        channels=config.channels,
        options=dataset["options"],
    )


def _with_pack(config: RunConfig, pack: Pack) -> RunConfig:
    """The configuration with what the pack says; a resumed run must find the pictures that it was begun with."""
    files = [*pack.info["shards"], pack.info["labels"]]
    content = hashlib.sha256("".join(file["sha256"] for file in files).encode()).hexdigest()
    if config.pack:
        if config.pack != content:
            raise UsageError(
                "the pictures are not those that the run was begun with",
                hint="give the folder that holds the same pictures: --data DIR; or begin another run",
            )
        return config
    if config.conditional and not pack.spec.num_classes:
        raise OptionError(
            f"recipe {config.recipe['name']!r} wants labels, and these images have none",
            hint="put the pictures of each class into a folder of their own",
        )
    classes = pack.spec.num_classes if config.conditional else 0
    facts = {key: pack.info[key] for key in ("count", "classes", "license", "credit")}
    resolved = config.with_image(replace(pack.spec, num_classes=classes), pack=content, facts=facts)
    resolved.check_networks()
    return resolved


def _shared(config: RunConfig, state: State, accelerator: Any) -> str:
    """What several processes have in common and what each has by itself."""
    share = config.training.batch // accelerator.num_processes
    said = f"{accelerator.num_processes} processes of {share} images each: gradients are averaged, weights are the same"
    if not any(isinstance(m, _BatchNorm) for network in state.networks().values() for m in network.modules()):
        return said
    if config.training.sync_bn and accelerator.device.type == "cuda":
        return f"{said}, and so are batch statistics"
    why = "; torch synchronizes them on GPUs only" if config.training.sync_bn else ""
    return f"{said}, but batch normalization sees the {share // config.training.accumulate} images of its own process{why}"


def _unit(plan: Plan) -> str:
    return "seconds" if plan.budget.kind == "minutes" else "images"


def _opening(plan: Plan, config: RunConfig, pack: Pack, folder: Path, state: State, accelerator: Any) -> str:
    """What is about to happen, in a few lines."""
    assert config.image is not None
    sizes = [sum(p.numel() for p in net.parameters()) / 1e6 for net in (state.generator, state.discriminator)]
    verb = f"resuming at {state.images:,} images" if plan.resume else "training"
    size, kind = config.image.size, "gray" if config.image.channels == 1 else "color"
    processes = f", {accelerator.num_processes} processes" if accelerator.num_processes > 1 else ""
    return "\n".join(
        [
            f"{verb}: {config.recipe['name']} on {len(pack):,} images, {size}×{size} {kind}, for {plan.budget} "
            f"({plan.budget.total(len(pack)):,.0f} {_unit(plan)})",
            f"generator {sizes[0]:.1f} M parameters, discriminator {sizes[1]:.1f} M; batch {config.training.batch}, seed "
            f"{config.seed}, {accelerator.device} in {plan.precision}{processes}",
            f"run folder: {folder} (Ctrl-C saves and stops)",
        ]
    )
