"""What happens in a training, from a plan to a run folder, in numbered steps."""

from __future__ import annotations

import shlex
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path

from PIL import Image

from zoo_core import TrainingError, ZooError
from zoo_core.words import printable

from ..allocator import keep_freed_memory_during
from ..devices import Runtime, start_runtime
from ..files import remove_unfinished, translate_errors
from ..notebook import reporter_for_caller
from ..packs import build_pack
from ..progress import SILENT, Reporter
from ..randomness import seed_everything
from ..runs import run as runs
from ..runs.checkpoints import checkpoints, newest_checkpoint
from ..runs.config import RunConfig
from ..runs.evaluation import Evaluation
from ..runs.fitting import check_checkpoint_fits
from .batches import Batches, share_of
from .callbacks import Callbacks
from .continuing import refuse_existing, refuse_finished
from .control import TF32, Stop, reproducible
from .engine import Engine
from .feed import open_feed
from .finetuning import begin_with, freeze, reopen_parent
from .framing import describe_machine, describe_move, describe_start, ended_schedules, write_best_model
from .graphs import NOT_CAPTURED, Graphs, StaticSteps, can_capture, make_graphs, pace_host
from .health import DivergenceError
from .memory import refuse_too_large, translate_memory_errors
from .planning import Plan, resolve_pictures
from .rescue import apply_interventions, intervene, remove_abandoned
from .state import State, restore, save_checkpoint
from .threads import Threads, choose_threads
from .tracking import open_trackers
from .watching import Watch, begin_watch, open_watch

POLL = (10, 50)  # steps, on CPUs and GPUs, after which several processes agree anew on the time and on whether to stop


def execute(
    plan: Plan,
    *,
    report: Reporter | None = None,
    workers: int | None = None,
    evaluation: Evaluation | None = None,
    show: Callable[[Image.Image, int], None] | None = None,
) -> runs.Run:
    """Train what `plan` resolved; see `zoo.train`. `show` hears each grid of samples, and the images shown until then."""
    with ExitStack() as stack:
        # 1. The machine: processes, kernels, memory, signals.
        runtime = stack.enter_context(start_runtime(plan.device, plan.precision))
        report = (report or reporter_for_caller()) if runtime.is_main else Reporter()
        share = share_of(plan.config.training.batch, runtime.world, plan.config.training.accumulate)
        if share == 1 and runtime.world > 1:  # what nobody knew when it was planned
            plan.config.check_networks(share)
        stack.enter_context(reproducible(plan.deterministic, plan.device))
        stack.enter_context(keep_freed_memory_during())
        if evaluation is None and plan.watch:
            evaluation = open_watch(plan, report)
        packing, rescue = report, ""
        while True:
            try:
                return _train(plan, runtime, report, packing, workers, evaluation, show, rescue)
            except _RescuedError as error:  # on from what lies in the folder, as after a kill
                plan, packing, rescue = replace(plan, resume=True, again=False), SILENT, str(error)


class _RescuedError(Exception):
    """A training failed, and is to go on from its best checkpoint: `run.json` says how, and the message in words."""


