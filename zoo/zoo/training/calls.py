"""How algorithms call a network: in the training's precision, augmented, compiled, with weights cast once an update."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from zoo_core import Augmentation, Discriminator, TrainingError

from ..devices import CPU, Runtime
from ..randomness import generator_for, preserve_rng_state, seeded
from .convolutions import FastConvolutions


class NetworkCall:
    """A network as algorithms call it: in the training's precision, compiled, `fast` with our own weight gradients of
    float32 convolutions, and the first argument augmented in training mode.

    Anything else that is asked of it is the network's own (`latent_dim`, `image`, …); methods compute in the same precision.

    Attributes:
        exact: the same network in float32, not compiled and with torch's own kernels, for what is differentiated twice.
        twice_differentiable: whether precision and compilation would let calls be differentiated twice as well.
        one_pass: whether several minibatches may go through together, as each image is judged by itself, and whether that
            pays: a GPU takes hardly longer for twice the images.
    """

    def __init__(
        self,
        network: nn.Module,
        runtime: Runtime,
        augment: Iterable[Augmentation] = (),
        *,
        compile: bool,
        fast: bool,
        cast: bool = False,
        one_pass: bool = False,
    ) -> None:
        self.network, self.runtime, self.augment = network, runtime, tuple(augment)
        self.weights = CastWeights(network, runtime.dtype) if cast and list(CastWeights.find(network)) else None
        self.call: Any = torch.compile(network, dynamic=False) if compile else network
        self.fast: type[AbstractContextManager[Any]] = FastConvolutions if fast else nullcontext
        self.judges = isinstance(network, Discriminator)
        self.one_pass = one_pass
        self.twice_differentiable = runtime.precision == "fp32" and not compile
        plain = not fast and self.twice_differentiable
        self.exact: NetworkCall = (
            self if plain else NetworkCall(network, replace(runtime, precision="fp32"), augment, compile=False, fast=False)
        )

    def __call__(self, x: Tensor, *arguments: Any) -> Any:
        """Call the network; a discriminator's logits come in float32."""
        with self.fast(), self.runtime.autocast():
            x = self._augmented(x)
            out = self.call(x, *arguments) if self.weights is None else self.weights.call(x, *arguments)
        return out.float() if self.judges else out

    def refresh(self) -> None:
        """Take over weights that an optimizer has changed."""
        if self.weights is not None:
            self.weights.refresh()

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


class CastWeights:
    """Copies of a network's weights in a lower precision, made once for each update instead of once for each forward pass.

    Gradients reach the weights themselves, in float32, as they do under autocast. Only what autocast would cast is copied:
    the weights of plain convolutions and linear layers, as these use them.
    """

    KINDS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)

    def __init__(self, network: nn.Module, dtype: torch.dtype) -> None:
        self.network = network
        self.own = {f"{name}.weight".lstrip("."): cast(Tensor, module.weight) for name, module in self.find(network)}
        self.copies = [torch.empty_like(weight, dtype=dtype, requires_grad=False) for weight in self.own.values()]
        self.versions: list[int] = []
        self.refresh()

    @classmethod
    def find(cls, network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
        """Yield the layers whose weights autocast would cast, by name."""
        return ((name, module) for name, module in network.named_modules() if type(module) in cls.KINDS)

    @torch.no_grad()
    def refresh(self) -> None:
        """Copy the weights anew."""
        torch._foreach_copy_(self.copies, list(self.own.values()))
        self.versions = [weight._version for weight in self.own.values()]

    def call(self, *arguments: Any) -> Any:
        """Call the network with the copies in place of its weights, which somebody else may have changed."""
        if self.versions != [weight._version for weight in self.own.values()]:
            self.refresh()
        copies = _Cast.apply([copy.detach() for copy in self.copies], *self.own.values())
        replaced = dict(zip(self.own, copies, strict=True))
        return torch.func.functional_call(self.network, replaced, arguments, tie_weights=False)


class _Cast(torch.autograd.Function):
    """Weights in a lower precision, which are at hand; their gradients in the weights' own."""

    @staticmethod
    def forward(ctx: Any, copies: list[Tensor], *weights: Tensor) -> tuple[Tensor, ...]:
        ctx.set_materialize_grads(False)
        ctx.dtypes = [weight.dtype for weight in weights]
        return tuple(copies)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        given = [gradient for gradient in gradients if gradient is not None]
        kinds = [dtype for dtype, gradient in zip(ctx.dtypes, gradients, strict=True) if gradient is not None]
        raised = [torch.empty_like(gradient, dtype=dtype) for gradient, dtype in zip(given, kinds, strict=True)]
        torch._foreach_copy_(raised, given)
        found = iter(raised)
        return (None, *(None if gradient is None else next(found) for gradient in gradients))


def judges_each_alone(network: Discriminator) -> bool:
    """Return whether a discriminator's logit of an image does not depend on the others of its minibatch, as with batch
    normalization it does. Tried on random images on the CPU; what draws random numbers or changes buffers, or does not
    compute there, may be taken for one that does. The network and random states are left as they were.
    """
    image, rng = network.image, generator_for(0, "logits")
    x = torch.rand(4, *image.shape, generator=rng) * 2 - 1
    labels = torch.arange(4) % image.num_classes if image.num_classes else None

    def judge(part: slice) -> Tensor:
        given = (x[part],) if labels is None else (x[part], labels[part])
        with torch.no_grad(), preserve_rng_state(CPU), seeded(0, "logits"):
            logits: Tensor = copy.deepcopy(network).cpu().float().train()(*given)
        return logits

    try:
        together, apart = judge(slice(0, 4)), torch.cat([judge(slice(0, 2)), judge(slice(2, 4))])
    except Exception:  # one of pairs, or with kernels for GPUs alone
        return False
    return bool(torch.allclose(together, apart, rtol=1e-3, atol=1e-5))


def synchronize_batch_norm(network: nn.Module) -> nn.Module:
    """Make a view of a network with the same parameters and buffers, whose batch statistics are those of all processes. The
    network itself stays plain: whoever draws from it in one process alone would wait for the others for ever.
    """
    shared = {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())}
    return cast(nn.Module, nn.SyncBatchNorm.convert_sync_batchnorm(copy.deepcopy(network, shared)))  # type: ignore[no-untyped-call]
