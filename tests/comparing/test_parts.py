"""The parts of a comparison: distances, measurements, the table."""

from __future__ import annotations

import csv
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from helpers.packs import pictures
from zoo.comparing.measuring import Point, mean_distance, measure_data, nearest_distance
from zoo.comparing.page import draw_over_time, summarize, write_csv
from zoo.comparing.spreads import Spread
from zoo.comparing.trials import Trial, read_trial
from zoo.metrics.measuring import open_criterion
from zoo.packs import PackRequest, build_pack
from zoo.progress import Reporter
from zoo.reports.figures import OTHERS
from zoo_core import FeatureExtractor, Plugin, ZooError, registry


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


def test_a_color_that_comes_a_second_time_is_dashed(tmp_path: Path) -> None:
    names = [f"recipe-{number}" for number in range(len(OTHERS) + 3)]
    colors = {name: OTHERS[number % len(OTHERS)] for number, name in enumerate(names)}
    points = (Point(1000, 1.0, 5.0, 0.9, 0.8), Point(2000, 2.0, 4.0, 0.9, 0.8))
    trials = [Trial(tmp_path, name, 0, points) for name in names]
    drawn = draw_over_time(trials, colors, names[len(OTHERS) :], False, "distance", 1.0, "the data")
    curves = re.findall(r'<path d="M[^"]+"[^>]*style="([^"]*stroke: (#[0-9a-f]{6})[^"]*)"', drawn)
    looks = {(color, "stroke-dasharray" in style) for style, color in curves if color in OTHERS}
    assert len(looks) == len(names)


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
    found = measure_data(pack, open_criterion("scattering"), 16, Reporter())
    assert (found.count, found.floor_count) == (40, 16)
    assert found.floor > 0
    assert measure_data(pack, open_criterion("scattering"), 9999, Reporter()).floor_count == 20
    with registry.add(Plugin(features={"blind": f"{__name__}:Blind"})):
        with pytest.raises(ZooError, match="are not finite"):
            measure_data(pack, open_criterion("blind"), 16, Reporter())
        with pytest.raises(ZooError, match="all alike"):
            measure_data(pack, open_criterion("blind", options={"numbers": True}), 16, Reporter())
    with pytest.raises(ZooError, match="10 images are too few to be compared with; the least is 12"):
        measure_data(
            build_pack(PackRequest("folder", data=pictures(tmp_path / "q", 10, side=32), size=32), workers=1),
            open_criterion("precision:scattering"),
            16,
            Reporter(),
        )


def test_a_damaged_record_is_measured_again(tmp_path: Path) -> None:
    empty = Trial(tmp_path, "acme:gan", 3)
    assert empty.record.name == "acme@gan-seed-3.json"
    empty.record.parent.mkdir()
    for text in ("", "{", "[]", '{"points": [{"images": 1}]}', '{"points": 3, "diverged": "", "parameters": [1, 2]}'):
        empty.record.write_text(text)
        assert read_trial(tmp_path, "acme:gan", 3) == empty


def test_the_table_over_seeds(tmp_path: Path) -> None:
    def point(images: int, distance: float, diversity: float = 0.9) -> Point:
        return Point(images, images / 100, distance, diversity, 0.9)

    readings = [{"images": 90, "d_loss": 1.0}, {"images": 190, "d_loss": 0.5, "g_loss": 2.0}]
    trials = [
        Trial(tmp_path, "a", 0, (point(100, 9), point(200, 4)), parameters=(5, 6), readings=readings),
        Trial(tmp_path, "a", 1, (point(100, 3), point(200, 6, 0.1)), parameters=(5, 6)),
        Trial(tmp_path, "a", 2, (point(100, 99),), diverged="g_loss is nan at step 7"),
    ]
    row = summarize("a", trials, 2)
    assert (row.seeds, row.diverged, row.collapsed, row.parameters) == (3, 1, 1, (5, 6))
    assert row.distance == Spread.of((4, 6))
    assert (row.distance.mean, row.distance.deviation) == (5, pytest.approx(math.sqrt(2)))
    assert row.best.values == (4, 3)
    assert row.images_per_s.mean == pytest.approx(100)
    assert summarize("b", [], 2).distance.mean is None
    assert Spread.of((1.0,)).deviation is None

    write_csv(tmp_path / "t.csv", trials)
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
