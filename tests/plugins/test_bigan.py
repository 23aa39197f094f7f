"""BiGAN: what its discriminator compares, who learns from what, and a training with an encoder."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from helpers.packs import pictures
from helpers.training import train_by_halves
from zoo_core import ImageSpec, OptionError, Step, registry
from zoo_plugins.algorithms.bigan import BiGAN
from zoo_plugins.bigan.networks import DCGANEncoder, JointDiscriminator
from zoo_plugins.dcgan.networks import DCGANGenerator

IMAGE = ImageSpec(16)


def parts() -> dict[str, object]:
    torch.manual_seed(0)
    return {
        "generator": DCGANGenerator(image=IMAGE, width=4, latent_dim=6),
        "encoder": DCGANEncoder(image=IMAGE, latent_dim=6, width=4),
        "discriminator": JointDiscriminator(image=IMAGE, latent_dim=6, width=4, hidden=8),
        "loss": registry.create("losses", "non-saturating"),
    }


def a_step(made: dict[str, object], record: dict[str, Tensor] | None = None) -> Step:
    real, z = torch.rand(4, *IMAGE.shape) * 2 - 1, torch.randn(4, 6)
    logged = record if record is not None else {}
    return Step(real, None, z, made, frozenset(("discriminator", "generator")), record=logged.__setitem__)


def test_the_discriminator_compares_pairs() -> None:
    made, algorithm, logged = parts(), BiGAN(), {}
    seen: list[tuple[Tensor, Tensor]] = []
    discriminator = made["discriminator"]
    assert isinstance(discriminator, nn.Module)
    discriminator.register_forward_pre_hook(lambda _m, given: seen.append((given[0], given[2])))
    step = a_step(made, logged)
    values = [value.item() for value in algorithm.losses("discriminator", step)]
    (real, code), (fake, z) = seen
    assert real.equal(step.real)
    assert z.equal(step.z)
    assert code.shape == z.shape
    assert fake.shape == real.shape
    assert not any(tensor.requires_grad for pair in seen for tensor in pair)  # only the discriminator learns here
    assert len(values) == 2
    assert {"d_loss", "d_real", "d_fake", "d_right", "real_logit", "fake_logit"} == set(logged)


def test_a_loss_with_targets_cannot_be_swapped_by_a_sign() -> None:
    made = {**parts(), "loss": registry.create("losses", "least-squares")}
    with pytest.raises(OptionError, match="this loss has targets instead") as caught:
        BiGAN().phases(made)
    assert "non-saturating" in str(caught.value.hint)


def test_generator_and_encoder_learn_to_swap_the_pairs() -> None:
    made, algorithm = parts(), BiGAN()
    step = a_step(made)
    list(algorithm.losses("discriminator", step))
    mine, theirs = algorithm.losses("generator", step)
    reached = {}
    for name, value in (("fake", mine), ("real", theirs)):
        for role in ("generator", "encoder"):
            own = list(made[role].parameters())  # type: ignore[attr-defined]
            found = torch.autograd.grad(value, own, allow_unused=True, retain_graph=True)
            reached[name, role] = any(g is not None and bool(g.any()) for g in found)
    assert reached == {
        ("fake", "generator"): True,
        ("fake", "encoder"): False,
        ("real", "generator"): False,
        ("real", "encoder"): True,
    }
    with torch.no_grad():
        discriminator = made["discriminator"]
        assert isinstance(discriminator, JointDiscriminator)
        logits = discriminator(step.real, None, made["encoder"](step.real))  # type: ignore[operator]
    assert theirs.item() == pytest.approx(torch.nn.functional.softplus(logits).mean().item(), rel=1e-2)


def test_a_code_learns_to_draw_its_picture() -> None:
    """With a reconstruction both networks are led to it, and how far it is stands in the log."""
    made, logged = parts(), {}
    step = a_step(made, logged)
    algorithm = BiGAN(reconstruction=3.0)
    list(algorithm.losses("discriminator", step))
    (value,) = algorithm.losses("generator", step)
    generator, encoder = made["generator"], made["encoder"]
    assert isinstance(generator, nn.Module)
    assert isinstance(encoder, nn.Module)
    rebuilt = generator(torch.cat([step.z, encoder(step.real)]))[4:]  # drawn beside the others
    expected = (rebuilt - step.real).square().mean()
    assert logged["rebuilt"].item() == pytest.approx(expected.item(), rel=1e-3)
    assert value.item() == pytest.approx((logged["g_loss"] + logged["e_loss"] + 3 * expected).item(), rel=1e-3)
    for network in (generator, encoder):
        found = torch.autograd.grad(value, [*network.parameters()], allow_unused=True, retain_graph=True)
        assert any(g is not None and bool(g.any()) for g in found)
    assert registry.recipe("bigan").options["algorithm.reconstruction"] > 0


def test_a_discriminator_of_pairs_serves_without_a_latent() -> None:
    discriminator = JointDiscriminator(image=IMAGE, latent_dim=6, width=4, hidden=8).eval()
    x = torch.rand(3, *IMAGE.shape)
    assert discriminator(x).equal(discriminator(x, None, torch.zeros(3, 6)))
    assert not discriminator(x).equal(discriminator(x, None, torch.ones(3, 6)))
    assert [f.shape[1] for f in discriminator.features(x)] == [4, 8, 8]


@pytest.mark.parametrize("name", ["feature-matching", "wasserstein", "non-saturating-r1"])
def test_losses_that_want_more_are_refused(name: str) -> None:
    made = {**parts(), "loss": registry.create("losses", name)}
    with pytest.raises(OptionError, match="bigan wants a loss of logits alone, without a penalty"):
        BiGAN().phases(made)


def test_a_training_leaves_an_encoder_and_resumes_exactly(tmp_path: Path) -> None:
    data = pictures(tmp_path / "pictures", 20, colored={0})
    small = {"generator.latent_dim": 6, "encoder.width": 4, "discriminator.hidden": 8}
    one = train_by_halves("bigan", data, tmp_path, small)
    assert set(one.networks) == {"generator", "encoder", "discriminator"}
    assert one.networks["encoder"](one.sample(2)).shape == (2, 6)
