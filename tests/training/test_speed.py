"""What `zoo.bench` counts and measures."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch

import zoo
from helpers.training import TINY, samples
from zoo.runs.config import RunConfig
from zoo.training import speed, ways
from zoo.training.speed import fastest, flop_per_image, matmul_peak
from zoo_core import ImageSpec, UsageError


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    with samples():
        yield


def needed(recipe: str, size: int = 16, **options: object) -> float:
    return flop_per_image(RunConfig.resolve(recipe, size=size, options=options).with_image(ImageSpec(size, 3)))


def test_operations_of_the_linear_networks_by_hand() -> None:
    generator, discriminator = (4 * 16, 16 * 768), (768 * 8, 8)
    draw, judge = 2 * sum(generator), 2 * sum(discriminator)
    # D: forward twice, gradients of the weights twice, of the hidden layer twice. Its input needs none.
    learn = 2 * (judge + judge + 2 * discriminator[1])
    # G: forward once; D forward, the gradient of its input; G's weights, and of its hidden layer.
    pass_as_real = draw + judge + judge + draw + 2 * generator[1]
    assert needed("linear") == learn + pass_as_real


def test_no_operation_is_wasted_by_dcgan() -> None:
    def convolutions(width: int, channels: int, size: int) -> list[float]:
        """Multiplications and additions of each convolution of either network, from the image inwards."""
        found, inputs, side = [], channels, size
        for stage in range((size // 4).bit_length() - 1):
            side, outputs = side // 2, width << stage
            found.append(2.0 * inputs * outputs * 16 * side * side)
            inputs = outputs
        return found

    layers = convolutions(8, 3, 32)
    last = 2.0 * 32 * 16  # the discriminator's logit
    first = 2.0 * 100 * 32 * 16  # the generator's projection
    judge = sum(layers) + last
    learn = 2 * (2 * judge + judge - layers[0])
    pass_as_real = judge + judge + 2 * (sum(layers) + first) + sum(layers)
    assert needed("dcgan", 32, **{"generator.width": 8, "discriminator.width": 8}) == pytest.approx(learn + pass_as_real)


def test_schedules_count() -> None:
    alternate, both = needed("linear", **{"algorithm.updates": "alternate"}), needed("linear")
    assert 0.4 * both < alternate < 0.7 * both


def test_a_measurement() -> None:
    options = {key: value for key, value in TINY.items() if key != "training.batch"}
    found = zoo.bench("dcgan", batch=4, options=options, device="cpu", precision="fp32", rounds=2, steps=1)
    assert (found.batch, found.size, found.precision, found.device, found.rounds) == (4, 16, "fp32", "cpu", 2)
    assert found.images_per_s == pytest.approx(4000 / found.ms_per_step)
    assert found.flops == pytest.approx(found.flop_per_image * found.images_per_s)
    assert 0 < found.peak_share < 1
    assert set(found.to_json()) >= {"images_per_s", "flops", "peak_share", "warm_up_s"}
    with pytest.raises(UsageError, match="0 rounds of 1 steps are impossible"):
        zoo.bench("dcgan", rounds=0, steps=1)
    with pytest.raises(UsageError, match="unknown recipe"):
        zoo.bench("dcgn")


@pytest.fixture
def small_products(monkeypatch: pytest.MonkeyPatch) -> None:
    """The peak is no matter here."""
    monkeypatch.setattr(speed, "SIDES", (64,))


@pytest.mark.usefixtures("small_products")
def test_each_way_has_its_row() -> None:
    found = zoo.bench("dcgan", size=16, batch=4, device="cpu", precision="fp32", rounds=1, steps=1)
    assert (found.way, [way.name for way in found.ways]) == ("eager", ["eager"])  # compiling is for those who ask for it
    (way,) = found.ways
    assert (way.ms_per_step, way.images_per_s, way.peak_share) == (found.ms_per_step, found.images_per_s, found.peak_share)
    assert way.kernels is not None
    assert way.kernels > 50
    assert way.kernels_ms is not None
    assert 0 < way.kernels_ms < 100 * way.ms_per_step
    assert (way.peak_memory_mb, way.problem) == (None, "")


class Again:
    """Captures by computing again."""

    def __init__(self, problem: str = "") -> None:
        self.problem, self.replays, self.closed = problem, 0, False

    def warm_up(self, work: Callable[[], None]) -> None:
        work()

    def watch(self, work: Callable[[], None]) -> str:
        work()
        return self.problem

    def close(self) -> None:
        self.closed = True

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        def replay() -> None:
            self.replays += 1
            work()

        return replay


@pytest.mark.usefixtures("small_products")
@pytest.mark.parametrize("recipe", ["dcgan", "wgan-gp"])
def test_captured_steps_are_measured_once_all_kinds_are_captured(recipe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    graphs = Again()
    monkeypatch.setattr(ways, "can_capture", lambda runtime: True)
    monkeypatch.setattr(ways, "make_graphs", lambda runtime, *, compiled=False: graphs)
    found = zoo.bench(recipe, size=16, batch=4, device="cpu", precision="fp32", rounds=2, steps=1)
    assert [way.name for way in found.ways] == ["captured", "eager"]
    assert found.way == "captured"
    cycle = {"dcgan": 1, "wgan-gp": 5}[recipe]
    assert graphs.replays >= 3 * cycle  # two readings, and one for the kernels
    assert graphs.closed
    assert zoo.bench(recipe, size=16, batch=4, device="cpu", graphs=False, rounds=1, steps=1).way == "eager"


@pytest.mark.usefixtures("small_products")
def test_steps_that_cannot_be_captured_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ways, "can_capture", lambda runtime: True)
    monkeypatch.setattr(ways, "make_graphs", lambda runtime, *, compiled=False: Again("it waits"))
    found = zoo.bench("dcgan", size=16, batch=4, device="cpu", precision="fp32", rounds=1, steps=1)
    assert [(way.name, way.problem) for way in found.ways] == [("captured", "it waits"), ("eager", "")]
    assert found.way == "eager"
    assert found.images_per_s > 0


@pytest.mark.usefixtures("small_products")
def test_a_compiler_that_fails_takes_nothing_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(network: object, **options: object) -> object:
        raise RuntimeError("no such backend\nand a long story")

    monkeypatch.setattr(torch, "compile", fail)
    monkeypatch.setattr(speed, "check_compiler", lambda device: None)
    found = zoo.bench("dcgan", size=16, batch=4, device="cpu", precision="fp32", compile=True, rounds=1, steps=1)
    assert [way.problem for way in found.ways] == ["", "RuntimeError: no such backend"]
    assert (found.way, found.compile) == ("eager", False)


@pytest.mark.usefixtures("small_products")
def test_labels_are_made_up() -> None:
    found = zoo.bench("conditional", size=16, batch=4, device="cpu", precision="fp32", rounds=1, steps=1)
    assert found.images_per_s > 0


def test_peaks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert matmul_peak(torch.device("cpu"), "fp32", 0.01) > 1e8
    monkeypatch.setattr(speed, "SIDES", (64, 10**9))  # of a size whose product takes longer than that, none is made
    assert matmul_peak(torch.device("cpu"), "fp32", 0.01) > 1e6
    calls = []
    assert fastest(lambda: calls.append(1), torch.device("cpu"), 0.0) >= 0
    assert len(calls) == 4
