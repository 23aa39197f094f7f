"""R3GAN's networks, loss and recipes are those of the paper and of the authors' code."""

from __future__ import annotations

from math import exp, log1p, sqrt
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, leaky_relu
from torch.overrides import TorchFunctionMode

from zoo_core import ImageSpec, OptionError, registry
from zoo_plugins.successors.r3gan import Basis, Convolve, Filters, Resample, ResidualBlock
from zoo_plugins.twice import convolve, rectify

SMALL = {"width": 8, "max_width": 16, "group": 8}


def make(role: str, size: int, classes: int = 0, channels: int = 3, **options: Any) -> Any:
    return registry.create(role, "r3gan", options, image=ImageSpec(size, channels, classes))


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("size", "width", "classes", "generator", "discriminator"),
    [
        (32, 768, 0, 20_732_160, 20_683_776),  # the authors' CIFAR10, unconditional and conditional
        (32, 768, 10, 20_781_952, 21_280_512),
        (64, 384, 0, 22_429_824, 22_381_440),  # FFHQ-64
        (256, 96, 0, 23_057_952, 23_009_568),  # FFHQ-256
    ],
)
def test_as_many_parameters_as_the_authors_networks(
    size: int, width: int, classes: int, generator: int, discriminator: int
) -> None:
    with torch.device("meta"):
        found = [count(make(role, size, classes, width=width)) for role in ("generators", "discriminators")]
    assert found == [generator, discriminator]


@pytest.mark.parametrize("size", [32, 48, 64, 128])
@pytest.mark.parametrize("channels", [1, 3])
def test_shapes(size: int, channels: int) -> None:
    generator, discriminator = (make(role, size, channels=channels, **SMALL) for role in ("generators", "discriminators"))
    images = generator(torch.randn(2, 64))
    assert images.shape == (2, channels, size, size)
    logits, features = discriminator.logits_and_features(images)
    assert logits.shape == (2,)
    assert list(discriminator.stages()) == list(generator.stages())[::-1]
    assert [f"{f.shape[2]}x{f.shape[3]}" for f in features] == list(discriminator.stages())


def test_initial_weights() -> None:
    """Variance of gain² / fan-in. The gains of a block's convolutions are that of LeakyReLU by the fourth root of the number
    of blocks, and 0 for the last: the networks begin as linear ones."""
    torch.manual_seed(0)
    options = {"width": 64, "max_width": 64, "group": 16, "blocks": 2}
    for role in ("generators", "discriminators"):
        network = make(role, 32, **options)
        blocks = [m for m in network.modules() if isinstance(m, ResidualBlock)]
        assert len(blocks) == 8
        gain = sqrt(2 / 1.04) * 8 ** (-1 / 4)
        for block in blocks:
            assert float(block.expand.layer.weight.detach().std()) == pytest.approx(gain / sqrt(64), rel=0.06)
            assert float(block.mix.layer.weight.detach().std()) == pytest.approx(gain / sqrt(16 * 9), rel=0.06)
            assert not block.project.layer.weight.any()
            assert block.mix.layer.groups == 128 // 16
        biases = [name for name, _ in network.named_parameters() if name.endswith("bias")]
        assert len(biases) == 2 * len(blocks)
        assert not any(network.get_parameter(name).any() for name in biases)
    basis = Basis(64, 512, 4)
    assert float(basis.maps.detach().std()) == pytest.approx(1, rel=0.05)
    assert float(basis.linear.weight.detach().std()) == pytest.approx(1 / 8, rel=0.05)


def test_nothing_normalizes() -> None:
    kinds = {type(m) for role in ("generators", "discriminators") for m in make(role, 16, **SMALL).modules()}
    assert not [kind for kind in kinds if "Norm" in kind.__name__]


