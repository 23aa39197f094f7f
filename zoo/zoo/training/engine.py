"""What a step of training is. Knows no GAN: an algorithm names phases and yields scalars, and this differentiates and steps.

As the hardware likes it: no more passes than are needed, and nothing that waits for the device.
"""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from zoo_core import Augmentation, Discriminator, Step, TrainingError, registry
from zoo_core.algorithms import check_joins

from ..devices import Runtime
from ..runs.config import RunConfig
from .batches import Minibatch
from .convolutions import FastConvolutions
from .state import State, learning_rate

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
        self.parts: dict[str, Any] = dict(state.losses)
        for role, network in state.networks.items():
            seen = augment if isinstance(network, Discriminator) else []
            view = synchronize_batch_norm(network) if shared else network
            self.parts[role] = NetworkCall(view, runtime, seen, compile=compile, fast=plain)
        self.phases = list(state.algorithm.phases({**state.networks, **state.losses}))
        check_joins(self.phases, f"algorithm {type(state.algorithm).__name__}: ")
        self.cycle = math.lcm(*(phase.every for phase in self.phases if not phase.joins))
        self.parameters = {role: list(network.parameters()) for role, network in state.networks.items()}
        self.trained = {role: [p for p in mine if p.requires_grad] for role, mine in self.parameters.items()}
        self.scheduled = [role for role, s in self.optimizer.items() if s["schedule"] != "constant" or s["warmup_images"]]

    def step(self, batch: Minibatch, *, penalties: bool = True) -> None:
        """Take one step on this process's share of a minibatch; the caller counts it. Without `penalties` no phase comes
        that joins another, for measuring what a step costs without.
        """
        due = [p for p in self.phases if p.due(self.state.step) and (penalties or not p.joins)]
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
                    self._update(role)
        self.scaler.update()  # once: all roles of a step have one scale

    def _cut(self, batch: Minibatch, due: frozenset[str]) -> list[Step]:
        count = self.settings.accumulate
        labels = batch.labels.chunk(count) if batch.labels is not None else [None] * count
        cut = zip(batch.real.chunk(count), labels, batch.z.chunk(count), strict=True)
        return [Step(real, label, z, self.parts, due, count, record=self.state.meter.add) for real, label, z in cut]

    def _backward(self, loss: Tensor, inputs: list[Tensor]) -> None:
        self.scaler.scale(loss).backward(inputs=inputs)  # type: ignore[no-untyped-call]

    def _update(self, role: str) -> None:
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
                group["lr"] = learning_rate(settings, state.images)
        self.scaler.step(optimizer)
        optimizer.zero_grad(set_to_none=True)
        state.updates[role] = state.updates.get(role, 0) + 1
        if role in state.averages:
            state.update_average(role, self.settings.ema)


class NetworkCall:
    """A network as algorithms call it: in the training's precision, compiled, `fast` with our own weight gradients of
    float32 convolutions, and the first argument augmented in training mode.

    Anything else that is asked of it is the network's own (`latent_dim`, `image`, …); methods compute in the same precision.

    Attributes:
        exact: the same network in float32, not compiled and with torch's own kernels, for what is differentiated twice.
        twice_differentiable: whether precision and compilation would let calls be differentiated twice as well.
    """

    def __init__(
        self, network: nn.Module, runtime: Runtime, augment: Iterable[Augmentation] = (), *, compile: bool, fast: bool
    ) -> None:
        self.network, self.runtime, self.augment = network, runtime, tuple(augment)
        self.call: Any = torch.compile(network, dynamic=False) if compile else network
        self.fast: type[AbstractContextManager[Any]] = FastConvolutions if fast else nullcontext
        self.judges = isinstance(network, Discriminator)
        self.twice_differentiable = runtime.precision == "fp32" and not compile
        plain = not fast and self.twice_differentiable
        self.exact: NetworkCall = (
            self if plain else NetworkCall(network, replace(runtime, precision="fp32"), augment, compile=False, fast=False)
        )

    def __call__(self, x: Tensor, *arguments: Any) -> Any:
        """Call the network; a discriminator's logits come in float32."""
        with self.fast(), self.runtime.autocast():
            out = self.call(self._augmented(x), *arguments)
        return out.float() if self.judges else out

    def logits_and_features(self, images: Tensor, labels: Tensor | None = None) -> tuple[Tensor, list[Tensor]]:
        """As `Discriminator.logits_and_features`."""
        assert isinstance(self.network, Discriminator)
        with self.runtime.autocast():
            logits, features = self.network.logits_and_features(self._augmented(images), labels)
        return logits.float(), features

    def features(self, images: Tensor, labels: Tensor | None = None) -> list[Tensor]:
        """As `Discriminator.features`."""
        return self.logits_and_features(images, labels)[1]

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.network, name)
        if not inspect.ismethod(found) or hasattr(nn.Module, name):
            return found
        if self.augment:
            raise TrainingError(
                f"training.augment changes what a discriminator is called with, and this algorithm calls its method {name}",
                hint="leave it out: --set training.augment=[]",
            )

        def call(*arguments: Any, **named: Any) -> Any:
            with self.fast(), self.runtime.autocast():
                return found(*arguments, **named)

        return call

    def _augmented(self, x: Tensor) -> Tensor:
        if not self.augment or not self.network.training:
            return x
        for augmentation in self.augment:
            x = augmentation(x)
        return x.contiguous(memory_format=torch.channels_last)


def synchronize_batch_norm(network: nn.Module) -> nn.Module:
    """Make a view of a network with the same parameters and buffers, whose batch statistics are those of all processes. The
    network itself stays plain: whoever draws from it in one process alone would wait for the others for ever.
    """
    shared = {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())}
    return cast(nn.Module, nn.SyncBatchNorm.convert_sync_batchnorm(copy.deepcopy(network, shared)))  # type: ignore[no-untyped-call]


def average_gradients(gradients: list[Tensor], processes: int) -> None:
    """Average gradients over processes in one exchange; DistributedDataParallel wants one forward for each backward, and no
    gradient penalties.
    """
    flat = torch.cat([g.reshape(-1) for g in gradients])
    torch.distributed.all_reduce(flat)
    flat /= processes
    for gradient, mean in zip(gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))
