"""`zoo train`, `zoo sample` and `zoo export`, as a person types them."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from click.testing import Result
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

import zoo
from helpers.workplace import run, workplace, write_noise
from zoo_core import Loss, Plugin, Recipe, registry

SMALL = ["--size", "16", "--batch", "8", "--device", "cpu", "--precision", "fp32"]
SMALL += ["--set", "generator.width=4", "--set", "discriminator.width=4", "--set", "training.log_every=1"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with pictures, and a finished run."""
    folder = tmp_path_factory.mktemp("ein Heim für Bilder")
    write_noise(folder / "pictures", 24)
    with workplace(folder):
        result = train(folder, "--images", 16, "--out", "run")
        assert result.exit_code == 0, result.output
        yield folder


def data(home: Path) -> list[str]:
    return ["--dataset", "folder", "--data", str(home / "pictures")]


def train(home: Path, *arguments: object) -> Result:
    return run("train", "dcgan", *data(home), *SMALL, *arguments)


def test_what_is_printed(home: Path, tmp_path: Path) -> None:
    result = train(home, "--images", 16, "--out", tmp_path / "meine Läufe" / "eins")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[1] == f"model: {tmp_path}/meine Läufe/eins/model"
    assert lines[2] == f"draw from it: zoo sample '{tmp_path}/meine Läufe/eins' -n 64 --out samples.png"
    assert re.fullmatch(r"trained on 16 images in \d+(\.\d)? s", lines[0])
    assert "training: dcgan on 24 images, 16×16 color, for 16 images\n" in result.stderr


def test_one_json_object(home: Path, tmp_path: Path) -> None:
    result = train(home, "--images", 16, "--out", tmp_path / "run", "--json")
    said = json.loads(result.stdout)
    assert (said["finished"], said["images"], said["steps"], said["signal"]) == (True, 16, 2, None)
    assert said["model"] == str(tmp_path / "run" / "model")
    for words in (
        ["sample", said["run"], "-n", "3", "--out", tmp_path / "grid.png", "--json"],
        ["export", said["run"], tmp_path / "exported", "--json"],
        ["train", "dcgan", *data(home), *SMALL, "--dry-run"],
        ["train", "dcgan", *data(home), *SMALL, "--dry-run", "--json"],
        ["train", "--resume", said["run"], "--dry-run"],
    ):
        assert isinstance(json.loads(run(*words).stdout), dict)


def test_a_dry_run_writes_nothing(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    result = train(home, "--dry-run", "--out", "run", "--epochs", 3)
    assert result.exit_code == 0
    said = json.loads(result.stdout)
    assert (said["budget"], said["parts"]["generator"]["options"]["width"]) == ({"epochs": 3}, 4)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "arguments", "shape"),
    [
        ("size 32, gray", ["--size", 32, "--channels", 1], (1, 32, 32)),
        (
            "size 128, color",
            ["--size", 128, "--channels", 3, "--set", "generator.width=1", "--set", "generator.kernel=3"],
            (3, 128, 128),
        ),
        ("width 16", ["--set", "generator.width=16", "--set", "discriminator.width=16"], (3, 16, 16)),
    ],
)
def test_only_options_changed(
    name: str, arguments: list[object], shape: tuple[int, ...], home: Path, tmp_path: Path
) -> None:
    result = train(home, *arguments, "--images", 8, "--out", tmp_path / name)
    assert result.exit_code == 0, result.stderr
    assert zoo.load(tmp_path / name).sample(1)[0].shape == shape


