"""Steps whose counters, minibatches and learning rates lie on the device, as a CUDA graph replays them.

Through a stand-in that computes again they equal the plain loop, bit for bit.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import zoo
from helpers.graphs import Reexecuting, replayed_trainings
from helpers.packs import pictures
from helpers.reporters import Heard
from helpers.training import TINY, differing, readings, resume, samples, train
from zoo.devices import Runtime
from zoo.packs import Pack
from zoo.runs.config import RunConfig
from zoo.runs.run import read_run
from zoo.training.batches import Batches, Minibatch
from zoo.training.calls import NetworkCall, judges_each_alone
from zoo.training.engine import Engine
from zoo.training.feed import open_feed
from zoo.training.graphs import WARM_UP, StaticSteps, make_graphs
from zoo.training.state import State
from zoo_core import ImageSpec, registry
from zoo_core.testing.placement import staying_on

CPU = torch.device("cpu")
RECIPES = sorted(registry.names("recipes"))
SMALL = {"training.batch": 4, "training.size": 16}
NARROW = {f"{role}.width": 4 for role in ("generator", "discriminator", "encoder")}
NARROW |= {f"{role}.hidden": 8 for role in ("generator", "discriminator")}


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    place = tmp_path_factory.mktemp("graphs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_CACHE", str(place / "cache"))
        data = pictures(place / "pictures", 20, colored=set(range(20)))
        return zoo.build_pack(zoo.PackRequest("folder", data=str(data), size=16), workers=1)


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    with samples():
        yield


def resolved(recipe: str, **options: Any) -> RunConfig:
    plain = RunConfig.resolve(recipe, options=SMALL)
    narrow = {}
    for key, value in NARROW.items():
        role, _, name = key.partition(".")
        if role in plain.parts and plain.parts[role]["options"].get(name):
            narrow[key] = value
    config = RunConfig.resolve(recipe, options={**SMALL, **narrow, **options})
    return config.with_image(ImageSpec(16, 3, 2 if config.conditional else 0))


def trained(config: RunConfig, pack: Pack, steps: int, *, graphs: bool | None, **runtime: Any) -> tuple[State, Any]:
    """Train; `graphs` None is the plain loop of a CPU on static parts, False the feed alone, True the stand-in."""
    where = Runtime(CPU, **{"static": True, **runtime})
    torch.manual_seed(3)
    state = State.create(config, where)
    engine = Engine(config, state, where)
    settings = config.training
    batches = Batches(pack, settings.batch, 0, CPU, config.conditional, settings.mirror)
    rates = engine.rates if engine.scheduled else None
    told: Any = None
    with open_feed(batches, state.generator, rates) as feed, batches.ahead(state.generator) as take:
        told = Reexecuting(engine, feed) if graphs else None
        static = StaticSteps(engine, feed, told)
        for _ in range(steps):
            if graphs is None:
                now = torch.tensor(engine.rates(state.images)) if rates else None
                engine.step(take(state.images, state.step)._replace(rates=now))
            else:
                static.step()
            state.step += 1
            state.images += settings.batch
    return state, told


def contents(state: State) -> dict[str, Tensor]:
    found = {f"{k}.{name}": t for k, net in state.tensors().items() for name, t in net.state_dict().items()}
    for role, optimizer in state.optimizers.items():
        for index, values in optimizer.state_dict()["state"].items():
            found |= {f"{role}.{index}.{key}": value for key, value in values.items() if isinstance(value, Tensor)}
    return {**found, "meter": state.meter.sums, **{f"age.{role}": age for role, age in state.ages.items()}}


def assert_same(one: State, other: State) -> None:
    a, b = contents(one), contents(other)
    assert a.keys() == b.keys()
    assert [key for key in a if not torch.equal(a[key], b[key])] == []
    assert (one.updates, one.meter.counts) == (other.updates, other.meter.counts)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_replayed_is_the_plain_loop(recipe: str, pack: Pack) -> None:
    config = resolved(recipe, **({"loss.every": 4} if recipe == "stylegan2-small" else {}))
    count = 70 if recipe == "dcgan-r1" else 40  # whose penalty comes every 16 steps
    plain, _ = trained(config, pack, count, graphs=None)
    replayed, graphs = trained(config, pack, count, graphs=True)
    assert_same(plain, replayed)
    assert graphs.captures >= 1
    assert graphs.replays > 15
    assert graphs.watched == graphs.captures


@pytest.mark.parametrize(
    "options",
    [
        {"training.accumulate": 2},
        {"training.augment": ["color", "translation"], "training.mirror": True},
        {"optimizer.schedule": "cosine", "optimizer.schedule_images": 400, "optimizer.warmup_images": 30},
        {"optimizer.kind": "rmsprop", "optimizer.schedule": "linear", "optimizer.schedule_images": 100},
        {"optimizer.kind": "sgd", "optimizer.warmup_images": 50},
        {"optimizer.kind": "adamw", "optimizer.clip": 0.5, "optimizer.weight_decay": 0.1},
        {"algorithm.updates": "alternate", "algorithm.discriminator_steps": 2},
        {"loss": "non-saturating-r1", "loss.every": 3},
        {"discriminator.instance_noise": 0.1},
    ],
    ids=lambda options: ",".join(f"{k.partition('.')[2] or k}={v}" for k, v in options.items()),
)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_options(options: dict[str, Any], precision: str, pack: Pack) -> None:
    recipe = "dcgan-r1" if "loss" in options else "dcgan"
    options = {key: value for key, value in options.items() if key != "loss"}
    config = resolved(recipe, **options)
    plain, _ = trained(config, pack, 30, graphs=None, precision=precision)
    replayed, graphs = trained(config, pack, 30, graphs=True, precision=precision)
    assert_same(plain, replayed)
    assert graphs.replays > 10


def test_dropout_labels_and_numbers_drawn_on_the_host(pack: Pack) -> None:
    for recipe, replays in (("plain", True), ("conditional", True), ("buffered", True), ("dropout", False)):
        results = []
        for graphs in (None, True):
            random.seed(0)
            np.random.seed(0)
            results.append(trained(resolved(recipe), pack, 20, graphs=graphs))
        assert_same(results[0][0], results[1][0])
        assert (results[1][1].replays > 0) == replays  # "dropout" asks Python and numpy


def test_a_part_that_counts_on_the_host_would_be_found_out(pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in is no formality: an average whose decay the host computes differs."""
    config = resolved("dcgan")
    results = []
    for graphs in (None, True):
        with monkeypatch.context() as patch:
            created = State.create

            def without_ages(config: RunConfig, runtime: Runtime) -> State:
                state = created(config, runtime)  # noqa: B023
                state.ages = {}
                return state

            patch.setattr(State, "create", without_ages)
            results.append(contents(trained(config, pack, 30, graphs=graphs)[0]))
    assert not all(torch.equal(results[0][key], results[1][key]) for key in results[0])


