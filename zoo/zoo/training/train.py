"""`zoo.train`: what happens in a training, from a plan to a run folder, in numbered steps."""

from __future__ import annotations

import shlex
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from zoo_core import Tracker, TrainingError, ZooError, registry
from zoo_core.words import plural

from ..allocator import keep_freed_memory_during
from ..devices import Runtime, name_device, start_runtime
from ..files import remove_unfinished, translate_errors
from ..models.folder import write_model
from ..models.model import Model
from ..packs import build_pack
from ..progress import Reporter, reporter_for_terminal
from ..randomness import seed_everything
from ..runs import run as runs
from ..runs.budget import Budget
from ..runs.checkpoints import checkpoints, newest_checkpoint
from ..runs.config import RunConfig, model_config
from ..runs.evaluation import Evaluation
from .batches import Batches, share_of
from .callbacks import Callbacks
from .control import TF32, Stop, reproducible
from .engine import Engine
from .feed import open_feed
from .finetuning import Parent, begin_with, freeze, reopen_parent
from .graphs import NOT_CAPTURED, Graphs, StaticSteps, can_capture, make_graphs, pace_host
from .memory import refuse_too_large, translate_memory_errors
from .planning import Plan, refuse_existing, refuse_finished, resolve_pictures
from .planning import plan as plan
from .state import State, restore, save_checkpoint
from .threads import Threads, choose_threads

