"""FastGAN's networks, its game and its recipe are those of the paper and of the authors' code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, batch_norm, conv2d, interpolate, relu, sigmoid

from helpers.packs import pictures
from helpers.training import train_by_halves
from zoo_core import ImageSpec, OptionError, Step, registry
from zoo_plugins.successors.fastgan import FastGAN, FastGANDiscriminator, FastGANGenerator, Gated, Noise, cut_quarter, double

SMALL = {"width": 4, "max_width": 16}


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_as_many_parameters_as_the_authors_networks() -> None:
    """Of 256×256, but for the second path of their discriminator, and what draws pictures for it."""
    with torch.device("meta"):
        generator, discriminator = FastGANGenerator(image=ImageSpec(256)), FastGANDiscriminator(image=ImageSpec(256))

    def convolutions(*kinds: tuple[int, int, int]) -> int:
        return sum(side**2 * inputs * outputs for side, inputs, outputs in kinds)

    def norms(*maps: int) -> int:
        return sum(2 * n for n in maps)

    def excitation(inputs: int, outputs: int) -> int:
        return convolutions((4, inputs, outputs), (1, outputs, outputs))

    maps = {4: 1024, 8: 512, 16: 256, 32: 128, 64: 128, 128: 64, 256: 32}
    expected = convolutions((4, 256, 2 * maps[4]), (3, maps[256], 3)) + norms(2 * maps[4])
    for side in (8, 16, 32, 64, 128, 256):
        expected += convolutions((3, maps[side // 2], 2 * maps[side])) + norms(2 * maps[side])
        if side in (8, 32, 128):  # two convolutions, with noise
            expected += convolutions((3, maps[side], 2 * maps[side])) + norms(2 * maps[side]) + 2
    expected += sum(excitation(maps[side // 16], maps[side]) for side in (64, 128, 256))
    assert count(generator) == expected

    maps = {256: 16, 128: 32, 64: 64, 32: 128, 16: 256, 8: 512}
    expected = convolutions((3, 3, 16), (1, 512, 1024), (4, 1024, 1)) + norms(1024)
    for side in (128, 64, 32, 16, 8):
        before, now = maps[2 * side], maps[side]
        expected += convolutions((4, before, now), (3, now, now), (1, before, now)) + norms(now, now, now)
    expected += sum(excitation(maps[8 * side], maps[side]) for side in (32, 16, 8))
    for first in (512, 256):  # a decoder of whole images, and one of quarters
        widths = ((first, 128), (128, 64), (64, 64), (64, 32))
        expected += sum(convolutions((3, a, 2 * b)) + norms(2 * b) for a, b in widths) + convolutions((3, 32, 3))
    assert count(discriminator) == expected


@pytest.mark.parametrize(
    ("size", "excited", "places"),
    [
        (16, (["16x16"], ["8x8"]), 25),
        (48, (["48x48"], ["6x6"]), 16),
        (64, (["64x64"], ["8x8"]), 25),
        (256, (["64x64", "128x128", "256x256"], ["32x32", "16x16", "8x8"]), 25),
    ],
)
def test_shapes_and_what_is_excited(size: int, excited: tuple[list[str], list[str]], places: int) -> None:
    image = ImageSpec(size)
    generator, discriminator = FastGANGenerator(image=image, **SMALL), FastGANDiscriminator(image=image, **SMALL)
    images = generator(torch.randn(2, 256))
    assert images.shape == (2, 3, size, size)
    assert discriminator(images).shape == (2,)
    assert discriminator(images, None, True, True).shape == (2, places + 1)
    for network, expected in zip((generator, discriminator), excited, strict=True):
        assert [name for name, stage in network.stages().items() if stage.excite is not None] == expected


def test_initial_weights() -> None:
    torch.manual_seed(0)
    for network in (FastGANGenerator(image=ImageSpec(32)), FastGANDiscriminator(image=ImageSpec(32))):
        layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
        drawn: list[Any] = [layer.parametrizations.weight.original.detach() for layer in layers]  # all are normalized
        assert float(torch.cat([weight.flatten() for weight in drawn]).std()) == pytest.approx(0.02, rel=0.01)
        assert not any(layer.bias is not None for layer in layers)
        gains = torch.cat([m.weight.detach() for m in network.modules() if isinstance(m, nn.BatchNorm2d)])
        assert (float(gains.mean()), float(gains.std())) == (pytest.approx(1, abs=0.01), pytest.approx(0.02, rel=0.2))
        assert not any(m.factor.any() for m in network.modules() if isinstance(m, Noise))


def test_an_excited_block_of_the_generator() -> None:
    """By torch's functions: nearest neighbors, convolution, normalization, the half that the other half lets pass; a factor
    for each map, from 4×4 means of smaller maps."""
    torch.manual_seed(1)
    generator = FastGANGenerator(image=ImageSpec(128), width=2, max_width=8)
    block, below, x = generator.blocks["128x128"].eval(), torch.randn(2, 8, 8, 8), torch.randn(2, 4, 6, 6)
    assert isinstance(block, Gated)
    block = Gated(*double(4, 2), excite=block.excite).eval()
    convolution, squeeze, spread = (m for m in block.modules() if isinstance(m, nn.Conv2d))
    y = conv2d(interpolate(x, scale_factor=2, mode="nearest"), convolution.weight, padding=1)
    norm = next(m for m in block.modules() if isinstance(m, nn.BatchNorm2d))
    y = batch_norm(y, norm.running_mean, norm.running_var, norm.weight, norm.bias)
    y = y[:, :2] * sigmoid(y[:, 2:])
    factor = conv2d(adaptive_avg_pool2d(below, 4), squeeze.weight)
    factor = sigmoid(conv2d(factor * sigmoid(factor), spread.weight))
    assert factor.shape == (2, 2, 1, 1)
    assert torch.allclose(block(x, below), y * factor, atol=1e-5)


def test_noise_comes_in_training_alone() -> None:
    noise, x = Noise(), torch.zeros(2, 3, 4, 4)
    assert noise(x).equal(x)
    nn.init.constant_(noise.factor, 2.0)
    torch.manual_seed(0)
    found = noise(x)
    torch.manual_seed(0)
    assert found.equal(2 * torch.randn(2, 1, 4, 4).expand(2, 3, 4, 4))
    assert noise.eval()(x).equal(x)
    blocks = FastGANGenerator(image=ImageSpec(64), **SMALL).blocks
    counts = {name: sum(isinstance(m, Noise) for m in block.modules()) for name, block in blocks.items()}
    assert counts == {"4x4": 0, "8x8": 2, "16x16": 0, "32x32": 2, "64x64": 0}


def test_a_quarter_of_each_image() -> None:
    x = torch.arange(4 * 16.0).reshape(4, 1, 4, 4)
    lower, right = (torch.tensor(flags)[:, None, None, None] for flags in ([False, False, True, True], [False, True] * 2))
    expected = [x[0, :, :2, :2], x[1, :, :2, 2:], x[2, :, 2:, :2], x[3, :, 2:, 2:]]
    assert cut_quarter(x, lower, right).equal(torch.stack(expected))


def test_what_the_decoders_miss() -> None:
    torch.manual_seed(0)
    network, x = FastGANDiscriminator(image=ImageSpec(32), **SMALL).eval(), torch.rand(6, 3, 32, 32) * 2 - 1
    torch.manual_seed(4)
    judged = network(x, None, True, True)
    torch.manual_seed(4)
    lower, right = (torch.rand(2, 6, 1, 1, 1) < 0.5).flatten(1)
    *_, before, last = network.features(x)
    assert (before.shape[2], last.shape[2]) == (16, 8)
    whole, expected = network.decoders["whole"](last), []
    for n in range(6):
        top, left = 16 * int(lower[n]), 16 * int(right[n])
        maps = before[n : n + 1, :, top // 2 : top // 2 + 8, left // 2 : left // 2 + 8]
        quarter = network.decoders["quarter"](maps)[0] - x[n, :, top : top + 16, left : left + 16]
        small = torch.stack([x[n, :, i::2, j::2] for i in (0, 1) for j in (0, 1)]).mean(0)
        expected.append(quarter.abs().mean() + (whole[n] - small).abs().mean())
    assert torch.allclose(judged[:, -1], torch.stack(expected), atol=1e-5)
    assert torch.allclose(judged[:, :-1].mean(1), network(x), atol=1e-5)


def a_step(**options: Any) -> tuple[FastGAN, Step, dict[str, Tensor]]:
    torch.manual_seed(0)
    logged: dict[str, Tensor] = {}
    parts = {
        "generator": FastGANGenerator(image=ImageSpec(16), latent_dim=6, **SMALL),
        "discriminator": FastGANDiscriminator(image=ImageSpec(16), **SMALL),
        "loss": registry.create("losses", "hinge"),
    }
    step = Step(torch.rand(4, 3, 16, 16), None, torch.randn(4, 6), parts, frozenset(), record=logged.__setitem__)
    return FastGAN(**options), step, logged


def test_the_game() -> None:
    """The hinge at each place, with margins from 0.8 to 1, and what is missed by its weight; the generator raises logits."""
    algorithm, step, logged = a_step(rebuild=3.0, slack=0.2)
    seen: list[Tensor] = []
    step.parts["discriminator"].register_forward_hook(lambda _m, _i, out: seen.append(out.detach()))
    torch.manual_seed(1)
    (total,) = algorithm.losses("discriminator", step)
    judged, fake = seen
    real, missed = judged[:, :-1], judged[:, -1].mean()
    assert real.shape == fake.shape == (4, 25)
    assert total.item() == pytest.approx((logged["d_loss"] + 3 * missed).item(), rel=1e-5)
    bounds = [(relu(margin - real).mean() + relu(margin + fake).mean()).item() for margin in (0.8, 1.0)]
    assert bounds[0] < logged["d_loss"].item() < bounds[1]
    assert logged["d_missed"].item() == pytest.approx(missed.item(), rel=1e-5)
    (g_loss,) = algorithm.losses("generator", step)
    assert g_loss.item() == pytest.approx(-seen[2].mean().item(), rel=1e-4, abs=1e-6)
    algorithm, step, logged = a_step(rebuild=0.0, slack=0.0)
    seen.clear()
    step.parts["discriminator"].register_forward_hook(lambda _m, _i, out: seen.append(out.detach()))
    (total,) = algorithm.losses("discriminator", step)
    expected = relu(1 - seen[0][:, :-1]).mean() + relu(1 + seen[1]).mean()
    assert total.item() == pytest.approx(expected.item(), rel=1e-5)


def test_what_is_refused() -> None:
    algorithm, step, _ = a_step()
    other = registry.create("discriminators", "dcgan", {"width": 4}, image=ImageSpec(16))
    with pytest.raises(OptionError, match="wants the discriminator fastgan"):
        algorithm.phases({**step.parts, "discriminator": other})
    with pytest.raises(OptionError, match="wants a loss of logits alone"):
        algorithm.phases({**step.parts, "loss": registry.create("losses", "relativistic")})
    with pytest.raises(OptionError, match="know no labels"):
        FastGANDiscriminator(image=ImageSpec(32, 3, 10))
    with pytest.raises(OptionError, match="slack"):
        registry.create("algorithms", "fastgan", {"slack": 1.5})


def test_a_training_with_augmentation_and_noise_resumes_exactly(tmp_path: Path) -> None:
    data = pictures(tmp_path / "pictures", 12, colored={0})
    one = train_by_halves("fastgan", data, tmp_path, {"generator.latent_dim": 6}, images=16)
    assert one.generator.blocks["8x8"].layers[2].factor.any()  # noise is learned
