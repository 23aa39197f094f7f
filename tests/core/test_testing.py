"""Every conformance check can pass and can fail, and says what is wrong."""

from __future__ import annotations

import io
import random
import time
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from helpers.broken import GOOD, GoodDataset, GoodDiscriminator, GoodFeatures, GoodGenerator, GoodLoss
from zoo_core import Component, ImageSpec, Listing, Picture, Plugin, Recipe, Record, UnknownNameError, registry
from zoo_core.testing import assert_conforms, assert_recipe, check_component, check_recipe


@pytest.fixture(autouse=True)
def parts() -> Any:
    """What the good algorithm's `tiny` names."""
    with registry.add(Plugin(networks={"good": "helpers.broken:GoodNetwork"})):
        yield


def make(kind: str, **changes: Any) -> type:
    """The good component of a kind with some attributes replaced."""
    return type("Broken", (GOOD[kind],), {"__module__": __name__, **changes})


def problems(kind: str, target: Any, **given: Any) -> dict[str, str]:
    return {o.name: o.problem for o in check_component(kind, target, **given) if o.problem}


@pytest.mark.parametrize("kind", GOOD)
def test_a_good_component_passes_and_each_check_is_timed(kind: str) -> None:
    outcomes = check_component(kind, GOOD[kind])
    assert {o.name: o.problem for o in outcomes if o.problem} == {}
    assert len(outcomes) >= 5
    assert all(o.seconds >= 0 for o in outcomes)
    assert_conforms(kind, GOOD[kind])


# Each case: kind, what is changed, the check that must notice, words that it must say.


def scaled(self: Any, z: Tensor, labels: Any = None) -> Tensor:
    return GoodGenerator.forward(self, z, labels) * 3


def noisy(self: Any, x: Tensor, labels: Any = None) -> Tensor:
    return GOOD["generators" if x.dim() == 2 else "discriminators"].forward(self, x, labels) * (1 - torch.rand(1) * 0.1)  # type: ignore[attr-defined,no-any-return]


def numbered_generator(self: Any, z: Tensor, labels: Any = None) -> Tensor:
    self.calls = getattr(self, "calls", 0) + 1
    return GoodGenerator.forward(self, z, labels) * (0.9**self.calls)


def batch_mean(self: Any, z: Tensor, labels: Any = None) -> Tensor:
    return GoodGenerator.forward(self, z - z.mean(dim=0), labels)


def in_place(self: Any, z: Tensor, labels: Any = None) -> Tensor:
    z.data.mul_(2)
    return GoodGenerator.forward(self, z, labels)


def without_gradient(self: Any, z: Tensor, labels: Any = None) -> Tensor:
    x = self.hidden(z).detach()
    return torch.tanh(self.out(x + (0 if self.classes is None else self.classes(labels)))).unflatten(1, self.image.shape)


def hidden_layer_by_parts(self: Any, z: Tensor, labels: Any = None) -> Tensor:
    x = z
    for layer in self.hidden:
        x = layer(x)
    return torch.tanh(self.out(x)).unflatten(1, self.image.shape)


def hidden_twice(self: Any, z: Tensor, labels: Any = None) -> Tensor:
    return torch.tanh(self.out(self.hidden(z) + self.hidden(-z))).unflatten(1, self.image.shape)


def hidden_ignored(self: Any, z: Tensor, labels: Any = None) -> Tensor:
    self.hidden(z)
    x = self.hidden[2](self.hidden[1](self.hidden[0](z)))
    return torch.tanh(self.out(x)).unflatten(1, self.image.shape)


class Stateful(GoodGenerator):
    """Keeps a number that its output depends on where state_dict does not see it."""

    def __init__(self, *, image: ImageSpec, latent_dim: int = 6) -> None:
        super().__init__(image=image, latent_dim=latent_dim)
        self.shift = torch.rand(())

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return super().forward(z * self.shift, labels)


