"""What the YAML header of a card tells the Hub: metrics with their features, and datasets that the Hub has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import zoo
from helpers.hub_server.fixtures import make_model
from helpers.packs import pictures
from zoo.models.card import ELSEWHERE, model_card, name_metric, read_metrics
from zoo.models.folder import rewrite_card
from zoo_core import ModelError

INCEPTION = {"features": "dcgan-zoo:inception", "feature_options": "layer 2048, weights None"}
SCATTERING = {"features": "dcgan-zoo:scattering", "feature_options": "none"}
EFFICIENTNET = {"features": "zoo-features-efficientnet:efficientnet-lite0", "feature_options": "weights None"}


def header_of(folder: Path) -> dict[str, Any]:
    text = (folder / "README.md").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text.split("---\n")[1])
    return found


def results_of(header: dict[str, Any]) -> list[tuple[str, str, str, str, float]]:
    """Return (dataset's name, dataset's type, metric's type, metric's name, value) of every result of a header."""
    return [
        (result["dataset"]["name"], result["dataset"]["type"], metric["type"], metric["name"], metric["value"])
        for model in header["model-index"]
        for result in model["results"]
        for metric in result["metrics"]
    ]


def measure(folder: Path, metrics: dict[str, Any], protocol: dict[str, Any], *others: dict[str, Any]) -> dict[str, Any]:
    block = {"metrics": metrics, "protocol": {"measure": "evaluate", "dataset": "faces", **protocol}}
    (folder / "metrics.json").write_text(json.dumps({**block, "others": [*others]}))
    rewrite_card(folder)
    return header_of(folder)


@pytest.mark.parametrize(
    ("key", "protocol", "name"),
    [
        ("fid", INCEPTION, "fid"),
        ("kid", INCEPTION, "kid"),
        ("is", INCEPTION, "is"),
        ("fid", {"features": "inception"}, "fid"),
        ("fid", {**INCEPTION, "feature_options": "layer 2048, weights pt_inception.pth"}, "fid"),
        ("fid", {**INCEPTION, "feature_options": "layer 64, weights None"}, "frechet_inception"),
        ("fid", {**INCEPTION, "features": "acme:inception"}, "frechet_inception"),
        ("frechet", INCEPTION, "frechet_inception"),
        ("precision", INCEPTION, "precision_inception"),
        ("fid", SCATTERING, "frechet_scattering"),
        ("frechet", SCATTERING, "frechet_scattering"),
        ("kid", SCATTERING, "kernel_scattering"),
        ("kid", EFFICIENTNET, "kernel_efficientnet_lite0"),
        ("recall", EFFICIENTNET, "recall_efficientnet_lite0"),
        ("fid", {"features": "<i>fid</i> \n"}, "frechet__i_fid_i"),
        ("ms-ssim", SCATTERING, "ms-ssim"),
        ("probe_accuracy", {"features": "discriminator"}, "probe_accuracy"),
        ("fid", {"samples": 10}, "fid"),  # nobody said of which features
    ],
)
def test_a_name_says_the_features(key: str, protocol: dict[str, Any], name: str) -> None:
    assert name_metric(key, protocol) == name


def test_a_distance_of_other_features_is_no_fid(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "model")
    values = {"fid": 1.78, "kid": 0.007, "precision": 0.2}
    of_inception = {"metrics": {"fid": 33.0}, "protocol": {"measure": "evaluate", "dataset": "faces", **INCEPTION}}
    found = results_of(measure(folder, values, SCATTERING, of_inception))
    assert found == [
        ("faces", ELSEWHERE, "frechet_scattering", "Fréchet distance of scattering features", 1.78),
        ("faces", ELSEWHERE, "kernel_scattering", "kernel distance of scattering features", 0.007),
        ("faces", ELSEWHERE, "precision_scattering", "precision of scattering features", 0.2),
        ("faces", ELSEWHERE, "fid", "FID", 33.0),
    ]
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert "| Fréchet distance of scattering features | 1.780 |" in text
    assert "| FID | 33.00 |" in text
    assert text.count("| FID |") == 1
    assert "| KID |" not in text


def test_only_datasets_of_the_hub_are_named_to_it(tmp_path: Path) -> None:
    for number, (dataset, names, tags) in enumerate(
        [
            ({"name": "faces"}, None, ["trained-on-faces"]),
            ({"name": "cifar10", "hub": "uoft-cs/cifar10"}, ["uoft-cs/cifar10"], []),
            ({"name": "hub", "hub": "ada/pictures"}, ["ada/pictures"], []),
            ({"name": "mine/own"}, None, ["trained-on-mine/own"]),  # looks like one, and nobody says that it is
            ({"name": "faces", "hub": "no id"}, None, ["trained-on-faces"]),
            ({"name": "faces", "hub": ""}, None, ["trained-on-faces"]),
        ]
    ):
        header = header_of(make_model(tmp_path / str(number), dataset={**dataset, "split": "train"}))
        assert header.get("datasets") == names
        assert [tag for tag in header["tags"] if tag.startswith("trained-on")] == tags


def test_results_name_the_dataset_of_the_hub_that_they_are_of(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "model", dataset={"name": "hub", "hub": "ada/pictures"})
    of_hub = {"dataset": "hub", "dataset_on_the_hub": "ada/pictures", **INCEPTION}
    assert results_of(measure(folder, {"fid": 3.0}, of_hub)) == [("hub", "ada/pictures", "fid", "FID", 3.0)]
    other = {"dataset": "hub", "dataset_on_the_hub": ["x"], **INCEPTION}
    assert results_of(measure(folder, {"fid": 3.0}, other)) == [("hub", ELSEWHERE, "fid", "FID", 3.0)]


def test_a_run_says_where_its_dataset_is(tmp_path: Path) -> None:
    """From the class by way of pack and run to the card."""
    from zoo_plugins.datasets.folder import Folder

    choices: dict[str, Any] = {
        "dataset": "folder",
        "data": pictures(tmp_path / "pictures", 20, colored={0}),
        "size": 16,
        "batch": 8,
        "images": 16,
        "options": {"generator.width": 4, "discriminator.width": 4},
        "device": "cpu",
        "precision": "fp32",
        "watch": False,
        "workers": 0,
    }
    run = zoo.train("dcgan", **choices, out=tmp_path / "local")
    assert run.model is not None
    assert "datasets" not in header_of(run.model)
    assert "hub" not in zoo.load(run.path).config["provenance"]["dataset"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Folder, "hub", "ada/pictures")  # as a dataset declares it
        patch.setenv("ZOO_CACHE", str(tmp_path / "another"))
        run = zoo.train("dcgan", **choices, out=tmp_path / "known")
        assert run.model is not None
        assert header_of(run.model)["datasets"] == ["ada/pictures"]
        zoo.evaluate(run.path, metrics=["frechet"], features="scattering", samples=20)
        assert results_of(header_of(run.model))[0][:3] == ("folder", "ada/pictures", "frechet_scattering")


def test_a_card_of_the_catalog_that_is_written_anew() -> None:
    model = zoo.load("dcgan-faces")
    folder = zoo.pull("dcgan-faces").folder
    text = model_card(model, place="dcgan-faces", metrics=read_metrics(folder))
    header = yaml.safe_load(text.split("---\n")[1])
    assert "datasets" not in header
    assert {name for _, _, name, _, _ in results_of(header)}.isdisjoint({"fid", "kid"})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"metrics": 5}, "metrics must be an object, not 5"),
        ({"protocol": None}, "protocol must be an object, not None"),
        ({"spread": [1]}, r"spread must be an object, not \[1\]"),
        ({"others": 7}, "others must be a list, not 7"),
        ({"others": [{"metrics": {}}]}, "others.0.protocol is missing"),
        ({"others": [[]] * 10_000}, "others.0 must be an object"),
        ({"x" * 10_000: float("nan")}, "not finite"),
    ],
)
def test_results_are_checked_before_anybody_reads_them(change: dict[str, Any], words: str, tmp_path: Path) -> None:
    block = {"metrics": {"fid": 1.0}, "protocol": {"measure": "evaluate"}, "spread": {"fid": "small"}}
    (tmp_path / "metrics.json").write_text(json.dumps({**block, "others": [block]}))
    assert read_metrics(tmp_path)
    (tmp_path / "metrics.json").write_text(json.dumps({**block, **change}))
    with pytest.raises(ModelError, match=words) as caught:
        read_metrics(tmp_path)
    assert len(str(caught.value)) <= 300
