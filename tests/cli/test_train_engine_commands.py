"""`zoo bench`, `zoo diagnose`, and the flags of `zoo train` that concern its engine, as a person types them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from PIL import Image

from helpers.workplace import run, workplace, write_noise

TINY = ["--set", "generator.width=4", "--set", "discriminator.width=4", "--size", "16", "--batch", "8"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with pictures, and a finished run."""
    folder = tmp_path_factory.mktemp("engine")
    write_noise(folder / "pictures", 24)
    with workplace(folder):
        result = train("--images", 64, "--out", "run", "--deterministic")
        assert result.exit_code == 0, result.output
        yield folder


def train(*arguments: object) -> Result:
    where = ["--dataset", "folder", "--data", "pictures", "--device", "cpu", "--precision", "fp32"]
    return run("train", "dcgan", *where, *TINY, "--set", "training.log_every=1", *arguments)


def test_bench() -> None:
    choices = ["bench", "dcgan", *TINY, "--device", "cpu", "--precision", "fp32", "--rounds", 2, "--steps", 1]
    result = run(*choices)
    assert result.exit_code == 0, result.output
    names = [line.split("  ")[0] for line in result.stdout.splitlines()]
    assert names == ["recipe", "device", "needed", "peak", "readings", "", "way", "eager"]
    heads, row = (line.split("  ") for line in result.stdout.splitlines()[-2:])
    shown = dict(zip(*([cell.strip() for cell in cells if cell.strip()] for cells in (heads, row)), strict=True))
    assert list(shown) == ["way", "ms a step", "images/s", "% of peak", "operators", "their ms", "warm-up s"]
    assert float(shown["images/s"].replace(",", "")) == pytest.approx(8000 / float(shown["ms a step"]), rel=0.01)
    assert "dcgan, 16×16 color, batch 8" in result.stdout
    said = json.loads(run(*choices, "--json").stdout)
    assert (said["recipe"], said["batch"], said["compile"]) == ("dcgan", 8, False)
    assert [way["name"] for way in said["ways"]] == ["eager"]
    assert 0 < said["peak_share"] < 1


def test_diagnose(tmp_path: Path) -> None:
    result = run("diagnose", "run", "--out", tmp_path / "health.png")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[0] == "healthy: no sign of failure"
    for words in ("dcgan on folder: 64 images shown", "the generator's loss is", "losses, generator", "▁"):
        assert words in result.stdout
    assert Image.open(tmp_path / "health.png").size[0] == 1520
    said = json.loads(run("diagnose", "run", "--json").stdout)
    assert (said["verdict"], said["signs"], said["curves"]) == ("healthy", [], None)
    assert said["last"]["step"] == 8


def test_a_learning_rate_of_a_billion(tmp_path: Path) -> None:
    result = train("--epochs", 100, "--set", "optimizer.lr=1e9", "--no-rescue", "--out", tmp_path / "run")
    assert result.exit_code == 1
    assert "the training diverged" in result.stderr
    assert "try a lower learning rate" in result.stderr
    told = run("diagnose", tmp_path / "run")
    assert told.stdout.startswith("it could not go on\n- ")
    assert "diverged" in told.stdout or "not finite" in told.stdout
    assert json.loads(run("diagnose", tmp_path / "run", "--json").stdout)["verdict"] == "stopped"


BAD: list[tuple[list[object], list[str]]] = [
    (["bench", "dcgn"], ["unknown recipe 'dcgn'; did you mean dcgan"]),
    (["bench", "dcgan", "--rounds", "0"], ["0 rounds of 2 steps are impossible"]),
    (["bench", "dcgan", "--precision", "int8"], ["unknown precision 'int8'"]),
    (["bench", "dcgan", "--device", "tpu"], ["there is no device 'tpu' here"]),
    (["bench", "dcgan", "--size", "40"], ["not 40"]),
    (["diagnose", "nowhere"], ["nowhere is no run folder"]),
    (["diagnose", "run", "--out", "health.gif"], ["health.gif is no name of a PNG"]),
    (["train", "dcgan", "TINY", "--set", "training.accumulate=3"], ["of 8 cannot be shared", "in 3 pieces", "--batch 6"]),
    (["train", "dcgan", "TINY", "--set", "training.accumulate=0"], ["training.accumulate is 0; it must be at least 1"]),
    (["train", "dcgan", "TINY", "--set", "training.sync_bn=maybe"], ["must be bool"]),
]


@pytest.mark.parametrize(("arguments", "words"), BAD, ids=lambda value: str(value)[:60])
def test_mistakes(arguments: list[object], words: list[str], home: Path) -> None:
    given: list[object] = []
    for word in arguments:
        given += [*TINY, "--dataset", "folder", "--data", "pictures", "--device", "cpu"] if word == "TINY" else [word]
    result = run(*given)
    assert result.exit_code == 2, result.output
    for text in words:
        assert text in result.stderr
    assert not (home / "runs").exists()
    assert not (home / "health.gif").exists()


def test_the_table_of_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is none here, so what it measured is made up."""
    import zoo
    from zoo.training.speed import Speed
    from zoo.training.ways import Way

    captured = Way("captured", 1.38, 23225.0, 0.081, 341.2, 1001, 1.25, 2.0)
    rest = (Way("eager", 12.6, 2529.0, 0.009, 220.0, None, None, 0.5), Way("compiled", warm_up_s=9.0, problem="no compiler"))
    numbers = {"rounds": 5, "steps": 40, "images_per_s": 23225.0, "ms_per_step": 1.38, "flop_per_image": 2.27e9}
    numbers |= {"flops": 5e13, "peak_flops": 6.5e14, "peak_share": 0.081, "warm_up_s": 2.0}
    what = {"recipe": "dcgan", "size": 64, "channels": 3, "batch": 32, "precision": "bf16", "device": "NVIDIA H200"}
    found = Speed(**what, threads=16, compile=False, way="captured", **numbers, ways=(captured, *rest))
    monkeypatch.setattr(zoo, "bench", lambda recipe, **choices: found)
    lines = run("bench", "dcgan").stdout.splitlines()[-4:]
    assert [line.split() for line in lines[:3]] == [
        ["way", "ms", "a", "step", "images/s", "%", "of", "peak", "peak", "MB", "kernels", "their", "ms", "warm-up", "s"],
        ["captured", "1.38", "23,225.0", "8.1", "341", "1,001", "1.25", "2.0"],
        ["eager", "12.60", "2,529.0", "0.9", "220", "0.5"],
    ]
    assert lines[3].split() == ["compiled", "9.0", "no", "compiler"]


def test_seeds(home: Path) -> None:
    shown = json.loads(train("--images", 32, "--out", "many", "--seeds", 2, "--dry-run").stdout)
    assert [plan["seed"] for plan in shown] == [0, 1]
    result = train("--images", 32, "--out", "many", "--seeds", 2, "--no-watch")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["seed", "0", "1"]
    assert lines[-1].startswith("2 of 2 finished")
    again = train("--images", 32, "--out", "many", "--seeds", 2, "--no-watch", "--json")
    said = json.loads(again.stdout)
    assert [one["state"] for one in said["runs"]] == ["finished", "finished"]
    assert said["again"].endswith("--seeds 2 --no-watch --json")
    assert "seed 1 is finished" in again.stderr
    for wrong, words in (
        (["--seeds", 0], "0 seeds are impossible"),
        (["--seeds", 2, "--out", "run"], "is a run folder"),
    ):
        bad = train(*wrong)
        assert bad.exit_code == 2
        assert words in bad.stderr
    assert "--resume goes on with one run" in run("train", "--resume", "run", "--seeds", 2).stderr
