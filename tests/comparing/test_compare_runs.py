"""Runs side by side: table, page, what differs, what does not compare, and what is refused."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result

import zoo
from helpers.browser import measure, needs_chromium
from helpers.workplace import run, workplace, write_noise
from zoo.documents import read_bytes
from zoo_core import UsageError, ZooError

SMALL = ["--batch", "8", "--device", "cpu", "--precision", "fp32", "--set", "training.log_every=1"]
SMALL += ["--set", "generator.width=4", "--set", "discriminator.width=4"]
TWO = ["runs/slow", "runs/fast"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with two measured runs that differ in a rate, one of another size and one on other pictures."""
    folder = tmp_path_factory.mktemp("side by side")
    write_noise(folder / "pictures", 24)
    write_noise(folder / "others", 25)
    with workplace(folder):
        watched = ["--evaluate-every", 16, "--metric", "scattering"]
        for name, more in (
            ("slow", watched),
            ("fast", [*watched, "--set", "optimizer.lr=1e-3"]),
            ("large", ["--size", 32]),
            ("elsewhere", ["--data", "others"]),
        ):
            words = ["train", "dcgan", "--dataset", "folder", "--data", "pictures", "--size", 16, *SMALL, "--images", 32]
            result = run(*words, "--out", f"runs/{name}", *more)
            assert result.exit_code == 0, result.output
        yield folder


@pytest.fixture(autouse=True)
def _at_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_CACHE", str(home / "cache"))
    monkeypatch.chdir(home)


def compare(*words: object) -> Result:
    return run("compare", *words)


def test_what_is_printed() -> None:
    result = compare(*TWO)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["run", "state", "images", "minutes", "images/s", "frechet_scattering", "diversity"]
    assert [line.split()[:3] for line in lines[1:3]] == [["slow", "finished", "32"], ["fast", "finished", "32"]]
    told = {line.split()[0]: line.split()[1:] for line in lines[4:]}
    rates = {f"optimizer.{role}.lr": ["0.0002", "0.001"] for role in ("generator", "discriminator")}
    assert told == {"settings": ["slow", "fast"], **rates}
    assert result.stderr == ""


def test_one_json_object() -> None:
    said = json.loads(compare(*TWO, "--json").stdout)
    assert said["differences"] == {f"optimizer.{role}.lr": [0.0002, 0.001] for role in ("generator", "discriminator")}
    for row, path in zip(said["runs"], TWO, strict=True):
        logged = [json.loads(line) for line in Path(path, "metrics.jsonl").read_text().splitlines()]
        distances = [line["frechet_scattering"] for line in logged if "frechet_scattering" in line]
        assert len(distances) == 2
        assert row["measures"]["frechet_scattering"] == distances[-1]
        assert row["best"] == pytest.approx(min(distances), rel=1e-5)
        assert row["images_per_s"] == pytest.approx(32 / row["minutes"] / 60)
        model = zoo.load(path)
        counts = {"generator": model.generator, "discriminator": model.discriminator}
        assert row["parameters"] == {role: sum(p.numel() for p in net.parameters()) for role, net in counts.items() if net}


def test_page_and_table(tmp_path: Path) -> None:
    out = tmp_path / "out"
    found = zoo.compare_runs(TWO, out=out)
    assert sorted(path.name for path in out.iterdir()) == ["comparison.csv", "report.html"]
    with open(out / "comparison.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    distances = [line for line in lines if line["measure"] == "frechet_scattering"]
    assert [(line["run"], line["images"]) for line in distances] == [(path, n) for path in TWO for n in ("16", "32")]
    assert float(distances[-1]["value"]) == found.rows[1].measures["frechet_scattering"]
    page = (out / "report.html").read_text()
    for words in ("optimizer.generator.lr", "frechet_scattering over real images shown", "samples of fast", "slow: losses"):
        assert words in page
    assert "<script" not in page
    zoo.compare_runs(TWO[:1], out=out)  # in its place
    assert "optimizer.generator.lr" not in (out / "report.html").read_text().partition("Everything")[0]


@needs_chromium
@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1200])
def test_the_page_fits(width: int, tmp_path: Path) -> None:
    report = zoo.compare_runs(TWO, out=tmp_path / "out").report
    assert report is not None
    seen = measure(report, width)
    assert seen["wider"] <= 0
    assert seen["images"] == seen["decoded"] == seen["described"] == 2
    assert seen["drawings"] == seen["labeled"] == 6
    assert seen["requests"] == []


