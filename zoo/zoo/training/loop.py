"""The training loop: one function, from top to bottom."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from .batches import Batches
from .config import RunConfig
from .control import Budget, Clock, Stop, agree
from .metrics import Recorder
from .state import State

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

    Returns:
        Whether the budget is spent.

    Raises:
        TrainingError: a loss is no finite number any more.
    """
    settings, loss, meter, count = config.training, state.loss, state.meter, len(batches.pack)
    generator, discriminator = state.generator, state.discriminator
    both = settings.updates == "both"
    cycle = settings.discriminator_steps + (not both)
    poll = 1 if accelerator.num_processes == 1 else POLL
    clock, saved = Clock(), state.seconds

    while not budget.spent(state, count):
        # 1. Whose turn it is. "both": each minibatch is D's, and every so many are G's too; "alternate": one or the other.
        updates_generator = state.step % cycle == cycle - 1
        updates_discriminator = both or not updates_generator

        # 2. A minibatch of real images and one of generated images.
        real, labels = batches.real(state.images)  # [n, C, S, S], [n] or None
        z = batches.latents(generator, state.step)  # [n, latent_dim]
        with torch.set_grad_enabled(updates_generator), accelerator.autocast():
            fake = generator(z, labels)  # [n, C, S, S]

        # 3. The discriminator learns to tell them apart. Real and generated images go through it by themselves, so that
        #    batch normalisation sees one kind at a time.
        if updates_discriminator:
            discriminator.requires_grad_(True)
            with accelerator.autocast():
                real_logits = discriminator(real, labels).float()  # [n]
                fake_logits = discriminator(fake.detach(), labels).float()  # [n]
            d_loss = loss.discriminator(real_logits, fake_logits)
            d_steps = state.step if both else state.step - state.updates
            if d_steps % loss.penalty_every == 0:
                penalty = loss.penalty(discriminator, real, fake.detach().float(), labels)
                d_loss = d_loss if penalty is None else d_loss + penalty
            _update(state.discriminator_optimizer, d_loss, discriminator, accelerator)
            meter.add(d_loss=d_loss, d_real=real_logits.sigmoid().mean(), d_fake=fake_logits.sigmoid().mean())

        # 4. The generator learns to pass as real. Its gradient runs through the discriminator, whose own weights need none.
        if updates_generator:
            discriminator.requires_grad_(False)
            with accelerator.autocast():
                logits = discriminator(fake, labels).float()  # [n]
                with torch.no_grad():
                    against = discriminator(real, labels).float() if loss.needs_real_logits else None  # [n]
            g_loss = loss.generator(logits, against)
            _update(state.generator_optimizer, g_loss, generator, accelerator)
            state.updates += 1
            state.update_average(settings.ema)
            meter.add(g_loss=g_loss)

        # 5. Count. `seconds` is the same in every process, or they would not end, or save, at the same step.
        before, asked = state.images, 0.0
        state.step += 1
        state.images += settings.batch
        if state.step % poll == 0:
            elapsed, asked = agree(accelerator, clock.read(), stop.signal or 0)
            state.seconds += elapsed

        # 6. Say, draw, stop and save when it is due.
        recorder.tick(budget.done(state))
        with clock.paused():
            if state.step % settings.log_every == 0:
                recorder.record(state, meter.means(accelerator), budget.done(state))
                meter.reset(state.step)
            if before // settings.samples_every != state.images // settings.samples_every:
                draw()
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


def _update(optimizer: Any, loss: Tensor, network: nn.Module, accelerator: Any) -> None:
    """One optimiser step, with the gradients of all processes averaged."""
    optimizer.zero_grad(set_to_none=True)
    accelerator.backward(loss)
    if accelerator.num_processes > 1:
        _average_gradients(network.parameters(), accelerator.num_processes)
    optimizer.step()


def _average_gradients(parameters: Iterable[nn.Parameter], processes: int) -> None:
    """Average gradients over processes in one exchange.

    Instead of DistributedDataParallel, which wants each network to run forward once for each backward, and no gradient
    penalties.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([g.reshape(-1) for g in gradients])
    torch.distributed.all_reduce(flat)
    flat /= processes
    start = 0
    for gradient in gradients:
        gradient.copy_(flat[start : start + gradient.numel()].view_as(gradient))
        start += gradient.numel()
