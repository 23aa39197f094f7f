"""What `--data` stands for: the dataset says it, in plans, packs and comparisons alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import zoo
from helpers.packs import pictures
from zoo.packs import PackRequest, build_pack
from zoo.packs.request import resolve_data
from zoo_core import DataError, ImageDataset, Listing, Plugin, Record, UsageError, registry


class Shelf(ImageDataset):
    """Pictures whose place is a name: shelf:3 has three of them."""

    @classmethod
    def resolve_data(cls, data: str) -> str:
        if not data.startswith("shelf:"):
            raise UsageError(f"{data!r} is no shelf", hint="for example: --data shelf:3")
        return data

    def listing(self) -> Listing:
        return Listing([Record(str(i), i) for i in range(int(str(self.data).partition(":")[2]))])

    def decode(self, record: Record) -> Any:
        return Image.new("RGB", (8, 8), (record.source, 90, 20))


@pytest.fixture
def shelf() -> Any:
    with registry.add(Plugin(datasets={"shelf": f"{__name__}:Shelf"}), distribution="shelves"):
        yield


def test_a_name_stays_a_name(shelf: Any) -> None:
    planned = zoo.plan("dcgan", dataset="shelf", data="shelf:3", images=8)
    assert planned.config.dataset is not None
    assert planned.config.dataset["data"] == "shelf:3"
    assert planned.command == "zoo train dcgan --dataset shelf --data shelf:3 --images 8"
    pack = zoo.build_pack(zoo.PackRequest("shelf", data="shelf:3", size=8))
    assert (len(pack), pack.info["dataset"]["data"]) == (3, "shelf:3")
    for ask in (lambda: zoo.plan("dcgan", dataset="shelf", data="nothing"), lambda: resolve_data("shelf", "nothing")):
        with pytest.raises(UsageError, match="'nothing' is no shelf"):
            ask()


def test_a_path_becomes_absolute_and_must_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    pictures(tmp_path / "pets", 4)
    for data in ("pets", "./pets", "~/pets", tmp_path / "pets"):
        assert resolve_data("folder", data) == str(tmp_path / "pets")
    with pytest.raises(DataError, match="nowhere does not exist") as caught:
        zoo.plan("dcgan", dataset="folder", data="nowhere")
    assert "zoo show folder" in caught.value.hint


def test_a_pack_is_a_path_for_every_dataset(shelf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack = zoo.build_pack(zoo.PackRequest("shelf", data="shelf:3", size=8))
    monkeypatch.chdir(pack.path.parent)
    assert resolve_data("shelf", pack.path.name) == str(pack.path)


@pytest.mark.parametrize("name", ["folder", "faces", "hub", "mnist", "cifar10", "svhn", "lsun", "imagenet"])
def test_what_cannot_be_read_is_said_by_every_dataset(name: str, nobody: Path) -> None:
    (nobody / "closed").mkdir()
    (nobody / "closed" / "file.zip").write_bytes(b"")
    (nobody / "file.zip").write_bytes(b"")
    (nobody / "file.zip").chmod(0)
    (nobody / "closed").chmod(0)
    try:
        for place in (nobody / "closed", nobody / "closed" / "file.zip", nobody / "file.zip"):
            for read in (resolve_data, lambda dataset, data: build_pack(PackRequest(dataset, data))):
                with pytest.raises(DataError) as caught:
                    read(name, str(place))
                assert caught.value.message == f"{place} cannot be read: Permission denied"
                assert caught.value.hint.endswith(f"ls -ld {place}")
    finally:
        (nobody / "closed").chmod(0o700)


@pytest.mark.parametrize("name", ["folder", "faces", "hub", "imagenet"])
def test_links_that_lead_nowhere_are_no_names_and_no_folders(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").mkdir()
    Path("x/loop").symlink_to("loop")
    Path("loop").symlink_to("loop")
    Path("x/gone").symlink_to("nothing")
    Path("gone").symlink_to("nothing")
    for data, wrong in (
        ("x/loop", "x/loop cannot be read: Too many levels of symbolic links"),
        ("loop/x", "loop/x cannot be read: Too many levels of symbolic links"),
        ("x/gone", "x/gone is a link to nothing, which does not exist"),
        ("gone/x", "gone/x does not exist"),
    ):
        with pytest.raises(DataError) as caught:
            resolve_data(name, data)
        assert caught.value.message == wrong


@pytest.mark.parametrize("name", ["folder", "faces", "hub", "mnist"])
def test_an_empty_data_is_no_folder(name: str) -> None:
    for read in (resolve_data, lambda dataset, data: build_pack(PackRequest(dataset, data)), zoo.download):
        if read is not zoo.download or name == "mnist":
            with pytest.raises(UsageError, match=r"^'data' is empty\n"):
                read(name, "")