@pytest.mark.parametrize("up", [True, False])
def test_maps_are_resampled_bilinearly_with_zeros_around_them(up: bool) -> None:
    line = torch.tensor([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
    found = Resample(up=up)(line.expand(6, 6)[None, None])[0, 0]
    padded = [0.0, *line.tolist(), 0.0]
    if up:
        expected = [(3 * padded[i] + padded[near]) / 4 for i in range(1, 7) for near in (i - 1, i + 1)]
    else:
        expected = [(padded[i] + 3 * padded[i + 1] + 3 * padded[i + 2] + padded[i + 3]) / 8 for i in (0, 2, 4)]
    assert torch.allclose(found[len(found) // 2], torch.tensor(expected))  # a row far from the border
    assert float(found[0, 1]) == pytest.approx(expected[1] * (3 / 4 if up else 7 / 8))  # zeros lie beyond it


def test_a_block_is_what_torch_makes_of_it() -> None:
    torch.manual_seed(1)
    block = ResidualBlock(8, expansion=2, group=4, total=3)
    nn.init.normal_(block.project.layer.weight)
    nn.init.normal_(block.mix.layer.bias)
    x = torch.randn(2, 8, 5, 5)
    y = leaky_relu(conv2d(x, block.expand.layer.weight, block.expand.layer.bias), 0.2)
    y = leaky_relu(conv2d(y, block.mix.layer.weight, block.mix.layer.bias, padding=1, groups=4), 0.2)
    assert torch.allclose(block(x), x + conv2d(y, block.project.layer.weight), atol=1e-5)
    with pytest.raises(OptionError, match="6 maps, 12 within a block, cannot be cut into groups of 8"):
        ResidualBlock(6, expansion=2, group=8, total=1)


@pytest.mark.parametrize(
    ("groups", "stride", "kernel", "padding", "size"), [(1, 1, 1, 0, 5), (4, 1, 3, 1, 5), (8, 2, 4, 1, 7)]
)
def test_second_derivatives_are_those_of_torch(groups: int, stride: int, kernel: int, padding: int, size: int) -> None:
    torch.manual_seed(0)
    shapes = (2, 8, size, size), (8, 8 // groups, kernel, kernel), (8,)
    given = [torch.randn(*shape, dtype=torch.double, requires_grad=True) for shape in shapes]

    def derive(convolution: Any, activation: Any) -> list[Tensor]:
        x, *weights = given
        value = activation(convolution(x, *weights)).pow(3).sum()
        (gradient,) = torch.autograd.grad(value, x, create_graph=True)
        (mixed,) = torch.autograd.grad(value, weights[0], create_graph=True)
        whole = value + gradient.pow(3).sum() + mixed.square().sum()
        return [value, gradient, mixed, *torch.autograd.grad(whole, given)]

    ours = derive(lambda x, w, b: convolve(x, w, b, stride, padding, groups), rectify)
    torchs = derive(lambda x, w, b: conv2d(x, w, b, stride, padding, 1, groups), lambda y: leaky_relu(y, 0.2))
    for mine, theirs in zip(ours, torchs, strict=True):
        torch.testing.assert_close(mine, theirs)


def test_filters_are_a_depthwise_convolution() -> None:
    torch.manual_seed(0)
    filters = Filters(6, 4).double()
    nn.init.normal_(filters.weight)
    x = torch.randn(2, 6, 4, 4, dtype=torch.double, requires_grad=True)

    def derive(out: Tensor) -> list[Tensor]:
        (first,) = torch.autograd.grad(out.pow(3).sum(), x, create_graph=True)
        return [out, first, *torch.autograd.grad(first.pow(2).sum(), [x, filters.weight])]

    for mine, theirs in zip(derive(filters(x)), derive(conv2d(x, filters.weight, groups=6)), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_a_first_derivative_asks_for_no_other() -> None:
    """Where only the images' gradient is asked for, none of the weights' is computed, grouped or not."""
    from torch.utils._python_dispatch import TorchDispatchMode

    seen: list[str] = []

    class Names(TorchDispatchMode):
        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            seen.append(str(function.overloadpacket))
            return function(*args, **(kwargs or {}))

    network = Convolve(32, 32, 3, groups=32, bias=True)
    x = torch.randn(1, 32, 4, 4, requires_grad=True)
    with Names():
        out = network(x).square().sum()
        (gradient,) = torch.autograd.grad(out, x, create_graph=True)
        assert "aten.convolution_backward" not in seen
        gradient.square().sum().backward()
    assert seen.count("aten.convolution") == 2  # and not one for each group
    assert seen.count("aten.convolution_backward") == 2


def test_who_watches_the_functions_of_torch_sees_them() -> None:
    """As guided backpropagation does, which changes what goes back through a rectifier."""
    seen: list[tuple[str, bool]] = []

    class Watch(TorchFunctionMode):
        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            out = function(*args, **(kwargs or {}))
            seen.append((getattr(function, "__name__", ""), isinstance(out, Tensor) and out.requires_grad))
            return out

    network, x = make("discriminators", 16, **SMALL), torch.rand(1, 3, 16, 16, requires_grad=True)
    with Watch():
        logits = network(x)
    blocks = [m for m in network.modules() if isinstance(m, ResidualBlock)]
    assert [differentiable for name, differentiable in seen if name == "leaky_relu"] == [True] * 2 * len(blocks)
    assert torch.allclose(logits, network(x), atol=1e-5)


def test_the_relativistic_loss() -> None:
    loss = registry.create("losses", "relativistic", {"r1": 0.0, "r2": 0.0})
    real, fake = torch.tensor([2.0, -1.0]), torch.tensor([0.5, -3.0])
    apart = [2.0 - 0.5, -1.0 + 3.0]
    assert loss.discriminator(real, fake).item() == pytest.approx(sum(log1p(exp(-d)) for d in apart) / 2, rel=1e-6)
    assert loss.generator(fake, real).item() == pytest.approx(sum(log1p(exp(d)) for d in apart) / 2, rel=1e-6)
    assert (loss.needs_real_logits, loss.separable, loss.penalizes_real, loss.penalizes_fake) == (True, False, False, False)
    assert loss.penalty(lambda x, labels=None: x.sum((1, 2, 3)), torch.zeros(2, 1, 1, 1), torch.zeros(2, 1, 1, 1)) is None


def test_both_penalties_by_hand() -> None:
    """Of logits w · x²: the gradient is 2 w x, on either side."""
    weight = torch.tensor(3.0, requires_grad=True)
    real, fake = torch.tensor([[[[2.0]]], [[[1.0]]]]), torch.tensor([[[[0.5]]], [[[-1.0]]]])
    loss = registry.create("losses", "relativistic", {"r1": 0.5, "r2": 2.0})
    found = loss.penalty(lambda x, labels=None: weight * x.square().sum((1, 2, 3)), real, fake, None)
    sides = [36 * (4 + 1) / 2, 36 * (0.25 + 1) / 2]
    assert found.item() == pytest.approx(0.5 / 2 * sides[0] + 2 / 2 * sides[1])
    found.backward()
    assert weight.grad.item() == pytest.approx(2 / 3 * found.item())


def test_the_recipes_are_a_chain() -> None:
    """Each step is the one before it and one idea."""
    steps = ["dcgan", "roadmap-1-r1", "roadmap-2-relativistic", "roadmap-3-r2", "roadmap-4-resnet", "r3gan-small"]
    recipes = [registry.recipe(name) for name in steps]
    assert [recipe.loss for recipe in recipes] == ["non-saturating", "non-saturating-r1", *["relativistic"] * 4]
    assert [recipe.generator for recipe in recipes] == [*["dcgan"] * 4, "r3gan", "r3gan"]
    weights = [(recipe.options.get("loss.r1", 0), recipe.options.get("loss.r2", 0)) for recipe in recipes]
    assert weights == [(0, 0), (0.1, 0), (0.1, 0), *[(0.1, 0.1)] * 3]
    bodies = [{k: v for k, v in recipe.options.items() if k.startswith(("generator.", "optimizer."))} for recipe in recipes]
    assert bodies[0] == bodies[1] == bodies[2] == bodies[3]
