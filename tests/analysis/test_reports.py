from __future__ import annotations

import html.parser
import json
import re
from pathlib import Path
from typing import Any

import pytest

import zoo
from helpers.browser import count_colors, measure, needs_chromium, screenshot
from helpers.painting import SIZE, painted_model, paintings
from zoo.analysis.reports import Report
from zoo.models.curves import NETWORKS
from zoo.models.folder import write_model
from zoo_core import UsageError


@pytest.fixture(scope="session")
def written(painted: Path) -> Report:
    """A report on a model folder, with everything that needs no run."""
    import os

    os.environ["ZOO_CACHE"], before = str(painted / "cache"), os.environ.get("ZOO_CACHE", "")
    from helpers.painting import painters

    with painters():
        found = zoo.report(painted / "model", images=paintings(), searched=256)
    os.environ["ZOO_CACHE"] = before
    return found


class _Tags(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, Any]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_what_is_in_it(written: Report, painted: Path) -> None:
    assert written.path == painted / "model" / "report.html"
    assert set(written.left_out) - {"Nearest neighbors"} == {"Training", "Metrics"}  # those need the extra "eval"
    assert {"Walk", "Features", "Arithmetic", "Turning", "Forgetting"} <= set(written.numbers)
    text = written.path.read_text(encoding="utf-8")
    assert "Left out: this is no run folder" in text
    assert f"zoo forget {painted / 'model'} --attribute" in text
    assert "The classifier" in text
    assert "judge" not in text


def test_it_needs_nothing_else(written: Report) -> None:
    tags = _Tags()
    tags.feed(written.path.read_text(encoding="utf-8"))
    pictures = [attributes for tag, attributes in tags.tags if tag == "img"]
    assert len(pictures) >= 7
    assert all(a["src"].startswith("data:image/png;base64,") and len(a["alt"]) > 5 for a in pictures)
    assert not [tag for tag, _ in tags.tags if tag in ("script", "iframe", "object")]
    assert "default-src 'none'" in next(a["content"] for tag, a in tags.tags if tag == "meta" and "http-equiv" in a)
    assert all(a.get("href", "#").startswith(("#", "data:")) for _, a in tags.tags)
    anchors = {a["href"] for tag, a in tags.tags if tag == "a"}
    assert anchors == {"#" + a["id"] for tag, a in tags.tags if tag == "section"}


@needs_chromium
@pytest.mark.parametrize(("width", "dark"), [(390, False), (1280, True)])
def test_in_a_browser(written: Report, width: int, dark: bool) -> None:
    found = measure(written.path, width, dark=dark)
    assert found["images"] >= 7
    assert found["decoded"] == found["described"] == found["images"]
    assert found["requests"] == []
    assert found["wider"] <= 0
    pixels = screenshot(written.path, width, dark=dark)
    assert (pixels.mean() < 110) == dark
    assert count_colors(pixels) > 200  # pictures


def test_a_run_tells_of_its_training(tmp_path: Path, pack: zoo.Pack) -> None:
    run = zoo.train(
        "dcgan",
        dataset="paintings",
        data=pack.path,
        size=SIZE,
        images=48,
        out=tmp_path / "run",
        options={"generator.width": 4, "discriminator.width": 4, "training.batch": 8, "training.log_every": 1},
        device="cpu",
        precision="fp32",
        workers=1,
    )
    found = zoo.report(run.path, searched=64, out=tmp_path / "about.html")
    assert "Training" not in found.left_out
    text = found.path.read_text(encoding="utf-8")
    drawn = re.findall(r'aria-label="(.*?) over real images shown"', text)
    assert {"losses", "what D says"} <= set(drawn)
    assert set(NETWORKS.values()) <= set(re.findall("#[0-9a-f]{6}", text.partition("<main>")[2]))
    assert "D(real), mean of the last tenth" in text
    assert "zoo train dcgan" in text
    assert "generator" in text.split("All settings")[1]


def test_without_discriminator_and_labels_the_rest_remains(tmp_path: Path) -> None:
    write_model(painted_model(discriminator=False), tmp_path / "model")
    found = zoo.report(tmp_path / "model", images=paintings(labeled=False, count=60), searched=64)
    assert "Walk" in found.numbers
    assert "discriminator" in found.left_out["Features"]
    assert "labels" in found.left_out["Arithmetic"]
    assert "labels" in found.left_out["Forgetting"]


def test_what_was_measured_is_shown(tmp_path: Path) -> None:
    write_model(painted_model(discriminator=False), tmp_path / "model")
    measured = {"metrics": {"fid": 12.345}, "protocol": {"features": "<b>own</b>"}}
    (tmp_path / "model" / "metrics.json").write_text(json.dumps(measured))
    zoo.report(tmp_path / "model", images=paintings(labeled=False, count=60), searched=64)
    text = (tmp_path / "model" / "report.html").read_text(encoding="utf-8")
    assert "12.345" in text
    assert "&lt;b&gt;own" in text


def test_bad_input(painted: Path) -> None:
    with pytest.raises(UsageError, match="no name for a web page"):
        zoo.report(painted / "model", out="report.pdf")
