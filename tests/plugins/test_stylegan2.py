"""StyleGAN2's networks, loss and recipe are those of the paper and of the authors' code."""

from __future__ import annotations

from math import sqrt
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, leaky_relu, pad

import zoo
from helpers.packs import pictures
from helpers.training import TINY, differing, resume, train
from zoo_core import ImageSpec, registry
from zoo_core.options import schema
from zoo_plugins.successors.stylegan2 import Convolve, Halving, Mapping, Modulated, Noise, Scaled, Spread, Styled

NARROW = {"width": 4, "max_width": 8}
STYLES = {"latent_dim": 8, "style_dim": 6, "layers": 2}


def make(role: str, size: int, classes: int = 0, channels: int = 3, **options: Any) -> Any:
    own = {**(NARROW | STYLES if role == "generators" else NARROW), **options}
    return registry.create(role, "stylegan2", own, image=ImageSpec(size, channels, classes))


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("size", "options", "classes", "generator", "discriminator"),
    [
        (256, {"width": 64, "layers": 8}, 0, 24_767_458, 24_001_089),  # the authors' paper256
        (256, {"width": 128, "layers": 8}, 0, 30_034_338, 28_864_129),
        # a label's vector beside the latent, twice the first layer's inputs, and a logit for each class
        (256, {"width": 64, "layers": 8}, 10, 24_767_458 + 10 * 512 + 512 * 512, 24_001_089 + 9 * 513),
    ],
)
def test_as_many_parameters_as_the_authors_networks(
    size: int, options: dict[str, int], classes: int, generator: int, discriminator: int
) -> None:
    shared = {"width": options["width"], "max_width": 512}
    with torch.device("meta"):
        made = make("generators", size, classes, latent_dim=512, style_dim=512, layers=options["layers"], **shared)
        assert [count(made), count(make("discriminators", size, classes, **shared))] == [generator, discriminator]
    if options["width"] == 64:  # as a log of the authors' code lists layers
        assert count(made.blocks["16x16"]) == 2 * 2_622_465
        assert [count(colors) for colors in made.colors.values()][-1] == 64 * 513 + 3 * 64 + 3
        assert count(made.mapping.layers[-1]) + 512 == 262_656


def test_defaults_are_those_of_the_paper() -> None:
    options = schema(registry.load("generators", "stylegan2"))
    wanted = {
        "latent_dim": 512,
        "style_dim": 512,
        "max_width": 512,
        "layers": 8,
        "mixing": 0.9,
        "noise_rate": 1.0,
        "contrast": 1.0,
    }
    assert {name: options[name].default for name in wanted} == wanted


@pytest.mark.parametrize("size", [32, 48, 64, 256])
@pytest.mark.parametrize("channels", [1, 3])
def test_shapes(size: int, channels: int) -> None:
    narrow = {"width": 2, "max_width": 4}
    generator, discriminator = (make(role, size, channels=channels, **narrow) for role in ("generators", "discriminators"))
    images = generator(torch.randn(2, 8))
    assert images.shape == (2, channels, size, size)
    logits, features = discriminator.logits_and_features(images)
    assert logits.shape == (2,)
    sides = [name for name in generator.stages() if name != "mapping"]
    assert [*discriminator.stages()] == [*sides[::-1], f"{sides[0]}-plain", "hidden"]
    assert [f"{f.shape[2]}x{f.shape[3]}" for f in features[:-2]] == sides[::-1]
    assert generator.styles(torch.randn(2, 8)).shape == (2, 2 * len(sides), 6)


