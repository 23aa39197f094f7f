"""What a pack shows, and faces cut out of photographs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import zoo
from helpers.packs import pictures, request, samples
from zoo.packs import PackRequest, build_pack
from zoo_core import UsageError, ZooError


@pytest.fixture(autouse=True)
def _datasets() -> Iterator[None]:
    with samples():
        yield


def test_counts_and_pictures(tmp_path: Path) -> None:
    pack = build_pack(PackRequest("drawn", size=16))
    found = zoo.inspect_pack(pack, tmp_path / "out", images=20)
    json.dumps(found)
    assert pack.labels is not None
    assert found["classes"] == {name: int((pack.labels == i).sum()) for i, name in enumerate("xyz")}
    assert sum(found["attributes"]["hat"].values()) == len(pack) == found["count"] == 32
    assert (found["skipped"]["count"], found["unlabeled"], found["enlarged"]) == (8, 0, 0)
    assert found["side"] == {"least": 40, "median": 40, "most": 40}
    images = pack.shards[0].numpy().astype(float)
    assert found["mean"] == pytest.approx(images.mean((0, 1, 2)))
    assert found["std"] == pytest.approx(images.std((0, 1, 2)))
    with Image.open(found["sheet"]) as sheet, Image.open(found["mean_picture"]) as mean:
        assert sheet.size[0] > 4 * 16
        assert mean.size == (256, 256)
        assert np.asarray(mean)[128, 128].tolist() == np.rint(images.mean((0, 1, 2))).tolist()


def test_gray_and_few(tmp_path: Path) -> None:
    pack = build_pack(request(pictures(tmp_path / "data", 3, side=6)))
    found = zoo.inspect_pack(pack, tmp_path / "out")
    assert (len(found["mean"]), found["enlarged"]) == (1, 3)
    assert Image.open(found["mean_picture"]).mode == "L"


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    pack = build_pack(request(pictures(tmp_path / "data", 3)))
    (tmp_path / "file").touch()
    with pytest.raises(ZooError, match="cannot be written"):
        zoo.inspect_pack(pack, tmp_path / "file" / "out")


def test_faces_refuses_before_it_begins(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(UsageError, match="not an empty folder"):
        zoo.detect_faces(tmp_path, tmp_path / "full")
    with pytest.raises(UsageError, match="'counted' is not made from photographs"):
        zoo.detect_faces(tmp_path, tmp_path / "new", dataset="counted")
    assert not (tmp_path / "new").exists()
