"""The conformance checks of algorithms, networks, augmentations, trackers and models can pass and can fail."""

from __future__ import annotations

import hashlib
import random
import re
import sys
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from helpers.broken import GOOD, GoodAlgorithm, GoodAugmentation, GoodLoss, GoodNetwork
from zoo_core import ImageSpec, OptionError, Phase, Plugin, PretrainedModel, Step, registry
from zoo_core.testing import assert_conforms, check_component


class Picky(GoodNetwork):
    def __init__(self, *, image: ImageSpec, latent_dim: int) -> None:
        raise OptionError("size must be 1024")


@pytest.fixture(autouse=True)
def parts() -> Any:
    """What the good algorithm's `tiny` names."""
    with registry.add(Plugin(networks={"good": "helpers.broken:GoodNetwork", "picky": f"{__name__}:Picky"})):
        yield


def problems(kind: str, change: Any) -> dict[str, str]:
    target = change if isinstance(change, type) else type("Broken", (GOOD[kind],), {"__module__": __name__, **change})
    return {o.name: o.problem for o in check_component(kind, target) if o.problem}


def assert_named(found: Mapping[str, str], check: str, words: str) -> None:
    hits = [problem for name, problem in found.items() if name.startswith(check)]
    assert hits, f"{check} found nothing; others did: {found}"
    assert re.search(words, hits[0]), hits[0]


# Algorithms. Each function below is a body of `losses` that does one thing wrong.


def also(wrong: Any) -> Any:
    """`losses` that does what it should, and `wrong` with the generated images before the generator's scalar."""

    def losses(self: Any, phase: str, step: Step) -> Iterator[Tensor]:
        if phase == "generator":
            yield from wrong(step, step.parts["generator"](step.z, step.labels)) or ()
        yield from GoodAlgorithm.losses(self, phase, step)

    return losses


def item(step: Step, fake: Tensor) -> Any:
    return [fake.mean() * fake.std().item()]


def branch(step: Step, fake: Tensor) -> Any:
    return [fake.mean()] if fake.mean() < 2 else []


def boolean_index(step: Step, fake: Tensor) -> Any:
    return [fake[fake < 2].mean()]


def nonzero(step: Step, fake: Tensor) -> Any:
    return [fake.mean() * (fake.nonzero().float().mean() + 1)]


def tolist(step: Step, fake: Tensor) -> Any:
    return [fake.mean() * sum(step.z[0].tolist())]


def backward(step: Step, fake: Tensor) -> None:
    fake.mean().backward()  # type: ignore[no-untyped-call]


def moves_weights(step: Step, fake: Tensor) -> None:
    with torch.no_grad():
        next(step.parts["discriminator"].parameters()).add_(1)


def logs_images(step: Step, fake: Tensor) -> None:
    step.log(fake=fake)


def only_the_discriminator(self: Any, phase: str, step: Step) -> Iterator[Tensor]:
    if phase == "discriminator":
        yield from GoodAlgorithm.losses(self, phase, step)


def without_encoder(self: Any, phase: str, step: Step) -> Iterator[Tensor]:
    if phase == "discriminator":
        yield from GoodAlgorithm.losses(self, phase, step)
    else:
        yield step.parts["discriminator"](step.parts["generator"](step.z, step.labels), step.labels).mean()


def outdated_graph(self: Any, phase: str, step: Step) -> Iterator[Tensor]:
    """The generator's phase goes on with logits from before the discriminator's update."""
    if phase == "discriminator":
        fake = step.parts["generator"](step.z, step.labels)
        step.memory["logits"] = step.parts["discriminator"](fake, step.labels)
    elif phase == "generator":
        yield step.memory["logits"].mean()
    yield from GoodAlgorithm.losses(self, phase, step)


class Remembering(GoodAlgorithm):
    """Weighs by how often it was asked."""

    def __init__(self, *, every: int = 2) -> None:
        super().__init__(every=every)
        self.asked = 0

    def losses(self, phase: str, step: Step) -> Iterator[Tensor]:
        self.asked += 1
        yield from (value * self.asked for value in super().losses(phase, step))


def phases(*found: Phase) -> dict[str, Any]:
    return {"phases": lambda self, parts: list(found)}