class Shared(GoodGenerator):
    def __init__(self, *, image: ImageSpec, latent_dim: int = 6) -> None:
        super().__init__(image=image, latent_dim=latent_dim)
        self.again = self.out


class Uncopied(GoodGenerator):
    def __deepcopy__(self, memo: Any) -> Uncopied:
        return self


class OnTheProcessor(GoodGenerator):
    def __init__(self, *, image: ImageSpec, latent_dim: int = 6) -> None:
        super().__init__(image=image, latent_dim=latent_dim)
        self.register_buffer("table", torch.zeros(3, device="cpu"))


class NoLatentDim(GoodGenerator):
    def __init__(self, *, image: ImageSpec, latent_dim: int = 6) -> None:
        super().__init__(image=image, latent_dim=latent_dim)
        self.latent_dim = "six"  # type: ignore[assignment]


class OtherImage(GoodDiscriminator):
    def __init__(self, *, image: ImageSpec, width: int = 6) -> None:
        super().__init__(image=image, width=width)
        self.image = ImageSpec(99)


class FixedSize(GoodDiscriminator):
    def __init__(self, *, image: ImageSpec, width: int = 6) -> None:
        super().__init__(image=image, width=width)
        self.out = nn.Linear(width * 16, 1)


class IgnoresChannels(GoodGenerator):
    def __init__(self, *, image: ImageSpec, latent_dim: int = 6) -> None:
        super().__init__(image=ImageSpec(image.size, 3, image.num_classes), latent_dim=latent_dim)
        self.image = image

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return torch.tanh(self.out(self.hidden(z))).unflatten(1, (3, self.image.size, self.image.size))


class OnlyFloat32(GoodGenerator):
    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        out = super().forward(z, labels)
        return out.lerp(torch.zeros(out.shape, dtype=torch.float32), 0.1)


class InPlaceAfterStage(GoodDiscriminator):
    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        first = self.first(x)
        first.mul_(0.5)
        logits: Tensor = self.out(self.second(first).flatten(1))
        return logits.squeeze(1)


class Reading(GoodDiscriminator):
    """Has a head that is asked for by a flag."""

    def __init__(self, *, image: ImageSpec, width: int = 6) -> None:
        super().__init__(image=image, width=width)
        self.scores = nn.Linear(1, 3)

    def forward(self, x: Tensor, labels: Tensor | None = None, read: bool = False) -> Tensor:
        logits = super().forward(x, labels)
        return torch.cat([logits[:, None], self.scores(logits[:, None])], dim=1) if read else logits


class Unread(Reading):
    def forward(self, x: Tensor, labels: Tensor | None = None, read: bool = False) -> Tensor:
        return super().forward(x, labels)


class Sigmoid(GoodDiscriminator):
    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        return torch.sigmoid(super().forward(x, labels))


def same_latents(self: Any, n: int, rng: Any = None) -> Tensor:
    return torch.ones(n, self.latent_dim)


def global_latents(self: Any, n: int, rng: Any = None) -> Tensor:
    return torch.randn(n, self.latent_dim)


def slow(self: Any, z: Tensor, labels: Any = None) -> Tensor:
    end = time.process_time() + 0.3
    while time.process_time() < end:
        pass
    return GoodGenerator.forward(self, z, labels)


def loses_precision(self: Any, z: Tensor, labels: Any = None) -> Tensor:
    return GoodGenerator.forward(self, z, labels).double()


def raises(self: Any, *_: Any, **__: Any) -> Tensor:
    raise RuntimeError("the moon is full")


def keeps_hooks(self: Any, x: Tensor, labels: Any = None) -> list[Tensor]:
    for stage in self.stages().values():
        stage.register_forward_hook(lambda *_: None)
    return GoodDiscriminator.features(self, x, labels)


