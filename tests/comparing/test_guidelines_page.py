"""The page of what each guideline is worth is written from what `zoo compare` measured."""

from __future__ import annotations

import csv
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "guidelines.py"
DISTANCES = {  # recipe → seed → at 64 and 128 images
    "dcgan": [(8.0, 4.0), (9.0, 4.4), (8.5, 4.2)],
    "dcgan-nobn": [(24.0, 8.0), (26.0, 8.9), (25.0, 8.3)],
    "dcgan-gap": [(4.1, 4.1), (4.4, 4.3), (4.2, 4.25)],
    "dcgan-avgpool": [(7.0, 2.0), (8.0, 2.1), (7.5, 2.2)],
    "dcgan-fc": [(12.0, 6.0), (13.0, 6.4), ()],  # the last diverged
}
COLUMNS = ("recipe", "seed", "images", "distance", "diversity", "collapsed", "diverged", "images_per_s")


@pytest.fixture
def comparison(tmp_path: Path) -> Path:
    return make(tmp_path / "comparison")


def make(folder: Path, *, finished: bool = True, metric: str = "dcgan-zoo:scattering") -> Path:
    run = folder / "runs" / "dcgan-seed-0"
    run.mkdir(parents=True)
    with (folder / "comparison.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for recipe, seeds in DISTANCES.items():
            for seed, values in enumerate(seeds):
                for images, value in zip((64, 128), values[: None if finished else 1], strict=False):
                    rows.writerow([recipe, seed, images, value, 1.0, int(recipe == "dcgan-nobn" and seed == 0), "", 100])
                if not values:
                    rows.writerow([recipe, seed, "", "", "", "", "a loss is not finite", ""])
    settings = {"metric": metric, "samples": 8, "budget": "128 images", "points": 2, "precision": "fp32"}
    (folder / "comparison.json").write_text(json.dumps({"settings": settings, "seeds": 3}))
    machine = {"device": "cpu", "torch": "2", "processor": "a processor", "instructions": "AVX2", "threads": 1}
    command = "zoo train dcgan --dataset faces --data /home/ada/pictures --size 16 --images 128 --no-watch --seed 2 --out x"
    config = {"facts": {"count": 1234}, "training": {"size": 16}}
    (run / "run.json").write_text(json.dumps({"machine": machine, "command": command, "config": config}))
    return folder


def write(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_ratios_and_what_they_say(comparison: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Before.\n<!-- comparisons -->\nwhat was here\n<!-- end of comparisons -->\nAfter.\n")
    done = write(f"Painted faces={comparison}", "--markdown", page)
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout.splitlines()[-1])
    recipes: dict[str, dict[str, Any]] = found["recipes"]
    logs = [math.log(one[1] / other[1]) for one, other in zip(DISTANCES["dcgan-nobn"], DISTANCES["dcgan"], strict=True)]
    assert recipes["dcgan-nobn"]["late"]["ratio"] == pytest.approx(math.exp(sum(logs) / 3))
    assert {name: one["late"]["verdict"] for name, one in recipes.items() if name != "dcgan"} == {
        "dcgan-nobn": "helps",
        "dcgan-gap": "cannot be told",
        "dcgan-avgpool": "harms",
        "dcgan-fc": "diverges",  # one of three, so the others judge nothing
    }
    assert (recipes["dcgan-fc"]["late"]["pairs"], recipes["dcgan-fc"]["diverged"]) == (2, 1)
    assert recipes["dcgan-gap"]["early"]["verdict"] == "harms"  # without the guideline it is nearer to the data
    text = page.read_text()
    assert text.startswith("Before.\n")
    assert text.endswith("After.\n")
    assert "what was here" not in text
    assert (
        "zoo compare dcgan dcgan-nobn dcgan-gap dcgan-avgpool dcgan-fc --dataset faces --data DIR --size 16 --images 128"
        in text
    )
    assert "--no-watch" not in text
    assert "--seed 2" not in text
    assert "1 collapsed of 3" in text
    assert "1 diverged of 3" in text
    assert "### Painted faces, 16×16" in text
    assert "1,234 pictures, 128 images shown to each training; 3 seeds" in text
    assert "ada" not in text  # whose pictures they were

    done = write(f"Photographs={comparison}", "--markdown", page)
    assert done.returncode == 0, done.stderr
    section = text.partition("### Painted faces")[2].partition("<!-- end")[0].strip()
    both = page.read_text()
    assert (both.count(section), "### Photographs, 16×16" in both) == (2, True)  # the first stays
    file = comparison / "comparison.csv"
    file.write_text(file.read_text().replace("24.0", "30.0"))
    assert write(f"Painted faces={comparison}", "--markdown", page).returncode == 0
    renewed = page.read_text()
    assert renewed.partition("### Photographs")[2] == both.partition("### Photographs")[2]
    assert (renewed.count("### Painted faces"), section in renewed.partition("### Photographs")[0]) == (1, False)

    page.write_text("without the marks")
    assert "lacks the lines <!-- comparisons -->" in write(f"Painted faces={comparison}", "--markdown", page).stderr
    assert page.read_text() == "without the marks"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"finished": False}, "is not finished: dcgan, seed 0 has 1 of 2 measurements"),
        ({"metric": "dcgan-zoo:kid:dcgan-zoo:scattering"}, "compares by dcgan-zoo:kid:dcgan-zoo:scattering"),
        ({"metric": "efficientnet-lite0"}, "compares by efficientnet-lite0"),
    ],
)
def test_what_is_no_whole_comparison_of_this_kind(given: dict[str, Any], said: str, tmp_path: Path) -> None:
    done = write(f"Faces={make(tmp_path / 'other', **given)}")
    assert done.returncode == 2
    assert said in done.stderr.splitlines()[-1]
