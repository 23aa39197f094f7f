"""The Laplacian pyramid: bands, levels, noise planes, labels."""

from __future__ import annotations

import pytest
import torch

import zoo
from zoo_core import ImageSpec, OptionError, Step, registry
from zoo_plugins.algorithms.lapgan import LAPGAN
from zoo_plugins.dcgan.networks import DCGANDiscriminator
from zoo_plugins.lapgan.networks import LAPGANDiscriminator, LAPGANGenerator, double, halve, sides

SMALL = {"coarsest": 4, "hidden": 8, "width": 4}


def test_levels() -> None:
    assert sides(64, 8) == [16, 32, 64]
    assert sides(20, 5) == [10, 20]
    for size, coarsest in ((8, 8), (48, 8), (64, 0), (64, 1), (16, 32)):
        with pytest.raises(OptionError, match=f"not {size}") as caught:
            sides(size, coarsest)
        assert "--size" in caught.value.hint


def test_another_top_is_offered_where_it_fits() -> None:
    with pytest.raises(OptionError) as caught:
        sides(96, 8)
    assert caught.value.hint == "try: --size 64; or: --set generator.coarsest=6 --set discriminator.coarsest=6"
    assert sides(96, 6) == [12, 24, 48, 96]
    with pytest.raises(OptionError) as caught:
        sides(100, 8)
    assert caught.value.hint == "try: --size 128"


def test_a_latent_has_a_plane_of_noise_for_each_level() -> None:
    generator = LAPGANGenerator(image=ImageSpec(16), latent_dim=5, **SMALL)
    assert generator.latent_dim == 5 + 8 * 8 + 16 * 16
    z = generator.sample_latent(2, torch.Generator().manual_seed(0))
    changed = z.clone()
    changed[:, 5 + 64 :] += 1  # the finest plane alone
    a, b = generator(z), generator(changed)
    torch.testing.assert_close(halve(halve(a)), halve(halve(b)), atol=0.2, rtol=0)
    assert (a - b).abs().max() > 1e-3


def test_without_detail_the_picture_is_its_top_doubled() -> None:
    generator = LAPGANGenerator(image=ImageSpec(16), latent_dim=5, **SMALL)
    tops: list[torch.Tensor] = []
    generator.top.register_forward_hook(lambda _m, _i, out: tops.append(out))
    with torch.no_grad():
        for layer in generator.high.values():
            layer.weight.zero_()
            layer.bias.zero_()
        picture = generator(generator.sample_latent(3))
    torch.testing.assert_close(picture, double(double(tops[0])))


def test_what_is_too_bright_can_come_back() -> None:
    generator = LAPGANGenerator(image=ImageSpec(8), latent_dim=5, **SMALL)
    with torch.no_grad():
        generator.high["8x8"].bias.fill_(9.0)
    picture = generator(generator.sample_latent(2))
    assert picture.min() == picture.max() == 1
    picture.sum().backward()
    gradient = generator.high["8x8"].bias.grad
    assert gradient is not None
    assert gradient.min() > 0


def test_the_logit_is_the_mean_of_the_levels() -> None:
    discriminator = LAPGANDiscriminator(image=ImageSpec(16), **SMALL)
    seen: list[torch.Tensor] = []
    for judge in discriminator.logits.values():
        judge.register_forward_hook(lambda _m, _i, out: seen.append(out.squeeze(1)))
    x = torch.rand(3, 3, 16, 16) * 2 - 1
    logits = discriminator(x)
    assert list(discriminator.logits) == ["16x16", "8x8", "top"]
    torch.testing.assert_close(logits, (seen[0] + seen[1] + seen[2]) / 3)