D, G = Phase("d", ("discriminator",)), Phase("g", ("generator", "encoder"), 2)
WITH_ENCODER = dict(GoodAlgorithm.parts)
HOST = "phase 'generator' needs a value on the host .*{}.*in {}, .*test_testing_kinds.py:[0-9]+"
ALGORITHMS: list[tuple[Any, str, str]] = [
    ({"parts": {"discriminator": "discriminators"}}, "parts", "parts.'generator'. is None, expected 'generators'"),
    ({"parts": {**WITH_ENCODER, "generator": "networks"}}, "parts", "is 'networks', expected 'generators'"),
    (
        {"parts": {**WITH_ENCODER, "pictures": "datasets"}},
        "parts",
        "parts.'pictures'. is 'datasets', expected one of generators",
    ),
    ({"parts": {**WITH_ENCODER, "The Role": "networks"}}, "parts", "'The Role' is no role"),
    ({"parts": {**WITH_ENCODER, "training": "networks"}}, "parts", "'training' is no role"),
    ({"averages": ("generator", "mapper")}, "parts", "averages names mapper, expected some of generator"),
    ({"averages": ("loss",)}, "parts", "averages names loss"),
    ({"tiny": {}}, "phases", r"tiny\['parts'\] names no encoder"),
    ({"tiny": {"parts": {"encoder": "picky"}}}, "phases", "its small encoder, Picky, cannot be made .*size must be 1024"),
    ({"tiny": {"parts": {"encoder": "none"}}}, "phases", "unknown network 'none'"),
    ({"tiny": {"parts": {"encoder": "good", "critic": "good"}}}, "parts", "names critic"),
    ({"phases": lambda self, parts: []}, "phases", "expected a list of zoo_core.Phase"),
    ({"phases": lambda self, parts: iter([D])}, "phases", "expected a list"),
    (phases(D, G, D), "phases", "names d, d, g, expected each name once"),
    (phases(D, Phase("g", ("generator", "loss"))), "phases", "updates .*'loss'.*, expected some of generator"),
    (phases(D, Phase("g", ())), "phases", "phase 'g' updates ()"),
    (phases(D, Phase("g", ("generator",), 2, (2,))), "phases", "expected places from 0 to every − 1"),
    (phases(D, Phase("g", ("generator",), 0)), "phases", "expected places from 0"),
    (
        phases(D, Phase("p", ("generator",), joins=True)),
        "phases",
        "joins .* in step 0 that is 'd', expected",
    ),
    (phases(D, G, Phase("p", ("encoder", "generator"), joins=True)), "phases", "in step 1 that is 'd'"),
    (phases(Phase("p", ("discriminator",), joins=True), G), "phases", "in step 0 that is None"),
    (
        {"losses": also(lambda step, fake: [fake])},
        "scalars",
        r"'generator' yields a tensor \[4, 3, 8, 8\], expected sc",
    ),
    ({"losses": also(lambda step, fake: [1.0])}, "scalars", "yields a float"),
    ({"losses": also(lambda step, fake: [fake.mean().detach()])}, "scalars", r"yields a tensor \[\] without gradient"),
    ({"losses": also(lambda step, fake: [fake.mean() / 0])}, "scalars", "expected finite numbers"),
    ({"losses": only_the_discriminator}, "scalars", r"phase 'generator' yields \[\]"),
    ({"losses": without_encoder}, "scalars", "no gradient of any phase reaches encoder.out.1.weight"),
    ({"losses": also(backward)}, "scalars", "calls backward"),
    ({"losses": outdated_graph}, "scalars", "modified by an inplace operation"),
    ({"losses": also(moves_weights)}, "scalars", "changes weights"),
    ({"losses": also(logs_images)}, "scalars", "log was given a tensor .* as 'fake'"),
    ({"losses": also(lambda step, fake: [step.parts["critic"]])}, "scalars", "KeyError: 'critic'"),
    (Remembering, "same random state", "other scalars the second time"),
    ({"losses": also(item)}, "never waits", HOST.format("_local_scalar_dense", "item")),
    ({"losses": also(branch)}, "never waits", HOST.format("_local_scalar_dense", "branch")),
    ({"losses": also(boolean_index)}, "never waits", HOST.format("nonzero", "boolean_index")),
    ({"losses": also(nonzero)}, "never waits", HOST.format("nonzero", "nonzero")),
    ({"losses": also(tolist)}, "never waits", HOST.format("_local_scalar_dense", "tolist")),
    ({"losses": also(lambda step, fake: [fake.mean() * fake.detach().numpy().mean()])}, "never waits", "numpy"),
]


@pytest.mark.parametrize(("change", "check", "words"), ALGORITHMS)
def test_a_broken_algorithm_is_named(change: Any, check: str, words: str) -> None:
    assert_named(problems("algorithms", change), check, words)


