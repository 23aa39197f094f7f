"""`zoo evaluate`, `zoo probe` and `zoo neighbors`, as a person types them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import zoo as api
from helpers.datasets import colored_cifar10
from helpers.workplace import run, workplace
from zoo.models.folder import write_model

pytest.importorskip("torch_fidelity")
pytest.importorskip("faiss")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """CIFAR-10 as class folders, a color for each class, and an untrained model."""
    folder = tmp_path_factory.mktemp("ein Heim")
    colored_cifar10(folder / "cifar", train=12, test=4)
    with workplace(folder):
        model = api.create("dcgan", size=16, options={"generator.width": 4, "discriminator.width": 8})
        model.config["provenance"] = {"dataset": {"name": "cifar10", "split": "train"}}
        write_model(model, folder / "model")
        yield folder


DATA = ("--dataset", "cifar10", "--data", "cifar")


def test_evaluate(home: Path) -> None:
    common = ("evaluate", "model", *DATA, "--samples", 64, "--features", "pixels", "--set", "features.size=4")
    result = run(*common, "--metrics", "fid,recall", "--out", "result.json")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("fid ")
    assert "±" in lines[0]
    assert lines[2] == "protocol:"
    assert any(line.split() == ["samples", "64"] for line in lines)
    assert json.loads((home / "result.json").read_text())["metrics"].keys() == {"fid", "recall"}
    result = run(*common, "--metrics", "kid", "--json")
    told = json.loads(result.stdout)
    assert told["metrics"].keys() == {"kid"}
    assert told["protocol"]["feature_options"] == "size 4"
    assert told["written"] == "model/metrics.json"
    assert json.loads((home / "model" / "metrics.json").read_text())["metrics"].keys() == {"fid", "recall", "kid"}
    assert "What was measured" in (home / "model" / "README.md").read_text()


def test_probe(home: Path) -> None:
    result = run("probe", "model", "--data", "cifar", "--labels", 6, "--repeats", 2)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("probe_accuracy ")
    assert "82.8 %" in result.stdout
    told = json.loads(run("probe", "model", "--data", "cifar", "--labels", "all", "--untrained", "--json").stdout)
    assert told["metrics"]["probe_accuracy"] > 0.5
    assert told["protocol"]["weights"] == "random initial weights, seed 0"
    assert told["published"][-1]["all_labels"] == "82.8 %"


def test_probe_stage_by_stage(home: Path) -> None:
    result = run("probe", "model", "--data", "cifar", "--labels", 6, "--repeats", 1, "--per-layer", "--mirror")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("what each stage is worth"))
    assert lines[at + 1].split() == ["stage", "features", "alone", "with", "those", "below"]
    assert lines[at + 2].split()[2].endswith("%")
    assert "mirror True" in result.stdout


def test_neighbors(home: Path) -> None:
    result = run("neighbors", "model", *DATA, "--samples", 100, "--show", 4, "--out", "see here")
    assert result.exit_code == 0, result.output
    assert "no copying was found" in result.stdout
    assert result.stdout.splitlines()[-2:] == ["see here/neighbors.png", "see here/neighbors.html"]
    assert (home / "see here" / "neighbors.html").is_file()
    told = json.loads(run("neighbors", "model", *DATA, "--samples", 100, "--out", "see", "--json").stdout)
    assert told["copies"] is False
    assert told["metrics"].keys() == {"memorized_share_pixels", "memorized_share_features"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("evaluate", "model", *DATA, "--metrics", "fidd"), "did you mean fid"),
        (("evaluate", "model", *DATA, "--samples", 1, "--features", "pixels"), "fid needs at least 2 samples"),
        (("evaluate", "model", *DATA, "--set", "size=4"), "features.size=32"),
        (("evaluate", "model", *DATA, "--set", "features.sizes=4", "--features", "pixels"), "unknown option of features"),
        (("evaluate", "model"), "--dataset cifar10"),
        (("evaluate", "nowhere", *DATA), "no model at 'nowhere'"),
        (("probe", "model", "--data", "cifar", "--labels", "many"), "--labels 400"),
        (("probe", "model", "--data", "cifar", "--samples", 5), "--one-nn is needed for --samples"),
        (("probe", "model", "--data", "cifar", "--one-nn", "--labels", 5), "--one-nn takes no --labels"),
        (("probe", "model", "--data", "cifar", "--one-nn", "--per-layer"), "--one-nn takes no --per-layer"),
        (("probe", "model", "--data", "cifar", "--one-nn", "--set", "dataset.limit=5"), "--one-nn takes no --set"),
        (("probe", "model", "--data", "cifar", "--attribute", "hats"), "unknown attribute of cifar10 'hats'; there is none"),
        (("probe", "model", "--data", "cifar", "--set", "dataset.limits=5"), "did you mean dataset.limit"),
        (("probe", "model", "--data", "cifar", "--one-nn"), "unconditional"),
        (("neighbors", "model", *DATA, "--samples", 10), "10 samples are too few"),
    ],
)
def test_what_is_wrong_is_said(arguments: tuple[object, ...], words: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert words in result.output
    assert "Traceback" not in result.output


def test_inception_without_its_weights_exits_with_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))

    def offline(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    result = run("evaluate", "model", *DATA)
    assert result.exit_code == 1
    assert "--features scattering" in result.output