def test_what_does_not_compare(tmp_path: Path) -> None:
    assert "draw 16×16 and 32×32 pixels" in compare("runs/slow", "runs/large").stderr
    assert "trained on different pictures" in compare("runs/slow", "runs/elsewhere").stderr
    silent = compare("runs/large", "runs/large/").stderr
    assert "is named twice" in silent
    assert "no distance was measured; to measure: zoo evaluate runs/large" in compare("runs/large").stderr
    for name, seed in (("one", 0), ("other", 1)):
        shutil.copytree("runs/slow", tmp_path / name)
        block = {"metrics": {"fid": 12.5 + seed}, "spread": {}, "protocol": {"seed": seed, "images_shown": seed}}
        (tmp_path / name / "model" / "metrics.json").write_text(json.dumps(block))
    result = compare(tmp_path / "one", tmp_path / "other")
    assert "by different protocols" in result.stderr
    assert "12.5" in result.stdout


def test_what_is_missing_or_broken(tmp_path: Path) -> None:
    """A run that has hardly begun is compared too; one that cannot be read is named."""
    for name in ("begun", "bad"):
        shutil.copytree("runs/slow", tmp_path / name)
    for left in ("checkpoints", "model", "samples"):
        shutil.rmtree(tmp_path / "begun" / left)
    (tmp_path / "begun" / "metrics.jsonl").unlink()
    result = compare("runs/slow", tmp_path / "begun", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "interrupted  0 " in result.stdout
    (tmp_path / "bad" / "run.json").write_text("{")
    result = compare("runs/slow", tmp_path / "bad")
    assert result.exit_code == 1
    assert f"{tmp_path}/bad/run.json is damaged" in result.stderr


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_samples_that_are_no_file(tmp_path: Path) -> None:
    """A page that was waiting for a pipe, or took in a file without end, would never be written."""
    shutil.copytree("runs/slow", tmp_path / "odd")
    newest = sorted((tmp_path / "odd" / "samples").glob("*.png"))[-1]
    newest.unlink()
    os.mkfifo(newest)
    with pytest.raises(ZooError, match=f"{newest.name} cannot be read: it is a named pipe, not a file"):
        zoo.compare_runs([tmp_path / "odd"], out=tmp_path / "out")
    newest.unlink()
    newest.symlink_to("/dev/zero")
    with pytest.raises(ZooError, match="it is a device"):
        read_bytes(newest)
    newest.unlink()
    newest.touch()
    os.truncate(newest, 1 << 40)
    with pytest.raises(ZooError, match="the most is 67,108,864"):
        read_bytes(newest)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["runs/slow", "dcgan"], "runs/slow is a run and dcgan is none; compare recipes, or runs"),
        (["runs/slow", "runs/none"], "runs/slow is a run and runs/none is none"),
        ([*TWO, "--images", "9"], "--images is for trainings, and runs are compared as they are; leave it out"),
        ([*TWO, "--set", "optimizer.lr=1"], "--set is for trainings"),
        ([*TWO, "--out", "pictures"], "pictures exists and holds something else"),
        ([*TWO, "--out", "runs/slow/run.json"], "exists and holds something else"),
        (["dcgn", "--out", "x", "--dataset", "faces", "--images", "9"], "did you mean dcgan"),
    ],
)
def test_refused(words: list[str], said: str) -> None:
    result = compare(*words)
    assert result.exit_code == 2
    assert said in result.stderr


def test_nothing_to_compare() -> None:
    with pytest.raises(UsageError, match=r"name the runs to compare\nzoo runs shows them all"):
        zoo.compare_runs([])