NETWORKS: list[tuple[str, dict[str, Any] | type, str, str]] = [
    ("generators", {"forward": scaled}, "images", "expected images in"),
    ("generators", {"forward": raises}, "images", r"moon is full \(in raises, .*test_testing"),
    ("generators", {"forward": lambda s, z, labels=None: (GoodGenerator.forward(s, z, labels),)}, "images", "a tuple"),
    ("generators", {"forward": lambda s, z, labels=None: torch.ones(len(z), *s.image.shape)}, "gradients", "RuntimeError"),
    (
        "generators",
        {"forward": lambda s, z, labels=None: GoodGenerator.forward(s, z)[:, :, 1:]},
        "images",
        "expected .N, ch",
    ),
    ("generators", {"forward": lambda s, z, labels=None: GoodGenerator.forward(s, z) / 0}, "images", "not finite"),
    ("generators", {"forward": loses_precision}, "images", "float64, expected torch.float32"),
    ("generators", {"forward": noisy}, "same input", "global random numbers"),
    ("generators", {"forward": numbered_generator}, "same input", "expected equal outputs"),
    ("generators", {"forward": in_place}, "same input", "in place"),
    ("generators", {"forward": batch_mean}, "independent", "rest of the batch"),
    ("generators", {"forward": without_gradient}, "gradients", "no gradient reaches hidden.0.weight"),
    ("generators", {"forward": lambda s, z, labels=None: GoodGenerator.forward(s, z * 0)}, "different", "same image"),
    ("generators", {"sample_latent": same_latents}, "latents", "is the same for two seeds"),
    ("generators", {"sample_latent": global_latents}, "latents", "global random numbers"),
    ("generators", {"sample_latent": lambda s, n, rng: torch.randn(n, 6, generator=rng)}, "latents", "uniform"),
    ("generators", {"sample_latent": lambda s, n, rng: torch.randn(n, 7, generator=rng)}, "latents", r"\[n, latent_dim\]"),
    ("generators", NoLatentDim, "attributes", "latent_dim is 'six'"),
    ("generators", {"stages": lambda s: {}}, "stages", "empty"),
    ("generators", {"stages": lambda s: [s.hidden]}, "stages", "expected a mapping"),
    ("generators", {"stages": lambda s: {"new": nn.Linear(6, 6)}}, "stages", "no part of the network"),
    ("generators", {"stages": lambda s: {"a": s.hidden, "b": s.hidden}}, "stages", "one module twice"),
    ("generators", {"forward": hidden_layer_by_parts}, "stages", "0 times"),
    ("generators", {"forward": hidden_twice}, "stages", "2 times"),
    ("generators", {"forward": hidden_ignored}, "stages", "silencing stage 'hidden'"),
    ("generators", Stateful, "save and load", "not in state_dict"),
    ("generators", Shared, "save and load", "each tensor once"),
    ("generators", Uncopied, "can be copied", "shares weights"),
    ("generators", OnTheProcessor, "builds without memory", "table takes memory"),
    ("generators", OnlyFloat32, "half precision", "RuntimeError: .*dtype"),
    ("generators", IgnoresChannels, "sizes and channels", r"channels=1.*expected \[4, 1"),
    ("generators", {"forward": hidden_layer_by_parts}, "labels", "no gradient reaches classes.weight"),
    ("discriminators", OtherImage, "image", "hand it to super"),
    ("discriminators", FixedSize, "sizes and channels", "OptionError from the constructor"),
    (
        "discriminators",
        {"forward": lambda s, x, labels=None: GoodDiscriminator.forward(s, x)[:, None]},
        "logits",
        "logits .N",
    ),
    ("discriminators", {"forward": noisy}, "same input", "global random numbers"),
    ("discriminators", Unread, "gradients", "no gradient reaches scores.weight"),
    ("discriminators", Sigmoid, "logits are no probabilities", "no sigmoid"),
    ("discriminators", InPlaceAfterStage, "features", "work in place"),
    ("discriminators", {"features": lambda s, x, labels=None: [x]}, "features", "one for each of 2 stages"),
    ("discriminators", {"features": lambda s, x, labels=None: x}, "features", "a list of tensors"),
    ("discriminators", {"features": lambda s, x, labels=None: [s.first(x), s.first(x)]}, "features", "stage 'second'"),
    ("discriminators", {"features": keeps_hooks}, "features", "leaves hooks"),
    ("discriminators", {"stages": lambda s: {"second": s.second, "first": s.first}}, "stages", "expected the order"),
    (
        "discriminators",
        {"forward": lambda s, x, labels=None: GoodDiscriminator.forward(s, x.detach())},
        "gradients",
        "input",
    ),
]


