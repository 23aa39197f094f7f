"""The catalog: what plugins name exists, and loads."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
import torch
from click.testing import CliRunner, Result

import zoo
from helpers.browser import measure, needs_chromium
from helpers.hub_server import HubServer
from helpers.hub_server.fixtures import make_model, one_thread
from zoo import catalog
from zoo.catalog.__main__ import main as catalog_main
from zoo.catalog.records import RECORDS, describe_model_folder, package_of, records_source
from zoo.files import sha256
from zoo.models.folder import write_model
from zoo_cli.main import zoo as command
from zoo_core import ModelError, Plugin, PluginError, PretrainedModel, Score, UsageError, registry

ROOT = Path(__file__).resolve().parents[2]
CORE, WEIGHTS = ROOT / "plugins" / "zoo_plugins" / "pretrained", ROOT / "pretrained" / "zoo_models"
OURS = [entry for entry in catalog.read_catalog() if entry.plugin.distribution.startswith("dcgan-zoo")]


class Shelf:
    """A package of weights of the test's own, `weights_on_a_shelf`, and the plugins that name them.

    Args:
        folder: of the package; model folders lie in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.added = ExitStack()

    def add(self, name: str = "small", *, distribution: str = "local", **changed: Any) -> PretrainedModel:
        """Let a plugin provide the model folder of that name; `changed` are fields of its record that say otherwise."""
        fields = {"where": f"weights_on_a_shelf:{name}", "license": "mit", "summary": "a small one", **changed}
        files = {path.name: sha256(path) for path in sorted((self.folder / name).iterdir())}
        model = PretrainedModel(**{"sha256": files, "recipe": "dcgan", "dataset": "faces", "size": 16, **fields})
        self.added.enter_context(registry.add(Plugin(models={name: model}), distribution=distribution))
        return model


