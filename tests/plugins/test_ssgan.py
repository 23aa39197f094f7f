"""SS-GAN: the networks of DCGAN's section 4.2, and what both make of pictures that are turned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import log_softmax, softplus

from helpers.packs import pictures
from helpers.training import train_by_halves
from zoo_core import ImageSpec, OptionError, Step, registry
from zoo_plugins.dcgan.networks import DCGANGenerator, PairsDiscriminator
from zoo_plugins.successors.ssgan import SSGAN, SSGANDiscriminator

IMAGE = ImageSpec(16, 3)


def made() -> dict[str, Any]:
    torch.manual_seed(0)
    return {
        "generator": DCGANGenerator(image=IMAGE, width=4, latent_dim=6),
        "discriminator": SSGANDiscriminator(image=IMAGE, width=4).eval(),  # so that each image is judged by itself
        "loss": registry.create("losses", "non-saturating"),
    }


def test_the_network() -> None:
    """That of pairs, with four scores and a bias beside its logit."""
    network, plain = SSGANDiscriminator(image=ImageSpec(32)), PairsDiscriminator(image=ImageSpec(32))
    counts = [sum(p.numel() for p in each.parameters()) for each in (network, plain)]
    assert counts[0] == counts[1] + 4 * 512 * 16 + 5
    x = torch.rand(2, 3, 32, 32)
    assert sum(f.shape[1] * 16 for f in network.eval().features(x)) == 28_672
    assert network(x, None, True).shape == (2, 5)


def test_what_both_minimize() -> None:
    parts, logged = made(), dict[str, Tensor]()
    real, z = torch.rand(8, *IMAGE.shape) * 2 - 1, torch.randn(8, 6)
    due = frozenset(("discriminator", "generator"))
    step = Step(real, None, z, parts, due, record=logged.__setitem__)

    def turned(images: Tensor) -> tuple[Tensor, Tensor]:
        """Independently: each of the first two, turned by hand, and what is read of it."""
        wrong, right = [], []
        for turn in range(4):
            for image in images[:2]:
                shown = image
                for _ in range(turn):
                    shown = shown.transpose(1, 2).flip(1)  # a quarter to the left
                scores = parts["discriminator"](shown[None], None, True)[0, 1:]
                wrong.append(-log_softmax(scores, 0)[turn])
                right.append(float(scores.argmax() == turn))
        return torch.stack(wrong).mean(), torch.tensor(right).mean()

    with torch.no_grad():
        fake = parts["generator"](z)
        logits = [parts["discriminator"](images) for images in (real, fake)]
        (real_wrong, real_right), (fake_wrong, fake_right) = turned(real), turned(fake)
        d_loss, g_loss = softplus(-logits[0]).mean() + softplus(logits[1]).mean(), softplus(-logits[1]).mean()
    algorithm = SSGAN(discriminator_weight=0.7, generator_weight=0.3)
    (d_value,) = algorithm.losses("discriminator", step)
    assert d_value.item() == pytest.approx((d_loss + 0.7 * real_wrong).item(), rel=1e-4)
    assert (float(logged["d_loss"]), float(logged["turn_real"])) == (pytest.approx(d_loss.item(), rel=1e-4), real_right)
    (g_value,) = algorithm.losses("generator", step)
    assert g_value.item() == pytest.approx((g_loss + 0.3 * fake_wrong).item(), rel=1e-4)
    assert float(logged["turn_fake"]) == fake_right


def test_a_share_of_the_images_is_turned() -> None:
    parts = made()
    for share, count in ((0.25, 8), (1.0, 32), (0.01, 4)):
        logits, scores = SSGAN(share=share).read(parts["discriminator"], torch.zeros(8, *IMAGE.shape))
        assert (logits.shape, scores.shape) == ((8,), (count, 4))


def test_turned_images_do_not_tell_who_is_real() -> None:
    """Batch normalization in training sees what comes together: real and generated images must come in the same company."""
    discriminator, images = made()["discriminator"].train(), torch.rand(8, *IMAGE.shape)
    logits = [SSGAN().read(discriminator, images, aside)[0] for aside in (False, True)]
    assert logits[0].equal(logits[1])


def test_what_is_refused() -> None:
    with pytest.raises(OptionError, match="ssgan wants a discriminator that reads"):
        SSGAN().phases({**made(), "discriminator": registry.create("discriminators", "dcgan", image=IMAGE)})


def test_a_training_resumes_exactly(tmp_path: Path) -> None:
    data = pictures(tmp_path / "pictures", 20, colored={0})
    assert train_by_halves("ssgan", data, tmp_path, {"generator.latent_dim": 6}).sample(2).shape == (2, 3, 16, 16)