def test_initial_weights() -> None:
    """Of variance 1, scaled as they are used; those of the mapping network 100 times as large. Styles begin near 1."""
    torch.manual_seed(0)
    generator, discriminator = (
        make("generators", 32, width=64, max_width=64, style_dim=64),
        make("discriminators", 32, width=32),
    )
    for module in [*generator.modules(), *discriminator.modules()]:
        if isinstance(module, Modulated | Convolve) and module.weight.numel() > 1000:
            assert float(module.weight.detach().std()) == pytest.approx(1, rel=0.1)
            assert module.gain == pytest.approx(1 / sqrt(module.weight[0].numel()))
        if isinstance(module, Modulated):
            assert module.style.bias.eq(1).all()
        if isinstance(module, Noise):
            assert module.strength == 0
    mapping = generator.mapping
    assert float(mapping.layers[1].weight.detach().std()) == pytest.approx(100, rel=0.05)
    assert mapping.layers[1].gain == pytest.approx(0.01 / 8)
    w = mapping(torch.randn(256, 8))
    assert float(w.detach().square().mean()) == pytest.approx(1, abs=0.35)  # variance is kept
    x = torch.randn(64, 64, 8, 8)
    assert float(Modulated(64, 64, 6, 3)(x, torch.randn(64, 6)).detach().std()) == pytest.approx(1, rel=0.1)


def test_colors_of_the_recipe_begin_within_the_range_of_tanh() -> None:
    spreads = []
    for contrast in (1.0, 0.25):
        torch.manual_seed(0)
        made = make("generators", 32, width=16, max_width=64, style_dim=32, contrast=contrast)
        spreads.append(float(torch.atanh(made(torch.randn(32, 8)).double().clamp(-1 + 1e-7, 1 - 1e-7)).std().detach()))
    assert spreads[0] == pytest.approx(1.6, rel=0.25)
    assert spreads[1] == pytest.approx(spreads[0] / 4, rel=0.1)
    assert registry.recipe("stylegan2-small").options["generator.contrast"] == 0.25


def spread_zeros(x: Tensor) -> Tensor:
    """Twice the height and width, zeros between."""
    out = x.new_zeros(*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3])
    out[:, :, ::2, ::2] = x
    return out


FILTER = torch.outer(*[torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8] * 2)


def smooth(x: Tensor, left: int, right: int, gain: float = 1.0) -> Tensor:
    """The filter [1, 3, 3, 1] in both directions, with zeros around the maps."""
    flat = pad(x, (left, right, left, right)).flatten(0, 1)[:, None]
    out = conv2d(flat, gain * FILTER[None, None])
    return out.view(*x.shape[:2], *out.shape[2:])


@pytest.mark.parametrize("up", [False, True])
def test_a_modulated_convolution(up: bool) -> None:
    """Image by image: scaled weights, divided by their length; zeros between, convolution, filter, to grow."""
    torch.manual_seed(1)
    layer, x, w = Modulated(5, 4, 6, 3, up=up), torch.randn(3, 5, 7, 7), torch.randn(3, 6)
    styles = w @ layer.style.weight.T / sqrt(6) + layer.style.bias
    expected = []
    for one, style in zip(x, styles, strict=True):
        weight = layer.weight * style[None, :, None, None]
        weight = weight / weight.square().sum((1, 2, 3), keepdim=True).sqrt()
        if not up:
            expected.append(conv2d(one[None], weight, padding=1))
        else:  # a transposed convolution is one by the turned kernel over zeros between the numbers
            between = conv2d(pad(spread_zeros(one[None]), (2, 1, 2, 1)), weight.flip(2, 3))
            expected.append(smooth(between, 1, 1, 4.0))
    assert torch.allclose(layer(x, w), torch.cat(expected), atol=1e-4)


def test_colors_are_modulated_and_not_scaled_back() -> None:
    torch.manual_seed(1)
    layer, x, w = Modulated(5, 3, 6, 1, demodulate=False), torch.randn(2, 5, 4, 4), torch.randn(2, 6)
    nn.init.normal_(layer.bias)
    styles = (w @ layer.style.weight.T / sqrt(6) + 1) / sqrt(5)
    expected = torch.einsum("nchw,oc,nc->nohw", x, layer.weight[:, :, 0, 0], styles) + layer.bias
    assert torch.allclose(layer(x, w), expected, atol=1e-5)


def test_a_block_of_the_discriminator() -> None:
    torch.manual_seed(1)
    block, x = Halving(4, 6), torch.randn(2, 4, 8, 8)
    first, second, beside = block.layers[0], block.layers[1], block.shortcut[1]
    y = leaky_relu(conv2d(x, first.weight / 6, padding=1), 0.2) * sqrt(2)
    y = leaky_relu(conv2d(smooth(y, 2, 2), second.weight / 6, stride=2), 0.2) * sqrt(2)
    passed = conv2d(smooth(x, 1, 1)[:, :, ::2, ::2], beside.weight / 2)
    assert torch.allclose(block(x), (y + passed) / sqrt(2), atol=1e-5)