def test_an_option_that_says_whether_there_are_labels_is_checked_both_ways() -> None:
    class Told(GoodAlgorithm):
        parts = {role: kind for role, kind in GoodAlgorithm.parts.items() if role != "encoder"}  # noqa: RUF012
        tiny = {}  # noqa: RUF012

        def __init__(self, *, conditional: bool = False) -> None:
            self.conditional = conditional

        def phases(self, parts: Mapping[str, Any]) -> Any:
            return [D, Phase("g", ("generator",))]

        def losses(self, phase: str, step: Step) -> Iterator[Tensor]:
            generator, discriminator, loss = step.parts.values()
            fake = generator(step.z, step.labels)
            if phase == "d":
                yield loss.discriminator(discriminator(step.real, step.labels), discriminator(fake.detach(), step.labels))
            else:
                yield loss.generator(discriminator(fake, step.labels))

    assert not problems("algorithms", Told)

    class Forgets(Told):
        def losses(self, phase: str, step: Step) -> Iterator[Tensor]:
            step.labels = None
            yield from super().losses(phase, step)

    assert_named(problems("algorithms", Forgets), "scalars", "TypeError")


# Losses: what contract 2 added.


def relativistic(real: Tensor, fake: Tensor) -> Tensor:
    return nn.functional.softplus(-(real - fake.mean())).mean() + nn.functional.softplus(fake - real.mean()).mean()


def detached(self: Any, real: Tensor, fake: Tensor) -> Tensor:
    return relativistic(real, fake.detach()) + relativistic(real.detach(), fake)


def features_needed(self: Any, fake: Tensor, real: Any = None, features: Any = None) -> Tensor:
    mine, theirs = features
    return (mine[-1].mean(0) - theirs[-1].mean(0)).square().sum()


def waits(self: Any, discriminator: Any, real: Tensor, fake: Tensor, labels: Any = None) -> Tensor:
    logits: Tensor = discriminator(real, labels)
    return logits[logits < 99].square().mean()


def scaled_when_known(self: Any, discriminator: Any, real: Tensor, fake: Tensor, labels: Any = None) -> Tensor:
    value: Tensor = discriminator(real, labels).square().mean()
    return value * (2 if real.requires_grad else 1)


LOSSES: list[tuple[dict[str, Any], str, str]] = [
    ({"discriminator": lambda s, r, f: relativistic(r, f)}, "separable", "of one side changes by 0.[0-9]+ .of "),
    ({"discriminator": detached}, "separable", "separable is True, .*trained against zeros. Say separable = False"),
    ({"discriminator": lambda s, r, f: ((r - 1) * (1 + 0.01 * f.detach().mean())).square().mean() + f.square().mean()},
     "separable", "changes by"),
    ({"generator": features_needed}, "arguments", "say needs_real_logits = True .or needs_features"),
    ({"generator_penalty_every": 0}, "arguments", "generator_penalty_every is 0"),
    ({"generator_penalty": lambda s, g, z, f, labels=None: g(z).mean().detach()}, "generator penalty", "create_graph"),
    ({"generator_penalty": lambda s, g, z, f, labels=None: g(z.mul_(2)).mean()}, "generator penalty", "in place"),
    ({"penalty": scaled_when_known}, "penalty", "known already"),
    ({"penalizes_real": True}, "penalty", "penalizes_real is True, and penalty never asks"),
    ({"penalty": waits}, "never waits", "penalty needs a value on the host .aten.nonzero. .in waits"),
    ({"discriminator": lambda s, r, f: (r - 1).square().mean() + f.square().mean() * (1 if f.max() < 999 else 2)},
     "never waits", "discriminator needs a value"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "check", "words"), LOSSES)
def test_a_loss_that_breaks_contract_2_is_named(change: dict[str, Any], check: str, words: str) -> None:
    assert_named(problems("losses", change), check, words)


def test_what_is_separable_without_saying_so_gets_a_note() -> None:
    class Quiet(GoodLoss):
        separable = False

    class Joined(GoodLoss):
        separable = False

        def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
            return relativistic(real_logits, fake_logits)

    notes = {cls: {o.name: (o.note, o.problem) for o in check_component("losses", cls)} for cls in (Quiet, Joined)}
    assert notes[Quiet]["separable"] == ("is separable: separable = True in the class saves memory", "")
    assert notes[Joined]["separable"] == ("", "")


