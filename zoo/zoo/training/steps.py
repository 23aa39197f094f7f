"""One training step, as the hardware likes it: no more passes than are needed, and nothing that waits for the device."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from zoo_core import Loss
from zoo_core.settings import TrainingSettings

from .convolutions import FastConvolutions
from .state import State


@dataclass(frozen=True)
class Turn:
    """Which networks a step updates, and whether the discriminator is penalized."""

    discriminator: bool
    generator: bool
    penalty: bool


def cycle_of(settings: TrainingSettings) -> int:
    """Steps after which whose turn it is repeats itself."""
    return settings.discriminator_steps + (settings.updates != "both")


def turn_of(settings: TrainingSettings, loss: Loss, step: int, updates: int) -> Turn:
    """Whose turn step number `step` is, after `updates` updates of the generator.

    "both": each minibatch is D's, and every so many are G's too; "alternate": one or the other.
    """
    both, cycle = settings.updates == "both", cycle_of(settings)
    generator = step % cycle == cycle - 1
    discriminator = both or not generator
    mine = step if both else step - updates
    return Turn(discriminator, generator, discriminator and mine % loss.penalty_every == 0)


class Stepper:
    """Takes training steps.

    Args:
        settings: what the recipe says.
        state: what is trained; changed in place.
        accelerator: device, autocast, gradient scaling, processes.
        compile: whether the networks run through `torch.compile`. Penalties see them as they are, for compiled networks
            cannot be differentiated twice.
    """

    def __init__(self, settings: TrainingSettings, state: State, accelerator: Any, *, compile: bool = False) -> None:
        self.settings, self.state, self.accelerator = settings, state, accelerator
        self.generator: nn.Module = state.generator
        self.discriminator: nn.Module = state.discriminator
        if settings.sync_bn and accelerator.num_processes > 1 and accelerator.device.type == "cuda":
            self.generator, self.discriminator = synchronized(self.generator), synchronized(self.discriminator)
        self.penalized: Any = self.discriminator
        if compile:
            self.generator, self.discriminator = (
                cast(nn.Module, torch.compile(network, dynamic=False)) for network in (self.generator, self.discriminator)
            )
        plain = accelerator.device.type == "cpu" and accelerator.mixed_precision == "no" and not compile
        self.fast: type[AbstractContextManager[Any]] = FastConvolutions if plain else nullcontext
        self.separable = separable(state.loss)

    def step(self, turn: Turn, real: Tensor, labels: Tensor | None, z: Tensor) -> None:
        """One step on this process's share of a minibatch: real images [n, C, S, S], labels [n] or None, latents [n, d]."""
        parts = self.settings.accumulate
        kinds = labels.chunk(parts) if labels is not None else [None] * parts
        pieces = list(zip(real.chunk(parts), kinds, z.chunk(parts), strict=True))
        fake = None
        if turn.discriminator:
            fake = self._discriminator(pieces, turn)
        if turn.generator:
            self._generator(pieces, fake)

    def _discriminator(self, pieces: list[tuple[Tensor, Tensor | None, Tensor]], turn: Turn) -> Tensor | None:
        """The discriminator learns to tell them apart; returns the generated images where the generator can go on with them.

        Real and generated images go through it by themselves, so that batch normalization sees one kind at a time. Where
        the loss is a sum of a part for each kind, the graph of the real ones is gone before the other is made.
        """
        state, loss, once = self.state, self.state.loss, len(pieces) == 1
        state.discriminator.requires_grad_(True)
        fake = None
        for real, labels, z in pieces:
            with torch.set_grad_enabled(turn.generator and once):
                fake = self._draw(z, labels)  # [n, C, S, S]
            real_logits = self._judge(real, labels)  # [n]
            if self.separable:
                self._backward(loss.discriminator(real_logits, torch.zeros_like(real_logits)) / len(pieces))
                real_logits = real_logits.detach()
            fake_logits = self._judge(fake.detach(), labels)  # [n]
            d_loss = loss.discriminator(real_logits, fake_logits)
            self._backward(d_loss / len(pieces))
            d_loss, real_logits, fake_logits = d_loss.detach(), real_logits.detach(), fake_logits.detach()
            if turn.penalty:
                penalty = loss.penalty(self.penalized, real, fake.detach().float(), labels)
                if penalty is not None:
                    self._backward(penalty / len(pieces))
                    d_loss = d_loss + penalty.detach()
            between = (real_logits.mean() + fake_logits.mean()) / 2
            right = (real_logits > between).float().mean() + (fake_logits < between).float().mean()
            state.meter.add(
                d_loss=d_loss, d_real=real_logits.sigmoid().mean(), d_fake=fake_logits.sigmoid().mean(), d_right=right / 2
            )
        self._update("d_grad", state.discriminator, state.discriminator_optimizer)
        return fake if once and turn.generator else None

    def _generator(self, pieces: list[tuple[Tensor, Tensor | None, Tensor]], fake: Tensor | None) -> None:
        """The generator learns to pass as real. Its gradient runs through the discriminator, whose own weights need none."""
        state, loss = self.state, self.state.loss
        state.discriminator.requires_grad_(False)
        for real, labels, z in pieces:
            drawn = fake if fake is not None else self._draw(z, labels)  # [n, C, S, S]
            logits = self._judge(drawn, labels)  # [n]
            with torch.no_grad():
                against = self._judge(real, labels) if loss.needs_real_logits else None  # [n]
            g_loss = loss.generator(logits, against)
            self._backward(g_loss / len(pieces))
            state.meter.add(g_loss=g_loss.detach())
        self._update("g_grad", state.generator, state.generator_optimizer)
        state.updates += 1
        state.update_average(self.settings.ema)

    def _draw(self, z: Tensor, labels: Tensor | None) -> Tensor:
        with self.fast(), self.accelerator.autocast():
            images: Tensor = self.generator(z, labels)
        return images

    def _judge(self, images: Tensor, labels: Tensor | None) -> Tensor:
        with self.fast(), self.accelerator.autocast():
            logits: Tensor = self.discriminator(images, labels)
        return logits.float()

    def _backward(self, loss: Tensor) -> None:
        self.accelerator.backward(loss)

    def _update(self, name: str, network: nn.Module, optimizer: Any) -> None:
        """One optimizer step with the gradients of all processes averaged. They are freed at once, not a step later."""
        gradients = [p.grad for p in network.parameters() if p.grad is not None]
        if self.accelerator.num_processes > 1:
            average_gradients(gradients, self.accelerator.num_processes)
        if self.accelerator.scaler is not None:
            self.accelerator.unscale_gradients(optimizer)
        self.state.meter.add(**{name: torch.stack(torch._foreach_norm(gradients)).norm()})
        del gradients
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)