def _train(
    plan: Plan,
    runtime: Runtime,
    report: Reporter,
    packing: Reporter,
    workers: int | None,
    evaluation: Evaluation | None,
    show: Callable[[Image.Image, int], None] | None,
    rescue: str,
) -> runs.Run:
    """Train from what lies in the folder of the plan to the end of the budget, an interruption, a failure, or a rescue.
    `rescue` says what rescue it goes on from, which the trackers, opened anew, have not heard of; "" for none.
    """
    with ExitStack() as stack:
        # 2. A run to go on with is entered before anything is built; it may be in use, damaged or finished.
        checkpoint, before = None, None
        if plan.resume:
            if runtime.is_main:
                _enter(plan.folder, stack)
            runtime.wait()
            before = runs.read_run(plan.folder)
            if runtime.is_main:
                remove_abandoned(plan.folder, before.interventions)
            runtime.wait()
            if checkpoints(plan.folder / "checkpoints"):  # none yet: begin again, which the seed makes the same run
                checkpoint = newest_checkpoint(plan.folder / "checkpoints", report)
                if runs.is_complete(plan.folder):
                    refuse_finished(plan, checkpoint[1])
            if plan.again:
                report.note(f"going on with {plan.folder}, which has this very configuration ({plan.another})")

        # 3. The pictures; only now is it known how many channels they have.
        pack = build_pack(plan.config.request(), workers=workers, announce=not plan.resume, report=packing)
        resolved = resolve_pictures(plan.config, pack, plan.budget)
        config = apply_interventions(before, resolved) if before is not None else resolved
        settings = (config.training.batch, config.seed, runtime.device, config.conditional, config.training.mirror)
        batches = Batches(pack, *settings, rank=runtime.rank, world=runtime.world)

        # 4. The threads and networks, as the seed or the checkpoint says.
        recorded, keep = checkpoint[1].get("threads") if checkpoint else None, plan.deterministic or plan.compile
        choice = (plan.threads, recorded, plan.budget, config.training.batch, runtime, report)
        threads = stack.enter_context(choose_threads(*choice, keep=keep))
        if checkpoint is not None:
            check_checkpoint_fits(config, checkpoint[2], checkpoint[0])
        refuse_too_large(config, runtime)
        seed_everything(config.seed, runtime.rank)
        with translate_memory_errors(config, runtime):
            state = State.create(config, runtime)
        state.threads = threads.number
        if checkpoint is not None:
            path, described, tensors = checkpoint
            restore(state, runtime, described, tensors, path)
        freeze(state.networks, config.frozen)
        parent = None
        if config.parent and checkpoint is None:
            parent = plan.parent or reopen_parent(config, plan.folder)
        taken = begin_with(state, parent.model) if parent is not None else []
        interventions = before.interventions if before is not None else []
        state.rung = len(interventions)
        if interventions:  # minutes that were lost are gone
            state.seconds = max(state.seconds, float(interventions[-1]["seconds"]))

        # 5. The run folder, and who else hears.
        watch = begin_watch(plan, config, state, evaluation, before, len(pack), report)
        chosen = _begin(plan, resolved, runtime, watch, stack, state.seconds) if runtime.is_main else Path()
        folder = Path(runtime.from_main(str(chosen)))
        opened = (plan.track, folder, config.to_json(), state, runtime, report)
        tracker = open_trackers(*opened) if runtime.is_main else None
        if before is not None and (moved := describe_move(before.machine, describe_machine(runtime.device))):
            report.note(moved)
        for line in describe_start(config, plan.budget, folder, state, runtime, resumes=plan.resume):
            report.note(line)
        if parent is not None:  # a run that is killed goes on even where the model is gone by then
            save_checkpoint(folder / "checkpoints", state, runtime, config.training.keep)
            report.note("\n".join([f"begins with {config.parent['model']}", *(f"  {line}" for line in taken)]))
        if ended := ended_schedules(config, plan.budget):
            report.warn(ended)

        # 6. Train, and write the model folder once the budget is spent.
        stop = stack.enter_context(Stop(report.note).listening())
        try:
            with ExitStack() as training:
                if tracker is not None:
                    training.enter_context(closing(tracker))
                    if rescue:
                        tracker.text("intervention", rescue, state.images)
                task = training.enter_context(report.task("training", plan.budget.total(len(pack)), plan.budget.unit))
                training.enter_context(translate_memory_errors(config, runtime))
                told = (task, report, tracker, watch, show)
                callbacks = Callbacks(folder, config, plan.budget, state, batches, runtime, *told)
                finished = callbacks.run(lambda: _loop(plan, config, state, batches, runtime, stop, callbacks, threads))
                if finished and runtime.is_main:
                    write_best_model(folder, resolved, state, plan.command, watch)
        except ZooError as error:
            if isinstance(error, DivergenceError):
                words = intervene(folder, error, state, config.training.batch) if runtime.is_main else ""
                if words := runtime.from_main(words):
                    report.warn(words)
                    if stop.signal is None:
                        raise _RescuedError(words) from error
                    counters = (state.step, state.images, state.seconds)
                    return runs.Run(folder, config, False, *counters, None, stop.signal.name, runtime.is_main)
            kept = checkpoints(folder / "checkpoints")
            if kept or not isinstance(error, TrainingError):  # what diverged from the start would do so again
                whole = f"{kept[-1]} is whole; to go on from it" if kept else "to begin this run again"
                error.hint = f"{error.hint}\n  {whole}: zoo train --resume {shlex.quote(str(folder))}".strip()
            raise
        except KeyboardInterrupt:
            raise KeyboardInterrupt(_describe_stop(folder)) from None
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
    count = len(batches.pack)

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
            callbacks.save_if_due()
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


def _enter(folder: Path, stack: ExitStack) -> None:
    """Keep others out of a run folder, and clear away what a killed process left half-written."""
    lock = runs.lock_run(folder)
    stack.callback(lock.release)
    for place in (folder, folder / "checkpoints", folder / "samples"):
        remove_unfinished(place)


def _begin(plan: Plan, config: RunConfig, runtime: Runtime, watch: Watch | None, stack: ExitStack, seconds: float) -> Path:
    """Write `run.json`, into a new run folder unless one is resumed; leave no folder without one."""
    machine = describe_machine(runtime.device)
    if runtime.device.type == "cuda":
        machine |= {"tf32_allowed": TF32, "graphs": plan.graphs and can_capture(runtime)}
    record = runs.RunRecord(config, plan.budget, plan.precision, plan.command, machine, plan.threads)
    record = replace(record, watch=watch.to_json(seconds) if watch is not None else {}, rescue=plan.rescue)
    if plan.resume:
        before = runs.read_run(plan.folder)
        record = replace(record, interventions=before.interventions, watch=record.watch or before.watch)
        runs.write_run(plan.folder, record)
        return plan.folder
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


def _describe_stop(folder: Path) -> str:
    """Say what is left of a training that was stopped at once, and what to type."""
    kept, command = checkpoints(folder / "checkpoints"), printable(f"zoo train --resume {shlex.quote(str(folder))}")
    if kept:
        return f"stopped at once; {printable(str(kept[-1]))} is whole, what came after it is lost\ngo on: {command}"
    return f"stopped at once; nothing was saved yet\nbegin this run again: {command}"
