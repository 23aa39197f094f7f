"""`zoo compare`, as a person types it."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result

from helpers.workplace import run, workplace, write_noise

SMALL = ["--size", "16", "--batch", "8", "--device", "cpu", "--precision", "fp32", "--samples", "32", "--points", "2"]
SMALL += ["--set", "generator.width=4", "--set", "discriminator.width=4", "--set", "training.log_every=1"]
TWO = ["dcgan", "dcgan-gap"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with pictures, and a finished comparison."""
    folder = tmp_path_factory.mktemp("ein Vergleich")
    write_noise(folder / "pictures", 32)
    with workplace(folder):
        result = compare(folder, "--images", 160, "--seeds", 2, "--out", "whole")
        assert result.exit_code == 0, result.output
        (folder / "said").write_text(result.stdout)
        yield folder


def compare(home: Path, *arguments: object) -> Result:
    words = [*TWO, "--dataset", "folder", "--data", home / "pictures", *SMALL, *arguments]
    return run("compare", *words)


def measured(out: Path) -> list[dict[str, str]]:
    with open(out / "comparison.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    return [{key: value for key, value in line.items() if key not in ("seconds", "images_per_s")} for line in lines]


def test_what_is_printed(home: Path) -> None:
    lines = (home / "said").read_text().splitlines()
    assert lines[0].split() == ["recipe", "distance", "diversity", "diverged", "collapsed", "images/s"]
    assert [line.split()[0] for line in lines[1:3]] == TWO
    assert "0 of 2" in lines[1]
    assert "±" in lines[1]
    assert lines[3].startswith("distance of scattering features; two halves of the data: ")
    assert lines[4] == f"report: {Path('whole', 'report.html')}"
    assert len(measured(home / "whole")) == 8


def test_one_json_object(home: Path) -> None:
    result = compare(home, "--images", 160, "--seeds", 2, "--out", "whole", "--json")
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert (said["finished"], said["signal"], said["metric"]) == (True, None, "dcgan-zoo:scattering")
    assert [row["recipe"] for row in said["recipes"]] == TWO
    values = said["recipes"][0]["distance"]["values"]
    assert [f"{value}" for value in values] == [
        line["distance"] for line in measured(home / "whole") if line["recipe"] == "dcgan" and line["images"] == "160"
    ]


@pytest.mark.parametrize("what", [signal.SIGKILL, signal.SIGTERM])
def test_ended_from_outside_and_taken_up_again(what: signal.Signals, home: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = [*TWO, "--dataset", "folder", "--data", str(home / "pictures"), *SMALL, "--images", "160", "--seeds", "2"]
    words += ["--set", "training.checkpoint_minutes=1e-9", "--out", str(out)]
    process = subprocess.Popen(
        [sys.executable, "-m", "zoo_cli", "compare", *words],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    watched = out / "runs" / "dcgan-gap-seed-0" / "metrics.jsonl"  # the second of four trainings
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and process.poll() is None and not watched.exists():
        time.sleep(0.01)
    process.send_signal(what)
    _, err = process.communicate(timeout=120)
    assert process.returncode in (-what, 128 + what), err
    first = out / "runs" / "dcgan-seed-0" / "model" / "config.json"
    before = first.stat().st_mtime_ns
    result = compare(home, "--images", 160, "--seeds", 2, "--set", "training.checkpoint_minutes=5", "--out", out)
    assert result.exit_code == 0, result.output
    assert first.stat().st_mtime_ns == before
    assert measured(out) == measured(home / "whole")
    assert not list(out.rglob(".unfinished*"))


BAD: list[tuple[list[str], int, list[str]]] = [
    (["compare", "dcgan", "mlp-gan", "--dataset", "faces", "--images", "9", "--out", "x"], 2, ["64×64", "--size 32"]),
    (["compare", "dcgan", "--dataset", "faces", "--out", "x"], 2, ["name a budget", "--images", "--minutes"]),
    (["compare", "dcgan", "--images", "9", "--out", "x"], 2, ["name a dataset"]),
    (["compare", "dcgan", "dcgan", "--dataset", "faces", "--images", "9", "--out", "x"], 2, ["named twice"]),
    (
        ["compare", "dcgn", "--dataset", "faces", "--images", "9", "--out", "x"],
        2,
        ["did you mean dcgan", "zoo list recipes"],
    ),
    (
        ["compare", "dcgan", "--dataset", "faces", "--images", "9", "--metric", "fidd", "--out", "x"],
        2,
        ["unknown metric or feature extractor 'fidd'", "did you mean fid", "zoo list metrics", "zoo list features"],
    ),
    (["compare", "dcgan", "--dataset", "faces", "--images", "9", "--out", "pictures"], 2, ["holds no comparison"]),
    (
        ["compare", "dcgan", "lsgan", "--dataset", "faces", "--images", "9", "--set", "loss.smoothing=0.1", "--out", "x"],
        2,
        ["recipe 'lsgan'", "unknown option of loss 'smoothing'"],
    ),
    (
        ["compare", "dcgan", "--dataset", "folder", "--data", "pictures", *SMALL, "--images", "99", "--out", "whole"],
        2,
        ["with other settings", "budget: '160 images' in the comparison, '99 images' now", "without dcgan-gap now"],
    ),
]


@pytest.mark.parametrize(("arguments", "code", "words"), BAD, ids=lambda value: None)
def test_bad_input(arguments: list[str], code: int, words: list[str], home: Path) -> None:
    before = sorted(home.rglob("*"))
    result = run(*arguments)
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    for word in words:
        assert word in result.stderr
    assert "Traceback" not in result.stderr
    assert sorted(home.rglob("*")) == before