@pytest.mark.parametrize(("kind", "change", "check", "words"), NETWORKS)
def test_a_broken_network_is_named(kind: str, change: Any, check: str, words: str, match: Any) -> None:
    match(problems(kind, change if isinstance(change, type) else make(kind, **change)), check, words)


def test_a_head_that_a_flag_asks_for_is_reached() -> None:
    assert problems("discriminators", Reading) == {}


@pytest.fixture
def match() -> Any:
    import re

    def matches(found: Mapping[str, str], check: str, words: str) -> None:
        hits = [problem for name, problem in found.items() if name.startswith(check)]
        assert hits, f"{check} found nothing; others did: {found}"
        assert re.search(words, hits[0]), hits[0]

    return matches


def test_a_slow_network_is_named(match: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoo_core.testing.networks.SECONDS", 0.1)
    from zoo_core.testing.networks import cpu_seconds
    from zoo_core.testing.subjects import Subject, run

    subject = Subject("generators", make("generators", forward=slow), options=None, image=None)
    subject.options, subject.image = {}, ImageSpec(8)
    (outcome,) = run([cpu_seconds], subject)
    assert "CPU seconds, expected at most" in outcome.problem


def backward_inside(self: Any, real: Tensor, fake: Tensor) -> Tensor:
    value = GoodLoss.discriminator(self, real, fake)
    value.backward(retain_graph=True)  # type: ignore[no-untyped-call]
    return value


def counting(self: Any, fake: Tensor, real: Any = None) -> Tensor:
    self.calls = getattr(self, "calls", 0) + 1
    return GoodLoss.generator(self, fake) * self.calls


def clamps_in_place(self: Any, fake: Tensor, real: Any = None) -> Tensor:
    fake.data.clamp_(-0.1, 0.1)
    return GoodLoss.generator(self, fake)


LOSSES: list[tuple[dict[str, Any], str, str]] = [
    ({"discriminator": lambda s, r, f: r - f}, "finite scalars", "expected a scalar"),
    ({"discriminator": lambda s, r, f: 0.5}, "finite scalars", "a float"),
    ({"generator": lambda s, f, r=None: f.exp().mean()}, "finite scalars", r"finite.*real logits of"),
    ({"generator": lambda s, f, r=None: torch.zeros(())}, "finite scalars", "a constant"),
    ({"generator": lambda s, f, r=None: -torch.log(torch.sigmoid(f)).mean()}, "finite scalars", "finite"),
    ({"discriminator": backward_inside}, "finite scalars", "calls backward"),
    ({"generator": clamps_in_place}, "finite scalars", "in place"),
    ({"generator": counting}, "same input", "expected equal"),
    ({"discriminator": lambda s, r, f: f.square().mean() - r.mean() * 0}, "gradients", "reaches the real"),
    ({"discriminator": lambda s, r, f: r.mean() - f.mean()}, "direction", "expected the first to be less"),
    ({"generator": lambda s, f, r=None: f.mean()}, "direction", "generator gives"),
    ({"generator": lambda s, f, r=None: (r.mean() - f).mean()}, "arguments", "needs_real_logits = True"),
    ({"penalty_every": 0}, "arguments", "penalty_every is 0"),
    ({"penalty": lambda s, d, r, f, labels=None: d(r).square()}, "penalty", "expected a scalar"),
    ({"penalty": lambda s, d, r, f, labels=None: d(r).mean().detach()}, "penalty", "create_graph"),
    ({"penalty": lambda s, d, r, f, labels=None: d(r.mul_(2)).mean()}, "penalty", "in place"),
]


@pytest.mark.parametrize(("changes", "check", "words"), LOSSES)
def test_a_broken_loss_is_named(changes: dict[str, Any], check: str, words: str, match: Any) -> None:
    match(problems("losses", make("losses", **changes)), check, words)


def penalty_with_backward(self: Any, d: Any, real: Tensor, fake: Tensor, labels: Any = None) -> Tensor:
    value: Tensor = d(real).mean()
    value.backward(retain_graph=True)  # type: ignore[no-untyped-call]
    return value


def test_a_penalty_that_calls_backward_is_named(match: Any) -> None:
    match(problems("losses", make("losses", penalty=penalty_with_backward)), "penalty", "must not call backward")


def relisted(**changes: Any) -> Any:
    """A `listing` whose records have other fields."""
    return lambda s: Listing(
        [Record(**{"key": f"{i}", "source": i, "attributes": (0,), **changes}) for i in range(3)],
        classes=("a",),
        attributes={"mark": ("x",)},
    )


class Unpicklable(GoodDataset):
    def __init__(self, *, data: str | None = None, split: str = "train", count: int = 3) -> None:
        super().__init__(data=data, split=split, count=count)
        self.opened = lambda: None


def decoding(image: Any, **boxes: Any) -> Any:
    return lambda s, record: Picture(image, boxes)


def small_jpeg() -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (9, 7)).save(buffer, "JPEG")
    return buffer.getvalue()


