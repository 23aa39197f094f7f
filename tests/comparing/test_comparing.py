"""Whole comparisons: what is written, going on after an interruption, divergence, and what is refused."""

from __future__ import annotations

import csv
import json
import re
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock

import zoo
from helpers.browser import count_colors, measure, needs_chromium, screenshot
from helpers.packs import pictures
from helpers.reporters import Heard
from helpers.training import differing, leftovers, samples
from zoo.comparing.measuring import measure_data
from zoo.comparing.page import write_report
from zoo.comparing.settings import Settings
from zoo.comparing.trials import Trial, read_trial
from zoo.metrics.measuring import open_criterion
from zoo.progress import Reporter
from zoo.reports.figures import OTHERS
from zoo.reports.numbers import format_value
from zoo.runs.budget import Budget
from zoo.training import callbacks
from zoo_core import CheckpointError, Plugin, Recipe, UsageError, ZooError, registry

pytestmark = pytest.mark.slow

SMALL: dict[str, Any] = {"images": 80, "seeds": 2, "samples": 32, "points": 2, "device": "cpu", "precision": "fp32"}


@pytest.fixture(autouse=True)
def _prepared(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(callbacks, "TICK", 0.0)  # progress at every step
    with samples():
        yield


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return pictures(tmp_path / "pictures", 40, colored={0}, side=16)


def compare(recipes: list[str], data: Path, out: Path, /, *, at: str = "", **choices: Any) -> zoo.Comparison:
    given: dict[str, Any] = {
        "dataset": "folder",
        "data": data,
        "report": Heard(41 if at else None, signal.SIGTERM, label=at),
        "workers": 1,
    }
    return zoo.compare(recipes, out=out, **{**SMALL, **given, **choices})


def measured(out: Path) -> list[dict[str, str]]:
    """The table, without what the clock says."""
    with open(out / "comparison.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    return [{key: value for key, value in line.items() if key not in ("seconds", "images_per_s")} for line in lines]


def test_what_comes_of_it(data: Path, tmp_path: Path) -> None:
    done = compare(["plain", "linear"], data, tmp_path / "out")
    assert (done.finished, done.signal) == (True, "")
    assert done.metric == "dcgan-zoo:scattering"
    assert done.floor > 0
    assert [row.recipe for row in done.rows] == ["plain", "linear"]
    for row in done.rows:
        assert (row.seeds, row.diverged, len(row.distance.values), len(set(row.distance.values))) == (2, 0, 2, 2)
        assert all(best <= last for best, last in zip(row.best.values, row.distance.values, strict=True))
        assert min(row.parameters) > 0
        assert min(row.images_per_s.values) > 0
    lines = measured(done.path)
    assert [(line["recipe"], line["seed"], line["images"]) for line in lines] == [
        (recipe, seed, images) for seed in "01" for recipe in ("plain", "linear") for images in ("40", "80")
    ]
    assert all(float(line["d_loss"]) > 0 for line in lines if line["images"] == "80")
    model = zoo.load(done.path / "runs" / "plain-seed-1")
    assert model.config["provenance"]["seed"] == 1
    assert "--seed 1" in model.config["provenance"]["command"]
    assert leftovers(tmp_path) == []
    assert json.dumps([row.to_json() for row in done.rows])


def test_the_same_training_as_without_it(data: Path, tmp_path: Path) -> None:
    """Stages and measurements leave no trace in what is computed."""
    compare(["dropout"], data, tmp_path / "out", seeds=1, points=5)
    choices = {key: value for key, value in SMALL.items() if key in ("images", "device", "precision")}
    alone = zoo.train(
        "dropout", dataset="folder", data=data, out=tmp_path / "alone", report=Reporter(), workers=1, **choices
    )
    assert differing(alone.path, tmp_path / "out" / "runs" / "dropout-seed-0") == []


def test_interrupted_and_taken_up_again(data: Path, tmp_path: Path) -> None:
    straight = compare(["plain", "dropout"], data, tmp_path / "straight")
    broken = compare(["plain", "dropout"], data, tmp_path / "broken", at="dropout, seed 0")
    assert (broken.finished, broken.signal) == (False, "SIGTERM")
    assert len(measured(broken.path)) == 3  # all of plain, the first half of dropout
    assert "1 of 4 trainings are done" in broken.report.read_text()
    untouched = broken.path / "runs" / "plain-seed-0" / "model" / "generator.safetensors"
    before = untouched.stat().st_mtime_ns
    again = compare(["plain", "dropout"], data, tmp_path / "broken")
    assert again.finished
    assert untouched.stat().st_mtime_ns == before
    assert measured(again.path) == measured(straight.path)
    assert "4 of 4 trainings are done" in again.report.read_text()
    report = Heard()
    done = compare(["plain", "dropout"], data, tmp_path / "broken", report=report)
    assert done.finished
    assert not [line for line in report.lines if "trial" in line]  # nothing is repeated


@pytest.mark.parametrize("lost", ["record", "begun", "reference"])
def test_killed_at_an_awkward_moment(lost: str, data: Path, tmp_path: Path) -> None:
    straight = compare(["dropout"], data, tmp_path / "straight", seeds=1)
    out = tmp_path / "killed"
    shutil.copytree(straight.path, out)
    place = Trial(out, "dropout", 0)
    if lost == "record":  # after a stage, before its measurement was written
        stored = json.loads(place.record.read_text())
        place.record.write_text(json.dumps({**stored, "points": stored["points"][:1]}))
        place.samples(2).unlink()
    elif lost == "begun":  # before run.json was there
        shutil.rmtree(place.run)
        place.record.unlink()
        place.run.mkdir()
        (place.run / ".lock").touch()
    else:
        shutil.rmtree(tmp_path / "cache" / "features")
    (out / ".unfinished-report.html-1").touch()
    assert compare(["dropout"], data, out, seeds=1).finished
    assert measured(out) == measured(straight.path)
    assert place.samples(2).read_bytes() == Trial(straight.path, "dropout", 0).samples(2).read_bytes()
    assert leftovers(out) == []


def test_divergence_is_a_result(data: Path, tmp_path: Path) -> None:
    options = {"loss.after": 3}
    done = compare(["broken"], data, tmp_path / "out", options=options)
    (row,) = done.rows
    assert done.finished
    assert (row.seeds, row.diverged, row.distance.values) == (2, 2, ())
    assert "is nan at step" in read_trial(done.path, "broken", 0).diverged
    page = done.report.read_text()
    assert "2 of 2" in page
    assert "the training diverged" in page
    assert [line["seed"] for line in measured(done.path) if line["diverged"].endswith("the training diverged")] == ["0", "1"]
    report = Heard()
    compare(["broken"], data, tmp_path / "out", options=options, report=report)
    assert not [line for line in report.lines if "trial" in line]


def test_more_recipes_and_seeds_are_welcome(data: Path, tmp_path: Path) -> None:
    compare(["plain"], data, tmp_path / "out", seeds=1)
    first = measured(tmp_path / "out")
    done = compare(["linear", "plain"], data, tmp_path / "out", seeds=2)
    assert [row.recipe for row in done.rows] == ["linear", "plain"]
    assert [row.seeds for row in done.rows] == [2, 2]
    assert [line for line in measured(tmp_path / "out") if line["recipe"] == "plain" and line["seed"] == "0"] == first


def test_other_settings_are_refused(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    compare(["plain", "linear"], data, out)
    with registry.add(Plugin(features={"blind": "tests.comparing.test_parts:Blind"})):
        for change, words in (
            ({"images": 160}, "budget: '80 images' in the comparison, '160 images' now"),
            ({"batch": 4}, "training.batch: 8 in the comparison, 4 now"),
            ({"size": 32}, "training.size: 16 in the comparison, 32 now"),
            ({"options": {"optimizer.lr": 1e-3}}, "optimizer.discriminator.lr: 0.0002 in the comparison, 0.001 now"),
            ({"samples": 64}, "samples: 32 in the comparison, 64 now"),
            ({"points": 4}, "points: 2 in the comparison, 4 now"),
            ({"metric": "blind"}, "metric: 'dcgan-zoo:scattering' in the comparison, 'local:blind' now"),
            ({"precision": "bf16"}, "precision: 'fp32' in the comparison, 'bf16' now"),
            ({"seeds": 1}, "seeds: 2 in the comparison, 1 now"),
            ({"data": pictures(tmp_path / "others", 41, colored={0}, side=16)}, "the pictures themselves"),
        ):
            before = measured(out)
            with pytest.raises(UsageError) as caught:
                compare(["plain", "linear"], data, out, **change)
            assert words in caught.value.message
            assert caught.value.message.count("\n") <= 2  # a difference that all share is said once
            assert "--out" in caught.value.hint
            assert measured(out) == before
    with pytest.raises(UsageError, match="without linear now"):
        compare(["plain", "dropout"], data, out)
    with registry.add(Plugin(recipes=[Recipe("mine", base="plain", options={"optimizer.lr": 1.0})])):
        compare(["mine"], data, tmp_path / "mine", seeds=1)
    with registry.add(Plugin(recipes=[Recipe("mine", base="plain", options={"optimizer.lr": 2.0})])):
        with pytest.raises(UsageError, match=r"optimizer\.generator\.lr: 1\.0 in the comparison, 2\.0 now"):
            compare(["mine"], data, tmp_path / "mine", seeds=1)


def test_pictures_that_moved_are_the_same(data: Path, tmp_path: Path) -> None:
    assert not compare(["plain"], data, tmp_path / "out", seeds=1, at="plain, seed 0").finished
    pack = next((tmp_path / "cache" / "packs").glob("folder-*"))
    shutil.rmtree(data)
    assert compare(["plain"], pack, tmp_path / "out", seeds=1).finished


BAD: list[tuple[list[str], dict[str, Any], str]] = [
    ([], {}, "name the recipes"),
    (["plain", "plain"], {}, "recipe 'plain' is named twice"),
    (["plain", "plane"], {}, "unknown recipe 'plane'; did you mean plain"),
    (["plain"], {"dataset": None}, "name a dataset"),
    (["plain"], {"images": None}, "name a budget"),
    (["plain"], {"minutes": 3}, "--images and --minutes are budgets"),
    (["plain"], {"images": 0}, "--images must be more than 0"),
    (["plain"], {"seeds": 0}, "--seeds must be at least 1"),
    (["plain"], {"samples": 3}, "--samples must be at least 16"),
    (["plain"], {"points": 0}, "--points must be at least 1"),
    (["plain"], {"metric": "scatering"}, "unknown metric or feature extractor 'scatering'; did you mean scattering"),
    (["plain"], {"metric": "acme:scattering"}, "unknown metric or feature extractor 'acme:scattering'"),
    (["plain", "dcgan"], {}, "plain draws 16×16 pixels, dcgan 64×64"),
    (["plain", "dcgan"], {"size": 16, "options": {"generator.width": 4}}, "recipe 'plain': unknown option of generator"),
    (["flipped", "plain"], {"dataset": "faces", "data": None}, "set options of the dataset differently"),
    (["plain", "orphan"], {}, "recipe 'orphan' is based on unknown recipe 'nobody'"),
    (["plain", "round"], {}, "recipe 'round' is based on itself: round → about → round"),
    (["plain", "lonely"], {}, "unknown generator 'acme:net'"),
    (["plain"], {"out": "pictures"}, "holds no comparison"),
]


@pytest.mark.parametrize(("recipes", "choices", "words"), BAD, ids=lambda value: None)
def test_bad_input(
    recipes: list[str], choices: dict[str, Any], words: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    strange = [
        Recipe("orphan", base="nobody"),
        Recipe("round", base="about"),
        Recipe("about", base="round"),
        Recipe("lonely", base="plain", generator="acme:net"),
        Recipe("flipped", base="plain", options={"dataset.count": 9}),
    ]
    out = Path(choices.pop("out", "out"))
    with registry.add(Plugin(recipes=strange)), pytest.raises(UsageError) as caught:
        compare(recipes, data, out, **choices)
    assert words in caught.value.message
    assert caught.value.exit_code == 2
    assert not (tmp_path / "out").exists()


def test_a_comparison_in_use(data: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with FileLock(tmp_path / "out" / ".lock"), pytest.raises(UsageError, match="another process is comparing"):
        compare(["plain"], data, tmp_path / "out")


@pytest.mark.parametrize("text", ["", "{}", '{"format": 1, "settings": {}}', "[1]"])
def test_a_damaged_comparison(text: str, data: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "comparison.json").write_text(text)
    with pytest.raises(CheckpointError, match="is damaged"):
        compare(["plain"], data, tmp_path / "out")


def test_features_that_are_no_numbers(data: Path, tmp_path: Path) -> None:
    with registry.add(Plugin(features={"blind": "tests.comparing.test_parts:Blind"})):
        with pytest.raises(ZooError, match="metric 'local:blind': features of image 0 are not finite"):
            compare(["plain"], data, tmp_path / "out", metric="blind")


def test_the_report_needs_no_other_file(data: Path, tmp_path: Path) -> None:
    done = compare(["plain", "linear"], data, tmp_path / "out")
    page = done.report.read_text()
    assert "default-src 'none'" in page
    assert set(re.findall(r' src="([^"]{5})', page)) == {"data:"}
    assert set(re.findall(r' href="([^"]{0,5})', page)) <= {"data:", *re.findall(r' href="(#[^"]{4})', page)}
    assert "<script" not in page
    assert "@import" not in page
    assert page.count("<svg") == 5
    assert page.count("<tr>") == 1 + 2 + 2  # the table's head and rows, and samples over time
    assert re.findall("<title>(.*?), one seed</title>", page) == ["plain", "plain", "linear", "linear"] * 3
    for row in done.rows:
        assert format_value(row.distance.mean, row.distance.deviation) in page
        assert all(f"{n / 1e6:.2f} M" in page for n in row.parameters)


def test_words_of_the_data_and_recipes_are_escaped(data: Path, tmp_path: Path) -> None:
    evil = "<script>alert('$x$')</script>"
    info = {"dataset": {"name": evil, "split": "train"}, "license": evil, "credit": "ours"}
    done = compare(["plain"], data, tmp_path / "out", seeds=1)
    pack = zoo.build_pack(zoo.PackRequest("folder", data=data, size=16), workers=1)
    settings = Settings(Budget("images", 80), 1, open_criterion(done.metric), 32, 2)
    readings = [{"images": 40, "d_loss": 1.0}, {"images": 80, "d_loss": 2.0}]
    trial = replace(read_trial(done.path, "plain", 0), recipe=evil, diverged=evil, readings=readings)
    row = replace(done.rows[0], recipe=evil)
    described = {"settings": {"device": evil, "precision": evil}}
    reference = measure_data(pack, settings.criterion, 32, Reporter())
    pack.info |= info
    write_report(tmp_path / "evil.html", settings, reference, [row], [trial], pack, described)
    page = (tmp_path / "evil.html").read_text()
    assert "<script" not in page
    assert page.count("&lt;script&gt;alert(&#39;$x$&#39;)") >= 8


@needs_chromium
@pytest.mark.parametrize(("width", "dark"), [(390, True), (1280, False)])
def test_the_report_in_a_browser(width: int, dark: bool, data: Path, tmp_path: Path) -> None:
    done = compare(["plain", "linear"], data, tmp_path / "out", seeds=1)
    found = measure(done.report, width, dark=dark)
    assert found["wider"] <= 0
    assert found["images"] == found["decoded"] == found["described"] == 3 + 4
    assert found["requests"] == []
    pixels = screenshot(done.report, width, 2400, dark=dark).reshape(-1, 3)
    for color in OTHERS[:2]:  # each recipe's curve and the spot in the table
        wanted = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)])
        assert (np.abs(pixels.astype(int) - wanted).max(1) < 6).sum() > 150
    assert (pixels.max(1) < 90).sum() > 1500
    assert (pixels.min(1) > 150).sum() > 1500
    assert count_colors(pixels) > 300  # pictures


def test_another_metric_and_its_options(data: Path, tmp_path: Path) -> None:
    options = {"features.size": "4"}
    done = compare(["plain"], data, tmp_path / "out", seeds=1, metric="pixels", options=options)
    assert done.metric == "dcgan-zoo:pixels"
    assert "“pixels”" in done.report.read_text()
    other = compare(["plain"], data, tmp_path / "other", seeds=1, metric="pixels", options={"features.size": "8"})
    assert other.rows[0].distance.values != done.rows[0].distance.values
    with pytest.raises(UsageError, match=r"features\.size: 4 in the comparison, 32 now"):
        compare(["plain"], data, tmp_path / "out", seeds=1, metric="pixels")
    with pytest.raises(UsageError, match="unknown option of features 'sise'; did you mean size"):
        compare(["plain"], data, tmp_path / "new", seeds=1, metric="pixels", options={"features.sise": "4"})
