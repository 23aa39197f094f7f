"""The training loop: one function, from top to bottom."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from .batches import Batches
from .config import RunConfig
from .control import Alarm, Budget, Stop
from .metrics import Meter, Recorder
from .state import State

POLL = 10
"""Steps between two agreements of several processes on whether to stop or save."""


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
        recorder: hears the losses every `training.log_every` steps.
        stop: tells that somebody wants an end.
        save: writes a checkpoint; called now and then, not at the end.
        draw: writes a sample grid; likewise.

    Returns:
        Whether the budget is spent.

    Raises:
        TrainingError: a loss is no finite number any more.
    """
    settings, loss, count = config.training, state.loss, len(batches.pack)
    generator, discriminator = state.generator, state.discriminator
    cycle = settings.discriminator_steps + (settings.updates == "alternate")
    poll = 1 if accelerator.num_processes == 1 else POLL
    meter, alarm = Meter(accelerator.device), Alarm(settings.checkpoint_minutes * 60)
    clock = time.monotonic()

    while not budget.spent(state, count):
        # 1. Whose turn it is. "both": each minibatch is D's, and every so many are G's too; "alternate": one or the other.
        turn = state.step % cycle
        updates_generator = turn == cycle - 1
        updates_discriminator = settings.updates == "both" or not updates_generator

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
                real_logits = discriminator(real, labels)  # [n]
                fake_logits = discriminator(fake.detach(), labels)  # [n]
            d_loss = loss.discriminator(real_logits.float(), fake_logits.float())
            if state.step % loss.penalty_every == 0:
                penalty = loss.penalty(discriminator, real, fake.detach().float(), labels)
                d_loss = d_loss if penalty is None else d_loss + penalty
            _update(state.discriminator_optimizer, d_loss, discriminator, accelerator)
            meter.add(
                d_loss=d_loss, d_real=real_logits.float().sigmoid().mean(), d_fake=fake_logits.float().sigmoid().mean()
            )

        # 4. The generator learns to pass as real. Its gradient runs through the discriminator, whose own weights need none.
        if updates_generator:
            discriminator.requires_grad_(False)
            with accelerator.autocast():
                logits = discriminator(fake, labels)  # [n]
                with torch.no_grad():
                    against = discriminator(real, labels).float() if loss.needs_real_logits else None  # [n]
            g_loss = loss.generator(logits.float(), against)
            _update(state.generator_optimizer, g_loss, generator, accelerator)
            state.updates += 1
            state.update_average(settings.ema)
            meter.add(g_loss=g_loss)

        # 5. Count.
        before = state.images
        state.step += 1
        state.images += settings.batch
        now = time.monotonic()
        state.seconds, clock = state.seconds + now - clock, now

        # 6. Say, draw and save what is due.
        if state.step % settings.log_every == 0:
            recorder.record(state, meter.read(accelerator), budget.done(state))
        if before // settings.samples_every != state.images // settings.samples_every:
            draw()
        if state.step % poll == 0:
            if stop.agreed(accelerator):
                break
            if alarm.rings(accelerator):
                save()
        clock = time.monotonic()  # drawing and saving are no training time

    if state.step % settings.log_every:
        recorder.record(state, meter.read(accelerator), budget.done(state))
    return budget.spent(state, count)


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
    for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))