def test_images_that_come_together_are_compared() -> None:
    """In fours, each four by itself; of six images in twos; in evaluation as they were on average."""
    torch.manual_seed(1)
    layer, x = Spread(4), torch.randn(8, 3, 2, 2)
    out = layer(x)
    groups = [x[:4], x[4:]]
    expected = [float(g.var(0, correction=0).sqrt().mean()) for g in groups]
    assert torch.equal(out[:, :3], x)
    assert out[:, 3].flatten(1).std(1).max() == 0
    assert out[:, 3, 0, 0].tolist() == pytest.approx([expected[0]] * 4 + [expected[1]] * 4, rel=1e-4)
    assert layer.mean.item() == pytest.approx(0.99 + 0.01 * sum(expected) / 2, rel=1e-5)
    six = layer(x[:6])[:, 3, 0, 0]
    assert [len(set(six[i : i + 2].tolist())) for i in (0, 2, 4)] == [1, 1, 1]
    layer.eval()
    assert layer(x)[:, 3].flatten().tolist() == pytest.approx([layer.mean.item()] * 32)


def test_the_mapping_network_knows_the_direction_of_a_latent_alone() -> None:
    torch.manual_seed(0)
    mapping, z = Mapping(8, 6, 3, 0), torch.randn(4, 8)
    x = z / z.norm(dim=1, keepdim=True) * sqrt(8)
    for number, layer in enumerate(mapping.layers):
        assert isinstance(layer, Scaled)
        x = leaky_relu(x @ layer.weight.T * 0.01 / sqrt((8, 6, 6)[number]), 0.2) * sqrt(2)
    assert torch.allclose(mapping(z), x, atol=1e-4)
    assert torch.allclose(mapping(3 * z), x, atol=1e-4)


def test_noise_is_new_in_training_and_fixed_in_evaluation() -> None:
    torch.manual_seed(0)
    block, x, w = Styled(4, 4, 6, 8, first=False), torch.randn(2, 4, 4, 4), torch.randn(2, 2, 6)
    plain = block(x, w)
    assert torch.equal(plain, block(x, w))  # of strength 0 at first
    for noise in block.noises:
        nn.init.ones_(noise.strength)
    one, other = block(x, w), block(x, w)
    assert not torch.equal(one, other)
    block.eval()
    assert torch.equal(block(x, w), block(x, w))
    ones = torch.ones(2, 3, 8, 8)
    assert torch.equal(block.noises[0](ones), ones + block.noises[0].fixed)
    slower = make("generators", 16, noise_rate=0.1).blocks["4x4"].noises[0].eval()
    nn.init.ones_(slower.strength)
    assert torch.allclose(slower(torch.ones(1, 3, 4, 4)), 1 + 0.1 * slower.fixed)


@pytest.mark.parametrize("classes", [0, 3])
def test_styles_of_two_latents(classes: int) -> None:
    """The first layers of an image take the styles of its own latent, the others those of another."""
    torch.manual_seed(0)
    generator, z = make("generators", 32, classes, mixing=1.0), torch.randn(64, 8)
    labels = torch.arange(64) % 3 if classes else None
    w = generator.styles(z, labels).detach()
    mine = generator.mapping(z, labels).detach()
    own = (w - mine[:, None]).abs().amax(2) < 1e-6
    assert own[:, 0].all()
    assert not own[:, -1].any()
    assert own.long().diff(dim=1).le(0).all()  # one change, and none back
    assert len(set(own.sum(1).tolist())) == w.shape[1] - 1  # at any layer
    generator.mixing = 0.0
    assert (generator.styles(z, labels) - mine[:, None]).abs().max() < 1e-6
    assert (generator.eval().styles(z, labels) - mine[:, None]).abs().max() < 1e-6


