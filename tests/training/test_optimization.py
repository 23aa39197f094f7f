"""Optimizers, schedules, clipping, mirrored pictures and augmentation: what the settings say is what is computed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import zoo
from helpers.packs import pictures
from helpers.training import Heard, differing, readings, resume, samples, train
from zoo.devices import Runtime
from zoo.runs.budget import Budget
from zoo.runs.config import RunConfig
from zoo.training import callbacks
from zoo.training.engine import Engine
from zoo.training.speed import random_minibatch
from zoo.training.state import State, learning_rate, make_optimizer, schedule_left
from zoo_core import ImageSpec, OptionError, UnknownNameError, UsageError, registry
from zoo_core.settings import OptimizerSettings

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _prepared(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(callbacks, "TICK", 0.0)  # progress, and so `stop_at`, at every step
    with samples():
        yield


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return pictures(tmp_path / "pictures", 20, colored={0})


def settings(**chosen: Any) -> dict[str, Any]:
    return asdict(OptimizerSettings(**chosen))


def engine_of(recipe: str = "linear", **options: Any) -> tuple[Engine, State, RunConfig]:
    config = RunConfig.resolve(recipe, options=options).with_image(ImageSpec(16, 3))
    config = config.with_schedule(Budget("images", 80), 20)
    state = State.create(config, Runtime(CPU))
    return Engine(config, state, Runtime(CPU)), state, config


TORCH = {
    "adam": lambda p: torch.optim.Adam(p, lr=0.1, betas=(0.5, 0.9), eps=1e-6, weight_decay=0.01),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.1, betas=(0.5, 0.9), eps=1e-6, weight_decay=0.01),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.1, alpha=0.9, momentum=0.5, eps=1e-6, weight_decay=0.01),
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.5, weight_decay=0.01),
}


@pytest.mark.parametrize("kind", sorted(TORCH))
def test_each_kind_is_torchs(kind: str) -> None:
    torch.manual_seed(0)
    nets = [nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)) for _ in range(2)]
    nets[1].load_state_dict(nets[0].state_dict())
    chosen = settings(kind=kind, lr=0.1, beta1=0.5, beta2=0.9, eps=1e-6, weight_decay=0.01)
    optimizers = [make_optimizer(nets[0], chosen, CPU), TORCH[kind](nets[1].parameters())]
    assert isinstance(optimizers[0], type(optimizers[1]))
    before = [p.detach().clone() for p in nets[0].parameters()]
    for _ in range(6):
        x = torch.randn(5, 3)
        for net, optimizer in zip(nets, optimizers, strict=True):
            optimizer.zero_grad()
            net(x).square().sum().backward()
            optimizer.step()
    for mine, theirs, old in zip(nets[0].parameters(), nets[1].parameters(), before, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-6)
        assert not mine.allclose(old)


@pytest.mark.parametrize("kind", sorted(TORCH))
def test_each_kind_trains_a_whole_run(kind: str) -> None:
    engine, state, config = engine_of(**{"optimizer.kind": kind})
    assert all(isinstance(optimizer, type(TORCH[kind]([torch.zeros(1)]))) for optimizer in state.optimizers.values())
    before = {role: [p.detach().clone() for p in net.parameters()] for role, net in state.networks.items()}
    engine.step(random_minibatch(config, state, CPU))
    for role, old in before.items():
        assert not all(p.equal(o) for p, o in zip(state.networks[role].parameters(), old, strict=True))


def test_each_role_has_its_own() -> None:
    _, state, _ = engine_of(**{"optimizer.discriminator.kind": "rmsprop", "optimizer.lr": 0.25})
    assert isinstance(state.optimizers["discriminator"], torch.optim.RMSprop)
    assert isinstance(state.optimizers["generator"], torch.optim.Adam)
    assert [optimizer.param_groups[0]["lr"] for optimizer in state.optimizers.values()] == [0.25, 0.25]


@pytest.mark.parametrize(
    ("schedule", "warmup", "values"),
    [
        ("constant", 0, {0: 1, 50: 1, 100: 1, 1000: 1}),
        ("constant", 40, {0: 0, 10: 0.25, 20: 0.5, 40: 1, 1000: 1}),
        ("linear", 0, {0: 1, 25: 0.75, 50: 0.5, 100: 0, 1000: 0}),
        ("linear", 20, {0: 0, 10: 0.5, 20: 1, 60: 0.5, 100: 0, 1000: 0}),
        ("cosine", 0, {0: 1, 25: (1 + math.sqrt(0.5)) / 2, 50: 0.5, 75: (1 - math.sqrt(0.5)) / 2, 100: 0, 1000: 0}),
        ("cosine", 20, {0: 0, 10: 0.5, 20: 1, 60: 0.5, 100: 0}),
    ],
)
def test_schedules(schedule: str, warmup: int, values: dict[int, float]) -> None:
    chosen = settings(lr=2.0, schedule=schedule, schedule_images=100, warmup_images=warmup)
    for images, share in values.items():
        assert learning_rate(chosen, images) == pytest.approx(2 * share, abs=1e-12)


def test_a_schedule_may_end_above_zero() -> None:
    chosen = settings(lr=2.0, schedule="cosine", schedule_images=100, warmup_images=20, schedule_floor=0.25)
    for images, share in {0: 0, 10: 0.5, 20: 1, 60: 0.625, 100: 0.25, 1000: 0.25}.items():
        assert learning_rate(chosen, images) == pytest.approx(2 * share)
    assert [schedule_left(chosen, images) for images in (0, 20, 60, 100)] == pytest.approx([1, 1, 0.5, 0])


def test_the_optimizers_step_with_what_the_schedule_says() -> None:
    engine, state, config = engine_of(
        **{"optimizer.schedule": "linear", "optimizer.warmup_images": 16, "optimizer.discriminator.schedule": "constant"}
    )
    assert {role: s["schedule_images"] for role, s in config.optimizer.items()} == {"generator": 80, "discriminator": 0}
    found: dict[str, list[float]] = {role: [] for role in state.optimizers}
    for role, optimizer in state.optimizers.items():
        optimizer.register_step_pre_hook(lambda o, *_, role=role: found[role].append(o.param_groups[0]["lr"]))
    for _ in range(10):
        engine.step(random_minibatch(config, state, CPU))
        state.step, state.images = state.step + 1, state.images + 8
    rates = [0.0, 0.5, *(1 - n / 8 for n in range(8))]
    assert found["generator"] == pytest.approx([2e-4 * rate for rate in rates])
    assert found["discriminator"] == pytest.approx([0.0, 1e-4, *[2e-4] * 8])


def test_the_gradient_is_clipped_and_its_norm_before_is_written_down() -> None:
    engine, state, config = engine_of(**{"optimizer.clip": 0.01, "optimizer.generator.clip": 1000.0})
    norms: dict[str, float] = {}

    def note(role: str, optimizer: torch.optim.Optimizer) -> None:
        grads = [p.grad for group in optimizer.param_groups for p in group["params"]]
        norms[role] = float(torch.cat([g.reshape(-1) for g in grads]).norm())

    for role, optimizer in state.optimizers.items():
        optimizer.register_step_pre_hook(lambda o, *_, role=role: note(role, o))
    engine.step(random_minibatch(config, state, CPU))
    means = state.meter.means(Runtime(CPU))
    assert norms["discriminator"] == pytest.approx(0.01, rel=1e-3)
    assert means["d_grad"] > 0.02
    assert norms["generator"] == pytest.approx(means["g_grad"], rel=1e-4)  # small enough as it is


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("adam", {"optimizer.schedule": "cosine"}),
        ("adamw", {"optimizer.schedule": "linear", "optimizer.weight_decay": 0.1}),
        ("rmsprop", {"optimizer.clip": 0.05}),
        ("sgd", {"optimizer.schedule": "linear", "optimizer.clip": 0.05}),
        ("sgd", {"optimizer.beta1": 0.0}),  # keeps nothing
        ("adam", {"training.mirror": True, "training.augment": "color,translation,cutout"}),
    ],
)
def test_exact_on_resume(kind: str, more: dict[str, Any], data: Path, tmp_path: Path) -> None:
    options = {"optimizer.kind": kind, "optimizer.warmup_images": 24, **more}
    straight = train("dropout", data, tmp_path / "straight", images=80, options=options)
    broken = train("dropout", data, tmp_path / "broken", images=80, options=options, stop_at=32)
    assert not broken.finished
    assert resume(broken.path).finished
    assert differing(straight.path, broken.path) == []
    assert readings(straight.path) == readings(broken.path)
    plain = train("dropout", data, tmp_path / "plain", images=80)
    assert [name for name in differing(straight.path, plain.path) if name.startswith("networks/")]


def test_a_schedule_ends_where_the_budget_does(data: Path, tmp_path: Path) -> None:
    heard = [Heard(), Heard()]
    run = train("linear", data, tmp_path / "run", epochs=2, report=heard[0], options={"optimizer.schedule": "linear"})
    assert {s["schedule_images"] for s in run.config.optimizer.values()} == {40}
    longer = resume(run.path, images=80, report=heard[1])  # its schedule stays what it was
    assert {s["schedule_images"] for s in longer.config.optimizer.values()} == {40}
    assert "warning" not in heard[0].text
    assert "warning: nothing is learned by generator and discriminator from 40 images on" in heard[1].text
    named = {"optimizer.schedule": "cosine", "optimizer.schedule_images": 64}
    assert train("linear", data, tmp_path / "named", minutes=1e-4, options=named).finished


def test_a_schedule_needs_an_end_that_every_machine_reaches_alike(data: Path, tmp_path: Path) -> None:
    message = (
        "a cosine schedule has to end at a number of images, and the budget is 2 minutes\ngive 'images' or 'epochs', or"
    )
    with pytest.raises(UsageError, match=message):
        zoo.plan("linear", dataset="folder", data=data, minutes=2, options={"optimizer.generator.schedule": "cosine"})
    with pytest.raises(UsageError, match=message):
        train("linear", data, tmp_path / "run", minutes=2, options={"optimizer.schedule": "cosine"})
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"optimizer.kind": "lion"}, OptionError, r"optimizer\.kind must be adam \| adamw \| rmsprop \| sgd, not 'lion'"),
        ({"optimizer.schedule": "step"}, OptionError, r"schedule must be constant \| linear \| cosine, not 'step'"),
        ({"optimizer.clip": -1}, OptionError, r"optimizer\.clip is -1\.0; it must be at least 0"),
        ({"optimizer.generator.warmup_images": -1}, OptionError, r"warmup_images is -1; it must be at least 0"),
        ({"training.augment": "colour"}, UnknownNameError, "unknown augmentation 'colour'; did you mean color"),
        ({"training.mirror": "perhaps"}, OptionError, r"training\.mirror must be bool"),
    ],
)
def test_what_is_wrong_is_said(options: dict[str, Any], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        RunConfig.resolve("linear", options=options)


def augmented_by_hand(images: Tensor, seed: int) -> Tensor:
    torch.manual_seed(seed)
    for name in ("color", "translation", "cutout"):
        images = registry.create("augmentations", name)(images)
    return images


@pytest.mark.parametrize(("side", "share", "holes"), [(8, 0.5, 4), (7, 0.5, 4), (6, 0.5, 3), (8, 0.1, 1)])
def test_cutout_hides_each_end_alike(side: int, share: float, holes: int) -> None:
    cutout = registry.create("augmentations", "cutout", {"share": share})
    torch.manual_seed(0)
    seen = cutout(torch.ones(20_000, 1, side, side))
    rows = (seen == 0).any(3).squeeze(1)  # [N, S]
    assert rows.sum(1).max() == holes
    hidden = rows.float().mean(0)
    assert torch.allclose(hidden, hidden.flip(0), atol=0.02)


def test_augmentation_is_that_of_the_augmentations_called_by_hand() -> None:
    engine, state, config = engine_of(**{"training.augment": "color,translation,cutout"})
    network: Any = state.networks["discriminator"]
    images = random_minibatch(config, state, CPU).real
    expected = network(augmented_by_hand(images, 7))
    for call in (engine.parts["discriminator"], engine.parts["discriminator"].exact):
        torch.manual_seed(7)
        torch.testing.assert_close(call(images), expected)
        torch.manual_seed(7)
        logits, features = call.logits_and_features(images)
        torch.testing.assert_close(logits, expected)
        for mine, theirs in zip(features, network.features(augmented_by_hand(images, 7)), strict=True):
            torch.testing.assert_close(mine, theirs)
    assert not expected.allclose(network(images))
    network.eval()
    torch.testing.assert_close(engine.parts["discriminator"](images), network(images))
    z = torch.randn(2, state.generator.latent_dim)
    torch.testing.assert_close(engine.parts["generator"](z), state.generator(z))  # nothing that it draws is changed


def test_gradients_run_through_the_augmentation() -> None:
    engine, state, config = engine_of(**{"training.augment": "color,translation"})
    images = random_minibatch(config, state, CPU).real.requires_grad_()
    engine.parts["discriminator"](images).sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0