BAD: list[tuple[list[object], int, list[str]]] = [
    (["train", "dcgn", "--dataset", "faces"], 2, ["unknown recipe 'dcgn'; did you mean dcgan", "zoo list recipes"]),
    (["train", "dcgan", "--dataset", "fases"], 2, ["unknown dataset 'fases'; did you mean faces", "zoo list datasets"]),
    (["train", "dcgan", "--dataset", "folder"], 2, ["needs a folder of pictures", "--data DIR"]),
    (["train", "--dataset", "faces"], 2, ["name a recipe"]),
    (["train", "dcgan"], 2, ["name a dataset"]),
    (["train", "dcgan", "DATA", "--data", "nowhere at all"], 1, ["nowhere at all does not exist"]),
    (["train", "dcgan", "DATA", "--size", "40"], 2, ["not 40", "--size 32 or --size 48"]),
    (["train", "dcgan", "DATA", "--size", "0"], 2, ["must be at least 1"]),
    (["train", "dcgan", "DATA", "--size", "big"], 2, ["'big' is not a valid integer"]),
    (["train", "dcgan", "DATA", "--channels", "2"], 2, ["1 (gray) or 3 (color), not 2"]),
    (["train", "dcgan", "DATA", "--batch", "0"], 2, ["at least 1"]),
    (["train", "dcgan", "DATA", "--size", "16", "--batch", "64"], 2, ["more than the 24 images", "--batch 16"]),
    (
        ["train", "dcgan-paper", "DATA", "--size", "16", "--batch", "1"],
        2,
        ["minibatches of 1: Expected more than 1 value", "--batch 64"],
    ),
    (["train", "dcgan", "DATA", "--set", "dataset.split=test"], 2, ["takes the split 'train'"]),
    (["train", "dcgan", "DATA", "--images", "0"], 2, ["--images must be more than 0"]),
    (["train", "dcgan", "DATA", "--minutes", "-1"], 2, ["--minutes must be more than 0"]),
    (["train", "dcgan", "DATA", "--epochs", "nan"], 2, ["--epochs must be more than 0"]),
    (["train", "dcgan", "DATA", "--epochs", "1", "--images", "9"], 2, ["--epochs and --images are budgets"]),
    (["train", "dcgan", "DATA", "--set", "generator.widht=4"], 2, ["did you mean width", "zoo show dcgan"]),
    (["train", "dcgan", "DATA", "--set", "generator.width=four"], 2, ["must be int, not 'four'"]),
    (["train", "dcgan", "DATA", "--set", "generator.width"], 2, ["is not KEY=VALUE"]),
    (["train", "dcgan", "DATA", "--set", "=4"], 2, ["is not KEY=VALUE"]),
    (["train", "dcgan", "DATA", "--set", "dataset.count=4"], 2, ["unknown option of dataset 'count'"]),
    (["train", "dcgan", "DATA", "--device", "quantum"], 2, ["no device 'quantum' here; valid: auto, cpu"]),
    (["train", "dcgan", "DATA", "--device", "cpu", "--precision", "fp16"], 2, ["fp16 needs a CUDA GPU"]),
    (["train", "dcgan", "DATA", "--precision", "double"], 2, ["unknown precision 'double'"]),
    (["train", "dcgan", "DATA", "--track", "wandbb"], 2, ["unknown tracker 'wandbb'; did you mean wandb"]),
    (["train", "dcgan", "DATA", "--out", "pictures/0.png"], 2, ["is a file"]),
    (["train", "dcgan", "DATA", "--out", "pictures/0.png/run"], 2, ["cannot be made", "is a file"]),
    (["train", "dcgan", "DATA", "--out", "pictures"], 2, ["is not empty"]),
    (["train", "dcgan", "DATA", "--out", "run"], 2, ["holds a run with another configuration", "generator.width: 4"]),
    (["train", "--resume", "pictures"], 2, ["is no run folder"]),
    (["train", "--resume", "run"], 2, ["is finished: 16 images", "--images 32"]),
    (["train", "--resume", "run", "--out", "other"], 2, ["stays in its own folder"]),
    (["train", "--resume", "run", "--batch", "9", "--images", "99"], 2, ["training.batch: 8 in the run, 9 now"]),
    (["sample", "nowhere", "--out", "x.png"], 2, ["there is no model at 'nowhere'"]),
    (["sample", "pictures", "--out", "x.png"], 1, ["neither a run folder nor a model folder"]),
    (["train", "dcgan", "DATA", "--set", "tracker.project=a"], 2, ["no tracker is named", "--track"]),
    (["timelapse", "run", "--out", "x.webp"], 2, ["needs two grids, and run has one", "zoo train --resume run"]),
    (["timelapse", "run", "--out", "x.png"], 2, ["does not end like a film", "--out x.webp"]),
    (["timelapse", "pictures", "--out", "x.webp"], 2, ["is no run folder"]),
    (["sample", "run", "--out", "x.doc"], 2, ["no picture format"]),
    (["sample", "run", "--out", "pictures"], 2, ["not an empty folder"]),
    (["sample", "run", "--out", "pictures/0.png/x.png"], 1, ["cannot be written: ", "pictures/0.png"]),
    (["sample", "run", "--out", "x.png", "-n", "0"], 2, ["cannot draw 0 images"]),
    (["sample", "run", "--out", "x.png", "--label", "cat"], 2, ["unconditional"]),
    (["sample", "run/model", "--out", "x.png", "--raw"], 2, ["one set of weights only"]),
    (["export", "nowhere", "x"], 2, ["is no run folder"]),
    (["export", "run", "pictures"], 1, ["exists already"]),
]
if not torch.cuda.is_available():
    BAD.append((["train", "dcgan", "DATA", "--device", "cuda"], 2, ["no device 'cuda' here; valid: auto, cpu"]))


