"""What a step of training is. Knows no GAN: an algorithm names phases and yields scalars, and this differentiates and steps.

As the hardware likes it: no more passes than are needed, and nothing that waits for the device.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from zoo_core import Discriminator, Phase, Step, TrainingError, registry
from zoo_core.algorithms import check_joins

from ..devices import Runtime
from ..runs.config import RunConfig
from .batches import Minibatch
from .calls import NetworkCall, judges_each_alone, synchronize_batch_norm
from .state import State, is_scheduled, learning_rate, schedule_left

GRADIENTS = {"generator": "g_grad", "discriminator": "d_grad"}
"""Role → name of its gradient's norm in `metrics.jsonl`; other roles have their own name with "_grad"."""


class Engine:
    """Takes training steps, which change `state` in place; raises `PluginError` where a phase joins one of other roles."""

    def __init__(self, config: RunConfig, state: State, runtime: Runtime, *, compile: bool = False) -> None:
        self.settings, self.optimizer, self.state, self.runtime = config.training, config.optimizer, state, runtime
        self.scaler = runtime.scaler or torch.amp.GradScaler(enabled=False)  # which hands all through as it is
        augment = [registry.create("augmentations", name) for name in config.training.augment]
        plain = runtime.device.type == "cpu" and runtime.precision == "fp32" and not compile
        shared = config.training.sync_bn and runtime.world > 1 and runtime.device.type == "cuda"
        cast = runtime.static and runtime.precision != "fp32" and not compile  # a compiler casts where it is cheapest
        self.parts: dict[str, Any] = dict(state.losses)
        for role, network in state.networks.items():
            judges = isinstance(network, Discriminator)
            one_pass = isinstance(network, Discriminator) and runtime.static and judges_each_alone(network)
            how = {"compile": compile, "fast": plain, "cast": cast, "one_pass": one_pass}
            view = synchronize_batch_norm(network) if shared else network
            self.parts[role] = NetworkCall(view, runtime, augment if judges else [], **how)
        self.phases = list(state.algorithm.phases({**state.networks, **state.losses}))
        check_joins(self.phases, f"algorithm {type(state.algorithm).__name__}: ")
        self.cycle = math.lcm(*(phase.every for phase in self.phases if not phase.joins))
        self.parameters = {role: list(network.parameters()) for role, network in state.networks.items()}
        self.trained = {role: [p for p in mine if p.requires_grad] for role, mine in self.parameters.items()}
        self.scheduled = [role for role, settings in self.optimizer.items() if is_scheduled(settings)]

    def due(self) -> list[Phase]:
        """Return the phases of the next step."""
        return [phase for phase in self.phases if phase.due(self.state.step)]

    def kind(self, step: int) -> frozenset[str]:
        """Return the names of the phases that are due in a step: what it does depends on nothing else."""
        return frozenset(phase.name for phase in self.phases if phase.due(step))

    def rates(self, images: int) -> list[tuple[float, float]]:
        """Return the learning rates of those roles whose rate changes, after so many images, and what is left of their
        schedules.
        """
        mine = [self.optimizer[role] for role in self.scheduled]
        return [(learning_rate(settings, images), schedule_left(settings, images)) for settings in mine]

    def step(self, batch: Minibatch, *, penalties: bool = True) -> None:
        """Take one step on this process's share of a minibatch; the caller counts it. Without `penalties` no phase comes
        that joins another, for measuring what a step costs without.
        """
        due = [phase for phase in self.due() if penalties or not phase.joins]
        pieces = self._cut(batch, frozenset(phase.name for phase in due))
        for position, phase in enumerate(due):
            # 1. What this phase or a later one of this step updates may be part of a graph; everything else is frozen.
            learning = {role for later in due[position:] for role in later.updates}
            for role, parameters in self.trained.items():
                for parameter in parameters:
                    parameter.requires_grad_(role in learning)

            # 2. Each scalar is differentiated as it comes, so that its graph is gone before the next is made.
            inputs: list[Tensor] = [p for role in phase.updates for p in self.trained[role]]
            for piece in pieces:
                for loss in self.state.algorithm.losses(phase.name, piece):
                    self._backward(loss / len(pieces), inputs)

            # 3. The optimizers step, unless the next phase adds its gradients.
            if position + 1 == len(due) or not due[position + 1].joins:
                for role in phase.updates:
                    self._update(role, batch.rates)
        self.scaler.update()  # once: all roles of a step have one scale
        self.state.meter.flush()

    def _cut(self, batch: Minibatch, due: frozenset[str]) -> list[Step]:
        count = self.settings.accumulate
        labels = batch.labels.chunk(count) if batch.labels is not None else [None] * count
        cut = zip(batch.real.chunk(count), labels, batch.z.chunk(count), strict=True)
        rates: Any = self.rates(self.state.images) if batch.rates is None else batch.rates
        left = {role: rates[number][1] for number, role in enumerate(self.scheduled)}
        how: dict[str, Any] = {"pieces": count, "record": self.state.meter.add, "left": left}
        return [Step(real, label, z, self.parts, due, **how) for real, label, z in cut]

    def _backward(self, loss: Tensor, inputs: list[Tensor]) -> None:
        self.scaler.scale(loss).backward(inputs=inputs)  # type: ignore[no-untyped-call]

    def _update(self, role: str, rates: Tensor | None) -> None:
        """Take one optimizer step with the gradients of all processes averaged. They are freed at once, not a step later."""
        state, settings, optimizer = self.state, self.optimizer[role], self.state.optimizers[role]
        gradients = [p.grad for p in self.parameters[role] if p.grad is not None]
        if not gradients:
            raise TrainingError(f"no loss of algorithm {type(state.algorithm).__name__} reaches the weights of its {role}")
        if self.runtime.world > 1:
            average_gradients(gradients, self.runtime.world)
        self.scaler.unscale_(optimizer)
        if settings["clip"]:
            norm = nn.utils.clip_grad_norm_(self.parameters[role], settings["clip"])
        else:
            norm = torch.stack(torch._foreach_norm(gradients)).norm()
        if self.scaler.is_enabled():  # a step that overflows is left out, and the scale falls: no sign of divergence
            norm = torch.where(norm.isfinite(), norm, torch.zeros_like(norm))
        state.meter.add(GRADIENTS.get(role, f"{role}_grad"), norm)
        del gradients
        if role in self.scheduled:
            for group in optimizer.param_groups:
                if isinstance(group["lr"], Tensor):
                    assert rates is not None
                    group["lr"].copy_(rates[self.scheduled.index(role)][0])
                else:
                    group["lr"] = learning_rate(settings, state.images)
        self.scaler.step(optimizer)
        optimizer.zero_grad(set_to_none=True)
        self.parts[role].refresh()
        state.updates[role] = state.updates.get(role, 0) + 1
        if role in state.averages:
            state.update_average(role, self.settings.ema)


def average_gradients(gradients: list[Tensor], processes: int) -> None:
    """Average gradients over processes in one exchange; DistributedDataParallel wants one forward for each backward, and no
    gradient penalties.
    """
    flat = torch.cat([g.reshape(-1) for g in gradients])
    torch.distributed.all_reduce(flat)
    flat /= processes
    for gradient, mean in zip(gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))
