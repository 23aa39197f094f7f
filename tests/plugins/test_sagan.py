"""SAGAN's networks are those of the paper and of the code that is in use, and attention is what the paper says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, max_pool2d

from helpers.packs import pictures
from helpers.training import train_by_halves
from zoo_core import ImageSpec, registry
from zoo_plugins.successors.sagan import SelfAttention

FOR_32 = ({"width": 256, "max_width": 256}, {"width": 128, "max_width": 128, "halvings": 2, "plain": 2})
ROLES = ("generators", "discriminators")


def make(role: str, size: int, classes: int = 0, **options: Any) -> Any:
    return registry.create(role, "sagan", options, image=ImageSpec(size, 3, classes))


@pytest.mark.parametrize(
    ("size", "classes", "options", "expected"),
    [
        (32, 10, FOR_32, [4_386_308, 1_075_586]),  # as many as PyTorch-StudioGAN's for CIFAR10
        (128, 1000, ({"attention": 64}, {"attention": 64}), [42_017_412, 39_448_258]),  # and for ImageNet
    ],
)
def test_parameters(size: int, classes: int, options: tuple[dict[str, Any], ...], expected: list[int]) -> None:
    with torch.device("meta"):
        networks = [make(role, size, classes, **own) for role, own in zip(ROLES, options, strict=True)]
    assert [sum(p.numel() for p in network.parameters()) for network in networks] == expected


@pytest.mark.parametrize(("size", "attending", "last"), [(32, 16, 4), (48, 24, 3), (64, 32, 4), (128, 32, 4)])
def test_shapes_and_which_maps_attend(size: int, attending: int, last: int) -> None:
    generator, discriminator = (make(role, size, width=4, max_width=8) for role in ROLES)
    images = generator(torch.randn(2, 128))
    assert images.shape == (2, 3, size, size)
    logits, features = discriminator.logits_and_features(images)
    assert logits.shape == (2,)
    assert [f.shape[2] for f in features[-2:]] == [last, last]
    for network in (generator, discriminator):
        found = [name for name, stage in network.stages().items() if isinstance(stage, SelfAttention)]
        assert found == [f"{attending}x{attending}"]


@pytest.mark.parametrize("role", ROLES)
def test_maps_of_another_size_attend_or_none(role: str) -> None:
    for wanted, expected in ((0, []), (8, ["8x8"]), (20, ["16x16"]), (512, ["32x32"])):
        stages = make(role, 64, width=4, max_width=8, attention=wanted).stages()
        assert [name for name, stage in stages.items() if isinstance(stage, SelfAttention)] == expected


def test_attention() -> None:
    """Place by place: a softmax over the products of features, a mean of values with these weights, added by a share that
    is 0 at first."""
    torch.manual_seed(0)
    attention, x = SelfAttention(nn.Identity(), 16).eval(), torch.randn(2, 16, 4, 6)
    assert attention(x).equal(x)
    nn.init.constant_(attention.share, 0.7)
    weight = {name: layer.weight for name, layer in attention.layers.items()}
    assert {name: tuple(w.shape[:2]) for name, w in weight.items()} == {
        "query": (2, 16),
        "key": (2, 16),
        "value": (8, 16),
        "project": (16, 8),
    }
    key, value = (max_pool2d(conv2d(x, weight[name]), 2) for name in ("key", "value"))
    query, seen = conv2d(x, weight["query"]), torch.zeros(2, 8, 4, 6)
    for n in range(2):
        for i in range(4):
            for j in range(6):
                scores: Tensor = torch.einsum("c,cij->ij", query[n, :, i, j], key[n])
                share = scores.exp() / scores.exp().sum()
                seen[n, :, i, j] = (value[n] * share).sum((1, 2))
    assert torch.allclose(attention(x), x + 0.7 * conv2d(seen, weight["project"]), atol=1e-5)


@pytest.mark.parametrize("role", ROLES)
def test_every_weight_is_normalized(role: str) -> None:
    torch.manual_seed(0)
    network = make(role, 16, 3, width=4)
    given = torch.randn(2, 128) if role == "generators" else torch.rand(2, 3, 16, 16)
    for _ in range(60):  # each forward pass is one step of the power iteration
        network(given, torch.tensor([0, 1]))
    network.eval()
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(layers) == (3 * 2 + 4 + 2 if role == "generators" else 3 * 3 + 4 + 1)
    for layer in layers:
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.05)
    attention = next(m for m in network.modules() if isinstance(m, SelfAttention)).layers["value"]
    drawn, (outputs, inputs) = attention.parametrizations.weight.original, attention.weight.shape[:2]
    assert drawn.detach().abs().max() <= (6 / (inputs + outputs)) ** 0.5  # Glorot's bound


@pytest.mark.parametrize("role", ROLES)
def test_labels(role: str) -> None:
    torch.manual_seed(0)
    network = make(role, 16, 3, width=4).eval()
    if role == "generators":
        nn.init.normal_(network.blocks["16x16"].norms[1].shifts.weight)
    given = torch.randn(1, 128) if role == "generators" else torch.rand(1, 3, 16, 16)
    assert not network(given, torch.tensor([0])).equal(network(given, torch.tensor([1])))
    with pytest.raises(ValueError, match="needs labels"):
        network(given)


def test_a_conditional_training_resumes_exactly(tmp_path: Path) -> None:
    data = pictures(tmp_path / "pictures", 12)
    assert train_by_halves("sagan", data, tmp_path, {"algorithm.conditional": True}, images=16).image.num_classes == 2