def test_static_averages_are_those_of_the_plain_step(pack: Pack) -> None:
    config = resolved("dcgan", **{"training.ema": 0.7})
    static, _ = trained(config, pack, 30, graphs=False)
    plain, _ = trained(config, pack, 30, graphs=None, static=False)
    a, b = contents(static), contents(plain)
    for key in b:
        torch.testing.assert_close(a[key], b[key], rtol=1e-5, atol=1e-6)
    assert static.ages["generator"] == 40


def test_weights_cast_once_an_update_are_what_autocast_makes(pack: Pack) -> None:
    config = resolved("dcgan", **{"training.ema": 0.0})
    cast, _ = trained(config, pack, 12, graphs=None, precision="bf16")
    plain, _ = trained(config, pack, 12, graphs=None, precision="bf16", static=False)
    a, b = contents(cast), contents(plain)
    assert [key for key in b if not torch.equal(a[key], b[key])] == []


def test_a_network_whose_layers_are_all_its_own_is_cast_by_autocast_alone(pack: Pack) -> None:
    state, _ = trained(resolved("stylegan2-small"), pack, 3, graphs=None, precision="bf16")
    assert state.updates["generator"] == 3
    assert all(weight.isfinite().all() for weight in state.generator.parameters())


def test_weights_that_an_algorithm_changes_itself_are_cast_again(pack: Pack) -> None:
    config = resolved("dcgan", **{"training.ema": 0.0})
    where = Runtime(CPU, "bf16", static=True)
    state = State.create(config, where)
    engine = Engine(config, state, where)
    call, z = engine.parts["generator"], torch.ones(2, state.generator.latent_dim)
    with torch.no_grad():
        before = call(z)
        for weight in state.generator.parameters():
            weight.clamp_(-0.01, 0.01)
        assert not call(z).equal(before)
        assert call(z).equal(NetworkCall(state.generator, where, compile=False, fast=False)(z))


def test_one_pass_of_real_and_generated_images(pack: Pack) -> None:
    networks = [
        registry.create("discriminators", "dcgan", {"width": 4, "norm": norm}, image=ImageSpec(16))
        for norm in ("batch", "none", "spectral")
    ]
    assert [judges_each_alone(network) for network in networks] == [False, True, True]
    config = resolved("dcgan-nobn")
    together, _ = trained(config, pack, 3, graphs=None)
    apart, _ = trained(config, pack, 3, graphs=None, static=False)
    a, b = contents(together), contents(apart)
    for key in b:
        if not key.startswith("average"):
            torch.testing.assert_close(a[key], b[key], rtol=2e-3, atol=1e-4)


