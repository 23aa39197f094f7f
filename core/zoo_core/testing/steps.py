"""One step of an algorithm as the engine runs it, on small parts, without optimizers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import DataDependentOutputException, DynamicOutputShapeException, FakeTensorMode

from ..algorithms import Algorithm, Phase, Step
from ..interfaces import Discriminator, Generator, Loss
from ..records import ImageSpec
from .subjects import LATENT, Failed, N, place, require


def without_numbers() -> FakeTensorMode:
    """A context in which tensors have shapes and no numbers, and take no memory."""
    return FakeTensorMode(allow_non_fake_inputs=True)


@contextmanager
def never_waiting(what: str) -> Iterator[None]:
    """Fail where a tensor without numbers is asked for one, as who would have to wait for a GPU does."""
    try:
        yield
    except (DataDependentOutputException, DynamicOutputShapeException) as error:
        raise Failed(
            f"{what} needs a value on the host ({error.func.overloadpacket}) {place(error)}, expected it never to wait for "
            "the device: no .item(), .tolist(), boolean indexing, nonzero, or 'if' on a tensor"
        ) from None


class Part:
    """A network as algorithms are given it; other attributes are those of the network."""

    def __init__(self, network: nn.Module) -> None:
        self.network, self.exact, self.twice_differentiable = network, self, True

    def __getattr__(self, name: str) -> Any:
        return getattr(self.network, name)

    def __call__(self, *given: Any) -> Any:
        return self.network(*given)


class SmallGenerator(Generator):
    """Two linear layers, the first a stage; a label's own vector is added to the latent."""

    def __init__(self, *, image: ImageSpec, latent_dim: int = LATENT) -> None:
        super().__init__(image=image, latent_dim=latent_dim)
        self.hidden = nn.Sequential(nn.Linear(latent_dim, 12), nn.SiLU())
        self.label = nn.Embedding(image.num_classes, latent_dim) if image.num_classes else None
        self.to_image = nn.Sequential(nn.Linear(12, image.channels * image.size**2), nn.Unflatten(1, image.shape), nn.Tanh())

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        images: Tensor = self.to_image(self.hidden(z if self.label is None else z + self.label(labels)))
        return images

    def stages(self) -> Mapping[str, nn.Module]:
        return {"hidden": self.hidden}


class SmallDiscriminator(Discriminator):
    """A smooth layer, the only stage, and a linear one; a label's own vector is multiplied in between."""

    def __init__(self, *, image: ImageSpec) -> None:
        super().__init__(image=image)
        self.hidden = nn.Sequential(nn.Flatten(), nn.Linear(image.channels * image.size**2, 12), nn.SiLU())
        self.label = nn.Embedding(image.num_classes, 12) if image.num_classes else None
        self.to_logit = nn.Linear(12, 1)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        logits: Tensor = self.to_logit(self.hidden(x) * (1 if self.label is None else self.label(labels))).squeeze(1)
        return logits

    def stages(self) -> Mapping[str, nn.Module]:
        return {"hidden": self.hidden}


class SmallLoss(Loss):
    """Least squares."""

    separable = True

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return (real_logits - 1).square().mean() + fake_logits.square().mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None, features: Any = None) -> Tensor:
        return (fake_logits - 1).square().mean()


Ran = tuple[Phase, list[Tensor], dict[str, Tensor]]


def run_phases(
    algorithm: Algorithm, parts: Mapping[str, Any], phases: Sequence[Phase], number: int, pieces: int = 1
) -> Iterator[Ran]:
    """One step: its phases in order, the scalars of each, and the gradients that reach "role.parameter"."""
    due = [phase for phase in phases if phase.due(number)]
    image, wrapped = parts["generator"].image, {}
    for role, part in parts.items():
        wrapped[role] = Part(part) if isinstance(part, nn.Module) else part
        if isinstance(part, nn.Module):
            part.requires_grad_(any(role in phase.updates for phase in due))
    step = Step(
        real=torch.rand(N, *image.shape) * 2 - 1,
        labels=torch.arange(N) % image.num_classes if algorithm.conditional else None,
        z=torch.randn(N, parts["generator"].latent_dim),
        parts=wrapped,
        due=frozenset(phase.name for phase in due),
        pieces=pieces,
        record=_record,
    )
    for phase, after in zip(due, [*due[1:], None], strict=True):
        weights = {f"{role}.{name}": w for role in phase.updates for name, w in parts[role].named_parameters()}
        scalars: list[Tensor] = []
        sums: dict[str, Tensor] = {}
        with never_waiting(f"phase {phase.name!r}"):
            for value in algorithm.losses(phase.name, step):
                fine = isinstance(value, Tensor) and value.dim() == 0 and value.requires_grad
                require(fine, f"phase {phase.name!r} yields {_described(value)}, expected scalars to differentiate")
                scalars.append(value.detach())
                found = torch.autograd.grad(value, list(weights.values()), allow_unused=True)
                for name, gradient in zip(weights, found, strict=True):
                    if gradient is not None:
                        sums[name] = gradient + sums.get(name, 0)
        yield phase, scalars, sums
        if after is not None and not after.joins:
            with torch.no_grad():
                for weight in weights.values():
                    weight.add_(0)  # as an optimizer does, so that no later phase goes on with a graph of before


def _record(name: str, value: Any) -> None:
    fine = isinstance(value, Tensor) and value.dim() == 0
    require(fine, f"log was given {_described(value)} as {name!r}, expected a scalar tensor")


def _described(value: Any) -> str:
    if not isinstance(value, Tensor):
        return f"a {type(value).__name__}"
    return f"a tensor {list(value.shape)}{'' if value.requires_grad else ' without gradient'}"
