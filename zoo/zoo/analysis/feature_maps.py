"""Reading, ablating and explaining the feature maps of any network, by hooks on its stages."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.overrides import TorchFunctionMode

from zoo_core import Discriminator, Generator, UsageError

from ..devices import move_to
from ..models.model import Model
from ..randomness import seeded
from .samples import draw_chunks

_PLAIN = "relu6 prelu gelu silu mish threshold hardswish softplus"
_IN_PLACE_TOO = "relu leaky_relu rrelu elu selu celu hardtanh"
RECTIFIERS = frozenset(_PLAIN.split()) | {name + end for name in _IN_PLACE_TOO.split() for end in ("", "_")}
"""Activations that are treated as rectifiers; below zero, each keeps the slope that it has."""

_OUTPUTS = {_BatchNorm: "num_features", _ConvNd: "out_channels", nn.Linear: "out_features"}


def batches_for(network: nn.Module, images: Tensor, labels: Tensor | None) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Yield images and labels in pieces of 64, where the network is."""
    where = next(network.parameters())
    for i, part in enumerate(torch.split(images, 64)):
        yield move_to(part.to(where.dtype), where.device), labels[64 * i : 64 * (i + 1)] if labels is not None else None


@contextmanager
def capture_activations(stages: Mapping[str, nn.Module]) -> Iterator[dict[str, Tensor]]:
    """Yield a dictionary that holds each stage's output of the latest forward pass."""
    outputs: dict[str, Tensor] = {}
    with ExitStack() as hooks:
        for name, stage in stages.items():
            hooks.enter_context(stage.register_forward_hook(lambda _, __, out, name=name: outputs.__setitem__(name, out)))
        yield outputs


@contextmanager
def ablate_units(stage: nn.Module, maps: Sequence[int]) -> Iterator[None]:
    """Let some feature maps (or units) of a stage be 0 in every forward pass."""

    def clear(_module: nn.Module, _inputs: Any, out: Tensor) -> Tensor:
        return out.index_fill(1, torch.tensor(list(maps), dtype=torch.int64).to(out.device), 0)

    with stage.register_forward_hook(clear):
        yield


@torch.no_grad()
def feature_map_shapes(generator: Generator) -> dict[str, tuple[int, int, int]]:
    """Return the stages whose outputs are feature maps, from latent to image: name → (maps, height, width)."""
    where = next(generator.parameters())
    z = torch.zeros(2, generator.latent_dim, device=where.device, dtype=where.dtype)
    labels = torch.zeros(2, dtype=torch.int64, device=where.device) if generator.image.num_classes else None
    with capture_activations(generator.stages()) as outputs, seeded(0, "stages", where.device):
        generator(z, labels)
    return {name: tuple(outputs[name].shape[1:]) for name in generator.stages() if outputs[name].ndim == 4}  # type: ignore[misc]


def second_highest_stage(generator: Generator) -> str:
    """Return the name of the second-highest convolutional stage.

    Raises:
        UsageError: there are fewer than two.
    """
    found = list(feature_map_shapes(generator))
    if len(found) < 2:
        stages = ", ".join(generator.stages()) or "none"
        raise UsageError(
            f"this generator has {len(found)} stages of feature maps (all stages: {stages}); forgetting needs at least 2",
            hint="choose a convolutional generator of at least 16 pixels",
        )
    return found[-2]


def stage_activations(model: Model, stage: str, z: Tensor, labels: Tensor | None) -> Tensor:
    """Return the outputs [N, C, H, W] of a stage of the generator, where it is, for latents [N, latent_dim]."""
    with capture_activations({stage: model.generator.stages()[stage]}) as outputs:
        return torch.cat([outputs[stage][: len(part)].float() for part in draw_chunks(model, z, labels)])


