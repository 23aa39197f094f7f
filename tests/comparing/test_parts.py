"""The parts of a comparison: distances, measurements, the table."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from helpers.packs import pictures
from zoo.comparing.distance import PAIRS, Gaussian, Moments, frechet_distance, mean_distance, nearest_distance
from zoo.comparing.measuring import Point, keep_reference, kept_reference, measure_data
from zoo.comparing.summary import Spread, summarize, write_csv
from zoo.comparing.trials import Place, Trial, read_trial
from zoo.packs import PackRequest, build_pack
from zoo.progress import Reporter
from zoo_core import FeatureExtractor, ZooError, registry


def gaussian(vectors: Tensor) -> Gaussian:
    moments = Moments.of_length(vectors.shape[1])
    for start in range(0, len(vectors), 7):
        moments.add(vectors[start : start + 7])
    return moments.gaussian()


def test_moments_are_those_of_numpy() -> None:
    vectors = torch.randn(700, 5, generator=torch.Generator().manual_seed(0)) * 3 + 100
    mean, covariance = gaussian(vectors)
    np.testing.assert_allclose(mean, vectors.double().mean(0), rtol=1e-12)
    np.testing.assert_allclose(covariance, np.cov(vectors.double().numpy().T), rtol=1e-6)
    moments = Moments.of_length(5)
    moments.add(vectors)
    assert moments.first.equal(vectors[:PAIRS].double())


def test_frechet_distance_by_its_definition() -> None:
    rng = torch.Generator().manual_seed(0)
    a, b = torch.randn(400, 6, generator=rng), torch.randn(300, 6, generator=rng) @ torch.randn(6, 6, generator=rng) + 1
    one, other = gaussian(a), gaussian(b)
    product = one.covariance.numpy() @ other.covariance.numpy()
    root = np.sqrt(np.linalg.eigvals(product).astype(complex)).sum().real  # trace of the matrix root
    traces = float(one.covariance.trace() + other.covariance.trace())
    expected = float((one.mean - other.mean).square().sum()) + traces - 2 * root
    assert frechet_distance(one, other) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(other, one) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-9)


def test_frechet_distance_of_two_numbers() -> None:
    def line(mean: float, deviation: float) -> Gaussian:
        return Gaussian(torch.tensor([mean]).double(), torch.tensor([[deviation**2]]).double())

    assert frechet_distance(line(1, 2), line(4, 7)) == pytest.approx(3**2 + 5**2)


def test_covariances_without_full_rank() -> None:
    few = torch.randn(3, 50, generator=torch.Generator().manual_seed(0))
    assert frechet_distance(gaussian(few), gaussian(few)) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(gaussian(few), gaussian(few + 2)) == pytest.approx(200, rel=1e-6)


def test_distances_between_samples() -> None:
    points = torch.tensor([[0.0, 0], [3, 4], [3, 4.5]])
    assert mean_distance(points) == pytest.approx((5 + math.hypot(3, 4.5) + 0.5) / 3)
    assert nearest_distance(points) == pytest.approx(0.5)
    assert nearest_distance(points.repeat(2, 1)) == 0


def test_collapse() -> None:
    healthy = Point(1000, 1.0, 5.0, 0.9, 0.8)
    assert not healthy.collapsed
    assert replace(healthy, diversity=0.2).collapsed
    assert replace(healthy, nearest=0.05).collapsed


class Blind(FeatureExtractor):
    """Sees no number, or the same everywhere."""

    dim = 2

    def __init__(self, *, numbers: bool = False) -> None:
        super().__init__()
        self.value = 1.0 if numbers else math.nan

    def forward(self, x: Tensor) -> Tensor:
        return torch.full((len(x), 2), self.value)


def test_the_reference(tmp_path: Path) -> None:
    pack = build_pack(PackRequest("folder", data=pictures(tmp_path / "p", 40, colored={0}, side=32), size=32), workers=1)
    extractor = registry.create("features", "scattering").eval()
    found = measure_data(pack, extractor, 16, torch.device("cpu"), Reporter())
    assert (found.count, found.floor_count) == (40, 16)
    assert found.floor > 0
    assert measure_data(pack, extractor, 9999, torch.device("cpu"), Reporter()).floor_count == 20
    keep_reference(found, tmp_path / "reference.safetensors")
    again = kept_reference(tmp_path / "reference.safetensors")
    assert again is not None
    assert again.gaussian.covariance.equal(found.gaussian.covariance)
    assert replace(again, gaussian=found.gaussian) == found
    (tmp_path / "reference.safetensors").write_bytes(b"short")
    assert kept_reference(tmp_path / "reference.safetensors") is None
    with pytest.raises(ZooError, match="no finite number"):
        measure_data(pack, Blind(), 16, torch.device("cpu"), Reporter())
    with pytest.raises(ZooError, match="all alike"):
        measure_data(pack, Blind(numbers=True), 16, torch.device("cpu"), Reporter())


def test_a_damaged_record_is_measured_again(tmp_path: Path) -> None:
    place = Place(tmp_path, "acme:gan", 3)
    assert place.record.name == "acme@gan-seed-3.json"
    place.record.parent.mkdir()
    for text in ("", "{", "[]", '{"points": [{"images": 1}]}', '{"points": 3, "diverged": "", "parameters": [1, 2]}'):
        place.record.write_text(text)
        assert read_trial(place) == Trial("acme:gan", 3)


def test_the_table_over_seeds(tmp_path: Path) -> None:
    def point(images: int, distance: float, diversity: float = 0.9) -> Point:
        return Point(images, images / 100, distance, diversity, 0.9)

    trials = [
        Trial("a", 0, (point(100, 9), point(200, 4)), parameters=(5, 6)),
        Trial("a", 1, (point(100, 3), point(200, 6, 0.1)), parameters=(5, 6)),
        Trial("a", 2, (point(100, 99),), diverged="g_loss is nan at step 7"),
    ]
    row = summarize("a", trials, 2)
    assert (row.seeds, row.diverged, row.collapsed, row.parameters) == (3, 1, 1, (5, 6))
    assert row.distance == Spread((4, 6))
    assert (row.distance.mean, row.distance.deviation) == (5, pytest.approx(math.sqrt(2)))
    assert row.best.values == (4, 3)
    assert row.images_per_s.mean == pytest.approx(100)
    assert summarize("b", [], 2).distance.mean is None
    assert Spread((1.0,)).deviation is None

    metrics = {("a", 0): [{"images": 90, "d_loss": 1.0}, {"images": 190, "d_loss": 0.5, "g_loss": 2.0}]}
    write_csv(tmp_path / "t.csv", trials, metrics)
    with open(tmp_path / "t.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [(line["seed"], line["images"], line["distance"], line["d_loss"]) for line in lines] == [
        ("0", "100", "9", "1.0"),
        ("0", "200", "4", "0.5"),
        ("1", "100", "3", ""),
        ("1", "200", "6", ""),
        ("2", "100", "99", ""),
        ("2", "", "", ""),
    ]
    assert [line["collapsed"] for line in lines] == ["0", "0", "0", "1", "0", ""]
    assert lines[-1]["diverged"] == "g_loss is nan at step 7"
