"""Losses and penalties that came after the first, against numbers computed by hand."""

from __future__ import annotations

from math import exp, log

import pytest
import torch
from torch import Tensor, nn

from zoo_core import Discriminator, ImageSpec, Loss, UsageError, registry
from zoo_plugins.losses.adversarial import gradient_penalty, r1_penalty

REAL, FAKE = torch.tensor([2.0, -1.0]), torch.tensor([0.5, -3.0])


def loss(name: str, **options: float) -> Loss:
    made: Loss = registry.create("losses", name, options)
    return made


class Linear(Discriminator):
    """Logit = slope · sum of the pixels, plus a bend of the first one, so that the gradient at x is known."""

    def __init__(self, *, slope: float, bend: float = 0.0) -> None:
        super().__init__(image=ImageSpec(2, 1))
        self.slope, self.bend = nn.Parameter(torch.tensor(slope)), bend

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.slope * x.flatten(1).sum(1) + self.bend * x[:, 0, 0, 0] ** 2

    def stages(self) -> dict[str, nn.Module]:
        return {}


def test_least_squares() -> None:
    made = loss("least-squares")
    assert made.discriminator(REAL, FAKE).item() == pytest.approx((1**2 + 2**2) / 4 + (0.5**2 + 3**2) / 4)
    assert made.generator(FAKE).item() == pytest.approx((0.5**2 + 4**2) / 4)
    assert loss("least-squares", goal=0.5).generator(FAKE).item() == pytest.approx((0**2 + 3.5**2) / 4)


def test_a_goal_between_the_targets_is_equation_8() -> None:
    """Targets of −1, 1 and 0 are those of 0, 1 and 0.5 for logits of twice the size and 1 less: the loss is four times as
    large, which Adam does not see."""
    made = loss("least-squares", goal=0.5)
    real, fake = 2 * REAL - 1, 2 * FAKE - 1
    discriminator = ((real - 1).square().mean() + (fake + 1).square().mean()) / 2
    assert 4 * made.discriminator(REAL, FAKE).item() == pytest.approx(discriminator.item())
    assert 4 * made.generator(FAKE).item() == pytest.approx(fake.square().mean().item() / 2)


def test_hinge() -> None:
    made = loss("hinge")
    assert made.discriminator(REAL, FAKE).item() == pytest.approx((0 + 2) / 2 + (1.5 + 0) / 2)
    assert made.generator(FAKE).item() == pytest.approx(1.25)


def test_wasserstein() -> None:
    made = loss("wasserstein")
    assert made.discriminator(REAL, FAKE).item() == pytest.approx(-1.25 - 0.5)
    assert made.generator(FAKE).item() == pytest.approx(1.25)


@pytest.mark.parametrize("name", ["minimax", "non-saturating", "non-saturating-r1", "feature-matching"])
@pytest.mark.parametrize(("real", "fake"), [(0.1, 0.0), (0.0, 0.2), (0.1, 0.3)])
def test_smoothing_of_either_side(name: str, real: float, fake: float) -> None:
    def p(logit: float) -> float:
        return 1 / (1 + exp(-logit))

    expected = sum(-((1 - real) * log(p(x)) + real * log(1 - p(x))) / 2 for x in REAL.tolist())
    expected += sum(-(fake * log(p(x)) + (1 - fake) * log(1 - p(x))) / 2 for x in FAKE.tolist())
    made = loss(name, smoothing=real, smoothing_fake=fake)
    assert made.discriminator(REAL, FAKE).item() == pytest.approx(expected, rel=1e-6)


def test_feature_matching_compares_mean_features_of_the_last_stage() -> None:
    made = loss("feature-matching")
    assert made.needs_features
    mine = [torch.zeros(2, 5), torch.tensor([[1.0, 2.0], [3.0, 4.0]])]
    theirs = [torch.ones(3, 5), torch.tensor([[0.0, 1.0], [0.0, 1.0], [0.0, 1.0]])]
    assert made.generator(FAKE, None, (mine, theirs)).item() == pytest.approx((2**2 + 2**2) / 2)