@torch.no_grad()
def bake_ablation(model: Model, stage: str, maps: Sequence[int]) -> Generator:
    """Return a copy of a model's generator in which feature maps of a stage are 0 by its weights, not by a hook.

    Channels of the stage's last layers (batch-norm gains and shifts, kernels, biases) are set to 0, of as few layers as it
    takes, and the result is compared with the hook's.

    Raises:
        UsageError: no such change silences the maps: the stage computes its maps in another way.
    """
    where = next(model.generator.parameters())
    z = model.generator.sample_latent(8, torch.Generator().manual_seed(0)).to(where.device, where.dtype)
    count = feature_map_shapes(model.generator)[stage][0]

    def sample(generator: Generator) -> Tensor:
        with seeded(0, "edited", where.device):
            images: Tensor = generator(z, model.labels_of(range(8)))
        return images

    def layers(generator: Generator) -> list[tuple[Any, int]]:
        """Return the layers with weights of their own, and how many channels or units each puts out for each of the maps."""
        found = []
        for module in generator.stages()[stage].modules():
            outputs = next((getattr(module, name) for kind, name in _OUTPUTS.items() if isinstance(module, kind)), 0)
            if outputs and outputs % count == 0 and module.weight is not None:
                found.append((module, outputs // count))
        return found

    with ablate_units(model.generator.stages()[stage], maps):
        wanted = sample(model.generator)
    slack = 1e-3 * float((sample(model.generator) - wanted).abs().max()) + 1e-7
    for depth in range(1, len(layers(model.generator)) + 1):
        baked = copy.deepcopy(model.generator)
        for layer, each in layers(baked)[-depth:]:
            _clear(layer, maps, each)
        if float((sample(baked) - wanted).abs().max()) <= slack:
            return baked
    raise UsageError(
        f"stage {stage!r} computes its feature maps in a way that setting weights to 0 cannot silence",
        hint="leave --save away; the pictures and numbers need no edited weights",
    )


def _clear(layer: Any, maps: Sequence[int], each: int) -> None:
    """Set the weights and biases that make some maps to 0; `each` consecutive outputs of the layer belong to one map."""
    rows = torch.tensor([m * each + i for m in maps for i in range(each)])
    if isinstance(layer, _ConvTransposeNd):  # weight [inputs, outputs / groups, …]
        size = layer.out_channels // layer.groups
        layer.weight.view(layer.groups, -1, *layer.weight.shape[1:])[rows // size, :, rows % size] = 0
    else:
        layer.weight[rows] = 0
    if layer.bias is not None:
        layer.bias[rows] = 0


class _Guided(TorchFunctionMode):
    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = function(*args, **(kwargs or {}))
        if getattr(function, "__name__", "") in RECTIFIERS and isinstance(out, Tensor) and out.requires_grad:
            out.register_hook(lambda gradient: gradient.clamp(min=0))  # type: ignore[no-untyped-call]
        return out


def guided_gradients(
    discriminator: Discriminator, images: Tensor, stage: str, feature: int, labels: Tensor | None = None
) -> Tensor:
    """Return the guided gradient [N, C, S, S] of a feature's strongest response in each image, where the network is.

    Guided backpropagation (Springenberg et al. 2014, arXiv:1412.6806): the gradient of a response with respect to the image,
    in which every rectifier also holds back negative gradients. It is done where rectifiers are called, so it does not
    matter how a network is written: as modules or as functions.

    Args:
        discriminator: in evaluation mode, so that images do not mix.
        images: [N, C, S, S] in [−1, 1].
        stage: name of a stage.
        feature: number of a feature map (or unit) of that stage.
        labels: classes [N] for a conditional discriminator.
    """
    where = next(discriminator.parameters())
    x = move_to(images.to(where.dtype), where.device).detach().requires_grad_()
    with torch.enable_grad(), capture_activations({stage: discriminator.stages()[stage]}) as outputs, _Guided():
        discriminator(x, labels)
        response = outputs[stage][:, feature].reshape(len(x), -1).amax(1).sum()  # of [N, H, W] or [N]
    (gradient,) = torch.autograd.grad(response, x)
    return gradient.detach().float()


def scale_gradients(gradients: Tensor) -> Tensor:
    """Return gradients [N, C, S, S] as images in [−1, 1] for people to look at: gray is 0, each image to its own scale."""
    scale = gradients.abs().flatten(1).quantile(0.995, dim=1).clamp(min=1e-12)
    return (gradients / scale[:, None, None, None]).clamp(-1, 1)
