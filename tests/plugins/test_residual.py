"""SNGAN's residual networks are those of the paper and of Mimicry."""

from __future__ import annotations

from math import sqrt
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, batch_norm, conv2d, interpolate, relu

from zoo_core import ImageSpec, OptionError, registry
from zoo_plugins.successors.residual import DownBlock, UpBlock


def make(role: str, size: int, recipe: str = "resnet-sngan", channels: int = 3, **options: Any) -> Any:
    part = role[:-1]
    own = {k.partition(".")[2]: v for k, v in registry.recipe(recipe).options.items() if k.startswith(f"{part}.")}
    return registry.create(role, "resnet-sngan", {**own, **options}, image=ImageSpec(size, channels))


@pytest.mark.parametrize(
    ("recipe", "size", "options", "generator", "discriminator"),
    [
        ("resnet-sngan-32", 32, {}, 4_276_739, 1_053_825),  # as many as Mimicry's
        ("resnet-sngan", 64, {}, 12_220_675, 10_141_441),
        ("resnet-sngan", 128, {"halvings": 5, "plain": 1}, 32_150_787, 29_017_857),
    ],
)
def test_parameters(recipe: str, size: int, options: dict[str, int], generator: int, discriminator: int) -> None:
    with torch.device("meta"):
        networks = make("generators", size, recipe), make("discriminators", size, recipe, **options)
    assert [sum(p.numel() for p in network.parameters()) for network in networks] == [generator, discriminator]


@pytest.mark.parametrize(("size", "last"), [(32, 2), (48, 3), (64, 2), (128, 2)])
@pytest.mark.parametrize("channels", [1, 3])
def test_shapes(size: int, last: int, channels: int) -> None:
    narrow: dict[str, Any] = {"width": 4, "max_width": 8, "channels": channels}
    generator, discriminator = make("generators", size, **narrow), make("discriminators", size, plain=1, **narrow)
    images = generator(torch.randn(2, 128))
    assert images.shape == (2, channels, size, size)
    logits, features = discriminator.logits_and_features(images)
    assert logits.shape == (2,)
    assert [f.shape[2] for f in features] == [*(size >> n for n in range(1, len(features))), last]
    assert list(discriminator.stages())[-2:] == [f"{last}x{last}", f"{last}x{last}-plain-1"]


def test_what_is_refused() -> None:
    with pytest.raises(OptionError, match="images of 32 pixels can be halved 4 times, not 5"):
        make("discriminators", 32, halvings=5)
    with pytest.raises(OptionError, match="know no labels"):
        registry.create("generators", "resnet-sngan", image=ImageSpec(32, 3, 10))


def test_initial_weights() -> None:
    """Glorot's uniform, by √2 for the 3×3 convolutions of blocks."""
    torch.manual_seed(0)
    block = UpBlock(64, 32)
    assert float(block.first.weight.detach().std()) == pytest.approx(sqrt(2) * sqrt(2 / (9 * (64 + 32))), rel=0.03)
    assert float(block.shortcut.weight.detach().std()) == pytest.approx(sqrt(2 / (64 + 32)), rel=0.06)
    assert not block.first.bias.any()


def test_a_block_of_the_generator() -> None:
    """By torch's functions, with the 1×1 convolution behind the upsampling, as it stands in the figure."""
    torch.manual_seed(1)
    block, x = UpBlock(6, 4), torch.randn(3, 6, 5, 5)

    def up(y: Tensor) -> Tensor:
        return interpolate(y, scale_factor=2, mode="bilinear", align_corners=False)

    y = relu(batch_norm(x, None, None, training=True))
    y = conv2d(up(y), block.first.weight, block.first.bias, padding=1)
    y = relu(batch_norm(y, None, None, training=True))
    y = conv2d(y, block.second.weight, block.second.bias, padding=1)
    beside = conv2d(up(x), block.shortcut.weight, block.shortcut.bias)
    assert torch.allclose(block(x), y + beside, atol=1e-5)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("pool", [True, False])
def test_a_block_of_the_discriminator(first: bool, pool: bool) -> None:
    torch.manual_seed(1)
    block, x = DownBlock(4, 6, pool=pool, first=first), torch.randn(2, 4, 8, 8)
    assert block.first.out_channels == (6 if first else 4)
    shortcut: Any = block.shortcut
    y = conv2d(x if first else relu(x), block.first.weight, block.first.bias, padding=1)
    y = conv2d(relu(y), block.second.weight, block.second.bias, padding=1)
    y = y + conv2d(x, shortcut.weight, shortcut.bias)
    assert torch.allclose(block(x), avg_pool2d(y, 2) if pool else y, atol=1e-5)


def test_the_last_maps_are_summed_and_every_weight_is_normalized() -> None:
    torch.manual_seed(0)
    network = make("discriminators", 16, width=4)
    for _ in range(60):  # each forward pass is one step of the power iteration
        network(torch.rand(2, 3, 16, 16))
    network.eval()
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    for layer in layers:
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.05)
    images = torch.rand(2, 3, 16, 16)
    logits, features = network.logits_and_features(images)
    summed = relu(features[-1]).sum((2, 3))
    assert torch.allclose(logits, (summed @ network.to_logit.weight.T + network.to_logit.bias)[:, 0], atol=1e-5)
