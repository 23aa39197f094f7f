"""Datasets of the Hub, as parquet files and folders of images that lie on this machine: nothing is downloaded."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.datasets import dataset, encoded
from zoo_core import DataError, UnknownNameError, UsageError
from zoo_core.testing import assert_conforms

datasets = pytest.importorskip("datasets")


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "hf-cache"))
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def table(count: int = 6, **columns: Any) -> Any:
    pictures = [{"bytes": encoded(i, form="PNG"), "path": None} for i in range(count)]
    features = {"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog", "newt"])}
    held: dict[str, Any] = {"image": pictures, "label": [i % 3 for i in range(count)]}
    for name, (values, kind) in columns.items():
        held[name], features[name] = values, kind
    return datasets.Dataset.from_dict(held, features=datasets.Features(features))


def write(folder: Path, **splits: Any) -> Path:
    (folder / "data").mkdir(parents=True)
    for split, rows in splits.items():
        rows.to_parquet(str(folder / "data" / f"{split}-00000-of-00001.parquet"))
    return folder


def test_parquet_conforms(tmp_path: Path) -> None:
    assert_conforms("datasets", "hub", options={"data": str(write(tmp_path / "pets", train=table()))})


def test_pictures_and_classes(tmp_path: Path) -> None:
    found = dataset("hub", write(tmp_path / "pets", train=table(), test=table(2)))
    listing = found.listing()
    assert listing.classes == ("cat", "dog", "newt")
    assert [(r.key, r.label) for r in listing.records] == [(f"train/{i:07d}", i % 3) for i in range(6)]
    assert np.asarray(found.decode(listing.records[4]))[0, 0].tolist() == [4 * 37, 4 * 91 % 256, 120]
    assert len(dataset("hub", tmp_path / "pets", split="test").listing().records) == 2
    assert listing.records[1:4] == [listing.records[i] for i in (1, 2, 3)]


def test_it_crosses_to_a_worker_after_use_and_is_small(tmp_path: Path) -> None:
    found = dataset("hub", write(tmp_path / "pets", train=table(200)))
    record = found.listing().records[5]
    before = np.asarray(found.decode(record))
    sent = pickle.dumps((found, record))
    assert len(sent) < 20_000
    twin, record = pickle.loads(sent)
    assert (np.asarray(twin.decode(record)) == before).all()


def test_a_folder_of_images(tmp_path: Path) -> None:
    for i, name in enumerate(("cat/a.png", "cat/b.png", "dog/ü.png")):
        (tmp_path / "pets" / "train" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pets" / "train" / name).write_bytes(encoded(i, form="PNG"))
    found = dataset("hub", tmp_path / "pets")
    listing = found.listing()
    assert listing.classes == ("cat", "dog")
    assert sorted(r.label for r in listing.records) == [0, 0, 1]
    assert found.decode(listing.records[0]).size == (40, 32)


def test_the_fingerprint_follows_the_files(tmp_path: Path) -> None:
    before = dataset("hub", write(tmp_path / "a", train=table())).listing().fingerprint()
    assert dataset("hub", tmp_path / "a").listing().fingerprint() == before
    (tmp_path / "a" / "data" / "train-00000-of-00001.parquet").unlink()
    table(7).to_parquet(str(tmp_path / "a" / "data" / "train-00000-of-00001.parquet"))
    assert dataset("hub", tmp_path / "a").listing().fingerprint() != before


def test_columns_are_chosen_where_there_are_several(tmp_path: Path) -> None:
    other = ([{"bytes": encoded(9, form="PNG"), "path": None}] * 6, datasets.Image())
    kind = (["b", "a", "b", None, "a", "b"], datasets.Value("string"))
    data = write(tmp_path / "pets", train=table(depth=other, kind=kind))
    with pytest.raises(UsageError, match="several columns of images: image, depth") as caught:
        dataset("hub", data).listing()
    assert "--set dataset.column=image" in caught.value.hint
    found = dataset("hub", data, column="depth", label="kind")
    listing = found.listing()
    assert listing.classes == ("a", "b")
    assert [r.label for r in listing.records] == [1, 0, 1, -1, 0, 1]
    assert np.asarray(found.decode(listing.records[0]))[0, 0, 0] == 9 * 37 % 256
    assert dataset("hub", data, column="image", label="").listing().classes == ()
    with pytest.raises(UnknownNameError, match="'images'; did you mean image"):
        dataset("hub", data, column="images").listing()
    with pytest.raises(UnknownNameError, match="'kinds'; did you mean kind"):
        dataset("hub", data, column="image", label="kinds").listing()


def test_a_row_without_or_with_a_broken_picture_fails_alone(tmp_path: Path) -> None:
    rows = {"image": [{"bytes": b"no picture", "path": None}, None, {"bytes": encoded(), "path": None}]}
    made = datasets.Dataset.from_dict(rows, features=datasets.Features({"image": datasets.Image()}))
    found = dataset("hub", write(tmp_path / "pets", train=made))
    records = found.listing().records
    with pytest.raises(OSError, match="cannot identify"):
        found.decode(records[0])
    with pytest.raises(ValueError, match="no picture"):
        found.decode(records[1])
    found.decode(records[2]).load()


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    data = write(tmp_path / "pets", train=table())
    with pytest.raises(UnknownNameError, match=r"split .*'valid'; valid: train"):
        dataset("hub", data, split="valid").listing()
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty cannot be loaded"):
        dataset("hub", tmp_path / "empty").listing()
    text = datasets.Dataset.from_dict({"text": ["a"]})
    with pytest.raises(DataError, match="no column of images; its columns: text"):
        dataset("hub", write(tmp_path / "words", train=text)).listing()
    with pytest.raises(UsageError, match="neither a folder nor a dataset 'user/name'"):
        dataset("hub", "parquet").listing()
    with pytest.raises(DataError, match="nobody/nothing on the Hub cannot be loaded") as caught:
        dataset("hub", "nobody/nothing").listing()
    assert "huggingface.co/datasets" in caught.value.hint
    with pytest.raises(UsageError) as missing:
        dataset("hub", None).listing()
    assert "--data" in missing.value.hint


def test_without_the_library_it_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match="need the package datasets") as caught:
        dataset("hub", tmp_path).listing()
    assert "dcgan-zoo[hub-data]" in caught.value.hint