def test_each_judge_sees_the_bands_of_its_level() -> None:
    discriminator = LAPGANDiscriminator(image=ImageSpec(16), **SMALL)
    seen: dict[str, torch.Tensor] = {}
    for name, stage in discriminator.stages().items():
        stage.register_forward_hook(lambda _m, given, _o, name=name: seen.update({name: given[0]}))
    x = torch.rand(2, 3, 16, 16) * 2 - 1
    discriminator(x)
    high, low = seen["16x16-1"].chunk(2, dim=1)
    torch.testing.assert_close(high + low, x)
    torch.testing.assert_close(low, double(halve(x)))
    torch.testing.assert_close(seen["8x8-1"].chunk(2, dim=1)[1], double(halve(halve(x))))
    torch.testing.assert_close(seen["top-1"], halve(halve(x)).flatten(1))


def test_labels_reach_every_level() -> None:
    image = ImageSpec(16, num_classes=3)
    generator = LAPGANGenerator(image=image, latent_dim=5, **SMALL)
    discriminator = LAPGANDiscriminator(image=image, **SMALL)
    z = generator.sample_latent(2)
    one, other = torch.tensor([0, 0]), torch.tensor([1, 2])
    assert not generator(z, one).equal(generator(z, other))
    assert not discriminator(generator(z, one), one).equal(discriminator(generator(z, one), other))
    for network, given in ((generator, z), (discriminator, torch.zeros(2, 3, 16, 16))):
        with pytest.raises(ValueError, match="conditional on 3 classes"):
            network(given)


@pytest.mark.parametrize("option", ["hidden", "width"])
def test_options_below_one(option: str) -> None:
    for network in (LAPGANGenerator, LAPGANDiscriminator):
        with pytest.raises(OptionError, match=f"{option} must be at least 1, not 0"):
            network(image=ImageSpec(16), **{**SMALL, option: 0})


def games(seed: int = 0) -> tuple[dict[str, object], Step]:
    torch.manual_seed(seed)
    image = ImageSpec(16)
    parts: dict[str, object] = {
        "generator": LAPGANGenerator(image=image, latent_dim=5, **SMALL),
        "discriminator": LAPGANDiscriminator(image=image, **SMALL),
        "loss": registry.create("losses", "non-saturating"),
    }
    z = torch.randn(2, 5 + 8 * 8 + 16 * 16)
    return parts, Step(torch.rand(2, *image.shape) * 2 - 1, None, z, parts, frozenset(("discriminator", "generator")))


def test_each_level_is_a_game_of_its_own() -> None:
    parts, step = games()
    generator = parts["generator"]
    assert isinstance(generator, LAPGANGenerator)
    for value, level in zip(LAPGAN().losses("generator", step), ("16x16", "8x8", "top"), strict=True):
        named = dict(generator.named_parameters())
        found = torch.autograd.grad(value, list(named.values()), allow_unused=True)
        reached = {key.split(".")[1].split("-")[0] for key, g in zip(named, found, strict=True) if g is not None}
        assert {name for name in reached if not name.isdigit()} == {level}


def test_levels_below_the_top_see_low_bands_of_real_pictures() -> None:
    parts, step = games()
    seen: dict[str, torch.Tensor] = {}
    discriminator = parts["discriminator"]
    assert isinstance(discriminator, LAPGANDiscriminator)
    for name, stage in discriminator.stages().items():
        stage.register_forward_pre_hook(lambda _m, given, name=name: seen.update({name: seen.get(name, given[0])}))
    list(LAPGAN().losses("discriminator", step))
    high, low = seen["16x16-1"].chunk(2, dim=1)  # the first call is of real ones
    torch.testing.assert_close(low, double(halve(step.real)))
    torch.testing.assert_close(high + low, step.real)
    torch.testing.assert_close(seen["top-1"], halve(halve(step.real)).flatten(1))


def test_only_networks_that_know_levels() -> None:
    parts, _ = games()
    with pytest.raises(OptionError, match="wants a discriminator that knows levels, and DCGANDiscriminator does not"):
        LAPGAN().phases({**parts, "discriminator": DCGANDiscriminator(image=ImageSpec(16), width=4)})


def test_augmentation_is_refused_when_planned() -> None:
    with pytest.raises(OptionError, match="lapgan has no augmentation"):
        zoo.plan("lapgan", dataset="faces", device="cpu", options={"training.augment": "color"})
