"""Each variant of DCGAN differs in what it says, and in nothing else."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from zoo_core import ImageSpec, registry

DCGAN = registry.recipe("dcgan")


def networks(name: str) -> tuple[Any, Any]:
    """Generator and discriminator of a recipe at 32×32, without memory."""
    recipe = registry.recipe(name)
    made = []
    for part in ("generator", "discriminator"):
        options = {k.split(".")[1]: v for k, v in recipe.options.items() if k.startswith(f"{part}.")}
        with torch.device("meta"):
            made.append(registry.create(f"{part}s", getattr(recipe, part), options, image=ImageSpec(32)))
    return made[0], made[1]


def count(network: nn.Module, *kinds: type[nn.Module]) -> int:
    return sum(isinstance(module, kinds) for module in network.modules())


def strided(network: nn.Module) -> int:
    return sum(isinstance(m, nn.Conv2d | nn.ConvTranspose2d) and m.stride != (1, 1) for m in network.modules())


def test_the_base() -> None:
    g, d = networks("dcgan")
    assert (strided(g), strided(d)) == (3, 3)
    assert (count(g, nn.BatchNorm2d), count(d, nn.BatchNorm2d)) == (3, 2)
    assert (count(d, nn.LeakyReLU), count(d, nn.ReLU)) == (3, 0)


@pytest.mark.parametrize(("name", "pool"), [("dcgan-maxpool", nn.MaxPool2d), ("dcgan-avgpool", nn.AvgPool2d)])
def test_pooling(name: str, pool: type[nn.Module]) -> None:
    g, d = networks(name)
    assert (strided(g), strided(d)) == (0, 0)
    assert (count(g, nn.Upsample), count(d, pool)) == (3, 3)


def test_global_average_pooling() -> None:
    (g, d), (g0, d0) = networks("dcgan-gap"), networks("dcgan")
    assert (d.to_logit.in_features, d0.to_logit.in_features) == (256, 256 * 16)
    assert [p.shape for p in g.parameters()] == [p.shape for p in g0.parameters()]


def test_fully_connected() -> None:
    g, d = networks("dcgan-fc")
    assert (g.blocks["hidden"][0].out_features, d.hidden[0].out_features) == (1024, 1024)


def test_no_batch_normalization() -> None:
    assert [count(net, nn.BatchNorm1d, nn.BatchNorm2d) for net in networks("dcgan-nobn")] == [0, 0]


def test_batch_normalization_everywhere() -> None:
    g, d = networks("dcgan-allbn")
    assert (count(g, nn.BatchNorm2d), count(d, nn.BatchNorm2d)) == (4, 3)
    assert g.to_image[-2].num_features == 3


def test_relu() -> None:
    _, d = networks("dcgan-relu")
    assert (count(d, nn.LeakyReLU), count(d, nn.ReLU)) == (0, 3)


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("dcgan-maxpool", {"discriminator.downsample": "max", "generator.upsample": "nearest"}),
        ("dcgan-avgpool", {"discriminator.downsample": "avg", "generator.upsample": "nearest"}),
        ("dcgan-gap", {"discriminator.head": "gap"}),
        ("dcgan-fc", {"discriminator.hidden": 1024, "generator.hidden": 1024}),
        ("dcgan-nobn", {"discriminator.norm": "none", "generator.norm": "none"}),
        ("dcgan-allbn", {"discriminator.input_norm": True, "generator.output_norm": True}),
        ("dcgan-relu", {"discriminator.activation": "relu"}),
        ("dcgan-beta09", {"optimizer.beta1": 0.9}),
        ("dcgan-lr1e-3", {"optimizer.lr": 1e-3}),
        ("lsgan", {}),
        ("sngan", {"discriminator.norm": "spectral"}),
        ("dcgan-r1", {"discriminator.norm": "none"}),
        ("dcgan-diffaug", {"training.augment": ["color", "translation", "cutout"]}),
        ("cdcgan", {"algorithm.conditional": True}),
    ],
)
def test_nothing_else_differs(name: str, changed: dict[str, object]) -> None:
    recipe = registry.recipe(name)
    assert (recipe.generator, recipe.discriminator) == (DCGAN.generator, DCGAN.discriminator)
    assert dict(recipe.options) == {**DCGAN.options, **changed}


@pytest.mark.parametrize(
    ("name", "loss"),
    [
        ("lsgan", "least-squares"),
        ("wgan-gp", "wasserstein"),
        ("sngan", "hinge"),
        ("dcgan-r1", "non-saturating-r1"),
        ("dcgan-diffaug", "non-saturating"),
        ("dcgan-gap", "non-saturating"),
        ("mlp-gan", "non-saturating"),
        ("lapgan", "non-saturating"),
    ],
)
def test_losses(name: str, loss: str) -> None:
    recipe = registry.recipe(name)
    assert recipe.loss == loss
    assert "arXiv:" in recipe.paper


def test_spectral_normalization_of_all_weights() -> None:
    recipe = registry.recipe("sngan")
    assert recipe.options["discriminator.norm"] == "spectral"
    torch.manual_seed(0)
    d = registry.create("discriminators", "dcgan", {"norm": "spectral", "width": 8}, image=ImageSpec(16))
    for _ in range(60):  # each forward pass is one step of the power iteration
        d(torch.rand(2, 3, 16, 16))
    d.eval()
    for module in d.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            assert torch.linalg.matrix_norm(module.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.05)