@pytest.mark.parametrize(("arguments", "code", "words"), BAD, ids=lambda value: None)
def test_bad_input(arguments: list[str], code: int, words: list[str], home: Path) -> None:
    before = sorted(home.rglob("*"))
    typed: list[str] = []
    for argument in arguments:
        typed += data(home) if argument == "DATA" else [argument]
    result = run(*typed)
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    for word in words:
        assert word in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stderr.count("error:") + result.stderr.count("Error:") == 1
    assert [path for path in sorted(home.rglob("*")) if "cache" not in path.parts] == [
        path for path in before if "cache" not in path.parts
    ]


def test_a_traceback_on_request_only(home: Path) -> None:
    wrong = ["train", "dcgan", *data(home), "--size", "40"]
    assert isinstance(run(*wrong).exception, SystemExit)
    assert type(run("--debug", *wrong).exception).__name__ == "OptionError"


class Impatient(Loss):
    """Somebody presses Ctrl-C, `times` times, in the third step."""

    def __init__(self, *, times: int = 1) -> None:
        self.times, self.calls = times, 0

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return real_logits.mean() - fake_logits.mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        self.calls += 1
        for _ in range(self.times if self.calls == 3 else 0):
            signal.raise_signal(signal.SIGINT)
        return fake_logits.mean()


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c(times: int, home: Path, tmp_path: Path) -> None:
    plugin = Plugin(losses={"impatient": f"{__name__}:Impatient"}, recipes=[Recipe("hasty", base="dcgan", loss="impatient")])
    words = ["train", "hasty", *data(home), *SMALL, "--images", "80", "--set", f"loss.times={times}"]
    with registry.add(plugin):
        result = run(*words, "--out", tmp_path / "a run")
    assert result.exit_code == 130, result.output
    if times == 1:
        assert result.stdout.splitlines() == [
            "stopped by SIGINT after 24 images; everything is saved",
            f"go on: zoo train --resume '{tmp_path}/a run'",
        ]
        assert [path.name for path in (tmp_path / "a run" / "checkpoints").iterdir()] == ["step-00000003"]
    else:
        assert "stopped at once; nothing was saved yet" in result.stderr
        assert f"begin this run again: zoo train --resume '{tmp_path}/a run'" in result.stderr
        assert result.stdout == ""
    assert not list(tmp_path.rglob(".unfinished*"))


