"""The built-in losses against numbers computed by hand."""

from __future__ import annotations

from math import exp, log

import pytest
import torch

from zoo_core import Loss, registry

REAL, FAKE = [2.0, -1.0], [0.5, -3.0]


def p(logit: float) -> float:
    return 1 / (1 + exp(-logit))


@pytest.mark.parametrize("name", ["minimax", "non-saturating"])
def test_the_discriminator_minimizes_cross_entropy(name: str) -> None:
    loss: Loss = registry.create("losses", name)
    expected = -(log(p(2)) + log(p(-1))) / 2 - (log(1 - p(0.5)) + log(1 - p(-3))) / 2
    assert loss.discriminator(torch.tensor(REAL), torch.tensor(FAKE)).item() == pytest.approx(expected, rel=1e-6)


def test_the_generator_of_the_non_saturating_game() -> None:
    expected = -(log(p(0.5)) + log(p(-3))) / 2
    assert registry.create("losses", "non-saturating").generator(torch.tensor(FAKE)).item() == pytest.approx(
        expected, rel=1e-6
    )


def test_the_generator_of_the_minimax_game() -> None:
    expected = (log(1 - p(0.5)) + log(1 - p(-3))) / 2
    assert registry.create("losses", "minimax").generator(torch.tensor(FAKE)).item() == pytest.approx(expected, rel=1e-5)


def test_which_one_saturates() -> None:
    gradients = {}
    for name in ("minimax", "non-saturating"):
        logit = torch.tensor([-10.0], requires_grad=True)  # the discriminator is sure that it is generated
        registry.create("losses", name).generator(logit).backward()
        assert logit.grad is not None
        gradients[name] = logit.grad.item()
    assert gradients["minimax"] == pytest.approx(-p(-10), rel=1e-4)
    assert gradients["non-saturating"] == pytest.approx(-1, rel=1e-4)


@pytest.mark.parametrize("name", ["minimax", "non-saturating"])
def test_large_logits_are_no_problem(name: str) -> None:
    loss: Loss = registry.create("losses", name)
    far = torch.tensor([1e4, -1e4])
    assert torch.isfinite(loss.discriminator(far, far))
    assert torch.isfinite(loss.generator(far))
    assert not loss.needs_real_logits
