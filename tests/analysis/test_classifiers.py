"""Classifiers that come with a dataset: taken where they fit, without an image; doubted where their files are others."""

from __future__ import annotations

from pathlib import Path

import pytest

import zoo
from helpers.reporters import Heard
from zoo.analysis.attribute_classifier import WEIGHTS, read_classifier
from zoo.analysis.classifiers import classifier_for
from zoo.analysis.labels import find_images
from zoo.catalog import find_package_folder
from zoo.files import sha256
from zoo.models.model import Model
from zoo.packs import PackRequest
from zoo_core import registry


@pytest.fixture(scope="module")
def bundled() -> Model:
    return zoo.load("dcgan-avataaars")


def test_the_package_holds_what_its_checksums_say() -> None:
    faces = registry.load("datasets", "faces")
    assert len(faces.classifiers) == 2
    for where, checksum in faces.classifiers.items():
        folder = find_package_folder(where)
        assert folder is not None
        assert sha256(folder / WEIGHTS) == checksum
        assert (folder / WEIGHTS).stat().st_size < 1.5e6
        found = read_classifier(folder)
        assert found.side == int(folder.name.rpartition("-")[2])
        assert min(found.accuracy["glasses"], found.accuracy["skin_color"]) > 0.98


def test_a_bundled_model_is_looked_at_without_packing_or_training(
    bundled: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
    heard = Heard()
    found = classifier_for(bundled, find_images(bundled, "dcgan-avataaars"), report=heard)
    assert (heard.lines, found.side, found.channels) == ([], 64, 3)
    assert list(tmp_path.iterdir()) == []
    seen = found.probabilities(bundled.sample(64, seed=1))["glasses"][:, 0]
    assert 0.3 < float((seen < 0.5).float().mean()) < 0.6  # four in ten of its samples have glasses


def refuse(images: object, report: object) -> None:
    """In place of packing."""
    raise RuntimeError("packed")


def test_other_labels_or_sizes_are_learned(bundled: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoo.analysis.labels.ModelImages.pack", refuse)
    small = zoo.create("dcgan", size=16)
    for model, where in ((small, PackRequest("faces")), (zoo.create("dcgan", size=64, channels=1), PackRequest("faces"))):
        with pytest.raises(RuntimeError, match="packed"):
            classifier_for(model, find_images(model, model, where))


def test_a_damaged_one_is_not_believed(bundled: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    faces = registry.load("datasets", "faces")
    monkeypatch.setattr(faces, "classifiers", dict.fromkeys(faces.classifiers, "0" * 64))
    monkeypatch.setattr("zoo.analysis.labels.ModelImages.pack", refuse)
    heard = Heard()
    with pytest.raises(RuntimeError, match="packed"):
        classifier_for(bundled, find_images(bundled, "dcgan-avataaars"), report=heard)
    assert len(heard.lines) == 2
    assert "faces-classifier-64 that comes with faces is damaged" in heard.lines[0]


def test_where_they_are_not_installed_it_is_said_what_brings_them(bundled: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    faces = registry.load("datasets", "faces")
    absent = {where.replace("zoo_models", "no_such_models"): sum for where, sum in faces.classifiers.items()}
    monkeypatch.setattr(faces, "classifiers", absent)
    monkeypatch.setattr("zoo.analysis.labels.ModelImages.pack", refuse)
    heard = Heard()
    for options in ({"count": 60}, {"count": 60, "style": "lorelei"}):
        with pytest.raises(RuntimeError, match="packed"):
            classifier_for(bundled, find_images(bundled, bundled, PackRequest("faces", options=options)), report=heard)
    (said,) = heard.lines  # other labels: they would be of no use
    assert said == 'classifiers of faces that are ready may save a training here: pip install "dcgan-zoo[models]"'
