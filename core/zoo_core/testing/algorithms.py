"""Checks of algorithms: one step of each phase as the engine runs it, on small parts, without optimizers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import lcm
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import DataDependentOutputException, DynamicOutputShapeException, FakeTensorMode

from ..algorithms import Algorithm, Phase, Step, check_joins
from ..errors import PluginError, ZooError
from ..interfaces import Discriminator, Generator, Loss
from ..records import ImageSpec, check_role
from ..registries import PART_KINDS, registry
from .placement import staying_on
from .subjects import LATENT, Failed, N, Subject, listed, place, require, supplied

MOST = 12  # steps that are run; of a cycle of phases that is longer, each phase's first step besides

Made = tuple[Algorithm, dict[str, Any], Sequence[Phase]]


def without_numbers() -> FakeTensorMode:
    """Return a context in which tensors have shapes and no numbers, and take no memory."""
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
        self.network, self.exact, self.twice_differentiable, self.one_pass = network, self, True, False

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
    algorithm: Algorithm,
    parts: Mapping[str, Any],
    phases: Sequence[Phase],
    number: int,
    pieces: int = 1,
    device: str = "cpu",
) -> Iterator[Ran]:
    """One step: its phases in order, the scalars of each, and the gradients that reach "role.parameter"."""
    due = [phase for phase in phases if phase.due(number)]
    image, wrapped = parts["generator"].image, {}
    for role, part in parts.items():
        wrapped[role] = Part(part) if isinstance(part, nn.Module) else part
        if isinstance(part, nn.Module):
            part.requires_grad_(any(role in phase.updates for phase in due))
    step = Step(
        real=torch.rand(N, *image.shape, device=device) * 2 - 1,
        labels=torch.arange(N, device=device) % image.num_classes if algorithm.conditional else None,
        z=torch.randn(N, parts["generator"].latent_dim, device=device),
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


def assemble(cls: type[Algorithm], options: Mapping[str, Any], loss: type = SmallLoss) -> Made:
    """Make an algorithm, small parts for it (those that `tiny["parts"]` names, else our own), and its phases."""
    torch.manual_seed(0)
    algorithm = cls(**options)
    named: Mapping[str, str] = cls.tiny.get("parts", {})
    own: dict[str, type] = {"generators": SmallGenerator, "discriminators": SmallDiscriminator, "losses": loss}
    classes: dict[str, type] = {}
    for role, kind in sorted(algorithm.parts.items(), key=lambda item: item[0] != "generator"):
        known = role in named or kind in own
        require(known, f"tiny['parts'] names no {role}, expected the registry name of a small one of the {kind}")
        classes[role] = registry.load(kind, named[role]) if role in named else own[kind]
    tiny = {role: dict(getattr(part, "tiny", {})) for role, part in classes.items()}
    image = next((image for options in tiny.values() if (image := options.pop("image", None))), ImageSpec(8))
    image = ImageSpec(image.size, image.channels, 2 if algorithm.conditional else 0)
    parts: dict[str, Any] = {}
    for role, part in classes.items():  # the generator first: others are told its latent_dim
        tiny[role].pop("image", None)
        try:
            given = supplied(part, image, parts["generator"].latent_dim if parts else LATENT)
            parts[role] = part(**given, **tiny[role])
        except ZooError as error:
            raise Failed(f"its small {role}, {part.__name__}, cannot be made at {image}: {error.message}") from error
    phases = algorithm.phases(parts)
    fine = isinstance(phases, Sequence) and all(isinstance(phase, Phase) for phase in phases) and bool(phases)
    require(fine, f"phases() gave {phases!r}, expected a list of zoo_core.Phase")
    return algorithm, parts, phases


def _make(subject: Subject, **more: Any) -> Made:
    return assemble(subject.cls, {**subject.options, **more})


def _run(made: Made, pieces: int = 1, device: str = "cpu") -> list[list[Ran]]:
    algorithm, parts, phases = made
    cycle = lcm(*(phase.every for phase in phases))
    numbers = {*range(min(cycle, MOST)), *(min(phase.at) for phase in phases)}
    return [list(run_phases(algorithm, parts, phases, number, pieces, device)) for number in sorted(numbers)]


def parts(subject: Subject) -> None:
    """Every role has a name and a kind that a part can have; averages and named parts are roles."""
    declared, tiny = subject.cls.parts, subject.cls.tiny
    for role, kind in declared.items():
        try:
            check_role(role)
        except PluginError as error:
            raise Failed(f"parts: {error.message}") from error
        require(kind in PART_KINDS, f"parts[{role!r}] is {kind!r}, expected one of {', '.join(PART_KINDS)}")
    found = declared.get("generator")
    require(found == "generators", f"parts['generator'] is {found!r}, expected 'generators': every algorithm has one")
    networks = [role for role, kind in declared.items() if kind != "losses"]
    for name, roles, valid in (
        ("averages", subject.cls.averages, networks),
        ("tiny['parts']", tiny.get("parts", {}), declared),
    ):
        wrong = [role for role in roles if role not in valid]
        require(not wrong, f"{name} names {listed(wrong)}, expected some of {', '.join(valid)}")


def phases(subject: Subject) -> str:
    """Names once, roles that learn, places within the cycle; a joining phase has something to join."""
    _, made, found = _make(subject)
    names = [phase.name for phase in found]
    require(len(set(names)) == len(names), f"phases() names {listed(sorted(names))}, expected each name once")
    networks = [role for role, part in made.items() if isinstance(part, nn.Module)]
    for phase in found:
        what = f"phase {phase.name!r}"
        fine = bool(phase.updates) and set(phase.updates) <= set(networks)
        require(fine, f"{what} updates {phase.updates}, expected some of {', '.join(networks)}")
        fine = isinstance(phase.every, int) and len(phase.at) > 0 and all(at in range(phase.every) for at in phase.at)
        require(fine, f"{what} comes at {phase.at} of every {phase.every} steps, expected places from 0 to every − 1")
    check_joins(found)
    return ", ".join(names)


def scalars_and_gradients(subject: Subject) -> None:
    """Finite scalars, in one piece and in several, with labels too where an option says whether; gradients reach all that
    learns, and nothing else happens to it."""
    told = [{"conditional": True}] if "conditional" in subject.options and not subject.cls.tiny.get("parts") else []
    for more, pieces in (({}, 1), ({}, 2), *((options, 1) for options in told)):
        made = _make(subject, **more)
        networks = [part for part in made[1].values() if isinstance(part, nn.Module)]
        before = [weight.detach().clone() for part in networks for weight in part.parameters()]
        ran = [one for step in _run(made, pieces) for one in step]
        weights = [weight for part in networks for weight in part.parameters()]
        require(all(w.grad is None for w in weights), "a phase calls backward, expected it to yield its scalars only")
        require(all(map(torch.equal, weights, before)), "a phase changes weights, expected the engine alone to do that")
        for phase in made[2]:
            values = [value for done, scalars, _ in ran if done is phase for value in scalars]
            fine = bool(values) and all(bool(torch.isfinite(value)) for value in values)
            require(fine, f"phase {phase.name!r} yields {[v.item() for v in values]}, expected finite numbers")
        reached = {name for _, _, gradients in ran for name, gradient in gradients.items() if gradient.any()}
        roles = {role for phase in made[2] for role in phase.updates}
        expected = [f"{role}.{name}" for role in sorted(roles) for name, _ in made[1][role].named_parameters()]
        lost = [name for name in expected if name not in reached]
        require(not lost, f"no gradient of any phase reaches {listed(lost)}, expected one for every parameter that learns")


def same_random_state_same_scalars(subject: Subject) -> None:
    """Twice the same steps by one instance, which must not remember."""
    made, again = _make(subject), _make(subject)
    results = []
    for _, parts, phases in (made, again):
        torch.manual_seed(1)
        results.append([value for step in _run((made[0], parts, phases)) for _, scalars, _ in step for value in scalars])
    same = len(results[0]) == len(results[1]) and all(map(torch.equal, *results))
    require(same, "the same steps from one random state yield other scalars the second time, expected the same")


def never_waits_for_the_device(subject: Subject) -> None:
    """Every phase on tensors without numbers."""
    with without_numbers():
        _run(_make(subject))


def stays_on_the_device(subject: Subject) -> None:
    """Every phase on a device that holds no data, and whose tensors nothing else can be mixed with."""
    made = _make(subject)
    for part in made[1].values():
        if isinstance(part, nn.Module):
            part.to("meta")
    with staying_on("meta", "a phase"):
        _run(made, device="meta")


CHECKS = (
    parts,
    phases,
    scalars_and_gradients,
    same_random_state_same_scalars,
    never_waits_for_the_device,
    stays_on_the_device,
)