def test_losses_that_need_more_conform() -> None:
    class Matching(GoodLoss):
        needs_features = True
        generator = features_needed

    class Relative(GoodLoss):
        separable, needs_real_logits = False, True

        def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
            return relativistic(real_logits, fake_logits)

        def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None, features: Any = None) -> Tensor:
            assert real_logits is not None
            return relativistic(fake_logits, real_logits)

    assert_conforms("losses", Matching)
    assert_conforms("losses", Relative)


# The rest.


class TwoInputs(GoodNetwork):
    """Judges pairs of image and latent, and says two things."""

    def __init__(self, *, image: ImageSpec, latent_dim: int) -> None:
        super().__init__(image=image, latent_dim=latent_dim)
        self.head = nn.Linear(latent_dim, 1)

    def forward(self, x: Tensor, z: Tensor) -> Any:
        return {"logits": self.head(self.out(x) * z).squeeze(1), "latents": self.out(x)}


class ImageLost(GoodNetwork):
    def __init__(self, *, image: ImageSpec, latent_dim: int) -> None:
        super().__init__(image=image, latent_dim=latent_dim)
        self.image = ImageSpec(99)


class Unused(GoodNetwork):
    def __init__(self, *, image: ImageSpec, latent_dim: int) -> None:
        super().__init__(image=image, latent_dim=latent_dim)
        self.spare = nn.Linear(2, 2)


augment = GoodAugmentation.__call__


def replacing(self: nn.Module, x: Tensor) -> Any:
    """A running mean that is another tensor each time."""
    if "mean" not in dict(self.named_buffers()):
        self.register_buffer("mean", torch.zeros((), device=x.device))
    self.mean = 0.9 * self.mean + 0.1 * x.detach().mean()
    return self.out(x)


COUNTING = count()
OTHERS: list[tuple[str, Any, str, str]] = [
    ("networks", ImageLost, "image", "hand it to super"),
    ("networks", Unused, "gradients", "reaches spare.weight"),
    ("networks", {"forward": lambda s, x: s.out(x) + torch.rand(1)}, "same input", "global random numbers"),
    ("networks", {"forward": lambda s, x: s.out(x - x.mean(0))}, "independent", "rest of the batch"),
    ("networks", {"forward": lambda s, x: s.out(x) / 0}, "outputs", "not finite"),
    ("networks", {"forward": lambda s, x: s.out(x).sum(0, keepdim=True)}, "outputs", r"expected tensors \[N"),
    ("networks", {"forward": lambda s, x: s.out(x.detach())}, "gradients", "reaches the input"),
    ("augmentations", {"__call__": lambda s, x: x.clone()}, "each image", "changes nothing"),
    ("augmentations", {"__call__": lambda s, x: x[:, :1]}, "images", r"\[N, C, S, S\]"),
    ("augmentations", {"__call__": lambda s, x: x.add_(torch.rand(len(x), 1, 1, 1))}, "images", "in place"),
    ("augmentations", {"__call__": lambda s, x: augment(s, x.float())}, "images", "their own type"),
    ("augmentations", {"__call__": lambda s, x: x + torch.rand(1, dtype=x.dtype)}, "each image", "alike"),
    ("augmentations", {"__call__": lambda s, x: augment(s, x - x.mean(0))}, "each image", "rest of the b"),
    ("augmentations", {"__call__": lambda s, x: augment(s, x.detach())}, "gradients", "differentiable"),
    ("augmentations", {"__call__": lambda s, x: augment(s, x * 0)}, "gradients", "no gradient passes"),
    (
        "augmentations",
        {"__call__": lambda s, x: GoodAugmentation.__call__(s, (x - x).sqrt() + x)},
        "gradients",
        "not finite",
    ),
    (
        "augmentations",
        {"__call__": lambda s, x: GoodAugmentation.__call__(s, x + float(x.mean()) * 0)},
        "never waits",
        "host",
    ),
    (
        "augmentations",
        {"__call__": lambda s, x: augment(s, x) * torch.ones(16)},
        "stays on",
        "aten.ones has data on the cpu",
    ),
    ("augmentations", {"__call__": lambda s, x: augment(s, x.cpu().to(x.device))}, "stays on", "Cannot copy out of meta"),
    ("augmentations", {"__call__": lambda s, x: augment(s, x + random.random())}, "stays on", "random numbers on the host"),
    ("augmentations", {"__call__": lambda s, x: augment(s, x + np.random.rand())}, "stays on", "random numbers on the host"),
    ("networks", {"forward": lambda s, x: s.out(x) + torch.arange(3)[:1]}, "stays on", "aten.arange has data on the cpu"),
    ("networks", {"forward": replacing}, "stays on", "replaces a buffer or a parameter, expected it to be changed in place"),
    ("trackers", {"scalars": lambda s, values: None}, "scalars", "TypeError"),
    ("samplers", {"needs_discriminator": False}, "chosen", "needs_discriminator is False"),
    ("samplers", {"__call__": lambda s, a, n: torch.randn(len(n), 8)}, "chosen", "global random numbers"),
    ("samplers", {"__call__": lambda s, a, n: a.latents(n, 0)[:1]}, "chosen", r"latents \[n, latent_dim\]"),
    ("samplers", {"__call__": lambda s, a, n: a.latents(n, next(COUNTING))}, "chosen", "others the second time"),
    ("samplers", {"__call__": lambda s, a, n: a.latents(n, 0) + len(n)}, "chosen", "samples beside it"),
    ("samplers", {"__call__": lambda s, a, n: a.latents([0] * len(n), 0)}, "chosen", "same latent"),
    ("samplers", {"draw": lambda s, g, z, labels: z}, "chosen", "images"),
]