def test_truncation_draws_styles_to_their_center() -> None:
    torch.manual_seed(0)
    generator, z = make("generators", 16, mixing=0.0), torch.randn(32, 8)
    w = generator.mapping(z).detach()
    for _ in range(600):
        generator.styles(z)
    assert torch.allclose(generator.center, w.mean(0), atol=0.1)
    generator.eval()
    spreads = []
    for truncation in (1.0, 0.5, 0.0):
        generator.truncation = truncation
        found = generator.styles(z)[:, 0]
        assert torch.allclose(found, generator.center + truncation * (w - generator.center), atol=1e-5)
        spreads.append(float(generator(z).var(0).sum().detach()))
    assert spreads[0] > spreads[1] > spreads[2] == pytest.approx(0, abs=1e-6)


def test_directions_of_the_first_weights_and_of_styles() -> None:
    model = zoo.create("stylegan2-small", size=16, options={"generator.width": 4, "discriminator.width": 4})
    weights: Any = model.generator.mapping.layers[0].weight.detach()
    found = zoo.find_directions(model, count=3, steps=3, samples=4)
    strongest = torch.linalg.eigh(weights.T @ weights)[1][:, -1]
    assert abs(float(found.vectors[0] @ strongest)) == pytest.approx(1, abs=1e-3)
    assert zoo.find_directions(model, method="pca", count=2, steps=3, samples=4).names == ("pca 1", "pca 2")


def test_a_training_goes_on_as_if_it_had_not_stopped(tmp_path: Path) -> None:
    """Noise, second latents, the center, the mean length and the differences of images are where they were."""
    data = pictures(tmp_path / "pictures", 16, colored={0})
    options = {"generator.style_dim": 4, "loss.every": 4, "loss.path_every": 2}
    given: dict[str, Any] = {"images": 80, "options": {**TINY, **options}}
    whole = train("stylegan2-small", data, tmp_path / "whole", **given)
    stopped = train("stylegan2-small", data, tmp_path / "stopped", stop_at=40, **given)
    assert not stopped.finished
    again = resume(stopped.path)
    assert differing(whole.path, again.path) == []
    generator = zoo.load(whole.path).generator
    assert generator.path_length > 0
    assert generator.center.any()


class Linear(nn.Module):
    """Images that are a matrix times styles, whose lengths are known."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.randn(4, 6))
        self.path_length = torch.zeros([])

    def styles(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return z.view(len(z), 2, 3).requires_grad_()

    def draw(self, w: Tensor) -> Tensor:
        return (w.flatten(1) @ self.matrix.T).view(-1, 1, 2, 2)


def test_path_lengths_by_hand() -> None:
    loss = registry.create("losses", "path-length", {"path": 3.0, "path_every": 2})
    torch.manual_seed(0)
    generator, z = Linear(), torch.randn(6, 6)
    torch.manual_seed(5)
    first = loss.generator_penalty(generator, z, z)
    torch.manual_seed(5)
    y = torch.randn(3, 1, 2, 2).view(3, 4) / 2  # of half of the minibatch, over √(H · W)
    lengths = ((y @ generator.matrix.detach()).square().sum(1) / 2).sqrt()  # a mean over two layers
    assert first.item() == pytest.approx(3 * 2 * float((lengths - lengths.mean()).square().mean()), rel=1e-4)
    assert generator.path_length.item() == pytest.approx(float(lengths.mean()), rel=1e-5)
    generator.path_length.fill_(10.0)
    torch.manual_seed(5)
    second = loss.generator_penalty(generator, z, z)
    mean = 9.9 + 0.01 * float(lengths.mean())
    assert generator.path_length.item() == pytest.approx(mean, rel=1e-5)
    assert second.item() == pytest.approx(6 * float((lengths - mean).square().mean()), rel=1e-4)
    assert torch.autograd.grad(second, generator.matrix)[0].any()
    assert registry.create("losses", "path-length", {"path": 0.0}).generator_penalty(generator, z, z) is None


def test_a_generator_without_styles_has_paths_through_its_latents() -> None:
    loss, generator = registry.create("losses", "path-length"), nn.Linear(6, 4)
    z = torch.randn(4, 6)

    def draw(z: Tensor, labels: Tensor | None = None) -> Tensor:
        return generator(z).view(-1, 1, 2, 2)

    assert loss.generator_penalty(draw, z, z).item() > 0
