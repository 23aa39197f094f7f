"""SNGAN's networks are those of the paper's table 3, and every weight of the discriminator is normalized."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import zoo
from helpers.packs import pictures
from zoo_core import ImageSpec, OptionError, registry


def make(role: str, size: int, **options: Any) -> Any:
    with torch.device("meta"):
        return registry.create(role, "sngan", options, image=ImageSpec(size))


def layers(network: nn.Module) -> list[tuple[int, int, int]]:
    """Outputs, kernel and stride of each convolution, first to last."""
    kinds = nn.Conv2d | nn.ConvTranspose2d
    return [(m.out_channels, m.kernel_size[0], m.stride[0]) for m in network.modules() if isinstance(m, kinds)]


@pytest.mark.parametrize("size", [32, 48])
def test_table_3(size: int) -> None:
    """The table's discriminator ends at an eighth of the images; ours at 4×4 or 3×3, which is one stage more for 48×48."""
    table = [(64, 3, 1), (64, 4, 2), (128, 3, 1), (128, 4, 2), (256, 3, 1), (256, 4, 2), (512, 3, 1)]
    discriminator, generator = make("discriminators", size), make("generators", size)
    found = layers(discriminator)
    assert found[:7] == table
    assert found[7:] == ([] if size == 32 else [(512, 4, 2), (512, 3, 1)])
    slopes = [m.negative_slope for m in discriminator.modules() if isinstance(m, nn.LeakyReLU)]
    assert slopes == [0.1] * len(found)
    assert layers(generator)[-4:] == [(256, 4, 2), (128, 4, 2), (64, 4, 2), (3, 3, 1)]
    assert generator.latent_dim == 128


def test_every_weight_is_normalized() -> None:
    torch.manual_seed(0)
    d = registry.create("discriminators", "sngan", {"width": 4}, image=ImageSpec(16))
    weights = [m for m in d.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert all(m.bias is not None for m in weights)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in d.modules())
    for _ in range(60):  # each forward pass is one step of the power iteration
        d(torch.rand(2, 3, 16, 16))
    d.eval()
    for module in weights:
        assert torch.linalg.matrix_norm(module.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.05)


def test_widths() -> None:
    generator, discriminator = make("generators", 128, width=16), make("discriminators", 128, width=16)
    assert [maps for maps, _, _ in layers(generator)] == [256, 128, 64, 32, 16, 3]
    assert [maps for maps, _, _ in layers(discriminator)[::2]] == [16, 32, 64, 128, 256, 512]
    with pytest.raises(OptionError, match="DCGAN draws images of"):
        make("discriminators", 40)


@pytest.mark.parametrize("recipe", ["sngan", "dcgan-sn"])
def test_the_discriminator_of_a_small_model_is_loaded(recipe: str, tmp_path: Path) -> None:
    pictures(tmp_path / "pictures", 8)
    options = {"generator.width": 2, "discriminator.width": 2}
    where: dict[str, Any] = {"dataset": "folder", "data": tmp_path / "pictures", "size": 16, "batch": 4, "images": 8}
    run = zoo.train(recipe, **where, options=options, out=tmp_path / "run", watch=False, device="cpu", precision="fp32")
    assert torch.isfinite(zoo.load(run).discriminator(torch.zeros(2, *zoo.load(run).generator.image.shape))).all()