@pytest.mark.parametrize(("kind", "change", "check", "words"), OTHERS)
def test_a_broken_component_is_named(kind: str, change: Any, check: str, words: str) -> None:
    assert_named(problems(kind, change), check, words)


def test_a_network_may_take_more_and_give_more() -> None:
    assert_conforms("networks", TwoInputs)


def test_a_tracker_whose_module_is_missing_is_not_checked() -> None:
    cls = type("Elsewhere", (GOOD["trackers"],), {"requires": "no_such_module", "scalars": None})
    outcomes = check_component("trackers", cls)
    assert outcomes[-1].note == "not checked: needs no_such_module"
    assert not any(o.problem for o in outcomes)


# Models.

WHOLE = {"generator.safetensors": b"x", "config.json": b"{}"}


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make a `PretrainedModel` of files in a package that can be imported."""
    folder = tmp_path / "acme_weights" / "models" / "one"
    folder.mkdir(parents=True)
    (tmp_path / "acme_weights" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "acme_weights", raising=False)

    def make(files: Mapping[str, bytes] = WHOLE, **changes: Any) -> PretrainedModel:
        for name, data in files.items():
            (folder / name).write_bytes(data)
        sums = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
        stated = {"sha256": sums, "recipe": "dcgan", "dataset": "faces", "license": "CC0-1.0", **changes}
        return PretrainedModel("acme_weights:models/one", **stated)

    return make


def test_a_model_that_is_whole_conforms(weights: Any) -> None:
    outcomes = check_component("models", weights())
    assert [(o.name, o.problem) for o in outcomes] == [("stated", ""), ("files", "")]
    assert_conforms("models", weights())
    with registry.add(Plugin(models={"one": weights()})):
        assert_conforms("models", "one")


@pytest.mark.parametrize(
    ("changes", "check", "words"),
    [
        ({"license": ""}, "stated", "its license is not stated"),
        ({"files": {"weights.bin": b"x", "a.safetensors": b"x"}}, "stated", "it has weights.bin, expected"),
        ({"sha256": {"config.json": "0" * 64}}, "stated", "names no .*safetensors"),
        ({"sha256": {"../a.safetensors": "0" * 64}}, "stated", "it has ../a.safetensors"),
        ({"sha256": {"generator.safetensors": "0" * 64}}, "files", "has the checksum 2d711642b7.*, expected 0000"),
        ({"sha256": {"a.safetensors": "0" * 64}}, "files", "has no a.safetensors"),
    ],
)
def test_a_model_that_is_not_what_it_says_is_named(weights: Any, changes: dict[str, Any], check: str, words: str) -> None:
    found = {o.name: o.problem for o in check_component("models", weights(**changes)) if o.problem}
    assert_named(found, check, words)


def test_a_file_without_checksum_is_named(weights: Any) -> None:
    weights({"evil.py": b""})
    found = {o.name: o.problem for o in check_component("models", weights()) if o.problem}
    assert_named(found, "files", "has evil.py too")


def test_a_model_on_the_hub_is_not_fetched() -> None:
    record = PretrainedModel("ada/faces@main", {"generator.safetensors": "0" * 64}, "dcgan", "faces", "CC0-1.0")
    assert check_component("models", record)[-1].note == "not checked: lies on the Hub"