PLAIN = Image.new("RGB", (9, 7))
DATASETS: list[tuple[dict[str, Any] | type, str, str]] = [
    ({"listing": lambda s: []}, "listing", "a list, expected"),
    ({"listing": lambda s: Listing([])}, "listing", "no records"),
    ({"listing": lambda s: Listing(["a"])}, "listing", "holds a str"),
    ({"listing": relisted(key="same")}, "listing", "expected unique"),
    ({"listing": relisted(key=7)}, "listing", "expected a text"),
    ({"listing": relisted(label=1)}, "listing", "label 1"),
    ({"listing": relisted(attributes=())}, "listing", "0 attributes"),
    ({"listing": relisted(attributes=(5,))}, "listing", "5 for attribute 'mark'"),
    ({"listing": lambda s: Listing([Record(str(random.random()), 1)])}, "listing", "gives other records"),
    ({"boxed": ("nose",)}, "listing", "boxed names nose"),
    ({"decode": lambda s, record: b"png"}, "pictures", "a bytes"),
    ({"decode": lambda s, record: Image.effect_noise((8, 8), 50)}, "pictures", "another picture the second time"),
    ({"read_jpeg": lambda s, record: "a path"}, "pictures", "a str"),
    ({"read_jpeg": lambda s, record: small_jpeg()}, "pictures", "is not the picture of decode"),
    ({"decode": decoding(PLAIN, nose=(0, 0, 1, 1))}, "boxes", "a box for nose"),
    ({"decode": decoding(PLAIN, mark=(0, 0, 99, 1))}, "boxes", "inside 9 × 7"),
    ({"decode": decoding(PLAIN, mark=(3, 0, 3, 1))}, "boxes", "left < right"),
    ({"crop": lambda s, w, h: (0, 0, w, h)}, "crop", "expected a square"),
    ({"default_channels": 4}, "texts", "expected None, 1 or 3"),
    ({"license": None}, "texts", "expected a text"),
    ({"added_options": frozenset({"style"})}, "texts", "added_options names style"),
    (Unpicklable, "can be pickled", "worker process"),
]


@pytest.mark.parametrize(("change", "check", "words"), DATASETS)
def test_a_broken_dataset_is_named(change: Any, check: str, words: str, match: Any) -> None:
    match(problems("datasets", change if isinstance(change, type) else make("datasets", **change)), check, words)


def test_a_dataset_that_needs_data_is_not_checked() -> None:
    outcomes = check_component("datasets", make("datasets", tiny=None))
    assert outcomes[-1].note == "not checked: needs data"
    assert not any(o.problem for o in outcomes)
    assert len(check_component("datasets", make("datasets", tiny=None), options={"count": 2})) > len(outcomes)


