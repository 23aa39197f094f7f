"""One training step: the split of the discriminator's loss, pieces of a minibatch, what is freed and what is counted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import zoo
from helpers.packs import pictures
from helpers.training import differing, newest, samples, tensors, train
from zoo.devices import Runtime
from zoo.runs.config import RunConfig
from zoo.training.batches import Batches, share_of
from zoo.training.convolutions import FastConvolutions
from zoo.training.engine import Engine
from zoo.training.speed import random_minibatch
from zoo.training.state import State
from zoo_core import ImageSpec, Loss, UsageError, registry

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    with samples():
        yield


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return pictures(tmp_path / "pictures", 20, colored={0})


class Relativistic(Loss):
    """Jolicoeur-Martineau 2018: each logit is compared with the mean of the others."""

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        softplus = torch.nn.functional.softplus
        return softplus(fake_logits.mean() - real_logits).mean() + softplus(fake_logits - real_logits.mean()).mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None, features: Any = None) -> Tensor:
        return -fake_logits.mean()


def is_sum(loss: Loss) -> bool:
    """Whether what the logits of one side learn depends on nothing of the other."""
    real, fake = torch.randn(2, 5, generator=torch.Generator().manual_seed(0)).unbind()
    found = []
    for others in (torch.zeros(5), torch.randn(5, generator=torch.Generator().manual_seed(1))):
        one, other = real.clone().requires_grad_(), fake.clone().requires_grad_()
        found.append(
            (
                torch.autograd.grad(loss.discriminator(one, others), one)[0],
                torch.autograd.grad(loss.discriminator(others, other), other)[0],
            )
        )
    return all(a.allclose(b) for a, b in zip(*found, strict=True))


@pytest.mark.parametrize("name", ["minimax", "non-saturating", "least-squares", "hinge", "wasserstein"])
def test_sums_are_told_from_what_is_none(name: str) -> None:
    loss = registry.create("losses", name, {})
    assert loss.separable
    assert is_sum(loss)
    assert not Relativistic.separable
    assert not is_sum(Relativistic())


def engine_of(recipe: str, n: int = 8, **options: Any) -> tuple[Engine, State, RunConfig]:
    small = {"training.batch": n, "training.size": 16}
    config = RunConfig.resolve(recipe, options={**small, **options}).with_image(ImageSpec(16, 3))
    state = State.create(config, Runtime(CPU))
    return Engine(config, state, Runtime(CPU)), state, config


def weights(state: State) -> dict[str, Tensor]:
    return {f"{k}.{name}": t.clone() for k, net in state.tensors().items() for name, t in net.state_dict().items()}


def trained(recipe: str, *, split: bool | None = None, count: int = 3, **options: Any) -> tuple[dict[str, Tensor], State]:
    engine, state, config = engine_of(recipe, **options)
    if split is not None:
        state.losses["loss"].separable = split
    minibatch = random_minibatch(config, state, CPU)
    for _ in range(count):
        engine.step(minibatch)
        state.step += 1
    return weights(state), state


def test_both_parts_of_a_loss_give_what_the_whole_gives() -> None:
    options = {"generator.width": 4, "discriminator.width": 4}
    (one, a), (other, b) = trained("dcgan", split=True, **options), trained("dcgan", split=False, **options)
    for key in one:
        torch.testing.assert_close(one[key], other[key], rtol=1e-4, atol=1e-5)
    assert a.meter.means(Runtime(CPU)) == pytest.approx(b.meter.means(Runtime(CPU)), rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("split", [True, False])
def test_pieces_of_a_minibatch_are_the_minibatch_without_batch_normalization(split: bool) -> None:
    (one, a), (other, b) = (trained("linear", split=split, **{"training.accumulate": pieces}) for pieces in (1, 4))
    for key in one:
        torch.testing.assert_close(one[key], other[key], rtol=1e-4, atol=1e-6)
    means = [state.meter.means(Runtime(CPU)) for state in (a, b)]
    for name in ("d_loss", "g_loss", "d_real", "d_fake", "g_grad", "d_grad"):
        assert means[0][name] == pytest.approx(means[1][name], rel=1e-4)
    assert not all(one[key].equal(weights(engine_of("linear")[1])[key]) for key in one)  # it learned something


def test_gradients_are_freed_and_counted() -> None:
    engine, state, config = engine_of("linear")
    norms: list[float] = []

    def noted(optimizer: Any, *_: Any) -> None:
        grads = [p.grad for group in optimizer.param_groups for p in group["params"]]
        norms.append(float(torch.cat([g.reshape(-1) for g in grads]).norm()))

    for role in ("discriminator", "generator"):
        state.optimizers[role].register_step_pre_hook(noted)
    engine.step(random_minibatch(config, state, CPU))
    assert all(p.grad is None for net in state.networks.values() for p in net.parameters())
    means = state.meter.means(Runtime(CPU))
    assert [means["d_grad"], means["g_grad"]] == pytest.approx(norms, rel=1e-5)


def test_fast_convolutions_are_taken_on_cpus_in_float32_only() -> None:
    engine, state, config = engine_of("linear")
    roles = ("generator", "discriminator")
    assert all(engine.parts[role].fast is FastConvolutions for role in roles)
    assert all(engine.parts[role].exact.fast is not FastConvolutions for role in roles)  # they differentiate once
    bf16 = Engine(config, state, Runtime(CPU, "bf16"))
    assert all(bf16.parts[role].fast is not FastConvolutions for role in roles)


def test_which_phases_are_due() -> None:
    def due(phase: str, engine: Engine, count: int) -> list[bool]:
        (found,) = [p for p in engine.phases if p.name == phase]
        return [found.due(step) for step in range(count)]

    both = engine_of("penalized", **{"loss.every": 2, "algorithm.discriminator_steps": 3})[0]
    assert both.cycle == 3
    assert due("generator", both, 3) == [False, False, True]
    assert due("discriminator", both, 3) == [True, True, True]
    assert due("penalty", both, 3) == [True, False, True]
    alternate = engine_of("penalized", **{"loss.every": 2, "algorithm.updates": "alternate"})[0]
    assert alternate.cycle == 2
    assert due("generator", alternate, 4) == [False, True, False, True]
    assert due("penalty", alternate, 4) == [True, False, False, False]


def test_how_much_accuracy_there_is() -> None:
    engine, state, config = engine_of("alternating")
    with torch.no_grad():
        for p in state.networks["discriminator"].parameters():
            p.zero_()
    engine.step(random_minibatch(config, state, CPU))  # all logits equal: nothing lies beyond the middle
    assert state.meter.means(Runtime(CPU))["d_right"] == 0


def test_shares() -> None:
    assert share_of(64, 2, 4) == 8
    with pytest.raises(UsageError, match=r"of 10 cannot be shared by 1 process, in 4 pieces each\n.*batch=8"):
        share_of(10, 1, 4)
    with pytest.raises(UsageError, match=r"of 3 cannot be shared by 4 processes\n.*batch=4"):
        share_of(3, 4)


def test_pieces_are_part_of_what_a_run_is(data: Path, tmp_path: Path) -> None:
    run = train("linear", data, tmp_path / "run", images=16, options={"training.accumulate": 2})
    assert run.config.training.accumulate == 2
    with pytest.raises(UsageError, match="accumulate: 2 in the run, 4 now"):
        zoo.train(resume=run.path, images=32, options={"training.accumulate": 4}, device="cpu")
    with pytest.raises(UsageError, match=r"cannot learn from minibatches of 1"):
        train("dcgan-paper", data, tmp_path / "ones", images=16, options={"training.accumulate": 8})


def test_the_next_minibatch_is_prepared_and_is_the_right_one(data: Path, tmp_path: Path) -> None:
    run = train("linear", data, tmp_path / "run", images=8)
    generator = zoo.load(run.path).generator
    pack = zoo.build_pack(zoo.PackRequest("folder", data=str(data), size=16), workers=1)
    batches = Batches(pack, 8, 0, CPU)
    with batches.ahead(generator) as take:
        for position, step in ((0, 0), (8, 1), (16, 2), (8, 1), (800, 5)):  # in order, back, and far ahead
            found = take(position, step)
            assert found.real.equal(batches.real(position)[0])
            assert found.z.equal(batches.latents(generator, step))


def test_deterministic_and_compiled_plans(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = train("linear", data, tmp_path / "plain", images=24)
    same = train("linear", data, tmp_path / "same", images=24, deterministic=True)
    assert differing(plain.path, same.path) == []
    assert not torch.are_deterministic_algorithms_enabled()
    planned = zoo.plan("linear", dataset="folder", data=data, device="cpu", deterministic=True).to_json()
    assert (planned["deterministic"], planned["compile"]) == (True, False)
    monkeypatch.setattr("zoo.training.planning.shutil.which", lambda name: None)
    with pytest.raises(UsageError, match=r"'compile' needs a C\+\+ compiler"):
        zoo.plan("linear", dataset="folder", data=data, device="cpu", compile=True)
    assert tensors(plain.path)
    assert newest(plain.path).exists()
