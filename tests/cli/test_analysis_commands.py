"""`zoo walk`, `arithmetic`, `turn`, `directions`, `features`, `forget`, `project` and `report`, as a person types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from PIL import Image

import zoo
from helpers.painting.fixtures import cache, classifier, pack, painted
from helpers.workplace import run as run_zoo
from zoo.analysis.attribute_classifier import AttributeClassifier

__all__ = ["cache", "classifier", "pack", "painted"]


@pytest.fixture(autouse=True)
def _there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack: zoo.Pack, classifier: AttributeClassifier) -> None:
    monkeypatch.chdir(tmp_path)


def run(verb: str, painted: Path, *arguments: object) -> Result:
    return run_zoo(verb, painted / "model", *arguments)


def run_json(verb: str, painted: Path, *arguments: object) -> dict[str, Any]:
    result = run(verb, painted, *arguments, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_walk(painted: Path, tmp_path: Path) -> None:
    result = run("walk", painted, "--latents", 3, "--steps", 4)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[0] == "walk.png"
    assert "smoothness in pixels: " in result.stdout
    assert Image.open(tmp_path / "walk.png").width > 0
    assert run_json("walk", painted, "--latents", 3)["smoothness"]["features"]["path"] >= 1
    assert run_json("walk", painted, "--latents", 3, "--along", "0-2")["steps"] == 3


def test_arithmetic(painted: Path, tmp_path: Path) -> None:
    result = run("arithmetic", painted, "square+line - line + neutral", "--search", 256)
    assert result.exit_code == 0, result.output
    assert "wanted: no line and square" in result.stdout
    assert "classifier's accuracy on held-out images: line" in result.stdout
    found = run_json("arithmetic", painted, "square - line + line", "--search", 256, "--dataset", "paintings")
    assert found["latent"]["of"] >= 1
    assert (tmp_path / "arithmetic.png").is_file()


def test_arithmetic_by_hand(painted: Path) -> None:
    found = run_json("arithmetic", painted, "--a", "1,2,3", "--b", "4, 5", "--c", "6")
    assert found["exemplars"] == {"+ A": [1, 2, 3], "- B": [4, 5], "+ C": [6]}
    result = run("arithmetic", painted, "--a", "one")
    assert result.exit_code == 2
    assert "no numbers of samples" in result.output


def test_turn(painted: Path) -> None:
    found = run_json("turn", painted, "--from", "no-square", "--to", "square", "--search", 256, "--samples", 8, "--steps", 3)
    assert len(found["probability"]) == 3
    assert found["probability"][2] > found["probability"][0]


def test_directions(painted: Path, tmp_path: Path) -> None:
    result = run("directions", painted, "--method", "attributes", "--attributes", "square, line", "--search", 256)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[:2] == ["directions.png", "directions.safetensors"]
    assert "good" in next(line for line in result.stdout.splitlines() if line.startswith("square"))
    assert (tmp_path / "directions.safetensors").stat().st_size > 100
    found = run_json("directions", painted, "--method", "pca", "--count", 2, "--steps", 3)
    assert [direction["name"] for direction in found["directions"]] == ["pca 1", "pca 2"]


def test_features(painted: Path) -> None:
    result = run("features", painted, "--images", 60, "--features", 2, "--each", 2)
    assert result.exit_code == 0, result.output
    assert "selectivity: " in result.stdout
    assert "best feature for" in result.stdout


def test_forget(painted: Path, tmp_path: Path) -> None:
    common = ("--attribute", "square", "--most", 1, "--search", 128, "--tested", 32)
    result = run("forget", painted, *common, "--save", "without")
    assert result.exit_code == 0, result.output
    assert "silenced 1 of 4 maps of stage 8x8" in result.stdout
    assert "model: without" in result.stdout
    assert zoo.load(tmp_path / "without").sample(1).shape == (1, 3, 16, 16)
    assert run_json("forget", painted, *common)["after"]["rate"] < 0.1


def test_project(painted: Path, tmp_path: Path) -> None:
    Image.new("RGB", (30, 20), "blue").save(tmp_path / "given.png")
    found = run_json("project", painted, "given.png", "--starts", 2, "--steps", 5)
    assert found["error"] <= found["nearest_sample"] + 1e-3
    assert found["how"] == "by 5 steps of optimization"
    assert "found by 6 steps of optimization\n" in run("project", painted, "given.png", "--starts", 2, "--steps", 6).stdout
    result = run("project", painted, "none.png")
    assert result.exit_code == 1
    assert "none.png does not exist" in result.output


def test_report(painted: Path, tmp_path: Path) -> None:
    result = run("report", painted, "--search", 256, "--out", "about.html", "--attribute", "square")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[0] == "about.html"
    assert "left out: Training: this is no run folder" in result.stdout
    assert (tmp_path / "about.html").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("verb", "words"),
    [("forget", ["--attribute", "sqare"]), ("turn", ["--from", "sqare", "--to", "line"]), ("arithmetic", ["sqare - line"])],
)
def test_a_misspelt_word_is_told_before_images_are_packed(painted: Path, cache: Path, verb: str, words: list[str]) -> None:
    packs = sorted((cache / "packs").iterdir())
    result = run(verb, painted, *words, "--dataset", "paintings", "--set", "dataset.count=399")
    assert result.exit_code == 2
    assert "nothing is called 'sqare'; did you mean square" in result.output
    assert sorted((cache / "packs").iterdir()) == packs


@pytest.mark.parametrize(
    ("verb", "arguments", "code", "message"),
    [
        ("arithmetic", ["square - lime + line"], 2, "did you mean line"),
        ("arithmetic", ["square - + line"], 2, "\n" + 11 * " " + "^"),
        ("turn", ["--from", "blue", "--to", "square+no-red", "--search", "64"], 2, "0 of 64 samples show"),
        ("directions", [], 2, "find directions of its activations: --method pca"),
        ("forget", [], 2, "say what to forget"),
        ("walk", ["--out", "walk"], 2, "does not end like a picture"),
        ("features", ["--data", "x"], 2, "add: --dataset"),
        ("features", ["--dataset", "painting"], 2, "did you mean paintings"),
    ],
)
def test_bad_input(painted: Path, verb: str, arguments: list[str], code: int, message: str) -> None:
    result = run(verb, painted, *arguments)
    assert result.exit_code == code
    assert message in result.output
    assert "Traceback" not in result.output