POLL = (10, 50)  # steps, on CPUs and GPUs, after which several processes agree anew on the time and on whether to stop


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
        report: hears notes and progress; by default standard error does.
        workers: processes that decode pictures.
        evaluation: what to measure now and then, see `zoo.runs.evaluation`; the checkpoint with the best value is kept.
        recipe, choices: what `zoo.plan` takes: dataset, budget, options, …

    Returns:
        The run; its folder holds a model folder when the budget is spent.

    Raises:
        UsageError: an argument is wrong, or differs from the run that is resumed.
        DataError: there are no usable pictures.
        TrainingError: it diverged. Any `ZooError` leaves earlier checkpoints as they are.
    """
    return execute(plan(recipe, **choices), report=report, workers=workers, evaluation=evaluation)


def execute(
    plan: Plan, *, report: Reporter | None = None, workers: int | None = None, evaluation: Evaluation | None = None
) -> runs.Run:
    """Train what `plan` resolved; see `train`."""
    with ExitStack() as stack:
        # 1. The machine: processes, kernels, memory, signals.
        runtime = stack.enter_context(start_runtime(plan.device, plan.precision))
        report = (report or reporter_for_terminal()) if runtime.is_main else Reporter()
        share = share_of(plan.config.training.batch, runtime.world, plan.config.training.accumulate)
        if share == 1 and runtime.world > 1:  # what nobody knew when it was planned
            plan.config.check_networks(share)
        stack.enter_context(reproducible(plan.deterministic, plan.device))
        stack.enter_context(keep_freed_memory_during())

        # 2. A run to go on with is entered before anything is built; it may be in use, damaged or finished.
        checkpoint = None
        if plan.resume:
            assert plan.folder is not None
            if runtime.is_main:
                _enter(plan.folder, stack)
            runtime.wait()
            if checkpoints(plan.folder / "checkpoints"):  # none yet: begin again, which the seed makes the same run
                checkpoint = newest_checkpoint(plan.folder / "checkpoints", report)
                if runs.is_complete(plan.folder):
                    refuse_finished(plan.folder, plan.config, plan.budget, checkpoint[1])

        # 3. The pictures; only now is it known how many channels they have.
        pack = build_pack(plan.config.request(), workers=workers, report=report)
        config = resolve_pictures(plan.config, pack, plan.budget)
        settings = (config.training.batch, config.seed, runtime.device, config.conditional, config.training.mirror)
        batches = Batches(pack, *settings, rank=runtime.rank, world=runtime.world)

        # 4. The threads and networks, as the seed or the checkpoint says.
        recorded, keep = checkpoint[1].get("threads") if checkpoint else None, plan.deterministic or plan.compile
        choice = (plan.threads, recorded, plan.budget, config.training.batch, runtime, report)
        threads = stack.enter_context(choose_threads(*choice, keep=keep))
        refuse_too_large(config, runtime)
        seed_everything(config.seed, runtime.rank)
        state = State.create(config, runtime)
        state.threads = threads.number
        if checkpoint is not None:
            path, described, tensors = checkpoint
            restore(state, runtime, described, tensors, path)
        freeze(state.networks, config.frozen)
        parent = (plan.parent or _parent_of(plan)) if config.parent and checkpoint is None else None
        taken = begin_with(state, parent.model) if parent is not None else []

        # 5. The run folder, and who else hears.
        chosen = _begin(plan, config, runtime, stack) if runtime.is_main else Path()
        folder = Path(runtime.from_main(str(chosen)))
        tracker: Tracker | None = None
        if plan.track and runtime.is_main:
            given: dict[str, Any] = {"folder": folder, "images": state.images, "config": config.to_json()}
            tracker = registry.create("trackers", plan.track, **given)
        report.note(_describe(config, plan.budget, folder, state, runtime, resumes=plan.resume))
        if parent is not None:  # a run that is killed goes on even where the model is gone by then
            save_checkpoint(folder / "checkpoints", state, runtime, config.training.keep)
            report.note("\n".join([f"begins with {config.parent['model']}", *(f"  {line}" for line in taken)]))
        if ended := _ended_schedules(config, plan.budget):
            report.warn(ended)

        # 6. Train, and write the model folder once the budget is spent.
        stop = stack.enter_context(Stop().listening())
        try:
            with ExitStack() as training:
                if tracker is not None:
                    training.enter_context(closing(tracker))
                task = training.enter_context(report.task("training", plan.budget.total(len(pack)), plan.budget.unit))
                training.enter_context(translate_memory_errors(config, runtime))
                told = (task, report, tracker, evaluation)
                callbacks = Callbacks(folder, config, plan.budget, state, batches, runtime, *told)
                finished = callbacks.run(lambda: _loop(plan, config, state, batches, runtime, stop, callbacks, threads))
                if finished and runtime.is_main:
                    _write_model(folder, config, state, plan.command)
        except ZooError as error:
            kept = checkpoints(folder / "checkpoints")
            if kept or not isinstance(error, TrainingError):  # what diverged from the start would do so again
                whole = f"{kept[-1]} is whole; to go on from it" if kept else "to begin this run again"
                error.hint = f"{error.hint}\n{whole}: zoo train --resume {shlex.quote(str(folder))}".strip()
            raise
        model = folder / "model" if finished else None
        name = stop.signal.name if stop.signal is not None and not finished else ""
        return runs.Run(folder, config, finished, state.step, state.images, state.seconds, model, name, runtime.is_main)


def _loop(
    plan: Plan,
    config: RunConfig,
    state: State,
    batches: Batches,
    runtime: Runtime,
    stop: Stop,
    callbacks: Callbacks,
    threads: Threads,
) -> bool:
    """Train until the budget is spent or somebody asks to stop; returns whether it is spent."""
    budget, clock = plan.budget, callbacks.clock
    poll = POLL[runtime.device.type == "cuda"] if runtime.world > 1 else 1
    engine = Engine(config, state, runtime, compile=plan.compile)
    warm = state.step + engine.cycle if plan.compile else None
    saved, count = state.seconds, len(batches.pack)

    graphs = make_graphs(runtime, compiled=plan.compile) if plan.graphs else None
    if runtime.scaler is not None and plan.graphs:
        callbacks.report.note(f"{NOT_CAPTURED}: fp16's loss scaling leaves out steps (--precision bf16 or fp32 would do)")
    with _steps(engine, batches, graphs, callbacks) as step, pace_host(runtime.device) as keep_pace:
        while not budget.spent(state, count):
            # 1. The networks whose phases are due learn from a minibatch of real images and latents.
            step()

            # 2. Count. `seconds` is the same in every process, or they would not end, or save, at the same step.
            before, passed, asked = state.images, 0.0, 0.0
            state.step += 1
            state.images += config.training.batch
            keep_pace()
            if state.step % poll == 0:
                passed, asked = runtime.greatest(clock.lap(), stop.signal or 0)
                state.seconds += passed
            if state.step == warm:
                callbacks.note_warm_up()

            # 3. Look whether all is well, and say, draw, measure, stop and save when it is due.
            callbacks.tick()
            callbacks.after_step(before)
            if change := threads.after_step(engine.kind(state.step - 1), state, passed, count):
                callbacks.note_threads(change)
            if asked:
                stop.signal = signal.Signals(int(asked))  # perhaps it reached another process
                break
            if state.seconds - saved >= config.training.checkpoint_minutes * 60:
                callbacks.save()
                saved = state.seconds
    spent = budget.spent(state, count)
    clock.wait()
    state.seconds += runtime.greatest(clock.lap())[0]
    return spent


@contextmanager
def _steps(engine: Engine, batches: Batches, graphs: Graphs | None, callbacks: Callbacks) -> Iterator[Callable[[], None]]:
    """Yield what takes a training step, which the caller counts; the next minibatch is prepared meanwhile."""
    state, runtime = engine.state, engine.runtime
    if not runtime.static:
        with batches.ahead(state.generator) as take:
            yield lambda: engine.step(take(state.images, state.step))
        return
    with open_feed(batches, state.generator, engine.rates if engine.scheduled else None) as feed:
        with closing(StaticSteps(engine, feed, graphs, callbacks.report, callbacks.note_refusal)) as steps:
            yield steps.step


def _write_model(folder: Path, config: RunConfig, state: State, command: str) -> None:
    provenance = runs.provenance_of(config, {"step": state.step, "images": state.images}, command)
    described = model_config(config, provenance, "moving average" if state.averages else "raw")
    networks = {role: state.inference_copy(role) for role in state.networks}
    write_model(Model.of(networks, described).to("cpu"), folder / "model", replace=True)


def _parent_of(plan: Plan) -> Parent:
    """Return the model that a run begins with which was stopped before its first checkpoint."""
    assert plan.folder is not None
    return reopen_parent(plan.config, plan.folder)


def _enter(folder: Path, stack: ExitStack) -> None:
    """Keep others out of a run folder, and clear away what a killed process left half-written."""
    lock = runs.lock_run(folder)
    stack.callback(lock.release)
    for place in (folder, folder / "checkpoints", folder / "samples"):
        remove_unfinished(place)


def _begin(plan: Plan, config: RunConfig, runtime: Runtime, stack: ExitStack) -> Path:
    """Write `run.json`, into a new run folder unless one is resumed; leave no folder without one."""
    machine: dict[str, Any] = {"device": name_device(runtime.device), "torch": torch.__version__}
    if runtime.device.type == "cuda":
        machine |= {"tf32_allowed": TF32, "graphs": plan.graphs and can_capture(runtime)}
    elif runtime.device.type == "cpu":
        machine["threads"] = torch.get_num_threads()
    record = runs.RunRecord(config, plan.budget, plan.precision, plan.command, machine, plan.threads)
    if plan.resume and plan.folder is not None:
        runs.write_run(plan.folder, record)
        return plan.folder
    made = True
    if plan.folder is None:
        folder = runs.make_folder(config.recipe["name"], config.request().dataset.rpartition(":")[2])
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


def _describe(config: RunConfig, budget: Budget, folder: Path, state: State, runtime: Runtime, *, resumes: bool) -> str:
    """Say what is about to happen, in a few lines."""
    assert config.image is not None
    sizes = [f"{role} {sum(p.numel() for p in net.parameters()) / 1e6:.1f} M" for role, net in state.networks.items()]
    sizes[0] += " parameters"
    verb = f"resuming at {plural(state.images, 'image')}" if resumes else "training"
    size, kind, count = config.image.size, "gray" if config.image.channels == 1 else "color", config.facts["count"]
    processes = f", {runtime.world} processes" if runtime.world > 1 else ""
    lines = [
        f"{verb}: {config.recipe['name']} on {plural(count, 'image')}, {size}×{size} {kind}, for {budget} "
        f"({budget.total(count):,.0f} {budget.unit})",
        f"{', '.join(sizes)}; batch {config.training.batch}, seed {config.seed}, {runtime.device} in {runtime.precision}"
        f"{processes}",
        f"run folder: {folder} (Ctrl-C saves and stops)",
    ]
    return "\n".join([*lines, _describe_processes(config, state, runtime)] if runtime.world > 1 else lines)


def _describe_processes(config: RunConfig, state: State, runtime: Runtime) -> str:
    """Say what several processes have in common and what each has by itself."""
    share = config.training.batch // runtime.world
    text = f"{runtime.world} processes of {share} images each: gradients are averaged, weights are the same"
    if not any(isinstance(m, _BatchNorm) for network in state.networks.values() for m in network.modules()):
        return text
    if config.training.sync_bn and runtime.device.type == "cuda":
        return f"{text}, and so are batch statistics"
    why = "; torch synchronizes them on GPUs only" if config.training.sync_bn else ""
    return f"{text}, but batch normalization sees the {share // config.training.accumulate} images of its own process{why}"


def _ended_schedules(config: RunConfig, budget: Budget) -> str:
    """Say which learning rates are 0 before the budget is spent, as those of a run that goes on for longer; "" for none."""
    ends = {role: s["schedule_images"] for role, s in config.optimizer.items() if s["schedule"] != "constant"}
    ends = {role: end for role, end in ends.items() if end < int(budget.total(config.facts["count"]))}
    if not ends or budget.kind == "minutes":
        return ""
    return f"nothing is learned by {' and '.join(ends)} from {min(ends.values()):,} images on: the schedule ends there"
