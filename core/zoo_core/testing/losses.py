"""Checks of losses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ..interfaces import Features, Loss
from ..records import ImageSpec
from .algorithms import SmallDiscriminator, SmallGenerator, never_waiting, without_numbers
from .placement import staying_on
from .subjects import LATENT, Failed, N, Subject, difference, listed, require, same

EXTREME = 100.0  # logits of a discriminator that has won


def _scalar(value: object, what: str) -> Tensor:
    if not isinstance(value, Tensor):
        raise Failed(f"{what} gave a {type(value).__name__}, expected a scalar tensor")
    require(value.dim() == 0, f"{what} gave {list(value.shape)}, expected a scalar []")
    require(bool(torch.isfinite(value)), f"{what} gave {value.item()}, expected a finite number")
    return value


def _logits(*values: float) -> Tensor:
    return torch.tensor(values).requires_grad_()


def _features(logits: Tensor) -> Features:
    """Two stages' activations, [N, 2, 2, 2] and [N, 3], that rise with the logits."""
    device = logits.device
    maps, units = torch.ones(2, 2, 2, device=device) * 0.5, torch.arange(1, 4, device=device)
    return [logits[:, None, None, None] * maps, logits[:, None] * units]


def _of_generator(loss: Loss, fake: Tensor, real: Tensor) -> Tensor:
    """Return the generator's loss, given what it says that it needs, as algorithms do."""
    against = real if loss.needs_real_logits else None
    if loss.needs_features:
        return loss.generator(fake, against, (_features(fake), [f.detach() for f in _features(real)]))
    return loss.generator(fake, against)