def test_what_cannot_be_captured_goes_on_and_is_said_once(pack: Pack) -> None:
    config = resolved("dcgan-r1", **{"loss.every": 3})
    plain, _ = trained(config, pack, 20, graphs=None)
    for failing in ("watch", "buffer", "capture", "memory"):
        where = Runtime(CPU, static=True)
        torch.manual_seed(3)
        state = State.create(config, where)
        engine, heard = Engine(config, state, where), Heard()
        batches = Batches(pack, config.training.batch, 0, CPU)
        with open_feed(batches, state.generator) as feed:
            graphs = Reexecuting(engine, feed)
            if failing == "watch":
                graphs.reason = "it waits for the device (networks.py:7)"
            elif failing == "buffer":
                norm = next(m for m in state.networks["generator"].modules() if isinstance(m, torch.nn.BatchNorm2d))
                norm.register_forward_hook(lambda m, *_: setattr(m, "running_mean", m.running_mean + 0))
            else:
                error = RuntimeError("operation not permitted") if failing == "capture" else torch.OutOfMemoryError("1 TB")
                capture = graphs.capture

                def fail(work: Any, capture: Any = capture, error: Exception = error) -> Any:
                    capture(work)  # the host has counted, and the device has computed nothing
                    raise error

                graphs.capture = fail  # type: ignore[method-assign]
            static = StaticSteps(engine, feed, graphs, heard)
            for _ in range(20):
                static.step()
                state.step, state.images = state.step + 1, state.images + config.training.batch
        assert_same(plain, state)
        assert graphs.closed
        (said,) = [note for note in heard.lines if "CUDA graph" in note]
        expected = {
            "watch": "networks.py:7",
            "buffer": "replaces a buffer",
            "capture": "operation not permitted",
            "memory": "not enough memory",
        }
        assert expected[failing] in said


def test_a_kind_is_captured_after_its_warm_up(pack: Pack) -> None:
    config = resolved("dcgan-r1", **{"loss.every": 4})
    last = 4 * (WARM_UP - 1)  # when the rarer kind is warm
    _, graphs = trained(config, pack, last + 6, graphs=True)
    assert (graphs.warm, graphs.watched, graphs.captures) == (last + 1 - 2, 2, 2)
    assert graphs.replays == 5


def test_a_kind_that_comes_too_rarely_is_not_waited_for(pack: Pack) -> None:
    config = resolved("dcgan-r1", **{"loss.every": 100})
    plain, _ = trained(config, pack, 103, graphs=None)
    replayed, graphs = trained(config, pack, 103, graphs=True)
    assert_same(plain, replayed)
    assert (graphs.captures, graphs.replays) == (1, 103 - WARM_UP - 2)  # two steps have the penalty