def start(home: Path, out: Path, *arguments: str) -> subprocess.Popen[str]:
    """A training in a process of its own, which has taken a few steps."""
    words = ["train", "dcgan", *data(home), *SMALL, "--images", "1200", "--out", str(out), *arguments]
    process = subprocess.Popen(
        [sys.executable, "-m", "zoo_cli", *words],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if (out / "metrics.jsonl").exists() and (out / "metrics.jsonl").read_text().count("\n") > 10:
            break
        time.sleep(0.02)
    return process


@pytest.fixture(scope="module")
def undisturbed(home: Path) -> dict[str, Tensor]:
    assert train(home, "--images", 1200, "--out", "undisturbed").exit_code == 0
    return content(Path("undisturbed"))


def content(out: Path) -> dict[str, Tensor]:
    last = max((out / "checkpoints").iterdir())
    assert last.name == "step-00000150"
    return {f"{file.name}/{key}": t for file in last.glob("*.safetensors") for key, t in load_file(file).items()}


def compare(out: Path, undisturbed: dict[str, Tensor]) -> None:
    assert not list(out.rglob(".unfinished*"))
    found = content(out)
    assert found.keys() == undisturbed.keys()
    assert [key for key in found if not found[key].equal(undisturbed[key])] == []
    lines = [
        [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()] for run in (out, Path("undisturbed"))
    ]
    lines = [[line for line in found if "images_per_s" in line] for found in lines]  # the others depend on the flags
    for line in (*lines[0], *lines[1]):
        del line["seconds"], line["images_per_s"]
    assert lines[0] == lines[1]


def test_terminated_and_resumed(home: Path, tmp_path: Path, undisturbed: dict[str, Tensor]) -> None:
    process = start(home, tmp_path / "run")
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 143, err
    assert out.splitlines()[0].startswith("stopped by SIGTERM after")
    assert out.splitlines()[1] == f"go on: zoo train --resume {tmp_path}/run"
    assert not (tmp_path / "run" / "model").exists()
    assert run("train", "--resume", tmp_path / "run").exit_code == 0
    compare(tmp_path / "run", undisturbed)


def test_killed_and_resumed(home: Path, tmp_path: Path, undisturbed: dict[str, Tensor]) -> None:
    options = ["--set", "training.checkpoint_minutes=1e-9", "--set", "training.samples_every=40"]
    process = start(home, tmp_path / "run", *options)
    time.sleep(random.random() / 4)
    process.kill()
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert list((tmp_path / "run" / "checkpoints").iterdir())
    assert run("train", "--resume", tmp_path / "run", "--set", "training.checkpoint_minutes=5").exit_code == 0
    compare(tmp_path / "run", undisturbed)


def test_samples(tmp_path: Path) -> None:
    for name in ("raster ü.png", "zweites.png"):
        result = run("sample", "run", "-n", 5, "--seed", 3, "--out", tmp_path / name)
        assert result.stdout == f"{tmp_path / name}\n"
    assert (tmp_path / "raster ü.png").read_bytes() == (tmp_path / "zweites.png").read_bytes()
    assert run("sample", "run", "-n", 5, "--seed", 3, "--numbered", "--out", tmp_path / "n.png").exit_code == 0
    assert Image.open(tmp_path / "n.png").height > Image.open(tmp_path / "zweites.png").height
    assert run("sample", "run", "-n", 5, "--seed", 3, "--raw", "--out", tmp_path / "raw.png").exit_code == 0
    assert (tmp_path / "raw.png").read_bytes() != (tmp_path / "zweites.png").read_bytes()
    assert run("sample", "run/model", "-n", 40, "--out", f"{tmp_path}/ein Ordner/").exit_code == 0
    assert len(list((tmp_path / "ein Ordner").iterdir())) == 40


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_no_text(tmp_path: Path) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/\xff")
    assert run("sample", "run", "-n", 1, "--out", f"{name}.png").exit_code == 0
    assert run("export", "run", name).exit_code == 0
    assert run("sample", name, "-n", 1, "--out", tmp_path / "x.png", "--json").exit_code == 0


def test_an_exported_model_needs_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run("export", "run", tmp_path / "my model")
    assert result.stdout == f"{tmp_path / 'my model'}\n"
    assert run("export", "run", tmp_path / "raw", "--raw").exit_code == 0
    shutil.copytree("run", tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "model")
    assert run("export", tmp_path / "run", tmp_path / "again").exit_code == 0
    expected = zoo.load("run").sample(3)
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "no cache"))
    monkeypatch.chdir(tmp_path)
    zoo.save_grid(zoo.load("my model").sample(3), "elsewhere.png")
    zoo.save_grid(expected, tmp_path / "here.png")
    assert (tmp_path / "elsewhere.png").read_bytes() == (tmp_path / "here.png").read_bytes()
    assert zoo.load(tmp_path / "again").sample(3).equal(expected)
    assert not zoo.load(tmp_path / "raw").sample(3).equal(expected)


def test_the_card_credits_the_drawn_faces(tmp_path: Path) -> None:
    faces = ["--dataset", "faces", "--set", "dataset.count=8", "--set", "dataset.resolution=16"]
    result = run("train", "dcgan", *faces, *SMALL, "--images", 8, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.stderr
    assert "faces drawn on this machine by DiceBear" in result.stderr
    card = (tmp_path / "run" / "model" / "README.md").read_text(encoding="utf-8")
    for words in ("Pablo Stanley", "free for personal and commercial use", "DiceBear"):
        assert words in card
    assert "DiceBear" not in (Path("run") / "model" / "README.md").read_text(encoding="utf-8")


def test_a_model_does_not_tell_where_the_pictures_lie(home: Path) -> None:
    for file in (Path("run") / "model").iterdir():
        assert str(home).encode() not in file.read_bytes()