def test_a_dataset_without_data_or_split_is_named(match: Any) -> None:
    class Bare(GoodDataset):
        def __init__(self, *, count: int = 3) -> None:
            super().__init__(count=count)

    match(problems("datasets", Bare), "options", "takes no data and no split")


class RandomFeatures(GoodFeatures):
    def __init__(self, *, seed: int = 0) -> None:
        super().__init__()
        self.weight = torch.randn(64, self.dim)


def leaves_gradients_off(self: Any, x: Tensor) -> Tensor:
    torch.set_grad_enabled(False)
    return GoodFeatures.forward(self, x)


def counts(self: Any, x: Tensor) -> Tensor:
    out = GoodFeatures.forward(self, x)
    self.weight.mul_(1.5)
    return out


FEATURES: list[tuple[dict[str, Any] | type, str, str]] = [
    ({"forward": lambda s, x: x.mean(dim=(1, 2, 3))[:, None]}, "vectors", r"\[4, 1\], expected \[N, dim\] = \[4, 4\]"),
    ({"dim": 0}, "vectors", "whole number"),
    ({"forward": lambda s, x: x[:, 2, :2, :2].flatten(1)}, "vectors", r"\[4, 1, 32, 32\]"),
    ({"forward": lambda s, x: GoodFeatures.forward(s, x) * torch.rand(1)}, "same input", "global random"),
    ({"forward": lambda s, x: GoodFeatures.forward(s, x - x.mean(dim=0))}, "independent", "rest of the batch"),
    ({"forward": lambda s, x: torch.ones(len(x), 4)}, "independent", "two images have the same"),
    ({"forward": leaves_gradients_off}, "no side effects", "switches gradients off"),
    ({"forward": counts}, "no side effects", "changes weight"),
    (RandomFeatures, "same input", "another instance"),
]


@pytest.mark.parametrize(("change", "check", "words"), FEATURES)
def test_a_broken_feature_extractor_is_named(change: Any, check: str, words: str, match: Any) -> None:
    match(problems("features", change if isinstance(change, type) else make("features", **change)), check, words)


# What decides whether a component can be checked at all.


class NotKeywordOnly(GoodGenerator):
    def __init__(self, image: ImageSpec, latent_dim: int = 6) -> None:
        super().__init__(image=image, latent_dim=latent_dim)


class Hides(GoodGenerator):
    def __init__(self, *, image: ImageSpec, **options: Any) -> None:
        super().__init__(image=image, latent_dim=6)


class NoJson(GoodGenerator):
    def __init__(self, *, image: ImageSpec, latent_dim: int = 6, act: Any = nn.ReLU) -> None:
        super().__init__(image=image, latent_dim=latent_dim)


class WrongDefault(GoodGenerator):
    def __init__(self, *, image: ImageSpec, latent_dim: int = "six") -> None:  # type: ignore[assignment]
        super().__init__(image=image, latent_dim=6)


class NoImage(GoodGenerator):
    def __init__(self, *, latent_dim: int = 6) -> None:
        super().__init__(image=ImageSpec(8), latent_dim=latent_dim)


class Exits(GoodGenerator):
    def __init__(self, *, image: ImageSpec, latent_dim: int = 6) -> None:
        raise SystemExit(3)


