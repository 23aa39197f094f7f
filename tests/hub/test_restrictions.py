"""Models of images that may not be published from: trained for oneself, and refused at every way out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import zoo
from helpers.hub_server import HubServer
from helpers.reporters import Heard
from zoo.catalog.records import describe_model_folder
from zoo_core import ImageDataset, Listing, Plugin, Record, UsageError, registry
from zoo_plugins.datasets import styles

WHY = "its painter keeps all rights"
SMALL: dict[str, Any] = {"size": 16, "batch": 8, "images": 16, "device": "cpu", "workers": 0}
NETWORKS = {"generator.width": 2, "discriminator.width": 2}


class Restricted(ImageDataset):
    restriction = WHY

    def __init__(self, *, data: str | None = None, split: str = "train") -> None:
        super().__init__(data=data, split=split)

    def listing(self) -> Listing:
        return Listing([Record(f"{i}", i) for i in range(16)])

    def decode(self, record: Record) -> Image.Image:
        return Image.new("RGB", (16, 16), (record.source * 15, 100, 200))


@pytest.fixture(scope="module")
def restricted() -> Iterator[None]:
    with registry.add(Plugin(datasets={"restricted": f"{__name__}:Restricted"})):
        yield


@pytest.fixture(scope="module")
def run(restricted: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    heard, folder = Heard(), tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_CACHE", str(folder / "cache"))
        made = zoo.train("dcgan", dataset="restricted", out=folder / "run", options=NETWORKS, report=heard, **SMALL)
    return made.path, heard.text


def test_a_training_is_not_refused_but_told(run: tuple[Path, str]) -> None:
    assert f"a model of these images can neither be pushed nor exported: {WHY}" in run[1]
    assert f"| May not be published | {WHY} |" in (run[0] / "model" / "README.md").read_text()
    assert len(zoo.load(run[0]).sample(2)) == 2


def test_no_way_out(run: tuple[Path, str], hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ways: list[Any] = [
        lambda: zoo.push(run[0], "ada/m"),
        lambda: zoo.push(run[0], "ada/m", dry_run=True),
        lambda: zoo.push(run[0] / "model", "ada/m", license="mit"),
        lambda: zoo.export(run[0], tmp_path / "exported"),
        lambda: zoo.export(zoo.load(run[0]), tmp_path / "exported"),
        lambda: describe_model_folder(run[0] / "model"),
    ]
    for way in ways:
        with pytest.raises(UsageError) as refused:
            way()
        assert (
            refused.value.message == f"this model cannot be published or exported: it was trained on restricted, and {WHY}"
        )
    assert not list(tmp_path.rglob("*.safetensors"))
    assert not [path for method, path, _ in hub.log if method == "POST"]


def test_a_child_inherits_it(run: tuple[Path, str], tmp_path: Path) -> None:
    path = run[0]
    for name in ("child", "grandchild"):
        count = {"dataset.count": 16, **NETWORKS}
        path = zoo.train("dcgan", dataset="faces", base=path, out=tmp_path / name, options=count, **SMALL).path
        with pytest.raises(UsageError, match=f"it began with run, which was trained on restricted, and {WHY}"):
            zoo.export(path, tmp_path / f"{name}-model")


def test_a_style_whose_license_is_not_known_to_be_free_is_restricted(monkeypatch: pytest.MonkeyPatch) -> None:
    made = replace(styles.terms("micah"), license="All rights reserved")
    assert not made.is_free
    monkeypatch.setattr(styles, "terms", lambda style: made)
    found = registry.create("datasets", "faces", {"style": "micah"})
    assert found.restriction.startswith("the license of the artwork “Avatar Illustration System”")
    assert "All rights reserved" in found.restriction
    with pytest.raises(UsageError):
        registry.create("datasets", "drawings", {"styles": ["micah"]})
    assert not replace(made, license="").is_free


def test_every_installed_style_says_what_may_be_done_with_it() -> None:
    for name in styles.FACES:
        assert styles.terms(name).is_free
        assert registry.create("datasets", "faces", {"style": name}).restriction == ""
