"""LSUN's LMDB folders: read in place, labeled by category, and what is wrong with others said."""

from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path

import lmdb
import numpy as np
import pytest

from helpers.datasets import dataset, encoded, real
from zoo_core import DataError, OptionError, UnknownNameError, UsageError
from zoo_core.testing import assert_conforms


def database(folder: Path, count: int, *, form: str = "WEBP", first: int = 0) -> Path:
    folder.mkdir(parents=True)
    with lmdb.open(str(folder), map_size=1 << 22) as environment, environment.begin(write=True) as transaction:
        for i in range(count):
            transaction.put(f"{first + i:040x}".encode(), encoded(first + i, form=form))
    return folder


@pytest.fixture
def rooms(tmp_path: Path) -> Path:
    root = tmp_path / "lsun"
    database(root / "bedroom_train_lmdb", 5)
    database(root / "dining_room_train_lmdb", 3, form="JPEG", first=10)
    database(root / "bedroom_val_lmdb", 2, first=20)
    return root


def test_it_conforms(rooms: Path) -> None:
    assert_conforms("datasets", "lsun", options={"data": str(rooms), "category": ["bedroom"]})
    assert_conforms("datasets", "lsun", options={"data": str(rooms), "category": ["bedroom", "dining_room"]})


def test_one_category_has_no_labels(rooms: Path) -> None:
    found = dataset("lsun", rooms, category="bedroom")
    listing = found.listing()
    assert [r.key for r in listing.records] == [f"bedroom/{i:040x}" for i in range(5)]
    assert listing.classes == ()
    assert {r.label for r in listing.records} == {-1}
    picture = np.asarray(found.decode(listing.records[3]).convert("RGB"))
    assert picture.shape == (32, 40, 3)
    assert np.abs(picture.mean((0, 1)) - (111, 17, 120)).max() < 4


def test_several_categories_are_labels_in_the_order_asked_for(rooms: Path) -> None:
    listing = dataset("lsun", rooms, category="dining_room,bedroom").listing()
    assert listing.classes == ("dining_room", "bedroom")
    assert [r.label for r in listing.records] == [0] * 3 + [1] * 5
    assert listing.records[-1] == listing.records[7] == next(reversed(listing.records))
    assert list(listing.records) == [listing.records[i] for i in range(8)] == listing.records[:]
    assert listing.records[2:6:3] == [listing.records[2], listing.records[5]]
    with pytest.raises(IndexError):
        listing.records[8]


def test_what_is_there_is_taken_where_there_is_one(rooms: Path) -> None:
    assert len(dataset("lsun", rooms, split="val").listing().records) == 2
    assert len(dataset("lsun", rooms / "dining_room_train_lmdb").listing().records) == 3
    with pytest.raises(UsageError, match="2 categories: bedroom, dining_room") as caught:
        dataset("lsun", rooms).listing()
    assert "--set dataset.category=bedroom" in caught.value.hint


def test_object_categories_carry_no_split_in_their_name(tmp_path: Path) -> None:
    database(tmp_path / "cat", 2)
    assert dataset("lsun", tmp_path).listing().records[0].key.startswith("cat/")


def test_a_category_that_is_not_there_is_named_with_those_that_are(rooms: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"'bedrom'; did you mean bedroom\?"):
        dataset("lsun", rooms, category="bedrom").listing()
    with pytest.raises(UnknownNameError, match="valid: bedroom"):
        dataset("lsun", rooms, category="tower", split="val").listing()


@pytest.mark.parametrize("share", [0, 0.001, 0.3, 0.99])
def test_a_database_that_is_cut_short_is_refused(rooms: Path, share: float) -> None:
    file = rooms / "bedroom_val_lmdb" / "data.mdb"
    os.truncate(file, int(file.stat().st_size * share))
    with pytest.raises(DataError, match=r"cut short|no LMDB") as caught:
        dataset("lsun", rooms, split="val").listing()
    assert str(file) in caught.value.message


def test_a_database_cut_short_after_the_listing_raises_and_does_not_end_the_process(rooms: Path) -> None:
    found = dataset("lsun", rooms, split="val")
    record = found.listing().records[0]
    os.truncate(rooms / "bedroom_val_lmdb" / "data.mdb", 8192)
    with pytest.raises(DataError, match="cut short"):
        found.decode(record)


def test_a_changed_database_is_read_anew(rooms: Path) -> None:
    before = dataset("lsun", rooms, split="val").listing()
    shutil.rmtree(rooms / "bedroom_val_lmdb")
    database(rooms / "bedroom_val_lmdb", 4)
    after = dataset("lsun", rooms, split="val").listing()
    assert len(after.records) == 4
    assert before.fingerprint() != after.fingerprint()


def test_a_folder_that_cannot_be_written_will_do(rooms: Path) -> None:
    folder = rooms / "bedroom_val_lmdb"
    (folder / "lock.mdb").unlink()
    (folder / "data.mdb").chmod(0o444)
    folder.chmod(0o555)
    try:
        assert len(dataset("lsun", folder, split="val").listing().records) == 2
        assert [p.name for p in folder.iterdir()] == ["data.mdb"]
    finally:
        folder.chmod(0o755)


def test_a_damaged_value_fails_alone(tmp_path: Path) -> None:
    folder = database(tmp_path / "bedroom_train_lmdb", 2)
    with lmdb.open(str(folder), map_size=1 << 22) as environment, environment.begin(write=True) as transaction:
        transaction.put(b"f" * 40, b"no picture")
    found = dataset("lsun", tmp_path)
    records = found.listing().records
    found.decode(records[0]).load()
    with pytest.raises(OSError, match="cannot identify"):
        found.decode(records[2])


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda p: None, "does not exist"),
        (lambda p: p.mkdir(), "found nothing"),
        (lambda p: (p / "photos").mkdir(parents=True), "expected <category>_train_lmdb/data.mdb; found photos/"),
        (lambda p: database(p / "tower_val_lmdb", 1), "found tower_val_lmdb/"),
        (lambda p: (p.mkdir(), (p / "bedroom_train_lmdb.zip").write_bytes(b"")), "must be unpacked"),
    ],
)
def test_a_wrong_folder_is_refused_in_words(tmp_path: Path, make: object, says: str) -> None:
    make(tmp_path / "x")  # type: ignore[operator]
    with pytest.raises(DataError, match=says) as caught:
        dataset("lsun", tmp_path / "x").listing()
    assert caught.value.hint


def test_without_data_it_says_where_to_get_it_and_how_large_it_is() -> None:
    with pytest.raises(UsageError, match="LSUN must be downloaded") as caught:
        dataset("lsun", None).listing()
    assert "github.com/fyu/lsun" in caught.value.hint
    assert "43 GB" in caught.value.hint
    assert "--data DIR" in caught.value.hint
    with pytest.raises(OptionError, match="valid: train, val, test"):
        dataset("lsun", "x", split="valid")


def test_it_crosses_to_a_worker_after_use(rooms: Path) -> None:
    found = dataset("lsun", rooms, split="val")
    record = found.listing().records[1]
    before = np.asarray(found.decode(record))
    twin, sent = pickle.loads(pickle.dumps((found, record)))
    assert (np.asarray(twin.decode(sent)) == before).all()


@pytest.mark.data
def test_real_bedrooms() -> None:
    for split, count in (("train", 485), ("val", 50)):
        found = dataset("lsun", real("lsun"), split=split)
        listing = found.listing()
        assert len(listing.records) == count
        assert min(found.decode(listing.records[0]).size) == 256