def test_the_feed_is_the_stream_of_minibatches(pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = resolved("linear").build_networks()["generator"]
    for mirror in (False, True):
        batches = Batches(pack, 8, 5, CPU, True, mirror)
        for resident in (None, pack.gather(torch.arange(len(pack)))):
            monkeypatch.setattr("zoo.training.feed.BYTES", 5 * 8 * 3 * 16 * 16)
            with batches.ahead(generator) as take, open_feed(batches, generator, lambda images: [images / 2]) as feed:
                batches.resident = None
                expected = [take(24 + 8 * i, 3 + i) for i in range(12)]
                batches.resident = resident
                feed.steps = 5
                for i, wanted in enumerate(expected):
                    feed.advance(24 + 8 * i, 3 + i)
                    found = feed.read()
                    assert found.real.equal(wanted.real)
                    assert found.z.equal(wanted.z)
                    assert found.labels is not None
                    assert found.labels.equal(wanted.labels)
                    assert found.rates is not None
                    assert found.rates.tolist() == [(24 + 8 * i) / 2]


def test_how_many_steps_are_fed_together(pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = resolved("linear").build_networks()["generator"]
    batches = Batches(pack, 8, 5, CPU)
    image = 3 * 16 * 16
    for limit, steps in ((64 * 8 * image, 64), (5 * 8 * image + 1, 5), (1, 1)):
        monkeypatch.setattr("zoo.training.feed.BYTES", limit)
        with open_feed(batches, generator) as feed:
            assert feed.steps == steps


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_whole_step_of_a_recipe_stays_on_the_device(recipe: str) -> None:
    """Networks, penalties, optimizers, average and meter, on a device that holds no numbers and mixes with no other."""
    config = resolved(recipe)
    meta = torch.device("meta")
    state = State.create(config, Runtime(meta, static=True))
    engine = Engine(config, state, Runtime(meta))  # static networks are tried on numbers
    settings, image = config.training, config.image
    assert image is not None
    real = torch.rand(settings.batch, *image.shape, device=meta)
    z = torch.rand(settings.batch, state.generator.latent_dim, device=meta)
    labels = torch.zeros(settings.batch, dtype=torch.int64, device=meta) if config.conditional else None
    rates = torch.tensor(engine.rates(0), device=meta) if engine.scheduled else None
    with staying_on("meta", recipe):
        for _ in range(engine.cycle + 1):
            engine.step(Minibatch(real, labels, z, rates))
            state.step += 1
    assert state.updates["generator"] >= 1


@pytest.fixture
def replaying() -> Iterator[list[Reexecuting]]:
    """Trainings on the CPU take static steps, which stand-ins capture; those that were made."""
    with replayed_trainings() as made:
        yield made


@pytest.mark.parametrize("recipe", ["dcgan", "dcgan-r1", "r3gan-small", "conditional"])
def test_a_whole_training_with_graphs(recipe: str, tmp_path: Path, replaying: list[Reexecuting]) -> None:
    """As without them; and interrupted, resumed under new graphs, it ends with the same bits."""
    data = pictures(tmp_path / "pictures", 20, colored={0})
    options: dict[str, Any] = {} if recipe == "conditional" else TINY
    if recipe == "dcgan-r1":
        options = {**options, "loss.every": 3}
    if recipe == "r3gan-small":  # whose penalties fall with the rate
        options = {**options, "optimizer.schedule_images": 480}
    given: dict[str, Any] = {"images": 480, "options": options}
    eager = train(recipe, data, tmp_path / "eager", **given, graphs=False)
    assert replaying == []
    replayed = train(recipe, data, tmp_path / "replayed", **given)
    assert replaying[-1].replays > 20
    assert replaying[-1].closed
    assert differing(eager.path, replayed.path) == []
    stopped = train(recipe, data, tmp_path / "stopped", stop_at=200, **given)
    assert not stopped.finished
    again = resume(stopped.path)
    assert again.finished
    assert differing(replayed.path, again.path) == []
    assert readings(replayed.path) == readings(again.path)


def test_what_a_run_says_of_graphs(tmp_path: Path) -> None:
    data = pictures(tmp_path / "pictures", 20, colored={0})
    planned = zoo.plan("linear", dataset="folder", data=data, device="cpu")
    assert planned.graphs
    assert zoo.plan("linear", dataset="folder", data=data, device="cpu", graphs=False).to_json()["graphs"] is False
    run = train("linear", data, tmp_path / "run", images=16)
    assert read_run(run.path).machine["device"] == "cpu"
    assert read_run(run.path).machine["torch"] == torch.__version__
    assert make_graphs(Runtime(CPU)) is None
    scaler: Any = object()
    assert make_graphs(Runtime(torch.device("cuda"), "fp16", scaler=scaler, static=True)) is None  # asks no GPU


def test_a_refusal_is_written_down(tmp_path: Path, replaying: list[Reexecuting], monkeypatch: pytest.MonkeyPatch) -> None:
    def watch(self: Reexecuting, work: Any) -> str:
        work()
        return "it waits for the device (networks.py:7)"

    monkeypatch.setattr(Reexecuting, "watch", watch)
    data = pictures(tmp_path / "pictures", 20, colored={0})
    run = train("linear", data, tmp_path / "run", images=80)
    assert read_run(run.path).machine["graphs"] is False
    assert replaying[-1].closed
    assert replaying[-1].replays == 0


def test_tied_weights_are_cast_too() -> None:
    first = torch.nn.Linear(4, 4, bias=False)
    tied = torch.nn.Sequential(first, torch.nn.ReLU(), torch.nn.Linear(4, 4, bias=False))
    tied[2].weight = first.weight
    where = Runtime(CPU, "bf16", static=True)
    x = torch.randn(3, 4)
    outs, gradients = [], []
    for cast in (True, False):
        out = NetworkCall(tied, where, compile=False, fast=False, cast=cast)(x)
        outs.append(out)
        gradients.append(torch.autograd.grad(out.sum(), first.weight)[0])
    assert outs[0].equal(outs[1])
    torch.testing.assert_close(gradients[0], gradients[1], rtol=2e-2, atol=1e-2)
