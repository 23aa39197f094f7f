"""Checks of losses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..interfaces import Discriminator, Loss
from ..records import ImageSpec
from .subjects import Failed, N, Subject, listed, require

EXTREME = 100.0
"""Logits of a discriminator that has won."""


class Judge(Discriminator):
    """A small smooth discriminator for penalties."""

    def __init__(self) -> None:
        super().__init__(image=ImageSpec(8, 3))
        self.hidden = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.SiLU())
        self.to_logit = nn.Linear(36, 1)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        out: Tensor = self.to_logit(self.hidden(x).flatten(1)).squeeze(1)
        return out

    def stages(self) -> Mapping[str, nn.Module]:
        return {"hidden": self.hidden}


def _scalar(value: object, what: str) -> Tensor:
    if not isinstance(value, Tensor):
        raise Failed(f"{what} gave a {type(value).__name__}, expected a scalar tensor")
    require(value.dim() == 0, f"{what} gave {list(value.shape)}, expected a scalar []")
    require(bool(torch.isfinite(value)), f"{what} gave {value.item()}, expected a finite number")
    return value


def _plain(value: Tensor) -> float:
    return float(value.detach())


def _logits(*values: float) -> Tensor:
    return torch.tensor(values).requires_grad_()


def _both(loss: Loss, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
    """Both losses, checked to be finite scalars; the logits must come out unharmed."""
    before = real.detach().clone(), fake.detach().clone()
    found = {
        "discriminator": _scalar(loss.discriminator(real, fake), "discriminator"),
        "generator": _scalar(loss.generator(fake, real), "generator"),
    }
    untouched = torch.equal(before[0], real) and torch.equal(before[1], fake)
    require(untouched, "it changes the logits in place, expected them untouched")
    require(
        real.grad is None and fake.grad is None,
        "it calls backward itself, expected a scalar only: the training loop does it",
    )
    return found


def finite_scalars(subject: Subject) -> None:
    """For usual logits and for those of a discriminator that has won or lost."""
    loss = subject.build()
    for real, fake in ((0.3, -0.2), (0.0, 0.0), (EXTREME, -EXTREME), (-EXTREME, EXTREME), (EXTREME, EXTREME)):
        logits = _logits(real, real / 2, real, real / 4), _logits(fake, fake / 2, fake, fake / 4)
        try:
            found = _both(loss, *logits)
            for name, value in found.items():
                if not value.requires_grad:
                    raise Failed(f"{name} gave a constant, expected something to differentiate")
                for gradient in torch.autograd.grad(value, logits, allow_unused=True, retain_graph=True):
                    require(
                        gradient is None or bool(torch.isfinite(gradient).all()), f"the gradient of {name} is not finite"
                    )
        except Failed as problem:
            raise Failed(f"{problem} (at real logits of {real:g} and fake ones of {fake:g})") from None


def arguments(subject: Subject) -> None:
    """`generator` does without real logits, unless it says that it needs them."""
    loss = subject.build()
    fake = _logits(0.1, -0.3, 0.2)
    if not loss.needs_real_logits:
        try:
            _scalar(loss.generator(fake), "generator(fake_logits)")
        except (TypeError, AttributeError) as error:
            raise Failed(f"generator needs real_logits ({error}): say needs_real_logits = True in the class") from error
    every = loss.penalty_every
    require(isinstance(every, int) and every >= 1, f"penalty_every is {every!r}, expected a whole number of at least 1")


def same_input_same_output(subject: Subject) -> None:
    """A loss holds no state."""
    loss = subject.build()
    real, fake = _logits(0.3, -0.1), _logits(-0.2, 0.4)
    first = {name: _plain(value) for name, value in _both(loss, real, fake).items()}
    torch.manual_seed(5)
    second = {name: _plain(value) for name, value in _both(loss, real, fake).items()}
    require(first == second, f"two calls on the same logits give {first} and {second}, expected equal ones")


def direction(subject: Subject) -> None:
    """High logits mean real: the discriminator's loss falls as it becomes right, the generator's as its images fool it."""
    loss = subject.build()
    low, high = _logits(-0.5, -0.4, -0.6), _logits(0.5, 0.4, 0.6)
    wrong, right = _plain(loss.discriminator(low, high)), _plain(loss.discriminator(high, low))
    require(
        right < wrong,
        f"discriminator gives {right:.3g} where real logits are high and fake ones low, {wrong:.3g} the other way round; "
        "expected the first to be less",
    )
    real = torch.zeros(3)
    caught, fooling = _plain(loss.generator(low, real)), _plain(loss.generator(high, real))
    require(
        fooling < caught,
        f"generator gives {fooling:.3g} where fake logits are high and {caught:.3g} where they are low; expected the first "
        "to be less",
    )


def gradients(subject: Subject) -> None:
    loss = subject.build()
    real, fake = _logits(0.1, -0.2, 0.3), _logits(-0.1, 0.2, -0.3)
    found = _both(loss, real, fake)
    for name, value, logits in (
        ("discriminator", found["discriminator"], {"real": real, "fake": fake}),
        ("generator", found["generator"], {"fake": fake}),
    ):
        reached = torch.autograd.grad(value, list(logits.values()), allow_unused=True, retain_graph=True)
        lost = [which for which, g in zip(logits, reached, strict=True) if g is None or not g.any()]
        require(not lost, f"no gradient of {name} reaches the {' and '.join(lost)} logits, expected one")


def penalty(subject: Subject) -> str:
    loss = subject.build()
    judge = Judge()
    rng = torch.Generator().manual_seed(1)
    real, fake = (torch.rand(N, *judge.image.shape, generator=rng) * 2 - 1 for _ in range(2))
    before = real.clone(), fake.clone()
    value: Any = loss.penalty(judge, real, fake, None)
    if value is None:
        return "has none"
    _scalar(value, "penalty")
    require(torch.equal(before[0], real) and torch.equal(before[1], fake), "penalty changes the images in place")
    with_gradient = [name for name, p in judge.named_parameters() if p.grad is not None]
    require(not with_gradient, f"penalty leaves a gradient in {listed(with_gradient)}: it must not call backward")
    reached = torch.autograd.grad(value, list(judge.parameters()), allow_unused=True) if value.requires_grad else ()
    require(any(g is not None and bool(g.any()) for g in reached), "penalty cannot be differentiated (create_graph=True?)")
    require(all(g is None or bool(torch.isfinite(g).all()) for g in reached), "the gradient of penalty is not finite")
    return ""


CHECKS = (finite_scalars, arguments, same_input_same_output, direction, gradients, penalty)
