"""The algorithm `gan`: what it yields, phase by phase, and that what it saves changes no gradient."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import zoo
from helpers.packs import pictures
from helpers.training import TINY, readings, samples, train
from zoo.devices import Runtime
from zoo.runs.config import RunConfig
from zoo.training.engine import Engine
from zoo.training.speed import random_minibatch
from zoo.training.state import State
from zoo_core import ImageSpec, Loss, OptionError, Plugin, Recipe, Step, registry

CPU = torch.device("cpu")


class Smooth(Loss):
    """A penalty on either side: the discriminator's logits, and the generator's pictures, should be small."""

    separable = True

    def __init__(self, *, strength: float = 1.0, every: int = 1) -> None:
        self.strength, self.generator_penalty_every = strength, every

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return fake_logits.mean() - real_logits.mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None, features: Any = None) -> Tensor:
        return -fake_logits.mean()

    def generator_penalty(self, generator: Any, z: Tensor, fake: Tensor, labels: Tensor | None = None) -> Tensor | None:
        assert not fake.requires_grad
        drawn = generator(z, labels)
        assert drawn.dtype == torch.float32
        return self.strength * drawn.square().mean()


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    small = {"training.batch": 8, "training.size": 16, "training.log_every": 3, "generator.dropout": 0.0}
    recipes = [
        Recipe("smooth", generator="plain", discriminator="plain", loss="smooth", options=small),
        Recipe("matching", generator="plain", discriminator="plain", loss="feature-matching", options=small),
        Recipe("r1", generator="plain", discriminator="plain", loss="non-saturating-r1", options=small),
        Recipe("pairs", generator="plain", discriminator="plain", loss="relativistic", options=small),
        Recipe("convolutional-r1", base="dcgan", loss="non-saturating-r1", options=TINY),
    ]
    with samples(), registry.add(Plugin(losses={"smooth": f"{__name__}:Smooth"}, recipes=recipes)):
        yield


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return pictures(tmp_path / "pictures", 20, colored={0})


def engine_of(recipe: str, **options: Any) -> tuple[Engine, State, RunConfig]:
    config = RunConfig.resolve(recipe, options=options).with_image(ImageSpec(16, 3))
    state = State.create(config, Runtime(CPU))
    return Engine(config, state, Runtime(CPU)), state, config


def step_of(engine: Engine, state: State, config: RunConfig) -> Step:
    batch = random_minibatch(config, state, CPU)
    due = frozenset(phase.name for phase in engine.phases if phase.due(0))
    return Step(batch.real, batch.labels, batch.z, engine.parts, due)


@pytest.mark.parametrize(("declared", "count"), [(True, 2), (False, 1)])
def test_both_sides_by_themselves_where_the_loss_is_a_sum(declared: bool, count: int) -> None:
    engine, state, config = engine_of("linear")
    state.losses["loss"].separable = declared
    found = list(state.algorithm.losses("discriminator", step_of(engine, state, config)))
    assert len(found) == count
    assert all(scalar.shape == () for scalar in found)


def gradients(share: bool, recipe: str = "r1", one_pass: bool = False, **options: Any) -> dict[str, Tensor]:
    """Of a discriminator's whole loss, penalty included; whether the penalty goes on with the graph of the real logits."""
    engine, state, config = engine_of(recipe, **options)
    engine.parts["discriminator"].twice_differentiable = share
    engine.parts["discriminator"].one_pass = one_pass
    step = step_of(engine, state, config)
    for phase in ("discriminator", "penalty"):
        for scalar in state.algorithm.losses(phase, step):
            scalar.backward(inputs=list(state.networks["discriminator"].parameters()))  # type: ignore[no-untyped-call]
    return {name: p.grad for name, p in state.networks["discriminator"].named_parameters() if p.grad is not None}


@pytest.mark.parametrize("recipe", ["r1", "convolutional-r1"])
@pytest.mark.parametrize("separable", [True, False])
@pytest.mark.parametrize("r2", [0.0, 3.0])
def test_a_penalty_that_goes_on_with_the_graph_has_the_same_gradients(
    recipe: str, separable: bool, r2: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry.load("losses", "non-saturating-r1"), "separable", separable)
    shared, apart = (gradients(share, recipe, **{"loss.r1": 100.0, "loss.r2": r2}) for share in (True, False))
    assert shared.keys() == apart.keys()
    for name, gradient in shared.items():
        torch.testing.assert_close(gradient, apart[name], rtol=1e-5, atol=1e-5 * max(1.0, float(apart[name].abs().max())))
    without = gradients(True, recipe, **{"loss.r1": 0.0})
    assert any(not without[name].allclose(gradient, rtol=1e-3) for name, gradient in shared.items())


