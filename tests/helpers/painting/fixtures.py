"""A model whose drawing is known, its labeled pictures, and a classifier of them: made once for all tests that want them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import zoo
from helpers.painting import painted_model, painters, paintings
from zoo.analysis.attribute_classifier import AttributeClassifier, load_classifier
from zoo.models.folder import write_model
from zoo.models.model import Model


@pytest.fixture(scope="session")
def painted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the whole session, with a cache and a model folder."""
    folder = tmp_path_factory.mktemp("painted")
    with painters():
        write_model(painted_model(), folder / "model")
    return folder


@pytest.fixture(autouse=True)
def cache(painted: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """One cache for all of these tests, as a classifier takes seconds to train."""
    monkeypatch.setenv("ZOO_CACHE", str(painted / "cache"))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with painters():
        yield painted / "cache"
    torch.set_num_threads(threads)


@pytest.fixture
def pack(cache: Path) -> zoo.Pack:
    return paintings()


@pytest.fixture
def classifier(pack: zoo.Pack) -> AttributeClassifier:
    return load_classifier(pack)


@pytest.fixture
def model(cache: Path) -> Model:
    return painted_model()