@pytest.fixture
def shelf(tmp_path: Path, small_model: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    """A package with one model folder, `small`, which no plugin names yet."""
    folder = tmp_path / "site" / "weights_on_a_shelf"
    shutil.copytree(small_model, folder / "small")
    (folder / "__init__.py").write_text("raise RuntimeError('nobody needs to import this to read its files')\n")
    monkeypatch.syspath_prepend(str(folder.parent))
    shelf = Shelf(folder)
    with one_thread(), shelf.added:
        yield shelf


@pytest.mark.parametrize("entry", OURS, ids=lambda entry: entry.name)
def test_what_the_packages_name_is_there(entry: Any) -> None:
    model, record = zoo.load(entry.name), catalog.model_of(entry)
    folder = catalog.installed_folder(entry)
    assert folder is not None
    assert record == describe_model_folder(folder)
    assert {path.name for path in folder.iterdir()} == set(record.sha256)
    assert model.image.size == record.size
    assert model.discriminator is not None
    assert torch.isfinite(model.sample(2)).all()
    assert model.config["provenance"]["command"] in (folder / "README.md").read_text()
    assert not record.parent or record.parent in {other.name for other in OURS}
    text = (ROOT / "pretrained" / "NOTICE").read_text()
    assert all(model.config["provenance"]["dataset"][key] in text for key in ("credit", "license"))


def test_the_packages_stay_small() -> None:
    packages = {CORE: 700_000, WEIGHTS: 90_000_000}
    for package, most in packages.items():
        files = [file for file in package.rglob("*") if file.is_file() and "__pycache__" not in file.parts]
        assert sum(file.stat().st_size for file in files) <= most
        assert (package / RECORDS).read_text() == records_source(package)
        folders = {path.name for path in package.iterdir() if path.is_dir() and path.name != "__pycache__"}
        classifiers = {name for name in folders if name.startswith("faces-classifier-")}
        here = {entry.name for entry in OURS if catalog.model_of(entry).where.startswith(f"{package_of(package)}:")}
        assert folders - classifiers == here
    assert [entry.name for entry in OURS if entry.plugin.distribution == "dcgan-zoo"] == ["dcgan-faces"]


def test_the_core_has_a_model_without_the_package_of_weights() -> None:
    code = "import zoo; print([entry.name for entry in zoo.read_catalog()]); zoo.load('dcgan-faces').sample(1)"
    env = {**os.environ, "ZOO_PLUGINS": ""}  # ours alone
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert done.stdout == "['dcgan-faces']\n"


def test_a_record_is_made_by_our_own_commands(shelf: Shelf, small_model: Path, tmp_path: Path) -> None:
    folder = shelf.folder / "half"
    write_model(zoo.load(small_model), folder, dtype=torch.bfloat16)
    metrics = {"metrics": {"fid": 9.5}, "protocol": {"dataset": "faces", "samples": 100}}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    command = [sys.executable, "-m", "zoo.catalog", str(folder)]
    refused = subprocess.run(command, capture_output=True, text=True)
    assert refused.returncode == 1
    assert "does not state its license" in refused.stderr
    source = subprocess.run([*command, "--license", "cc0-1.0"], capture_output=True, text=True, check=True).stdout
    record = eval(source, {"PretrainedModel": PretrainedModel, "Score": Score})
    assert record == describe_model_folder(folder)
    assert (record.recipe, record.dataset, record.size, record.license) == ("dcgan", "faces", 16, "cc0-1.0")
    assert record.where == "weights_on_a_shelf:half"
    assert record.scores == (Score("fid", 9.5),)
    other = describe_model_folder(shutil.move(shutil.copytree(folder, tmp_path / "half"), tmp_path / "alone"))
    assert other == replace(record, where="your_package:alone")
    card = (folder / "README.md").read_text()
    for words in ("9.5", "bfloat16", "zoo train dcgan", "license: cc0-1.0", 'zoo.load("half")'):
        assert words in card
    shelf.add("half", sha256=record.sha256)
    before = zoo.load("half").sample(2)
    assert zoo.load("half").config["weights"] == "moving average, stored in bfloat16"
    assert {p.dtype for p in zoo.load("half").generator.parameters()} == {torch.float32}
    found = zoo.pull("half", to=tmp_path / "mine")
    shutil.rmtree(folder)
    assert torch.equal(zoo.load(found.folder).sample(2), before)
    with pytest.raises(ModelError, match="the folder weights_on_a_shelf:half of model 'half' of local is missing"):
        zoo.pull("half")


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


def test_a_model_of_somebody_elses_plugin(shelf: Shelf, small_model: Path) -> None:
    shelf.add(distribution="shelf-of-weights")
    wanted = zoo.load(small_model).sample(2)
    for name in ("small", "shelf-of-weights:small"):
        assert torch.equal(zoo.load(name).sample(2), wanted)
        assert zoo.pull(name).folder == shelf.folder / "small"
    with pytest.raises(UsageError, match="small is no repository on the Hub and has no revisions"):
        zoo.pull("small", revision="v1")
    assert "weights_on_a_shelf" not in sys.modules


@pytest.mark.parametrize("file", ["samples.png", "generator.safetensors", "config.json"])
def test_damage_is_found(shelf: Shelf, file: str) -> None:
    shelf.add(distribution="shelf-of-weights")
    zoo.load("small")
    for damage in (lambda path: path.write_bytes(b"x"), lambda path: path.unlink()):
        damage(shelf.folder / "small" / file)
        for action in (zoo.pull, zoo.load):
            with pytest.raises(ModelError, match=f"^{file} of model 'small' of shelf-of-weights is missing or damaged$"):
                action("small")


@pytest.mark.parametrize("where", ["nothing_of_the_kind:small", "no.such.package:small", "weights_on_a_shelf:other"])
def test_a_place_that_is_none(shelf: Shelf, where: str) -> None:
    shelf.add(where=where)
    with pytest.raises(ModelError, match=f"the folder {where} of model 'small' of local is missing"):
        zoo.load("small")
    assert "small" in CliRunner().invoke(command, ["pull"]).stdout


def test_two_that_claim_one_name(shelf: Shelf, small_model: Path) -> None:
    shelf.add(distribution="one")
    shelf.add(distribution="two")
    with pytest.raises(UsageError, match="'small' is claimed by one and two"):
        zoo.load("small")
    assert zoo.load("two:small").image.size == 16


def test_an_entry_on_the_hub_is_pinned(shelf: Shelf, hub: HubServer, small_model: Path, tmp_path: Path) -> None:
    pushed = zoo.push(small_model, "ada/small")
    where = f"ada/small@{pushed.commit}"
    file = "generator.safetensors"
    (shelf.folder / "small").rename(shelf.folder / "far")
    shelf.add("far", where=where, sha256={file: sha256(zoo.pull("ada/small").folder / file)})
    zoo.push(make_model(tmp_path / "other", seed=4), "ada/small")
    for model in (zoo.load("far"), zoo.load(zoo.pull("far").folder)):
        assert torch.equal(model.sample(2), zoo.load(small_model).sample(2))
    shelf.added.close()
    shelf.add("far", where=where, sha256={file: "0" * 64})
    with pytest.raises(ModelError, match="not the one that the catalog means by 'far'"):
        zoo.pull("far")


def test_listing_them(shelf: Shelf) -> None:
    shelf.add(distribution="shelf-of-weights")
    shown = CliRunner().invoke(command, ["pull"]).stdout
    assert all(word in shown for word in ("small", "16×16", "faces", "mit", "not measured", "shelf-of-weights"))
    assert all(entry.name in shown for entry in OURS)
    listed = {one["name"]: one for one in json.loads(CliRunner().invoke(command, ["pull", "--json"]).stdout)}
    assert "frechet of scattering 1.779 ± 0.062" in shown
    assert listed["dcgan-avataaars"]["scores"][0]["metric"] == "frechet"
    assert listed["small"]["distribution"] == "shelf-of-weights"
    assert listed["small"]["where"] == "weights_on_a_shelf:small"
    assert set(listed["small"]["sha256"]) == {path.name for path in (shelf.folder / "small").iterdir()}


def test_records_are_written_from_the_folders_of_a_package(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def catalog_module(*words: str) -> Result:
        """Run it, in this process: another would be mostly the import of torch."""
        monkeypatch.setattr(sys, "argv", ["zoo.catalog", *words])
        done = CliRunner().invoke(click.command(catalog_main), [])
        assert done.exception is None or isinstance(done.exception, SystemExit)
        return done

    package = str(shelf.folder)
    assert "does not state its license" in catalog_module(package).output
    assert catalog_module(package, "--check", "--license", "mit").exit_code == 1
    assert catalog_module(package, "--license", "mit").stdout == f"{shelf.folder / RECORDS}\n"
    found: dict[str, Any] = {}
    exec((shelf.folder / RECORDS).read_text(), found)
    assert found["MODELS"] == {"small": describe_model_folder(shelf.folder / "small")}
    with registry.add(Plugin(models=found["MODELS"]), distribution="shelf-of-weights"):
        assert zoo.load("small").image.size == 16
    assert catalog_module(package, "--check").exit_code == 0
    (shelf.folder / "small" / "samples.png").write_bytes(b"other")
    changed = catalog_module(package, "--check")
    assert changed.exit_code == 1
    assert f"to write it: python -m zoo.catalog {package}" in changed.output
    for folder, words in ((tmp_path, "neither a model folder nor a package"), (shelf.folder.parent / "none", "neither")):
        wrong = catalog_module(str(folder))
        assert wrong.exit_code == 1
        assert words in wrong.output


def test_a_page_of_them(shelf: Shelf, tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    scores = [Score("frechet", 12.34, 0.5, "scattering"), Score(evil, 1.0)]
    options = {"style": evil}
    shelf.add(
        distribution="shelf-of-weights", scores=scores, dataset_options=options, parent=evil, images=1234, license=evil
    )
    shelf.add("small", distribution="another", where="ada/small@v1", recipe=evil)
    shelf.add("small", distribution="a-third", where="nothing_of_the_kind:small")
    done = CliRunner().invoke(command, ["pull", "--html", str(tmp_path / "page.html")])
    assert (done.exit_code, done.output) == (0, f"{tmp_path / 'page.html'}\n")
    text = (tmp_path / "page.html").read_text()
    assert "<script" not in text
    assert all(word in text for word in ("12.34 ± 0.50", "1,234", "frechet of scattering", "on the Hub: ada/small@v1"))
    assert "the folder nothing_of_the_kind:small of model &#39;small&#39; of a-third is missing or damaged" in text
    assert text.count("<img") == len(OURS) + 1
    assert all(entry.name in text for entry in OURS)
    assert CliRunner().invoke(command, ["pull", "small", "--html", "x.html"]).exit_code == 2
    (tmp_path / "file").touch()
    assert CliRunner().invoke(command, ["pull", "--html", str(tmp_path / "file" / "x.html")]).exit_code != 0


@needs_chromium
@pytest.mark.parametrize(("width", "dark"), [(390, True), (1280, False)])
def test_the_page_in_a_browser(tmp_path: Path, width: int, dark: bool) -> None:
    found = measure(zoo.save_catalog(tmp_path / "page.html"), width, dark=dark)
    assert found["images"] == found["decoded"] == found["described"] == len(OURS)
    assert (found["requests"], found["wider"]) == ([], 0)
    assert found["background"] == ("rgb(22, 25, 29)" if dark else "rgb(255, 255, 255)")


def test_near_names_are_offered() -> None:
    with pytest.raises(UsageError, match="did you mean dcgan-faces"):
        zoo.load("dcgan-face")


def test_a_folder_here_goes_first(shelf: Shelf, small_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.add()
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


def test_reading_the_catalog_imports_nothing_heavy() -> None:
    code = "import sys, zoo; assert zoo.read_catalog(); print({'torch', 'numpy', 'huggingface_hub'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_loading_a_folder_imports_little(small_model: Path) -> None:
    """No training, no Hub, no metrics; the modules of plugins' records, which are read to know what there is, aside."""
    code = f"""
import sys, zoo
zoo.load({str(small_model)!r}).sample(1)
from zoo_core.discovery import entry_points
records = {{point.module_name for point in entry_points()[0]}}
parents = {{name.rpartition(".")[0] for name in records}}
print(*sorted(name for name in sys.modules if name.split(".")[0] == "zoo" and name not in records | parents - {{"zoo"}}))
"""
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "zoo.models.folder" in loaded
    heavy = [name for name in loaded if name.startswith(("zoo.training", "zoo.hub", "zoo.metrics", "zoo.runs"))]
    assert heavy == ["zoo.runs", "zoo.runs.folders"]  # where runs lie, which a name may mean
    assert len(loaded) <= 34, loaded
