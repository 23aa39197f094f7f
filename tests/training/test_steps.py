"""One training step: the split of the discriminator's loss, pieces of a minibatch, what is freed and what is counted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from zoo.training.steps import Stepper, Turn, cycle_of, separable, turn_of

import zoo
from helpers.packs import pictures
from helpers.training import differing, newest, samples, tensors, train
from zoo.devices import make_accelerator
from zoo.runs.config import RunConfig
from zoo.training import steps
from zoo.training.batches import Batches, share_of
from zoo.training.speed import random_minibatch
from zoo.training.state import State
from zoo_core import ImageSpec, Loss, UsageError, registry
from zoo_core.settings import TrainingSettings


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

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return -fake_logits.mean()


@pytest.mark.parametrize("name", ["minimax", "non-saturating", "least-squares", "hinge", "wasserstein"])
def test_sums_are_told_from_what_is_none(name: str) -> None:
    assert separable(registry.create("losses", name, {}))
    assert not separable(Relativistic())


def stepper(recipe: str, n: int = 8, **options: Any) -> tuple[Stepper, State, RunConfig]:
    small = {"training.batch": n, "training.size": 16}
    config = RunConfig.resolve(recipe, options={**small, **options}).with_image(ImageSpec(16, 3))
    accelerator = make_accelerator(torch.device("cpu"), "fp32")
    state = State.create(config, accelerator)
    return Stepper(config.training, state, accelerator), state, config


def weights(state: State) -> dict[str, Tensor]:
    return {f"{k}.{name}": t.clone() for k, net in state.networks().items() for name, t in net.state_dict().items()}


def trained(recipe: str, *, split: bool | None = None, count: int = 3, **options: Any) -> tuple[dict[str, Tensor], State]:
    taken, state, config = stepper(recipe, **options)
    if split is not None:
        taken.separable = split
    minibatch = random_minibatch(config, state, torch.device("cpu"))
    for step in range(count):
        taken.step(turn_of(config.training, state.loss, step, state.updates), *minibatch)
    return weights(state), state


def test_both_parts_of_a_loss_give_what_the_whole_gives() -> None:
    options = {"generator.width": 4, "discriminator.width": 4}
    (one, a), (other, b) = trained("dcgan", split=True, **options), trained("dcgan", split=False, **options)
    for key in one:
        torch.testing.assert_close(one[key], other[key], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(a.meter.sums, b.meter.sums, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("split", [True, False])
def test_pieces_of_a_minibatch_are_the_minibatch_without_batch_normalization(split: bool) -> None:
    (one, a), (other, b) = (trained("linear", split=split, **{"training.accumulate": pieces}) for pieces in (1, 4))
    for key in one:
        torch.testing.assert_close(one[key], other[key], rtol=1e-4, atol=1e-6)
    means = [state.meter.means(make_accelerator(torch.device("cpu"), "fp32")) for state in (a, b)]
    for name in ("d_loss", "g_loss", "d_real", "d_fake", "g_grad", "d_grad"):
        assert means[0][name] == pytest.approx(means[1][name], rel=1e-4)
    assert not all(one[key].equal(weights(stepper("linear")[1])[key]) for key in one)  # it learned something


def test_gradients_are_freed_and_counted() -> None:
    taken, state, config = stepper("linear")
    norms: list[float] = []

    def noted(optimizer: Any, *_: Any) -> None:
        grads = [p.grad for group in optimizer.param_groups for p in group["params"]]
        norms.append(float(torch.cat([g.reshape(-1) for g in grads]).norm()))

    for optimizer in (state.discriminator_optimizer, state.generator_optimizer):
        getattr(optimizer, "optimizer", optimizer).register_step_pre_hook(noted)
    taken.step(Turn(True, True, False), *random_minibatch(config, state, torch.device("cpu")))
    assert all(p.grad is None for net in (state.generator, state.discriminator) for p in net.parameters())
    means = state.meter.means(taken.accelerator)
    assert [means["d_grad"], means["g_grad"]] == pytest.approx(norms, rel=1e-5)


def test_fast_convolutions_are_taken_on_cpus_in_float32_only(monkeypatch: pytest.MonkeyPatch) -> None:
    taken, *_ = stepper("linear")
    assert taken.fast is steps.FastConvolutions
    bf16 = make_accelerator(torch.device("cpu"), "bf16")
    assert Stepper(taken.settings, taken.state, bf16).fast is not steps.FastConvolutions


def test_whose_turn() -> None:
    both = TrainingSettings(discriminator_steps=3)
    assert cycle_of(both) == 3
    loss = registry.create("losses", "non-saturating-r1", {"every": 2})
    turns = [turn_of(both, loss, step, 0) for step in range(3)]
    assert [turn.generator for turn in turns] == [False, False, True]
    assert all(turn.discriminator for turn in turns)
    assert [turn.penalty for turn in turns] == [True, False, True]
    alternate = TrainingSettings(updates="alternate")
    assert [turn_of(alternate, loss, step, 0).generator for step in range(4)] == [False, True, False, True]
    assert not turn_of(alternate, loss, 1, 0).penalty


def test_how_much_accuracy_there_is() -> None:
    taken, state, config = stepper("linear")
    real, labels, z = random_minibatch(config, state, torch.device("cpu"))
    with torch.no_grad():
        for p in state.discriminator.parameters():
            p.zero_()
    taken.step(Turn(True, False, False), real, labels, z)  # all logits equal: nothing lies beyond the middle
    assert state.meter.means(taken.accelerator)["d_right"] == 0


def test_shares() -> None:
    assert share_of(64, 2, 4) == 8
    with pytest.raises(UsageError, match=r"of 10 cannot be shared by 1 process, in 4 pieces each\n.*--batch 8"):
        share_of(10, 1, 4)
    with pytest.raises(UsageError, match=r"of 3 cannot be shared by 4 processes\n.*--batch 4"):
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
    batches = Batches(pack, 8, 0, torch.device("cpu"))
    with batches.ahead(generator) as feed:
        for position, step in ((0, 0), (8, 1), (16, 2), (8, 1), (800, 5)):  # in order, back, and far ahead
            found = feed.take(position, step)
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
    with pytest.raises(UsageError, match=r"--compile needs a C\+\+ compiler"):
        zoo.plan("linear", dataset="folder", data=data, device="cpu", compile=True)
    assert tensors(plain.path)
    assert newest(plain.path).exists()
