"""The loop's schedule, the average, and what drawing may not disturb."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import zoo
from helpers import training_samples
from helpers.packs import pictures
from helpers.training import TINY, newest, readings, resume, samples, tensors, train
from helpers.training_samples import SEEN
from zoo.devices import Runtime
from zoo.models.model import Model, estimate_statistics
from zoo.runs.config import RunConfig
from zoo.training.batches import Minibatch
from zoo.training.engine import Engine
from zoo.training.state import State
from zoo_core import Discriminator, Generator, ImageSpec, Loss


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    SEEN.clear()
    with samples():
        yield


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return pictures(tmp_path / "pictures", 20, colored={0})


def updates() -> str:
    return "".join(line[0] for line in SEEN if not line.startswith("look"))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "DGDGDGDG"),
        ({"algorithm.discriminator_steps": 2}, "DDGDDG"),
        ({"algorithm.updates": "alternate"}, "DGDG"),
        ({"algorithm.updates": "alternate", "algorithm.discriminator_steps": 3}, "DDDG"),
    ],
)
def test_schedule(options: dict[str, Any], expected: str, data: Path, tmp_path: Path) -> None:
    train("linear", data, tmp_path / "run", images=32, options=options)
    assert updates() == expected


def test_whose_weights_learn(data: Path, tmp_path: Path) -> None:
    train("relative", data, tmp_path / "run", images=8, watch=False)
    assert SEEN == [
        "look: weights learn, input rests",  # real
        "look: weights learn, input rests",  # generated
        "D",
        "look: weights rest, input learns",  # generated again
        "look: weights rest, input rests",  # real, for the loss that wants it
        "G real False",
    ]


def test_labels_are_shown(data: Path, tmp_path: Path) -> None:
    train("conditional", data, tmp_path / "run", images=8, batch=8, watch=False)
    looks = [line for line in SEEN if line.startswith("look")]
    assert len(looks) == 3
    assert all(line.endswith("[0, 1]") for line in looks)


def test_alternating_steps_move_one_network_each(data: Path, tmp_path: Path) -> None:
    def moved(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> set[str]:
        changed = {key for key in one if key.startswith("networks/") and not one[key].equal(other[key])}
        return {key.split("/")[1].split(".")[0] for key in changed}

    run = train("alternating", data, tmp_path / "run", images=8)
    first = tensors(run.path)
    resume(run.path, images=16)
    second = tensors(run.path)
    resume(run.path, images=24)
    assert moved(first, second) == {"generator", "average"}
    assert moved(second, tensors(run.path)) == {"discriminator"}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "DPGDPGDPGDPG"),
        ({"loss.every": 2}, "DPGDGDPGDG"),
        ({"loss.every": 2, "algorithm.updates": "alternate"}, "DPGDG"),  # counts the discriminator's steps
        ({"loss.every": 3, "algorithm.discriminator_steps": 2}, "DPDGDDPG"),
    ],
)
def test_penalties_come_as_often_as_the_loss_says(
    options: dict[str, Any], expected: str, data: Path, tmp_path: Path
) -> None:
    train("penalized", data, tmp_path / "run", images=32, options=options)
    assert updates() == expected


def test_a_penalty_is_part_of_what_is_minimized(data: Path, tmp_path: Path) -> None:
    plain = train("linear", data, tmp_path / "plain", images=24)
    penalized = train("penalized", data, tmp_path / "penalized", images=24)
    assert readings(penalized.path)[0]["d_loss"] > readings(plain.path)[0]["d_loss"] + 1
    before, after = (tensors(run.path)["networks/discriminator.body.1.weight"].norm() for run in (plain, penalized))
    assert after < before


def test_readings_are_means_over_their_steps(data: Path, tmp_path: Path) -> None:
    each = train("linear", data, tmp_path / "each", images=48, options={"training.log_every": 1})
    thirds = train("linear", data, tmp_path / "thirds", images=48)
    single, mean = readings(each.path), readings(thirds.path)
    assert [line["step"] for line in mean] == [3, 6]
    for name in ("d_loss", "g_loss", "d_real", "d_fake"):
        assert mean[1][name] == pytest.approx(np.mean([line[name] for line in single[3:6]]), abs=2e-6)


def state(recipe: str = "dcgan", **options: Any) -> tuple[State, RunConfig]:
    chosen = {**(TINY if recipe == "dcgan" else {}), **options}
    config = RunConfig.resolve(recipe, options=chosen).with_image(ImageSpec(16, 3))
    return State.create(config, Runtime(torch.device("cpu"))), config


def test_the_average_is_what_the_formula_says() -> None:
    made, _ = state()
    expected = [p.detach().clone() for p in made.generator.parameters()]
    for t in range(1, 40):
        with torch.no_grad():
            for p in made.generator.parameters():
                p.add_(torch.randn_like(p))
        decay = min(0.7, (1 + t) / (10 + t))
        expected = [decay * e + (1 - decay) * p for e, p in zip(expected, made.generator.parameters(), strict=True)]
        made.updates["generator"] = t
        made.update_average("generator", 0.7)
    for e, p in zip(expected, made.averages["generator"].parameters(), strict=True):
        torch.testing.assert_close(p, e, rtol=1e-4, atol=1e-5)


def test_no_average_where_none_is_wanted(data: Path, tmp_path: Path) -> None:
    run = train("linear", data, tmp_path / "run", images=16, options={"training.ema": 0})
    assert not [key for key in tensors(run.path) if "average" in key]
    assert run.config.training.ema == 0


def test_drawing_disturbs_nothing() -> None:
    made, _ = state("dropout")
    before = {key: t.clone() for key, t in made.generator.state_dict().items()}
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    Model(made.inference_copy(), None).sample(3)
    assert all(before[key].equal(t) for key, t in made.generator.state_dict().items())
    assert made.generator.training
    assert all(p.requires_grad for p in made.generator.parameters())
    assert torch.get_rng_state().equal(states[0])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == states[1:]


def test_drawing_depends_on_no_global_state() -> None:
    made, _ = state("dropout")
    pictures = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        pictures.append(Model(made.inference_copy(), None).sample(3))
    assert pictures[0].equal(pictures[1])


def test_buffers_that_are_no_average_are_the_generators_own() -> None:
    made, _ = state("buffered")
    made.generator(made.generator.sample_latent(4))
    assert made.generator.batches == 1
    assert made.inference_copy().batches == 1
    assert made.inference_copy().norm.num_batches_tracked == 8


def test_statistics_are_estimated_once_for_the_same_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = state()
    source = made.averages.get("generator", made.generator)
    first, counted = made.inference_copy(), []
    monkeypatch.setattr("zoo.training.state.estimate_statistics", lambda *given: counted.append(estimate_statistics(*given)))
    again = made.inference_copy()
    assert not counted
    assert not again.training
    assert all(again.state_dict()[key].equal(tensor) for key, tensor in first.state_dict().items())
    with torch.no_grad():
        next(source.parameters()).mul_(2)
    assert (
        not made.inference_copy()
        .state_dict()["blocks.4x4.norm.running_var"]
        .equal(first.state_dict()["blocks.4x4.norm.running_var"])
    )
    made.step += 1  # what a graph replays raises no version
    made.inference_copy()
    made.inference_copy(latents=128)
    assert len(counted) == 3


def test_statistics_are_those_of_fixed_latents_and_of_nothing_else() -> None:
    from zoo.randomness import generator_for

    made, _ = state()
    drawn = made.inference_copy()
    estimate_statistics(drawn)
    norm = drawn.blocks["4x4"].norm
    seen = [
        drawn.blocks["4x4"].linear(drawn.sample_latent(128, generator_for(0, "statistics", start))).view(128, -1, 16)
        for start in range(0, 1024, 128)
    ]
    torch.testing.assert_close(norm.running_mean, torch.stack([h.mean((0, 2)) for h in seen]).mean(0))
    torch.testing.assert_close(norm.running_var, torch.stack([h.var((0, 2)) for h in seen]).mean(0))
    assert norm.momentum == 0.1
    assert not any(module.training for module in drawn.modules())


def test_the_clock_has_pauses(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now, step = [10.0], Engine.step
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def slow(self: Engine, batch: Minibatch) -> None:
        now[0] += 2
        step(self, batch)

    def measure(generator: Generator) -> float:
        now[0] += 5
        return 1.0

    monkeypatch.setattr(Engine, "step", slow)
    run = train("linear", data, tmp_path / "run", images=32, evaluation=zoo.Evaluation("mine", measure, every=8))
    assert now[0] == 10 + 4 * 2 + 4 * 5
    assert run.seconds == 4 * 2


def test_samples_of_the_tests_are_what_they_claim() -> None:
    for name in ("PlainGenerator", "BufferedGenerator", "PlainDiscriminator", "Noted", "Relative", "Penalized", "Broken"):
        assert issubclass(getattr(training_samples, name), Generator | Discriminator | Loss)


def test_newest_is_the_last_step(data: Path, tmp_path: Path) -> None:
    assert newest(train("linear", data, tmp_path / "run", images=17).path).name == "step-00000003"
