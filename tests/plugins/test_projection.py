"""Projection: SNGAN's residual networks with a label's own gains, shifts and vector."""

from __future__ import annotations

from math import sqrt
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import batch_norm, relu

from zoo_core import ImageSpec, registry
from zoo_plugins.conditioning import ConditionalBatchNorm


def make(role: str, size: int, classes: int, recipe: str = "projection", **options: Any) -> Any:
    own = {k.partition(".")[2]: v for k, v in registry.recipe(recipe).options.items() if k.startswith(f"{role[:-1]}.")}
    return registry.create(role, "projection", {**own, **options}, image=ImageSpec(size, 3, classes))


@pytest.mark.parametrize(
    ("recipe", "size", "options", "plain"),  # parameters without labels, which stand in test_residual.py
    [
        ("projection-32", 32, {}, (4_276_739, 1_053_825)),
        ("projection", 64, {}, (12_220_675, 10_141_441)),
        ("projection", 128, {"halvings": 5, "plain": 1}, (32_150_787, 29_017_857)),
    ],
)
def test_parameters(recipe: str, size: int, options: dict[str, int], plain: tuple[int, int]) -> None:
    """As Mimicry's: gains and shifts of two normalizations in each block, and a vector of the last maps, ten times."""
    maps = {32: [256] * 4, 64: [1024, 512, 256, 128, 64], 128: [1024, 1024, 512, 256, 128, 64]}[size]
    last = 128 if size == 32 else 1024
    with torch.device("meta"):
        networks = make("generators", size, 10, recipe), make("discriminators", size, 10, recipe, **options)
    normalized = sum(maps[:-1]) + sum(maps[1:])
    wanted = [plain[0] + 2 * (10 - 1) * normalized, plain[1] + 10 * last]
    assert [sum(p.numel() for p in network.parameters()) for network in networks] == wanted


def test_normalization_by_label() -> None:
    torch.manual_seed(0)
    layer, x, labels = ConditionalBatchNorm(4, 3), torch.randn(5, 4, 6, 6), torch.tensor([0, 2, 1, 2, 0])
    assert torch.allclose(layer(x, labels), batch_norm(x, None, None, training=True), atol=1e-5)
    nn.init.normal_(layer.gains.weight)
    nn.init.normal_(layer.shifts.weight)
    mean, deviation = x.mean((0, 2, 3), keepdim=True), (x.var((0, 2, 3), correction=0, keepdim=True) + 1e-5).sqrt()
    plain = (x - mean) / deviation
    wanted = torch.stack(
        [
            plain[i] * layer.gains.weight[k][:, None, None] + layer.shifts.weight[k][:, None, None]
            for i, k in enumerate(labels.tolist())
        ]
    )
    assert torch.allclose(layer(x, labels), wanted, atol=1e-5)


def test_the_logit_is_a_projection() -> None:
    torch.manual_seed(0)
    network = make("discriminators", 16, 5, width=4)
    deviation = float(network.label.parametrizations.weight.original.detach().std())
    assert deviation == pytest.approx(sqrt(2 / (5 + 16)), rel=0.15)  # Glorot's
    for _ in range(60):  # each forward pass is one step of the power iteration
        network(torch.rand(2, 3, 16, 16), torch.tensor([0, 4]))
    network.eval()
    vectors = network.label.weight.detach()
    assert torch.linalg.matrix_norm(vectors, 2).item() == pytest.approx(1, abs=0.05)
    images, labels = torch.rand(4, 3, 16, 16), torch.tensor([3, 1, 4, 1])
    logits, features = network.logits_and_features(images, labels)
    summed = relu(features[-1]).sum((2, 3))
    plain = (summed @ network.to_logit.weight.T + network.to_logit.bias)[:, 0]
    assert torch.allclose(logits, plain + torch.diagonal(summed @ vectors[labels].T), atol=1e-5)


def test_labels_change_pictures_and_are_asked_for() -> None:
    torch.manual_seed(0)
    network = make("generators", 16, 3, width=4, latent_dim=8)
    for block in list(network.blocks.values())[1:]:
        nn.init.normal_(block.norms[0].shifts.weight)
    z = torch.randn(1, 8).expand(3, 8)
    one, other, third = network.eval()(z, torch.arange(3))
    assert not one.equal(other)
    assert not other.equal(third)
    for role, given in (("generators", z), ("discriminators", torch.rand(1, 3, 16, 16))):
        with pytest.raises(ValueError, match="conditional and needs labels"):
            make(role, 16, 3, width=4, **({"latent_dim": 8} if role == "generators" else {}))(given)