def _both(loss: Loss, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
    """Both losses, checked to be finite scalars; the logits must come out unharmed."""
    before = real.detach().clone(), fake.detach().clone()
    found = {
        "discriminator": _scalar(loss.discriminator(real, fake), "discriminator"),
        "generator": _scalar(_of_generator(loss, fake, real), "generator"),
    }
    untouched = torch.equal(before[0], real) and torch.equal(before[1], fake)
    require(untouched, "it changes the logits in place, expected them untouched")
    called = real.grad is not None or fake.grad is not None
    require(not called, "it calls backward itself, expected a scalar only: the training loop does it")
    return found


def finite_scalars(subject: Subject) -> None:
    """For usual logits and for those of a discriminator that has won or lost."""
    loss = subject.build()
    for real, fake in ((0.3, -0.2), (0.0, 0.0), (EXTREME, -EXTREME), (-EXTREME, EXTREME), (EXTREME, EXTREME)):
        logits = _logits(real, real / 2, real, real / 4), _logits(fake, fake / 2, fake, fake / 4)
        try:
            found = _both(loss, *logits)
            for name, value in found.items():
                require(value.requires_grad, f"{name} gave a constant, expected something to differentiate")
                reached = torch.autograd.grad(value, logits, allow_unused=True, retain_graph=True)
                fine = all(bool(torch.isfinite(gradient).all()) for gradient in reached if gradient is not None)
                require(fine, f"the gradient of {name} is not finite")
        except Failed as problem:
            raise Failed(f"{problem} (at real logits of {real:g} and fake ones of {fake:g})") from None


def arguments(subject: Subject) -> None:
    """`generator` does without real logits and features, unless it says that it needs them."""
    loss = subject.build()
    real, fake = _logits(0.3, 0.1, -0.2), _logits(0.1, -0.3, 0.2)
    try:
        _scalar(_of_generator(loss, fake, real), "generator")
    except (TypeError, AttributeError, AssertionError) as error:
        what = f"generator needs real_logits or features ({error})"
        raise Failed(f"{what}: say needs_real_logits = True (or needs_features = True)") from error
    for name in ("penalty_every", "generator_penalty_every"):
        every = getattr(loss, name)
        require(isinstance(every, int) and every >= 1, f"{name} is {every!r}, expected a whole number of at least 1")


def separable(subject: Subject) -> str:
    """The gradient of each side, for several logits of it, while the other side is zero and while it is something else."""
    loss = subject.build()
    rng = torch.Generator().manual_seed(3)
    worst, scale = 0.0, 0.0
    for spread in (0.3, 1.0, 3.0):
        mine, *others = (spread * torch.randn(8, generator=rng) for _ in range(4))
        for side in range(2):
            found = []
            for other in (torch.zeros(8), *others, others[0] + 2 * spread):
                x = mine.clone().requires_grad_()
                value = loss.discriminator(*((x, other) if side == 0 else (other, x)))
                found.append(torch.autograd.grad(value, x)[0])
            worst = max(worst, *(difference(found[0], gradient) for gradient in found[1:]))
            scale = max(scale, *(float(gradient.abs().max()) for gradient in found))
    proved = worst <= 1e-5 * max(scale, 1e-3)
    if proved:
        return "" if loss.separable else "is separable: separable = True in the class saves memory"
    what = f"separable is True, and the gradient of one side changes by {worst:.3g} (of {scale:.3g}) with the other side's"
    require(not loss.separable, f"{what}, expected none: it would be trained against zeros. Say separable = False")
    return ""


def same_input_same_output(subject: Subject) -> None:
    """A loss holds no state."""
    loss = subject.build()
    logits = _logits(0.3, -0.1), _logits(-0.2, 0.4)
    first = {name: value.item() for name, value in _both(loss, *logits).items()}
    torch.manual_seed(5)
    second = {name: value.item() for name, value in _both(loss, *logits).items()}
    require(first == second, f"two calls on the same logits give {first} and {second}, expected equal ones")


def direction(subject: Subject) -> None:
    """High logits mean real: the discriminator's loss falls as it becomes right, the generator's as its images fool it."""
    loss = subject.build()
    low, high = _logits(-0.5, -0.4, -0.6), _logits(0.5, 0.4, 0.6)
    less = "expected the first to be less"
    wrong, right = loss.discriminator(low, high).item(), loss.discriminator(high, low).item()
    what = f"discriminator gives {right:.3g} where real logits are high and fake ones low, {wrong:.3g} the other way round"
    require(right < wrong, f"{what}; {less}")
    caught, fooling = _of_generator(loss, low, high).item(), _of_generator(loss, high, high).item()
    what = f"generator gives {fooling:.3g} where fake logits are high and {caught:.3g} where they are low"
    require(fooling < caught, f"{what}; {less}")


def gradients(subject: Subject) -> None:
    loss = subject.build()
    real, fake = _logits(0.1, -0.2, 0.3), _logits(-0.1, 0.2, -0.3)
    sides = {"discriminator": {"real": real, "fake": fake}, "generator": {"fake": fake}}
    for name, value in _both(loss, real, fake).items():
        logits = sides[name]
        reached = torch.autograd.grad(value, list(logits.values()), allow_unused=True, retain_graph=True)
        lost = [which for which, g in zip(logits, reached, strict=True) if g is None or not g.any()]
        require(not lost, f"no gradient of {name} reaches the {' and '.join(lost)} logits, expected one")


def _networks() -> tuple[SmallDiscriminator, SmallGenerator]:
    image = ImageSpec(8)
    return SmallDiscriminator(image=image), SmallGenerator(image=image)


def _differentiable(value: Any, what: str, network: nn.Module, given: list[Tensor], before: list[Tensor]) -> list[Tensor]:
    """Return the gradients of a penalty with respect to the weights."""
    _scalar(value, what)
    require(all(map(torch.equal, before, given)), f"{what} changes what it is given in place")
    left = [name for name, p in network.named_parameters() if p.grad is not None]
    require(not left, f"{what} leaves a gradient in {listed(left)}: it must not call backward")
    reached = torch.autograd.grad(value, list(network.parameters()), allow_unused=True) if value.requires_grad else ()
    found = [g for g in reached if g is not None]
    require(any(bool(g.any()) for g in found), f"{what} cannot be differentiated (create_graph=True?)")
    require(all(bool(torch.isfinite(g).all()) for g in found), f"the gradient of {what} is not finite")
    return found


def penalty(subject: Subject) -> str:
    """On the discriminator's side; the same where the logits of the very tensors `real` and `fake` are known already."""
    loss, (judge, _) = subject.build(), _networks()
    rng = torch.Generator().manual_seed(1)
    given = [torch.rand(N, *judge.image.shape, generator=rng) * 2 - 1 for _ in range(2)]
    before = [x.clone() for x in given]
    torch.manual_seed(1)
    value: Any = loss.penalty(judge, *given, None)
    if value is None:
        return "has none"
    plain = _differentiable(value, "penalty", judge, given, before)
    real, fake = given[0].requires_grad_(), given[1].requires_grad_(loss.penalizes_fake)
    known = {id(x): judge(x) for x in (real, fake) if x.requires_grad}
    torch.manual_seed(1)
    used: list[int] = []

    def remember(x: Tensor, labels: Tensor | None = None) -> Tensor:
        used.append(id(x))
        return known[id(x)] if id(x) in known else judge.forward(x, labels)

    again: Any = loss.penalty(remember, real, fake, None)
    for which, declared, images in (("real", loss.penalizes_real, real), ("fake", loss.penalizes_fake, fake)):
        wrong = declared and id(images) not in used
        require(not wrong, f"penalizes_{which} is True, and penalty never asks for the logits of the very tensor `{which}`")
    reused = _differentiable(again, "penalty", judge, given, before)
    fits = all(same(a, b, tolerance=1e-4) for a, b in zip([value, *plain], [again, *reused], strict=True))
    require(fits, "penalty is another number where the logits of the very tensors are known already")
    return ""


def generator_penalty(subject: Subject) -> str:
    loss, (_, drawer) = subject.build(), _networks()
    z = drawer.sample_latent(N, torch.Generator().manual_seed(1))
    given = [z, drawer(z).detach()]
    before = [x.clone() for x in given]
    value: Any = loss.generator_penalty(drawer, *given, None)
    if value is None:
        return "has none"
    _differentiable(value, "generator_penalty", drawer, given, before)
    return ""


def _calls(subject: Subject, device: str) -> Iterator[tuple[str, Callable[[], Any]]]:
    """All that a loss is asked, on a device."""
    loss, (judge, drawer) = subject.build(), _networks()
    if device != "cpu":
        judge, drawer = judge.to(device), drawer.to(device)
    real, fake = (torch.rand(N, 3, 8, 8, device=device) for _ in range(2))
    z = torch.rand(N, LATENT, device=device)
    yield "discriminator", lambda: loss.discriminator(judge(real), judge(fake))
    yield "generator", lambda: _of_generator(loss, judge(fake), judge(real))
    yield "penalty", lambda: loss.penalty(judge, real, fake, None)
    yield "generator_penalty", lambda: loss.generator_penalty(drawer, z, fake, None)


def never_waits_for_the_device(subject: Subject) -> None:
    """All of it on tensors without numbers."""
    with without_numbers():
        for what, call in _calls(subject, "cpu"):
            with never_waiting(what):
                call()


def stays_on_the_device(subject: Subject) -> None:
    """All of it on a device that holds no data."""
    for what, call in _calls(subject, "meta"):
        with staying_on("meta", what):
            call()


USUAL = (finite_scalars, arguments, same_input_same_output, direction, gradients, separable)
CHECKS = (*USUAL, penalty, generator_penalty, never_waits_for_the_device, stays_on_the_device)