@pytest.mark.parametrize(
    ("target", "check", "words"),
    [
        (nn.Linear, "subclass", "does not subclass zoo_core.Generator"),
        (GoodDiscriminator, "subclass", "does not subclass zoo_core.Generator"),
        (Component("no.such.module:Class"), "imports", "No module named 'no'"),
        (Component("torch.nn:Linearity"), "imports", "Linearity"),
        (Component("json:dumps"), "subclass", "json:dumps does not subclass"),
        (NotKeywordOnly, "options", "'image' must be keyword-only"),
        (Hides, "options", "hide which options"),
        (NoJson, "options", "something JSON can hold"),
        (WrongDefault, "options", "latent_dim.*must be int, not 'six'"),
        (NoImage, "constructs", "keyword 'image'"),
        (Exits, "constructs", "SystemExit: 3"),
        (make("generators", tiny={"breadth": 3}), "options", "unknown option.*breadth"),
        (make("generators", tiny={"image": 8}), "options", "expected an ImageSpec"),
        (make("generators", tiny=None), "options", "expected a mapping"),
        (type("Abstract", (GoodGenerator.__base__,), {}), "subclass", "does not define forward, stages"),
    ],
)
def test_what_cannot_be_made_is_not_checked_further(target: Any, check: str, words: str, match: Any) -> None:
    outcomes = check_component("generators", target)
    match({o.name: o.problem for o in outcomes}, check, words)
    assert outcomes[-1].name == check
    assert [o.name for o in outcomes if o.problem] == [check]


def test_all_problems_are_raised_together() -> None:
    with pytest.raises(AssertionError) as caught:
        assert_conforms("generators", make("generators", forward=noisy, stages=lambda s: {}))
    assert f"{__name__}:Broken does not conform:" in str(caught.value)
    assert "- stages: stages() is empty" in str(caught.value)
    assert "- same input same output: forward draws" in str(caught.value)


def test_options_and_image_can_be_chosen() -> None:
    assert not problems("generators", GoodGenerator, options={"latent_dim": 3}, image=ImageSpec(16, 1))
    assert "unknown option" in problems("generators", GoodGenerator, options={"nonsense": 3})["options"]


def test_unknown_kind_and_name_are_errors() -> None:
    with pytest.raises(UnknownNameError, match="generators"):
        check_component("generator", GoodGenerator)
    with pytest.raises(UnknownNameError):
        check_component("generators", "dcgn")


def test_the_callers_random_state_and_gradient_mode_stay() -> None:
    before = torch.get_rng_state(), random.getstate()
    check_component("features", make("features", forward=leaves_gradients_off))
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == random.getstate()
    assert torch.is_grad_enabled()


# Recipes.

NETS = {
    "generators": {"good": "helpers.broken:GoodGenerator"},
    "discriminators": {"good": "helpers.broken:GoodDiscriminator"},
}


@pytest.mark.parametrize(
    ("recipe", "check", "words"),
    [
        ({}, "", ""),
        ({"generator": "god"}, "components", "unknown generator 'god'; did you mean good"),
        ({"base": "nobody"}, "resolves", "nobody"),
        ({"loss": None}, "resolves", "names no loss"),
        ({"options": {"generator.breadth": 3}}, "components", "unknown option of generator 'breadth'"),
        ({"options": {"generator.latent_dim": "x"}}, "components", "must be int"),
        ({"options": {"training.batch": 0}}, "settings", "at least 1"),
        ({"options": {"optimizer.generator.lr": -1.0}}, "settings", "more than 0"),
        ({"options": {"optimizer.speed": 1.0}}, "settings", "unknown option of optimizer"),
        ({"options": {"algorithm.conditional": True}}, "networks fit", "knows no classes"),
        ({"discriminator": "fixed"}, "networks fit", "do not fit together"),
    ],
)
def test_recipe(recipe: dict[str, Any], check: str, words: str, match: Any) -> None:
    parts = {"generator": "good", "discriminator": "good", "loss": "good", **recipe}
    record = Plugin(
        generators=NETS["generators"],
        discriminators={**NETS["discriminators"], "fixed": f"{__name__}:FixedSize"},
        losses={"good": "helpers.broken:GoodLoss"},
        recipes=[Recipe("mine", **parts)],
    )
    with registry.add(record):
        found = {o.name: o.problem for o in check_recipe("mine") if o.problem}
        if not check:
            assert_recipe("mine")
            assert not found
            return
        match(found, check, words)
        with pytest.raises(AssertionError, match="recipe mine does not conform"):
            assert_recipe("mine")