def test_r1_is_the_squared_gradient_at_real_images() -> None:
    images = torch.tensor([[0.5, 0, 0, 0], [-1.0, 0, 0, 0]]).view(2, 1, 2, 2)
    network = Linear(slope=2.0, bend=3.0)  # gradient at x: (2 + 6 x0, 2, 2, 2)
    expected = ((5.0**2 + 12) + (4.0**2 + 12)) / 2
    assert r1_penalty(network, images).item() == pytest.approx(expected)
    made = loss("non-saturating-r1", r1=4.0, every=8)
    assert made.penalty_every == 8
    found = made.penalty(network, images, images * 9)
    assert found is not None
    assert found.item() == pytest.approx(4 / 2 * 8 * expected)
    found.backward()
    assert network.slope.grad is not None
    assert network.slope.grad.item() != 0


def test_r2_is_the_same_at_generated_images() -> None:
    images = torch.tensor([[0.5, 0, 0, 0], [-1.0, 0, 0, 0]]).view(2, 1, 2, 2)
    network = Linear(slope=2.0, bend=3.0)
    found = loss("non-saturating-r1", r1=0.0, r2=4.0, every=8).penalty(network, images * 9, images)
    assert found is not None
    assert found.item() == pytest.approx(4 / 2 * 8 * ((5.0**2 + 12) + (4.0**2 + 12)) / 2)


def test_gradient_penalty_wants_slope_one() -> None:
    real, fake = torch.rand(3, 1, 2, 2), torch.rand(3, 1, 2, 2)
    assert gradient_penalty(Linear(slope=0.5), real, fake).item() == pytest.approx(0, abs=1e-6)  # |(½, ½, ½, ½)| = 1
    assert gradient_penalty(Linear(slope=2.0), real, fake).item() == pytest.approx((4 - 1) ** 2, rel=1e-5)
    found = loss("wasserstein", gradient_penalty=10.0).penalty(Linear(slope=2.0), real, fake)
    assert found is not None
    assert found.item() == pytest.approx(90, rel=1e-5)
    assert loss("wasserstein", gradient_penalty=0.0).penalty(Linear(slope=2.0), real, fake) is None


def test_the_gradient_penalty_looks_between_real_and_generated_images() -> None:
    seen: list[Tensor] = []
    network = Linear(slope=1.0)
    network.register_forward_pre_hook(lambda _m, given: seen.append(given[0]))
    gradient_penalty(network, torch.ones(64, 1, 2, 2), -torch.ones(64, 1, 2, 2))
    shares = seen[0].flatten(1)
    assert (shares.max(1).values == shares.min(1).values).all()  # one point for each pair
    assert shares.min() < -0.5
    assert shares.max() > 0.5
    assert shares.abs().max() <= 1


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("minimax", {"smoothing": 0.5}, "loss.smoothing is 0.5; it must be at least 0 and less than 0.5"),
        ("non-saturating", {"smoothing": -0.1}, "loss.smoothing is -0.1; it must be at least 0"),
        ("minimax", {"smoothing_fake": 0.5}, "loss.smoothing_fake is 0.5; it must be at least 0 and less than 0.5"),
        ("non-saturating-r1", {"r1": -1.0}, "loss.r1 is -1.0; it must be at least 0"),
        ("non-saturating-r1", {"every": 0}, "loss.every is 0; it must be at least 1"),
        ("least-squares", {"goal": 0.0}, "loss.goal is 0.0; it must be more than 0 and at most 1"),
        ("least-squares", {"goal": 1.5}, "loss.goal is 1.5; it must be more than 0 and at most 1"),
        ("wasserstein", {"gradient_penalty": -1.0}, "loss.gradient_penalty is -1.0; it must be at least 0"),
        ("hinge", {"smoothing": 0.1}, "unknown option of loss 'smoothing'"),
    ],
)
def test_bad_options(name: str, options: dict[str, float], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        loss(name, **options)
