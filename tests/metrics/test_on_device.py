"""What measures computes on the device that it is told, all of it; see `helpers.far` for the device."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import zoo
from helpers.far import FAR, far_device
from helpers.metrics import Heard, pack, pictures, replaying
from zoo.metrics import measuring
from zoo.metrics.extractors import extract, open_extractor
from zoo.metrics.images import generate_images, read_images
from zoo.metrics.measuring import measure, open_criterion, open_metrics
from zoo.metrics.nearest import nearest
from zoo.metrics.store import cache_features
from zoo.metrics.svm import Problem
from zoo.progress import SILENT
from zoo_core import Metric

METRICS = ("frechet", "fid", "kid", "precision", "recall", "density", "coverage")


@pytest.fixture(autouse=True)
def _registered(registered: None) -> None:
    pytest.importorskip("torch_fidelity")


def vectors(n: int = 300, d: int = 24, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def test_features_of_real_and_generated_images(monkeypatch: pytest.MonkeyPatch) -> None:
    held = pack()
    near = cache_features(open_extractor("scattering"), read_images(held)).clone()
    model = replaying(pictures("fresh"))
    drawn = cache_features(open_extractor("scattering"), generate_images(model, 150)).clone()
    with far_device(monkeypatch) as seen:
        extractor = open_extractor("scattering", device="meta")
        found = cache_features(extractor, read_images(held))
        assert (len(seen.waits), seen.on_cpu) == (1, [])  # 200 images in 4 batches, and one transfer
        assert torch.allclose(found, near, atol=1e-6)
        seen.waits.clear()
        found = cache_features(extractor, generate_images(model.to("meta"), 150))
        assert seen.on_cpu == []
        assert len(seen.waits) == 2  # the checksum of its one parameter, and one transfer
        assert torch.allclose(found, drawn, atol=1e-6)
        pixels = open_extractor("pixels", device="meta")  # has no weights that would say where it is
        assert extract(pixels.network, read_images(held).pieces(0, FAR), on_device=True).device == FAR


def test_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("prdc")
    images = read_images(pack()), generate_images(replaying(pictures("fresh")), 150)
    given: dict[str, Any] = {"resamples": 3, "seed": 0, "report": SILENT}
    near = measure(open_metrics(METRICS), open_extractor("scattering"), *images, **given)
    with far_device(monkeypatch) as seen:
        images = images[0], generate_images(replaying(pictures("fresh")).to("meta"), 150)
        found = measure(open_metrics(METRICS), open_extractor("scattering", device="meta"), *images, **given)
        assert seen.on_cpu == []
        assert {"_linalg_eigh", "kthvalue", "mm", "addmm"} <= set(seen.far)
    for name in METRICS:
        assert found[name].values == pytest.approx(near[name].values, rel=1e-4, abs=1e-7)
        assert found[name].spread == pytest.approx(near[name].spread, rel=1e-3, abs=1e-7)


def test_criteria_of_trainings_and_comparisons(monkeypatch: pytest.MonkeyPatch) -> None:
    images, model = read_images(pack()), replaying(pictures("fresh"))
    criterion = open_criterion("scattering")
    near = criterion.measure(
        criterion.inputs(images.pieces(0, torch.device("cpu")))[0], criterion.inputs(model.batches(150))[0]
    )
    with far_device(monkeypatch) as seen:
        criterion = open_criterion("scattering", device="meta")
        real, _ = criterion.inputs(images.pieces(0, FAR))
        drawn, _ = criterion.inputs(model.to("meta").batches(150, on_device=True))
        assert seen.waits.count("_to_copy") == 0
        assert criterion.measure(real, drawn) == pytest.approx(near, rel=1e-4)
        assert seen.on_cpu == []


@pytest.mark.parametrize("shape", [(60, 200), (300, 24)], ids=["gram", "streamed"])
@pytest.mark.parametrize("held", [True, False])
def test_support_vector_machines(shape: tuple[int, int], held: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    from zoo.metrics import matrices

    features, labels = vectors(*shape).half(), torch.arange(shape[0]) % 3
    features[:, :3] += torch.nn.functional.one_hot(labels, 3)
    near = Problem(features, labels, 3, solver="torch").solve(1.0)
    expected = near.accuracy(features, labels)
    if not held:  # the card's memory does not hold them
        monkeypatch.setattr(matrices, "free_bytes", lambda device: 100)
    with far_device(monkeypatch) as seen:
        problem = Problem(features, labels, 3, device=FAR)
        assert problem.solver == "torch"
        found = problem.solve(1.0)
        assert seen.on_cpu == []
        assert found.weights.device == FAR
        assert found.objective == pytest.approx(near.objective, rel=1e-3)
        assert found.accuracy(features, labels) == pytest.approx(expected, abs=0.02)
        assert seen.on_cpu == []


@pytest.mark.parametrize("free", [1 << 30, 4000])
def test_nearest_neighbors(free: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from zoo import devices

    pytest.importorskip("faiss")
    there, asked = vectors(500), torch.cat([vectors(40, seed=1), vectors(500)[[3, 77]]])
    near = nearest(asked, there.split(70), 5)
    monkeypatch.setattr(devices, "free_bytes", lambda device: free)
    with far_device(monkeypatch) as seen:
        distances, numbers = nearest(asked.to(FAR), there.split(70), 5)
        assert seen.on_cpu == []
        assert (distances.device.type, len(seen.waits)) == ("cpu", 2)
    assert torch.allclose(distances, near[0], atol=2e-3)
    assert torch.equal(numbers, near[1])
    assert distances[-2:, 0].tolist() == pytest.approx([0.0, 0.0], abs=1e-5)  # a copy is a copy


def test_what_does_not_fit_is_computed_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    images = read_images(pack()), generate_images(replaying(pictures("fresh")), 150)
    heard = Heard()
    given: dict[str, Any] = {"resamples": 0, "seed": 0, "report": heard}
    near = measure(open_metrics(["frechet"]), open_extractor("scattering"), *images, **given)
    with far_device(monkeypatch) as seen, monkeypatch.context() as small:
        small.setattr(measuring, "free_bytes", lambda device: 1000)
        found = measure(open_metrics(["frechet"]), open_extractor("scattering", device="meta"), *images, **given)
        assert "addmm" not in seen.far
    assert found["frechet"].values == pytest.approx(near["frechet"].values, rel=1e-4)

    class Large(Metric):
        on_device = True

        def measure(self, real: torch.Tensor, fake: torch.Tensor) -> dict[str, float]:
            if real.device == FAR:
                raise torch.OutOfMemoryError("no room")
            return {"large": float(real.mean())}

    with far_device(monkeypatch):
        found = measure({"large": Large()}, open_extractor("scattering", device="meta"), *images, **given)
    assert heard.lines[-1] == "warning: large does not fit into the memory of meta: it is computed on the CPU"
    assert found["large"].values["large"] > 0


def test_probes_and_neighbors_say_where(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("scipy")
    model = zoo.create("dcgan", size=16, options={"generator.width": 4, "discriminator.width": 4})
    near = zoo.probe(model, dataset="ellipses", labels=20, repeats=1, write=False, device="cpu", solver="torch")
    with far_device(monkeypatch) as seen:
        found = zoo.probe(model, dataset="ellipses", labels=20, repeats=1, write=False, device="meta")
        assert seen.on_cpu == []
        assert found.metrics["probe_accuracy"] == pytest.approx(near.metrics["probe_accuracy"], abs=0.03)
        seen.waits.clear()
        found = zoo.neighbors(model.to("meta"), dataset="ellipses", samples=100, write=False)
        assert seen.on_cpu == []
