"""InfoGAN: where the codes stand in a latent, how the generator is given them, and how the discriminator reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax, one_hot, softplus

import zoo
from helpers.packs import pictures
from helpers.training import train_by_halves
from zoo_core import ImageSpec, OptionError, Step, registry
from zoo_plugins.successors.infogan import CodedLinear, InfoGAN, InfoGANDiscriminator, InfoGANGenerator, choose

IMAGE = ImageSpec(16)
CODES: dict[str, int] = {"categorical": 2, "categories": 3, "continuous": 2}


def parts(loss: str = "non-saturating", **other: int) -> dict[str, Any]:
    torch.manual_seed(0)
    return {
        "generator": InfoGANGenerator(image=IMAGE, width=4, latent_dim=12, **CODES),
        "discriminator": InfoGANDiscriminator(image=IMAGE, width=4, **{**CODES, **other}),
        "loss": registry.create("losses", loss),
    }


def test_networks_of_the_recipe() -> None:
    """The paper's latent of 62 numbers, ten values and two continuous codes, and widths for 32×32."""
    recipe = registry.recipe("infogan").options
    assert (recipe["optimizer.generator.lr"], recipe["training.latent"]) == (1e-3, "uniform")
    generator = registry.create("generators", "infogan", image=ImageSpec(32))
    discriminator = registry.create("discriminators", "infogan", image=ImageSpec(32))
    plain = registry.create("generators", "dcgan", {"latent_dim": 74}, image=ImageSpec(32))
    assert generator.latent_dim == 62 + 10 + 2
    sizes = [sum(p.numel() for p in network.parameters()) for network in (generator, plain)]
    assert sizes[0] == sizes[1]  # one-hot codes have as many weights as numbers
    assert [m.out_channels for m in discriminator.modules() if isinstance(m, nn.Conv2d)] == [64, 128, 256]
    assert {m.negative_slope for m in discriminator.modules() if isinstance(m, nn.LeakyReLU)} == {0.1}
    assert discriminator.to_outputs.out_features == 1 + 10 + 2


def test_a_value_is_a_one_hot_vector() -> None:
    torch.manual_seed(0)
    layer, z = CodedLinear(2, 3, 5, 4000), torch.randn(7, 2 * 3 + 5)
    hot = torch.cat([one_hot(z[:, :3].argmax(1), 3), one_hot(z[:, 3:6].argmax(1), 3)], 1).float()
    wanted = hot @ layer.values.weight + z[:, 6:] @ layer.linear.weight.T
    assert torch.allclose(layer(z), wanted, atol=1e-5)
    assert [float(w.detach().std()) for w in layer.parameters()] == pytest.approx([0.02, 0.02], rel=0.03)


@pytest.mark.parametrize("latent", ["normal", "uniform"])
def test_codes_of_a_latent(latent: Any) -> None:
    generator = parts()["generator"]
    generator.latent = latent
    z = generator.sample_latent(3000, torch.Generator().manual_seed(0))
    chosen = choose(z, 2, 3)
    for code in chosen.T:  # uniform over three values
        assert torch.bincount(code, minlength=3).tolist() == pytest.approx([1000] * 3, abs=100)
    x, where = z[:1].repeat(2, 1), chosen[0, 0]
    x[1, where] *= 0.99 if x[1, where] < 0 else 1.01  # larger still: the same value
    assert generator.eval()(x)[0].equal(generator(x)[1])


def test_what_both_minimize() -> None:
    made, logged = parts(), {}
    rng = torch.Generator().manual_seed(0)
    real, z = torch.rand(4, *IMAGE.shape, generator=rng) * 2 - 1, torch.randn(4, 12, generator=rng)
    due = frozenset(("discriminator", "generator"))
    step = Step(real, None, z, made, due, record=logged.__setitem__)
    with torch.no_grad():
        judged, fake = (made["discriminator"](x, None, True) for x in (real, made["generator"](z)))
        wrong = torch.zeros(())
        for i in range(4):
            for code in range(2):
                value = int(z[i, 3 * code : 3 * code + 3].argmax())
                wrong -= log_softmax(fake[i, 1 + 3 * code : 4 + 3 * code], 0)[value] / 4
            wrong += ((fake[i, 7:] - z[i, 6:8]) ** 2).sum() / 2 / 4
        told = softplus(-judged[:, 0]).mean() + softplus(fake[:, 0]).mean(), softplus(-fake[:, 0]).mean()
    algorithm = InfoGAN(weight=2.0)
    algorithm.phases(made)
    (d_value,) = algorithm.losses("discriminator", step)
    assert d_value.item() == pytest.approx((told[0] + 2 * wrong).item(), rel=1e-5)
    assert float(logged["code_loss"]) == pytest.approx(wrong.item(), rel=1e-5)
    assert 0 <= float(logged["code_right"]) <= 1
    (g_value,) = algorithm.losses("generator", step)
    assert g_value.item() == pytest.approx((told[1] + 2 * wrong).item(), rel=1e-5)


def test_continuous_codes_alone() -> None:
    codes = {"categorical": 0, "continuous": 2}
    torch.manual_seed(0)
    made = {
        "generator": InfoGANGenerator(image=IMAGE, width=4, latent_dim=6, **codes),
        "discriminator": InfoGANDiscriminator(image=IMAGE, width=4, **codes),
        "loss": registry.create("losses", "hinge"),
    }
    step = Step(torch.rand(4, *IMAGE.shape), None, torch.randn(4, 6), made, frozenset(("discriminator",)))
    InfoGAN().phases(made)
    (value,) = InfoGAN().losses("discriminator", step)
    assert value.isfinite()


def test_what_is_refused() -> None:
    with pytest.raises(OptionError, match="of the same codes"):
        InfoGAN().phases(parts(continuous=1))
    with pytest.raises(OptionError, match="infogan wants a loss of logits alone"):
        InfoGAN().phases(parts("wasserstein"))
    with pytest.raises(OptionError, match="latent_dim must be above 12"):
        InfoGANGenerator(image=IMAGE, latent_dim=12)
    with pytest.raises(OptionError, match="without codes"):
        InfoGANDiscriminator(image=IMAGE, categorical=0, continuous=0)
    with pytest.raises(OptionError, match="know no labels"):
        InfoGANGenerator(image=ImageSpec(16, 3, 2))


def test_a_training_resumes_exactly_and_a_walk_along_a_code(tmp_path: Path) -> None:
    data = pictures(tmp_path / "pictures", 20, colored={0})
    one = train_by_halves("infogan", data, tmp_path, {"generator.latent_dim": 16})
    walked: Tensor = zoo.walk(one, latents=2, along="0-9").images
    assert walked.shape == (2, 10, 3, 16, 16)
    assert not walked[0, 0].equal(walked[0, 1])
    assert zoo.find_directions(one, samples=2, steps=3, count=2).vectors[:, :10].count_nonzero() == 0  # none of a value
