"""The paper's ImageNet networks."""

from __future__ import annotations

import pytest
import torch

import zoo
from zoo.metrics.extractors import StageFeatures


def test_the_layers_of_the_paper() -> None:
    model = zoo.create("dcgan-imagenet32")
    stages = [tuple(f.shape[1:]) for f in model.discriminator.features(torch.zeros(1, 3, 32, 32))]  # type: ignore[union-attr]
    assert stages == [(128, 32, 32), (128, 16, 16), (256, 16, 16), (256, 8, 8), (512, 8, 8), (512, 4, 4)]
    assert StageFeatures(model.discriminator, grid=4, pool="max").dim == 28_672  # type: ignore[arg-type]
    seen: list[tuple[int, ...]] = []
    for stage in model.generator.stages().values():
        stage.register_forward_hook(lambda _m, _i, out: seen.append(tuple(out.shape[1:])))
    assert model.generator(torch.zeros(1, 256)).shape == (1, 3, 32, 32)
    assert seen == [(512, 4, 4), (512, 8, 8), (256, 8, 8), (256, 16, 16), (128, 16, 16), (128, 32, 32)]
    networks = torch.nn.ModuleList([model.generator, model.discriminator])  # type: ignore[list-item]
    kernels = {module.kernel_size for module in networks.modules() if hasattr(module, "kernel_size")}
    assert kernels == {(3, 3)}
    assert model.config["latent"] == {"distribution": "uniform"}


@pytest.mark.parametrize("size", [16, 64])
def test_other_sizes(size: int) -> None:
    options = {"generator.width": 4, "discriminator.width": 4}
    model = zoo.create("dcgan-imagenet32", size=size, options=options)
    assert model.sample(1).shape == (1, 3, size, size)
    assert len(model.discriminator.stages()) == 2 * ((size // 4).bit_length() - 1)  # type: ignore[union-attr]