def synchronized(network: nn.Module) -> nn.Module:
    """A view of a network with the same parameters and buffers, whose batch statistics are those of all processes.

    The network itself stays plain: whoever draws from it in one process alone would wait for the others for ever.
    """
    shared = {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())}
    return cast(nn.Module, nn.SyncBatchNorm.convert_sync_batchnorm(copy.deepcopy(network, shared)))  # type: ignore[no-untyped-call]


def separable(loss: Loss) -> bool:
    """Whether the discriminator's loss is a sum of a function of the real logits and one of the generated ones.

    Told from its second derivative across the two: autograd finds no path for it.
    """
    real = torch.linspace(-2, 2, 4, requires_grad=True)
    fake = torch.linspace(-1.5, 2.5, 4, requires_grad=True)
    with torch.enable_grad():
        value = loss.discriminator(real, fake)
        (slope,) = torch.autograd.grad(value, real, create_graph=True, allow_unused=True)
        if slope is None or not slope.requires_grad:
            return True
        (across,) = torch.autograd.grad(slope.sum(), fake, allow_unused=True)
    return across is None


def average_gradients(gradients: Iterable[Tensor], processes: int) -> None:
    """Average gradients over processes in one exchange.

    Instead of DistributedDataParallel, which wants each network to run forward once for each backward, and no gradient
    penalties.
    """
    gradients = list(gradients)
    flat = torch.cat([g.reshape(-1) for g in gradients])
    torch.distributed.all_reduce(flat)
    flat /= processes
    start = 0
    for gradient in gradients:
        gradient.copy_(flat[start : start + gradient.numel()].view_as(gradient))
        start += gradient.numel()
