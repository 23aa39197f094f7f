"""Each variant of DCGAN differs in what it says, and in nothing else."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from zoo_core import ImageSpec, registry

DCGAN = registry.recipe("dcgan")
TTUR = {
    "optimizer.generator.lr": 2e-4,
    "optimizer.discriminator.lr": 8e-4,
    "optimizer.beta1": 0.0,
    "optimizer.beta2": 0.9,
}
UNNORMALIZED = {"discriminator.norm": "none", "discriminator.bias": True, "discriminator.init": "he"}


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
        ("dcgan-nobn-he", {**UNNORMALIZED, "generator.norm": "none", "generator.bias": True, "generator.init": "he"}),
        ("dcgan-allbn", {"discriminator.input_norm": True, "generator.output_norm": True}),
        ("dcgan-relu", {"discriminator.activation": "relu"}),
        ("dcgan-beta09", {"optimizer.beta1": 0.9}),
        ("dcgan-lr1e-3", {"optimizer.lr": 1e-3}),
        ("lsgan", {}),
        ("dcgan-sn", {"discriminator.norm": "spectral", "discriminator.bias": True, "discriminator.slope": 0.1, **TTUR}),
        ("dcgan-r1", {**UNNORMALIZED, "loss.r1": 0.1, "optimizer.discriminator.lr": 4e-4}),
        (
            "wgan-gp-ttur",
            {
                **UNNORMALIZED,
                "algorithm.discriminator_steps": 1,
                **TTUR,
                "optimizer.generator.lr": 1e-4,
                "optimizer.discriminator.lr": 3e-4,
                "optimizer.lr": 1e-4,
            },
        ),
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


@pytest.mark.parametrize("norm", ["none", "spectral", "batch"])
def test_biases(norm: str) -> None:
    """Without any, a discriminator that nothing shifts scales its logits with its images, whatever it learned."""
    options = {"norm": norm, "width": 8}
    plain = registry.create("discriminators", "dcgan", options, image=ImageSpec(16))
    biased = registry.create("discriminators", "dcgan", {**options, "bias": True}, image=ImageSpec(16))
    layers = [m for m in biased.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert all(m.bias is not None and not m.bias.any() for m in layers)  # they begin at 0
    assert all(m.bias is None for m in plain.modules() if isinstance(m, nn.Conv2d | nn.Linear))
    images = torch.rand(4, 3, 16, 16)
    for network, scales in ((plain, norm != "batch"), (biased, False)):
        network.eval()
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                if name.endswith("bias"):
                    parameter.fill_(0.1)
            assert torch.allclose(network(2 * images), 2 * network(images), rtol=1e-4, atol=1e-6) == scales


def test_he_initialization_keeps_the_scale() -> None:
    images, found = torch.randn(16, 3, 64, 64), {}
    for init in ("normal", "he"):
        torch.manual_seed(0)
        network = registry.create("discriminators", "dcgan", {"norm": "none", "width": 8, "init": init}, image=ImageSpec(64))
        with torch.no_grad():
            found[init] = [float(stage.std()) for stage in network.features(images)]
    assert all(0.5 < value < 2 for value in found["he"])
    assert found["normal"][-1] < 0.01