@pytest.mark.parametrize("r1", [0.0, 100.0])
def test_penalties_on_both_sides_go_on_with_one_graph(r1: float) -> None:
    """In two passes of the discriminator, or in one where each image is judged alone: as by hand, without any sharing."""
    options = {"loss.r1": r1, "loss.r2": 3.0}
    apart = gradients(False, "pairs", **options)
    assert apart
    for one_pass in (False, True):
        shared = gradients(True, "pairs", one_pass=one_pass, **options)
        for name, gradient in shared.items():
            bound = 1e-5 * max(1.0, float(apart[name].abs().max()))
            torch.testing.assert_close(gradient, apart[name], rtol=1e-5, atol=bound)
    without = gradients(True, "pairs", **{"loss.r1": r1, "loss.r2": 0.0})
    assert any(not without[name].allclose(gradient, rtol=1e-3) for name, gradient in apart.items())


@pytest.mark.parametrize(("left", "share"), [(1.0, 1.0), (0.5, 0.55), (0.0, 0.1)])
def test_a_penalty_falls_with_the_schedule_of_the_discriminator(left: float, share: float) -> None:
    """To its floor, which is 0.1 of it here."""
    found = {}
    for floor in (0.1, 1.0):
        engine, state, config = engine_of("pairs", **{"loss.floor": floor, "loss.r1": 50.0})
        step = step_of(engine, state, config)
        step.left = {"discriminator": torch.tensor(left)}
        scalars = [list(state.algorithm.losses(phase, step))[-1:] for phase in ("discriminator", "penalty")]
        found[floor] = scalars[-1][0].item() - step.memory["d_loss"].item()
    assert found[0.1] == pytest.approx(share * found[1.0], rel=1e-4)
    assert found[1.0] > 0.01


def test_the_real_images_are_looked_at_once_where_the_graph_is_shared() -> None:
    def looks(share: bool, recipe: str = "r1", one_pass: bool = False) -> int:
        engine, state, config = engine_of(recipe)
        engine.parts["discriminator"].twice_differentiable = share
        engine.parts["discriminator"].one_pass = one_pass
        calls: list[int] = []
        state.networks["discriminator"].register_forward_hook(lambda *_: calls.append(1))
        step = step_of(engine, state, config)
        for phase in ("discriminator", "penalty"):
            list(state.algorithm.losses(phase, step))
        return len(calls)

    assert (looks(True), looks(False)) == (2, 3)
    assert (looks(True, "pairs"), looks(False, "pairs"), looks(True, "pairs", one_pass=True)) == (2, 4, 1)


def test_features_are_matched(data: Path, tmp_path: Path) -> None:
    run = train("matching", data, tmp_path / "run", images=48)
    losses = [line["g_loss"] for line in readings(run.path)]
    assert len(losses) == 2
    assert all(loss > 0 for loss in losses)
    engine, state, config = engine_of("matching")
    step = step_of(engine, state, config)
    list(state.algorithm.losses("discriminator", step))
    (found,) = state.algorithm.losses("generator", step)
    network: Any = state.networks["discriminator"]
    fake = state.generator(step.z)
    means = [network.features(images)[-1].mean(0) for images in (fake, step.real)]  # of the last stage
    by_hand = (means[0] - means[1]).square().mean()
    torch.testing.assert_close(found, by_hand, rtol=1e-4, atol=1e-7)


def test_a_penalty_of_the_generator_is_part_of_what_it_minimizes(data: Path, tmp_path: Path) -> None:
    runs = [
        train("smooth", data, tmp_path / name, images=96, options={"loss.strength": strength, "optimizer.lr": 0.01})
        for name, strength in (("plain", 0.0), ("penalized", 1000.0))
    ]
    first = [readings(run.path)[0]["g_loss"] for run in runs]
    assert first[1] > first[0] + 1  # counted into what is written down
    sizes = [float(zoo.load(run.path, raw=True).sample(16).square().mean()) for run in runs]
    assert sizes[1] < sizes[0] / 2  # and minimized


@pytest.mark.parametrize(("every", "steps"), [(1, [0, 1, 2, 3]), (2, [0, 2])])
def test_a_penalty_of_the_generator_comes_as_often_as_the_loss_says(every: int, steps: list[int]) -> None:
    engine, *_ = engine_of("smooth", **{"loss.every": every})
    (phase,) = [phase for phase in engine.phases if phase.name == "generator-penalty"]
    assert phase.joins
    assert [step for step in range(4) if phase.due(step)] == steps


def test_impossible_schedules() -> None:
    with pytest.raises(OptionError, match=r"algorithm\.discriminator_steps is 0; it must be at least 1"):
        RunConfig.resolve("linear", options={"algorithm.discriminator_steps": 0})
