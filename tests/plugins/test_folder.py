"""Folders of pictures, by the door that everybody uses."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from zoo_core import DataError, UnknownNameError, UsageError, registry


def paint(path: Path, color: str = "red") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 6), color).save(path)


def dataset(folder: Path | str | None, **options: Any) -> Any:
    return registry.create("datasets", "folder", {"data": None if folder is None else str(folder), **options})


def test_pictures_are_listed_in_order_and_decode(tmp_path: Path) -> None:
    paint(tmp_path / "b.png", "blue")
    paint(tmp_path / "a.JPG")
    found = dataset(tmp_path)
    listing = found.listing()
    assert [r.key for r in listing.records] == ["a.JPG", "b.png"]
    assert listing.classes == ()
    assert {r.label for r in listing.records} == {-1}
    image = found.decode(listing.records[1])
    assert image.size == (8, 6)
    assert image.convert("RGB").getpixel((0, 0)) == (0, 0, 255)


def test_sub_folders_become_labels(tmp_path: Path) -> None:
    paint(tmp_path / "smiling" / "deeper" / "1.png")
    paint(tmp_path / "serious" / "2.png")
    listing = dataset(tmp_path).listing()
    assert listing.classes == ("serious", "smiling")
    assert {r.key: listing.classes[r.label] for r in listing.records} == {
        "serious/2.png": "serious",
        "smiling/deeper/1.png": "smiling",
    }


def test_a_picture_beside_the_class_folders_takes_the_labels_away(tmp_path: Path) -> None:
    for name in ("one/1.png", "two/2.png", "loose.png"):
        paint(tmp_path / name)
    listing = dataset(tmp_path).listing()
    assert listing.classes == ()
    assert all(r.label == -1 for r in listing.records)


def test_hidden_files_and_other_files_are_left_out(tmp_path: Path) -> None:
    for name in ("a.png", ".hidden.png", ".thumbnails/b.png"):
        paint(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    listing = dataset(tmp_path).listing()
    assert [r.key for r in listing.records] == ["a.png"]
    assert len(listing.notes) == 1
    assert listing.notes[0].startswith("1 file")


@pytest.mark.parametrize("name", ["mit leer zeichen", "Ümläute 写真", "100% #1 'quoted'"])
def test_any_path_can_be_read(tmp_path: Path, name: str) -> None:
    paint(tmp_path / name / f"{name}.png")
    found = dataset(tmp_path / name)
    (record,) = found.listing().records
    assert record.key == f"{name}.png"
    found.decode(record).load()


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    paint(tmp_path / "in" / "a.png")
    try:
        os.symlink(tmp_path, tmp_path / "in" / "again", target_is_directory=True)
    except OSError:
        pytest.skip("this system lets nobody make links")
    assert [r.key for r in dataset(tmp_path).listing().records] == ["in/a.png"]


def test_a_changed_picture_changes_the_fingerprint(tmp_path: Path) -> None:
    paint(tmp_path / "a.png")
    before = dataset(tmp_path).listing().fingerprint()
    assert dataset(tmp_path).listing().fingerprint() == before
    Image.new("RGB", (80, 60), "green").save(tmp_path / "a.png")
    assert dataset(tmp_path).listing().fingerprint() != before


def test_without_data_it_says_what_to_type() -> None:
    with pytest.raises(UsageError, match="--data DIR"):
        dataset(None).listing()


@pytest.mark.parametrize("what", ["missing", "file", "empty", "other files"])
def test_useless_data_is_refused(tmp_path: Path, what: str) -> None:
    folder = tmp_path / "data"
    if what == "file":
        paint(tmp_path / "a.png")
        folder = tmp_path / "a.png"
    elif what != "missing":
        folder.mkdir()
    if what == "other files":
        (folder / "notes.txt").write_text("no picture")
    says = {"missing": "does not exist", "file": "is a file", "empty": "found nothing", "other files": "1 other file"}
    with pytest.raises(DataError, match=says[what]) as caught:
        dataset(folder).listing()
    assert caught.value.hint
    assert str(folder) in caught.value.message


def test_only_train_exists(tmp_path: Path) -> None:
    paint(tmp_path / "a.png")
    with pytest.raises(UsageError, match="valid: train"):
        dataset(tmp_path, split="test").listing()


def test_an_unknown_option_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="data"):
        dataset(tmp_path, date="x")


def test_it_crosses_to_a_worker(tmp_path: Path) -> None:
    paint(tmp_path / "a.png")
    found = pickle.loads(pickle.dumps(dataset(tmp_path)))
    found.decode(pickle.loads(pickle.dumps(found.listing().records[0]))).load()


def test_an_empty_class_folder_is_no_class_and_is_named(tmp_path: Path) -> None:
    for name in ("one/1.png", "two/2.png"):
        paint(tmp_path / name)
    (tmp_path / "three").mkdir()
    (tmp_path / "four").mkdir()
    (tmp_path / "four" / "notes.txt").write_text("no picture")
    listing = dataset(tmp_path).listing()
    assert listing.classes == ("one", "two")
    assert listing.notes[-1] == "folders without pictures are no class: four, three"


def test_names_that_are_no_text_can_be_read_and_printed(tmp_path: Path) -> None:
    for name in (b"one/\xff\xfe.png", b"tw\xe4/2.png"):
        path = os.path.join(os.fsencode(tmp_path), name)
        try:
            os.mkdir(os.path.dirname(path))
            with open(path, "wb") as file:
                Image.new("RGB", (8, 6)).save(file, "PNG")
        except (OSError, UnicodeDecodeError):
            pytest.skip("this system has no such names")
    found = dataset(tmp_path)
    listing = found.listing()
    assert [r.key for r in listing.records] == ["one/\\xff\\xfe.png", "tw\\xe4/2.png"]
    assert listing.classes == ("one", "tw\\xe4")
    for record in listing.records:
        found.decode(record).load()
