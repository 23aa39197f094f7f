"""The built-in DCGAN: shapes, sizes of the paper's model, initial weights, options."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from zoo_core import Discriminator, Generator, ImageSpec, OptionError, registry

TINY = {"width": 4, "max_width": 16}


def generator(size: int = 16, channels: int = 3, **options: Any) -> Generator:
    made: Generator = registry.create("generators", "dcgan", options, image=ImageSpec(size, channels))
    return made


def discriminator(size: int = 16, channels: int = 3, **options: Any) -> Discriminator:
    made: Discriminator = registry.create("discriminators", "dcgan", options, image=ImageSpec(size, channels))
    return made


@pytest.mark.parametrize("kernel", [3, 4, 5])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512])
def test_shapes(size: int, channels: int, kernel: int) -> None:
    g, d = generator(size, channels, kernel=kernel, **TINY), discriminator(size, channels, kernel=kernel, **TINY)
    images = g(g.sample_latent(2))
    assert images.shape == (2, channels, size, size)
    assert images.abs().max() <= 1
    assert d(images).shape == (2,)
    sides = [side for side in (size >> i for i in range(1, 9)) if side >= 3][::-1]
    assert sides[0] == (3 if size in (24, 48, 96, 192, 384) else 4)
    assert list(g.stages()) == [f"{side}x{side}" for side in sides]
    assert list(d.stages()) == [f"{side}x{side}" for side in reversed(sides)]
    assert [tuple(f.shape[2:]) for f in d.features(images)] == [(side, side) for side in reversed(sides)]


def test_the_papers_sizes() -> None:
    recipe = registry.recipe("dcgan-paper")
    options = {
        part: {k.split(".")[1]: v for k, v in recipe.options.items() if k.startswith(f"{part}.")}
        for part in ("generator", "discriminator")
    }
    with torch.device("meta"):
        g, d = generator(64, **options["generator"]), discriminator(64, **options["discriminator"])
    shapes = [tuple(p.shape) for p in g.parameters() if p.ndim > 1]
    assert shapes == [(16384, 100), (1024, 512, 5, 5), (512, 256, 5, 5), (256, 128, 5, 5), (128, 3, 5, 5)]
    assert isinstance(g.stages()["4x4"].norm, nn.BatchNorm1d)  # each unit by itself
    shapes = [tuple(p.shape) for p in d.parameters() if p.ndim > 1]
    assert shapes == [(128, 3, 5, 5), (256, 128, 5, 5), (512, 256, 5, 5), (1024, 512, 5, 5), (1, 16384)]
    assert {m.eps for net in (g, d) for m in net.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)} == {1e-8}
    assert {k: recipe.options[k] for k in ("algorithm.updates", "training.latent", "optimizer.weight_decay")} == {
        "algorithm.updates": "alternate",
        "training.latent": "uniform",
        "optimizer.weight_decay": 1e-5,
    }


def test_the_common_ones_sizes() -> None:
    with torch.device("meta"):
        g, d = generator(64), discriminator(64)
    assert [tuple(p.shape) for p in g.parameters() if p.ndim > 1] == [
        (8192, 100),
        (512, 256, 4, 4),
        (256, 128, 4, 4),
        (128, 64, 4, 4),
        (64, 3, 4, 4),
    ]
    assert not [name for net in (g, d) for name, m in net.named_modules() if isinstance(m, nn.Conv2d) and m.bias is not None]
    norms = [name for name, m in d.named_modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == 3  # all but the input layer
    assert not [m for m in g.to_image.modules() if isinstance(m, nn.BatchNorm2d)]


def test_initial_weights() -> None:
    torch.manual_seed(0)
    for net in (generator(64, width=16), discriminator(64, width=16)):
        for module in net.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear) and module.weight.numel() > 1000:
                assert module.weight.std().item() == pytest.approx(0.02, rel=0.1)
                assert abs(module.weight.mean().item()) < 0.002
            elif isinstance(module, nn.BatchNorm2d):
                assert module.weight.mean().item() == pytest.approx(1, abs=0.03)
                assert not module.bias.any()


def test_projection_norms() -> None:
    by_unit = generator(projection_norm="unit", **TINY).train()
    h = by_unit.stages()["4x4"]
    seen: list[torch.Tensor] = []
    h.norm.register_forward_hook(lambda _m, _i, out: seen.append(out))  # type: ignore[attr-defined]
    by_unit(by_unit.sample_latent(64))
    assert seen[0].shape == (64, 4 * 2 * 16)
    gain = h.norm.weight  # type: ignore[attr-defined]
    torch.testing.assert_close(seen[0].std(0, correction=0), gain.abs(), rtol=1e-2, atol=1e-2)


def test_uniform_latents() -> None:
    g = generator(**TINY)
    g.latent = "uniform"
    z = g.sample_latent(200)
    assert z.min() < -0.9
    assert z.max() > 0.9
    assert z.abs().max() <= 1


@pytest.mark.parametrize(
    ("size", "words"),
    [(100, "size=96 or size=128"), (8, "size=16"), (513, "size=384 or size=512"), (63, "64"), (12, "size=16")],
)
def test_other_sizes(size: int, words: str) -> None:
    for make in (generator, discriminator):
        with pytest.raises(OptionError, match=f"not {size}") as caught:
            make(size)
        assert words in str(caught.value)


def test_other_options() -> None:
    with pytest.raises(OptionError, match="1 or 3 channels, not 2"):
        generator(16, 2)
    with pytest.raises(OptionError, match="1 or 3 channels, not 4"):
        discriminator(16, 4)
    with pytest.raises(OptionError, match=r"generator\.width is 0; it must be at least 1"):
        generator(width=0)
    with pytest.raises(OptionError, match=r"generator\.latent_dim is 0; it must be at least 1"):
        generator(latent_dim=0)
    with pytest.raises(OptionError, match=r"kernel must be 3 \| 4 \| 5, not 6"):
        generator(kernel=6)
