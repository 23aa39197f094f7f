"""The engine with an algorithm of three networks: what it trains, keeps, averages, writes, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file
from torch import Tensor

import zoo
from helpers.algorithms import BUILT, PHASES, Tandem, tandem
from helpers.packs import pictures
from helpers.training import differing, readings, resume, samples, tensors, train
from zoo.devices import Runtime
from zoo.runs.config import RunConfig
from zoo.training import callbacks
from zoo.training.engine import Engine
from zoo.training.speed import random_minibatch
from zoo.training.state import Meter, State
from zoo_cli.main import zoo as command
from zoo_core import ImageSpec, OptionError, Phase, PluginError, TrainingError, UnknownNameError, UsageError

CPU = torch.device("cpu")
ROLES = ("generator", "encoder", "discriminator")


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(callbacks, "TICK", 0.0)  # progress, and so `stop_at`, at every step
    BUILT.clear()
    PHASES.clear()
    with samples(), tandem():
        yield


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return pictures(tmp_path / "pictures", 20, colored={0})


def engine_of(recipe: str = "tandem", **options: Any) -> tuple[Engine, State, RunConfig]:
    config = RunConfig.resolve(recipe, options=options).with_image(ImageSpec(16, 3))
    state = State.create(config, Runtime(CPU))
    return Engine(config, state, Runtime(CPU)), state, config


def weights(state: State) -> dict[str, Tensor]:
    return {f"{k}.{name}": t.clone() for k, net in state.tensors().items() for name, t in net.state_dict().items()}


def test_every_role_is_trained_written_and_loaded(data: Path, tmp_path: Path) -> None:
    run = train("tandem", data, tmp_path / "run", images=48)
    assert run.model is not None
    assert {path.name for path in run.model.glob("*.safetensors")} == {f"{role}.safetensors" for role in ROLES}
    last, stored = tensors(run.path), {role: load_file(run.model / f"{role}.safetensors") for role in ROLES}
    for role in ROLES:  # what is averaged is published so
        prefix = f"networks/{'average.' if role != 'discriminator' else ''}{role}."
        for key, tensor in stored[role].items():
            torch.testing.assert_close(tensor, last[prefix + key])
    model = zoo.load(run.path)
    assert set(model.networks) == set(ROLES)
    assert model.networks["encoder"](torch.zeros(2, 3, 16, 16)).shape == (2, model.generator.latent_dim)
    assert model.config["algorithm"]["name"] == "tandem"
    assert set(model.config["parts"]) == set(ROLES)
    line = readings(run.path)[0]
    assert {"d_loss", "g_loss", "rebuilt", "d_grad", "g_grad", "encoder_grad"} <= set(line)
    assert PHASES[:5] == ["discriminator", "players", "discriminator", "players", "rebuild"]
    fresh = RunConfig.resolve("tandem").with_image(ImageSpec(16, 3)).build_networks()
    for role in ROLES:
        assert any(not fresh[role].state_dict()[key].equal(last[f"networks/{role}.{key}"]) for key in stored[role])


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_interrupted_and_resumed_is_the_same_run(steps: int, data: Path, tmp_path: Path) -> None:
    straight = train("tandem", data, tmp_path / "straight", images=80)
    broken = train("tandem", data, tmp_path / "broken", images=80, stop_at=steps * 8)
    assert not broken.finished
    resume(broken.path)
    assert differing(straight.path, broken.path) == []
    assert readings(straight.path) == readings(broken.path)


def test_averages_of_two_roles_are_what_the_formula_says() -> None:
    engine, state, config = engine_of(**{"training.ema": 0.9})
    assert set(state.averages) == {"generator", "encoder"}
    expected = {role: [p.detach().clone() for p in state.networks[role].parameters()] for role in state.averages}
    for step in range(1, 5):
        engine.step(random_minibatch(config, state, CPU))
        state.step += 1
        decay = min(0.9, (1 + step) / (10 + step))
        for role, numbers in expected.items():
            now = state.networks[role].parameters()
            expected[role] = [decay * e + (1 - decay) * p.detach() for e, p in zip(numbers, now, strict=True)]
    for role, numbers in expected.items():
        for e, p in zip(numbers, state.averages[role].parameters(), strict=True):
            torch.testing.assert_close(p, e, rtol=1e-5, atol=1e-6)
    assert state.updates == dict.fromkeys(ROLES, 4)


def test_gradients_of_a_phase_reach_the_roles_that_it_updates_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, state, config = engine_of()
    reached: list[tuple[str, set[str]]] = []
    backward = Engine._backward

    def watched(self: Engine, loss: Tensor, inputs: list[Tensor]) -> None:
        backward(self, loss, inputs)
        with_gradient = {role for role, net in state.networks.items() if any(p.grad is not None for p in net.parameters())}
        reached.append((PHASES[-1], with_gradient))

    monkeypatch.setattr(Engine, "_backward", watched)
    state.step = 1
    engine.step(random_minibatch(config, state, CPU))
    assert reached == [
        ("discriminator", {"discriminator"}),
        ("players", {"generator"}),
        ("players", {"generator", "encoder"}),
        ("rebuild", {"generator", "encoder"}),
    ]
    assert all(p.grad is None for network in state.networks.values() for p in network.parameters())


def test_a_phase_that_joins_adds_its_gradients_to_one_step() -> None:
    """Of the weights: with a joining phase, one step along the sum of both gradients."""

    def moved(weight: float) -> tuple[dict[str, Tensor], dict[str, int]]:
        sgd = {"optimizer.kind": "sgd", "optimizer.beta1": 0.0, "optimizer.lr": 0.1, "generator.dropout": 0.0}
        engine, state, config = engine_of(**sgd, **{"algorithm.weight": weight})
        before, state.step = weights(state), 1
        engine.step(random_minibatch(config, state, CPU))
        return {key: t - before[key] for key, t in weights(state).items() if not key.startswith("average")}, state.updates

    (none, counts), (one, _), (three, _) = (moved(weight) for weight in (0.0, 1.0, 3.0))
    assert counts == dict.fromkeys(ROLES, 1)
    for key in one:
        torch.testing.assert_close(three[key] - none[key], 3 * (one[key] - none[key]), rtol=1e-3, atol=1e-6)
    assert any(not one[key].allclose(none[key]) for key in one if key.startswith("encoder"))
    assert all(one[key].equal(none[key]) for key in one if key.startswith("discriminator"))


def test_a_loss_that_reaches_nothing_is_said(data: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no loss of algorithm OneSided reaches the weights of its encoder"):
        train("one-sided", data, tmp_path / "run", images=16)


def test_pieces_of_a_minibatch_are_the_minibatch() -> None:
    found = []
    for pieces in (1, 4):
        engine, state, config = engine_of(**{"training.accumulate": pieces, "generator.dropout": 0.0})
        for _ in range(2):
            engine.step(random_minibatch(config, state, CPU))
            state.step += 1
        found.append(weights(state))
    for key, tensor in found[0].items():
        torch.testing.assert_close(tensor, found[1][key], rtol=1e-4, atol=1e-6)


def test_options_of_every_role() -> None:
    config = RunConfig.resolve(
        "tandem", options={"encoder.width": "5", "algorithm.weight": "2", "optimizer.lr": 1e-3, "optimizer.encoder.lr": 1e-2}
    )
    assert config.parts["encoder"]["options"] == {"width": 5}
    assert config.algorithm["options"]["weight"] == 2.0
    assert {role: settings["lr"] for role, settings in config.optimizer.items()} == {
        "generator": 1e-3,
        "encoder": 1e-2,
        "discriminator": 1e-3,
    }
    assert config.identity()["encoder.width"] == 5


@pytest.mark.parametrize(
    ("recipe", "options", "kind", "words"),
    [
        ("tandem", {"encdoer.width": 1}, UnknownNameError, r"unknown option 'encdoer\.width'; did you mean encoder\.width"),
        ("linear", {"encoder.width": 1}, UnknownNameError, r"unknown option 'encoder\.width'"),
        ("tandem", {"encoder.wdith": 1}, UnknownNameError, "unknown option of encoder 'wdith'; did you mean width"),
        ("tandem", {"optimizer.loss.lr": 1}, UnknownNameError, r"unknown option 'optimizer\.loss\.lr'"),
        (
            "no-encoder",
            {},
            UsageError,
            "recipe 'no-encoder' names no encoder, and neither does its base\nalgorithm tandem asks for: generator, encoder",
        ),
        (
            "wrong-encoder",
            {},
            UsageError,
            r"its encoder must be one of the networks, and 'hinge' is a loss\n.*zoo list networks",
        ),
        (
            "wrong-generator",
            {},
            UsageError,
            r"its generator must be one of the generators, and 'only-a-network' is a network",
        ),
        (
            "one-too-many",
            {},
            UnknownNameError,
            "unknown role of algorithm tandem 'classifier'; valid: discriminator, encoder",
        ),
    ],
)
def test_what_is_wrong_is_said(recipe: str, options: dict[str, Any], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        RunConfig.resolve(recipe, options=options)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("training.updates", "algorithm.updates"),
        ("training.discriminator_steps", "algorithm.discriminator_steps"),
        ("training.conditional", "algorithm.conditional"),
        ("discriminator.augment", "training.augment"),
    ],
)
def test_settings_that_have_moved_say_where(old: str, new: str) -> None:
    with pytest.raises(OptionError, match=rf"{old} is called {new} now\nwrite: options=..{new}.: .both"):
        RunConfig.resolve("dcgan", options={old: "both"})


def test_networks_are_built_twice(data: Path, tmp_path: Path) -> None:
    """Once without memory, to check, and once for real."""
    run = train("tandem", data, tmp_path / "run", images=16)
    assert BUILT == ["encoder on meta", "encoder on cpu"]
    BUILT.clear()
    words = ["train", "tandem", "--dataset", "folder", "--data", data, "--images", 16, "--out", tmp_path / "typed"]
    result = CliRunner().invoke(
        command, [str(word) for word in (*words, "--device", "cpu", "--set", "training.accumulate=8")]
    )
    assert result.exit_code == 0, result.output  # pieces of one image each are no reason to build once more
    assert BUILT == ["encoder on meta", "encoder on cpu"]
    BUILT.clear()
    resume(run.path, images=32)  # its checkpoint is compared with the networks first
    assert BUILT == ["encoder on meta", "encoder on cpu"]
    BUILT.clear()
    resume(run.path, images=48, batch=8)  # what was said is compared with what the run is
    assert BUILT == ["encoder on meta", "encoder on meta", "encoder on cpu"]


def test_a_joining_phase_must_follow_one_of_the_same_roles(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = [Phase("discriminator", ("discriminator",)), Phase("extra", ("generator",), every=2, joins=True)]
    monkeypatch.setattr(Tandem, "phases", lambda self, parts: wrong)
    with pytest.raises(PluginError, match=r"Tandem: phase 'extra' joins .* in step 0 that is 'discriminator'"):
        engine_of()


def test_an_algorithm_records_64_names_at_most() -> None:
    _, state, _ = engine_of()
    for number in range(64):
        state.meter.add(f"n{number}", torch.tensor(float(number)))
    state.meter.add("n63", torch.tensor(1.0))
    assert state.meter.means(Runtime(CPU))["n63"] == 32
    with pytest.raises(TrainingError, match=r"an algorithm can record 64 values in metrics\.jsonl, and 'n64' is one more"):
        state.meter.add("n64", torch.tensor(1.0))


@pytest.mark.parametrize("name", ["step", "images", "epoch", "seconds", "final"])
def test_names_that_a_line_has_of_its_own_cannot_be_logged(name: str) -> None:
    with pytest.raises(TrainingError, match=f"an algorithm logs '{name}', which metrics.jsonl has of its own"):
        Meter(torch.device("cpu")).add(name, torch.zeros(()))
