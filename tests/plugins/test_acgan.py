"""AC-GAN: a discriminator with a logit and the label's scores, and what both networks make of the scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax, softplus

from helpers.packs import pictures
from helpers.training import train_by_halves
from zoo_core import ImageSpec, OptionError, Step, registry
from zoo_plugins.dcgan.networks import DCGANGenerator
from zoo_plugins.successors.acgan import ACGAN, ACGANDiscriminator

IMAGE = ImageSpec(16, 3, 3)


def step_of(algorithm_parts: dict[str, Any], record: dict[str, Tensor], pieces: int = 1) -> Step:
    rng = torch.Generator().manual_seed(0)
    real, z = torch.rand(4, *IMAGE.shape, generator=rng) * 2 - 1, torch.randn(4, 6, generator=rng)
    due = frozenset(("discriminator", "generator"))
    return Step(real, torch.tensor([2, 0, 1, 2]), z, algorithm_parts, due, pieces=pieces, record=record.__setitem__)


def parts(loss: str = "non-saturating") -> dict[str, Any]:
    torch.manual_seed(0)
    return {
        "generator": DCGANGenerator(image=IMAGE, width=4, latent_dim=6),
        "discriminator": ACGANDiscriminator(image=IMAGE, width=4, dropout=0),
        "loss": registry.create("losses", loss),
    }


def test_the_appendix() -> None:
    """Six convolutions of 3×3 from 16 to 512 maps; parameters as clvrai/ACGAN-PyTorch has them for CIFAR-10."""
    network = ACGANDiscriminator(image=ImageSpec(32, 3, 10))
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert [(m.out_channels, m.kernel_size[0], m.stride[0]) for m in layers] == [(16 << n, 3, 2 - n % 2) for n in range(6)]
    assert sum(p.numel() for p in network.parameters()) == 1_663_867
    assert [m.p for m in network.modules() if isinstance(m, nn.Dropout)] == [0.5] * 6
    assert {m.negative_slope for m in network.modules() if isinstance(m, nn.LeakyReLU)} == {0.2}
    assert [isinstance(block[1], nn.BatchNorm2d) for block in network.blocks.values()] == [False, *[True] * 5]
    for layer in (layers[-1], network.to_outputs):
        assert float(layer.weight.detach().std()) == pytest.approx(0.02, rel=0.03)
    assert not network.to_outputs.bias.any()
    x = torch.rand(2, 3, 32, 32)
    assert [f.shape[1:] for f in network.eval().features(x)] == [
        *((16, 16, 16), (32, 16, 16), (64, 8, 8), (128, 8, 8), (256, 4, 4), (512, 4, 4))
    ]
    outputs = network(x, None, True)
    assert outputs.shape == (2, 11)
    assert outputs[:, 0].equal(network(x))


def test_what_both_minimize() -> None:
    made, logged = parts(), {}
    step = step_of(made, logged)
    with torch.no_grad():
        real, fake = (made["discriminator"](x, None, True) for x in (step.real, made["generator"](step.z, step.labels)))
        assert step.labels is not None
        read = [-log_softmax(out[:, 1:], 1)[range(4), step.labels].mean() for out in (real, fake)]
        told = softplus(-real[:, 0]).mean() + softplus(fake[:, 0]).mean(), softplus(-fake[:, 0]).mean()
        right = [float((out[:, 1:].argmax(1) == step.labels).sum()) / 4 for out in (real, fake)]
    algorithm = ACGAN(weight=0.5)
    assert [phase.name for phase in algorithm.phases(made)] == ["discriminator", "generator"]
    (d_value,) = algorithm.losses("discriminator", step)
    assert d_value.item() == pytest.approx((told[0] + 0.5 * (read[0] + read[1])).item(), rel=1e-5)
    assert [float(logged["read_real"]), float(logged["read_fake"])] == right
    assert float(logged["d_loss"]) == pytest.approx(told[0].item(), rel=1e-5)
    (g_value,) = algorithm.losses("generator", step)
    assert g_value.item() == pytest.approx((told[1] + 0.5 * read[1]).item(), rel=1e-5)
    apart = step_of(made, {}, pieces=2)  # whose graph is not kept between the phases
    list(algorithm.losses("discriminator", apart))
    (again,) = algorithm.losses("generator", apart)
    assert again.item() == pytest.approx(g_value.item(), rel=1e-5)
    assert algorithm.conditional


def test_what_is_refused() -> None:
    with pytest.raises(OptionError, match="a discriminator that reads"):
        ACGAN().phases({**parts(), "discriminator": registry.create("discriminators", "dcgan", image=IMAGE)})
    with pytest.raises(OptionError, match="acgan wants a loss of logits alone"):
        ACGAN().phases(parts("non-saturating-r1"))
    with pytest.raises(OptionError, match="not 40"):
        ACGANDiscriminator(image=ImageSpec(40))


def test_a_training_resumes_exactly(tmp_path: Path) -> None:
    data = pictures(tmp_path / "pictures", 20, colored={0})
    one = train_by_halves("acgan", data, tmp_path, {"generator.latent_dim": 6})
    assert one.sample(2, label=one.classes[0]).shape == (2, 3, 16, 16)
