"""Reading and silencing feature maps of any network, by hooks on its stages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from zoo_core import Generator, UsageError

from ..models.building import build_component
from ..models.model import Model
from ..randomness import seeded


@contextmanager
def capture_activations(stages: Mapping[str, nn.Module]) -> Iterator[dict[str, Tensor]]:
    """Yield a dictionary that holds each stage's output of the latest forward pass."""
    seen: dict[str, Tensor] = {}

    def keep(name: str) -> Any:
        return lambda _module, _inputs, out: seen.__setitem__(name, out)

    handles = [stage.register_forward_hook(keep(name)) for name, stage in stages.items()]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def ablate_units(stage: nn.Module, maps: Sequence[int]) -> Iterator[None]:
    """Let some feature maps (or units) of a stage be 0 in every forward pass."""

    def silence(_module: nn.Module, _inputs: Any, out: Tensor) -> Tensor:
        return out.index_fill(1, torch.tensor(list(maps), dtype=torch.int64, device=out.device), 0)

    handle = stage.register_forward_hook(silence)
    try:
        yield
    finally:
        handle.remove()


@torch.no_grad()
def convolutional(generator: Generator) -> dict[str, tuple[int, int, int]]:
    """The stages of a generator whose outputs are feature maps, from latent to image: name → (maps, height, width)."""
    where = next(generator.parameters())
    z = torch.zeros(2, generator.latent_dim, device=where.device, dtype=where.dtype)
    labels = torch.zeros(2, dtype=torch.int64, device=where.device) if generator.image.num_classes else None
    with capture_activations(generator.stages()) as seen, seeded(0, "stages", where.device):
        generator(z, labels)
    return {name: tuple(seen[name].shape[1:]) for name in generator.stages() if seen[name].ndim == 4}  # type: ignore[misc]


def second_highest(generator: Generator) -> str:
    """The name of the second-highest convolutional stage.

    Raises:
        UsageError: there are fewer than two.
    """
    found = list(convolutional(generator))
    if len(found) < 2:
        stages = ", ".join(generator.stages()) or "none"
        raise UsageError(
            f"this generator has {len(found)} stages of feature maps (all stages: {stages}); forgetting needs at least 2",
            hint="choose a convolutional generator of at least 16 pixels",
        )
    return found[-2]


def untrained_discriminator(model: Model, seed: int = 0) -> Any:
    """A discriminator like the model's with fresh weights, in evaluation mode.

    Raises:
        UsageError: the model has none, or does not say how it is made.
    """
    if model.discriminator is None or not model.config.get("discriminator"):
        raise no_discriminator()
    with seeded(seed, "untrained"):
        fresh = build_component("discriminators", model.config["discriminator"], model.discriminator.image)
    where = next(model.discriminator.parameters())
    return fresh.to(where.device, where.dtype).eval()


def no_discriminator() -> UsageError:
    """An error for a model without a discriminator."""
    return UsageError(
        "this model was published without its discriminator, and this looks inside a discriminator",
        hint="take the run folder, or a model folder that has a discriminator.safetensors",
    )


@torch.no_grad()
def bake_ablation(model: Model, stage: str, maps: Sequence[int]) -> Generator:
    """A copy of a model's generator in which feature maps of a stage are 0 by its weights, not by a hook.

    Channels of the stage's last layers (batch-norm gains and shifts, kernels, biases) are set to 0, of as few layers as it
    takes, and the result is compared with the hook's.

    Raises:
        UsageError: no such change silences the maps: the stage computes its maps in another way.
    """
    import copy

    where = next(model.generator.parameters())
    z = model.generator.sample_latent(8, torch.Generator().manual_seed(0)).to(where.device, where.dtype)
    classes = model.image.num_classes
    labels = torch.arange(8, device=where.device) % classes if classes else None
    with seeded(0, "edited", where.device):
        plain = model.generator(z, labels)
    with ablate_units(model.generator.stages()[stage], maps), seeded(0, "edited", where.device):
        wanted = model.generator(z, labels)
    slack = 1e-3 * float((plain - wanted).abs().max()) + 1e-7
    count = convolutional(model.generator)[stage][0]
    depth = 0
    while True:
        copied = copy.deepcopy(model.generator)
        layers = [m for m in copied.stages()[stage].modules() if _outputs(m) and _outputs(m) % count == 0]
        depth += 1
        if depth > len(layers):
            raise UsageError(
                f"stage {stage!r} computes its feature maps in a way that setting weights to 0 cannot silence",
                hint="leave --save away; the pictures and numbers need no edited weights",
            )
        for layer in layers[-depth:]:
            _clear(layer, maps, _outputs(layer) // count)
        with seeded(0, "edited", where.device):
            if float((copied(z, labels) - wanted).abs().max()) <= slack:
                return copied


def _outputs(module: nn.Module) -> int:
    """How many channels or units a layer with weights of its own puts out, 0 for anything else."""
    if isinstance(module, nn.modules.batchnorm._BatchNorm):
        return module.num_features if module.affine else 0
    if isinstance(module, nn.modules.conv._ConvNd):
        return module.out_channels
    return module.out_features if isinstance(module, nn.Linear) else 0


def _clear(layer: nn.Module, maps: Sequence[int], each: int) -> None:
    """Set the weights and biases that make some maps to 0; `each` consecutive outputs of the layer belong to one map."""
    rows = [m * each + i for m in maps for i in range(each)]
    if isinstance(layer, nn.modules.conv._ConvTransposeNd):
        group = layer.out_channels // layer.groups
        for row in rows:
            first = row // group * (layer.in_channels // layer.groups)
            layer.weight[first : first + layer.in_channels // layer.groups, row % group] = 0
    else:
        layer.weight[rows] = 0  # type: ignore[index, operator]
    if layer.bias is not None:
        layer.bias[rows] = 0  # type: ignore[index, operator]
