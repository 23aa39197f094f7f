"""The training loop: one function, from top to bottom."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from ..runs.budget import Budget
from ..runs.config import RunConfig
from .batches import Batches
from .control import Clock, Stop, agree
from .health import CHECK, ensure_finite, ensure_finite_weights
from .metrics import Recorder
from .state import State
from .steps import Stepper, cycle_of, turn_of

POLL = 10
"""Steps after which several processes agree anew on the time and on whether to stop."""


def train_loop(
    config: RunConfig,
    budget: Budget,
    state: State,
    batches: Batches,
    accelerator: Any,
    recorder: Recorder,
    stop: Stop,
    *,
    save: Callable[[], None],
    draw: Callable[[], None],
    evaluate: Callable[[], None] = lambda: None,
    evaluate_every: int | None = None,
    compile: bool = False,
) -> bool:
    """Train until the budget is spent or somebody asks to stop.

    Args:
        config, budget: what to do, and for how long.
        state: where to start; changed in place.
        batches: real images and latents by position and step.
        accelerator: device, autocast, gradient scaling, processes.
        recorder: hears the losses every `training.log_every` steps, and at the end of the budget.
        stop: tells that somebody wants an end.
        save: writes a checkpoint; called every `training.checkpoint_minutes` of training, not at the end.
        draw: writes a sample grid; called every `training.samples_every` images, not at the end.
        evaluate: measures the generator; called every `evaluate_every` images, not at the end.
        compile: whether the networks are compiled first.

    Returns:
        Whether the budget is spent.

    Raises:
        TrainingError: a loss or weight is no finite number any more.
    """
    settings, meter, count = config.training, state.meter, len(batches.pack)
    poll = 1 if accelerator.num_processes == 1 else POLL
    stepper = Stepper(settings, state, accelerator, compile=compile)
    warm = state.step + cycle_of(settings) if compile else None
    clock, saved = Clock(), state.seconds

    with batches.ahead(state.generator) as feed:
        while not budget.spent(state, count):
            # 1. A minibatch of real images and latents; the next is prepared meanwhile.
            batch = feed.take(state.images, state.step)

            # 2. The networks whose turn it is learn from it.
            stepper.step(turn_of(settings, state.loss, state.step, state.updates), *batch)

            # 3. Count. `seconds` is the same in every process, or they would not end, or save, at the same step.
            before, asked = state.images, 0.0
            state.step += 1
            state.images += settings.batch
            if state.step % poll == 0:
                elapsed, asked = agree(accelerator, clock.read(), stop.signal or 0)
                state.seconds += elapsed
            if state.step == warm:
                recorder.warmed(state)

            # 4. Look whether all is well, and say, draw, measure, stop and save when it is due.
            recorder.tick(budget.done(state))
            with clock.paused():
                if state.step % settings.log_every == 0:
                    recorder.record(state, meter.means(accelerator), budget.done(state))
                    meter.reset(state.step)
                elif state.step % CHECK == 0:
                    ensure_finite(meter.means(accelerator), state.step)
                if state.step % CHECK == 0:
                    ensure_finite_weights(state.networks(), state.step)
                if passed(before, state.images, settings.samples_every):
                    draw()
                if passed(before, state.images, evaluate_every):
                    evaluate()
                if asked:
                    stop.signal = signal.Signals(int(asked))  # perhaps it reached another process
                    break
                if state.seconds - saved >= settings.checkpoint_minutes * 60:
                    save()
                    saved = state.seconds

    spent = budget.spent(state, count)
    if spent and state.step != meter.start:  # the meter is not reset: a larger budget goes on as if nothing had happened
        recorder.record(state, meter.means(accelerator), budget.done(state))
    return spent


def passed(before: int, now: int, every: int | None) -> bool:
    """Whether a multiple of `every` lies in (before, now]; never where it is None."""
    return every is not None and before // every != now // every
