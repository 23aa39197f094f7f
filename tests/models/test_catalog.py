"""The catalog: what it names exists, and loads."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

import zoo
from helpers.hub_server import HubServer
from helpers.hub_server.fixtures import make_model, one_thread
from zoo import catalog
from zoo.models.folder import write_model
from zoo_cli.main import zoo as command
from zoo_core import ModelError, PluginError, UsageError


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty catalog of the test's own."""
    folder = tmp_path / "pretrained"
    folder.mkdir()
    (folder / "catalog.json").write_text('{"format": 1, "models": []}')
    monkeypatch.setattr(catalog, "HERE", folder)
    with one_thread():
        yield folder


@pytest.mark.parametrize("entry", catalog.read_catalog(), ids=lambda entry: entry.name)
def test_what_the_package_names_is_there(entry: catalog.CatalogEntry) -> None:
    assert entry.recipe
    assert entry.dataset
    assert entry.license
    if entry.folder is not None:
        catalog.check_entry(entry)
        model = zoo.load(entry.name)
        assert model.image.size == entry.size
        assert model.discriminator is not None
        assert torch.isfinite(model.sample(2)).all()
        assert model.config["provenance"]["command"] in (entry.folder / "README.md").read_text()


def test_the_package_stays_small() -> None:
    entries = [entry for entry in catalog.read_catalog() if entry.folder is not None]
    assert sum(entry.bytes for entry in entries) <= 24_000_000
    folders = {path.name for path in catalog.HERE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == {entry.name for entry in entries}


def test_an_entry_is_made_by_our_own_commands(shelf: Path, small_model: Path, tmp_path: Path) -> None:
    write_model(zoo.load(small_model), shelf / "small", dtype=torch.bfloat16)
    metrics = {"metrics": {"fid": 9.5}, "protocol": {"dataset": "faces", "samples": 100}}
    (shelf / "small" / "metrics.json").write_text(json.dumps(metrics))
    entry = catalog.add_entry("small", license="cc0-1.0", summary="a small one")
    assert catalog.read_catalog() == [entry]
    assert (entry.recipe, entry.dataset, entry.size, entry.where) == ("dcgan", "faces", 16, "bundled")
    card = (shelf / "small" / "README.md").read_text()
    for words in ("9.5", "bfloat16", "zoo train dcgan", "license: cc0-1.0", 'zoo.load("small")'):
        assert words in card
    catalog.check_entry(entry)
    before = zoo.load("small").sample(2)
    assert zoo.load("small").config["weights"] == "moving average, stored in bfloat16"
    assert {p.dtype for p in zoo.load("small").generator.parameters()} == {torch.float32}
    found = zoo.pull("small", to=tmp_path / "mine")
    shutil.rmtree(shelf / "small")
    assert torch.equal(zoo.load(found.folder).sample(2), before)
    with pytest.raises(ModelError, match="is missing or damaged"):
        zoo.pull("small")


def test_half_the_size_and_nearly_the_same_pictures(small_model: Path, tmp_path: Path) -> None:
    model = zoo.load(small_model)
    write_model(model, tmp_path / "half", dtype=torch.bfloat16)
    sizes = [(folder / "generator.safetensors").stat().st_size for folder in (small_model, tmp_path / "half")]
    assert sizes[1] < 0.7 * sizes[0]
    other = zoo.load(tmp_path / "half")
    difference = (other.sample(8) - model.sample(8)).abs().mean()
    assert 0 < difference < 0.02
    for name, buffer in model.generator.named_buffers():
        assert torch.equal(other.generator.get_buffer(name), buffer)


def test_damage_is_found(shelf: Path, small_model: Path) -> None:
    shutil.copytree(small_model, shelf / "small")
    catalog.add_entry("small", license="mit", summary="")
    (shelf / "small" / "samples.png").write_bytes(b"x")
    with pytest.raises(ModelError, match=r"samples\.png of the bundled model 'small'"):
        zoo.pull("small")


def test_too_much_is_refused(shelf: Path, small_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(small_model, shelf / "small")
    monkeypatch.setattr(catalog, "LIMIT", 100)
    with pytest.raises(ModelError, match="the most is 100"):
        catalog.add_entry("small", license="mit", summary="")
    assert catalog.read_catalog() == []


def test_an_entry_on_the_hub_is_pinned(shelf: Path, hub: HubServer, small_model: Path, tmp_path: Path) -> None:
    pushed = zoo.push(small_model, "ada/small")
    folder = zoo.pull("ada/small").folder
    sums = {"generator.safetensors": catalog_sum(folder / "generator.safetensors")}
    record = {"name": "far", "where": f"ada/small@{pushed.commit}", "sha256": sums, "recipe": "dcgan"}
    record = {**record, "dataset": "faces", "license": "mit"}
    (shelf / "catalog.json").write_text(json.dumps({"format": 1, "models": [record]}))
    zoo.push(make_model(tmp_path / "other", seed=4), "ada/small")
    for model in (zoo.load("far"), zoo.load(zoo.pull("far").folder)):
        assert torch.equal(model.sample(2), zoo.load(small_model).sample(2))
    record["sha256"] = {"generator.safetensors": "0" * 64}
    (shelf / "catalog.json").write_text(json.dumps({"format": 1, "models": [record]}))
    with pytest.raises(ModelError, match="not the one that the catalog means"):
        zoo.pull("far")


def catalog_sum(path: Path) -> str:
    from zoo.files import sha256

    return sha256(path)


def test_listing_it(shelf: Path, small_model: Path) -> None:
    assert "is empty" in CliRunner().invoke(command, ["pull"]).stdout
    shutil.copytree(small_model, shelf / "small")
    catalog.add_entry("small", license="mit", summary="a small one")
    shown = CliRunner().invoke(command, ["pull"]).stdout
    assert all(word in shown for word in ("small", "16×16", "faces", "mit", "a small one"))
    assert json.loads(CliRunner().invoke(command, ["pull", "--json"]).stdout)[0]["name"] == "small"


def test_near_names_are_offered(shelf: Path, small_model: Path) -> None:
    shutil.copytree(small_model, shelf / "dcgan-faces")
    catalog.add_entry("dcgan-faces", license="mit", summary="")
    with pytest.raises(UsageError, match="did you mean dcgan-faces"):
        zoo.load("dcgan-face")


def test_a_folder_here_goes_first(shelf: Path, small_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(small_model, shelf / "small")
    catalog.add_entry("small", license="mit", summary="")
    monkeypatch.chdir(tmp_path)
    other = make_model(tmp_path / "x", seed=8)
    small_model.rename(tmp_path / "away")
    assert torch.equal(zoo.load("small").sample(1), zoo.load(tmp_path / "away").sample(1))
    other.rename(tmp_path / "small")
    assert not torch.equal(zoo.load("small").sample(1), zoo.load(tmp_path / "away").sample(1))


def test_moving_a_model(small_model: Path) -> None:
    with one_thread():
        model = zoo.load(small_model)
        before = model.sample(4)
        assert model.to(torch.bfloat16).generator.to_image[0].weight.dtype == torch.bfloat16
        half = model.sample(4)
        assert half.dtype == torch.float32
        assert 0 < (half - before).abs().mean() < 0.1
        model.to("cpu", torch.float64)
        assert model.sample(4).dtype == torch.float32
        with pytest.raises(UsageError, match="no device"):
            zoo.load(small_model, device="tpu")


def test_a_model_of_a_plugin_that_is_broken(small_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from zoo_core.discovery import InstalledPlugin
    from zoo_core.registries import Registry

    broken = Registry([InstalledPlugin("dcgan", "dcgan-zoo", problem="ImportError: no wings")])
    monkeypatch.setattr("zoo.models.building.registry", broken)
    with pytest.raises(PluginError, match="is broken: ImportError: no wings"):
        zoo.load(small_model)
