"""LSUN's LMDB folders: read in place, labeled by category, and what is wrong with others said."""

from __future__ import annotations

import gc
import os
import pickle
import shutil
import signal
import time
from contextlib import suppress
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
    for data in (rooms / "dining_room_train_lmdb", rooms / "dining_room_train_lmdb" / "data.mdb"):
        assert len(dataset("lsun", data).listing().records) == 3
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
        (
            lambda p: (p / "photos").mkdir(parents=True),
            "expected <category>_train_lmdb/data.mdb, or folders of pictures; found photos/",
        ),
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
    assert "download.py" not in caught.value.hint
    assert "--dataset hub --data pcuenq/lsun-bedrooms" in caught.value.hint
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


def damage(file: Path, chance: np.random.Generator) -> None:
    """Put nonsense into the heads of some pages behind the first two, where LMDB keeps numbers that it follows."""
    held = bytearray(file.read_bytes())
    for page in chance.integers(2, len(held) // 4096, 12):
        at = int(page) * 4096 + 2 * int(chance.integers(4, 32))
        held[at : at + 4] = chance.bytes(4)
    file.write_bytes(held)


def test_a_damaged_database_never_ends_the_process(tmp_path: Path) -> None:
    """Each of many damaged databases is read, in part or whole, or refused with a `DataError`; nobody dies."""
    original = database(tmp_path / "original", 60)
    with lmdb.open(str(original), map_size=1 << 24) as environment, environment.begin(write=True) as transaction:
        for i in range(40):
            transaction.put(f"{1000 + i:040x}".encode(), encoded(i, form="BMP"))  # values with pages of their own
    seen = set()
    for number in range(25):
        folder = tmp_path / f"{number}" / "bedroom_train_lmdb"
        shutil.copytree(original, folder)
        damage(folder / "data.mdb", np.random.default_rng(number))
        found = dataset("lsun", folder)
        try:
            for record in found.listing().records:
                try:
                    found.decode(record).load()
                except (OSError, ValueError, SyntaxError, KeyError):
                    seen.add("a picture")
        except DataError as error:
            seen.add("all" if str(folder) in error.message else error.message)
    assert seen == {"a picture", "all"}


def test_a_reader_that_dies_is_a_data_error(rooms: Path) -> None:
    from zoo_plugins.datasets.readers.lmdb_reader import LMDBReader

    reader = LMDBReader(rooms / "bedroom_val_lmdb")
    os.kill(reader._process.pid, signal.SIGBUS)
    with pytest.raises(DataError, match=r"bedroom_val_lmdb.* the process that reads it ended \(SIGBUS\)") as caught:
        reader.keys()
    assert "download" in caught.value.hint


def test_a_length_that_its_head_denies_is_refused_before_it_is_mapped(rooms: Path) -> None:
    """The head claims more pages than the file has: LMDB would map them, and reading one would end the process."""
    file = rooms / "bedroom_val_lmdb" / "data.mdb"
    held = bytearray(file.read_bytes())
    for at in (0, 4096):
        held[at + 16 + 24 + 96 : at + 16 + 24 + 104] = (10_000).to_bytes(8, "little")
    file.write_bytes(held)
    with pytest.raises(DataError, match=r"is cut short: [\d,]+ of 40,964,096 bytes are there"):
        dataset("lsun", rooms, split="val").listing()


def write_pictures(root: Path, count: int, first: int = 0) -> None:
    root.mkdir(parents=True)
    for i in range(count):
        (root / f"{first + i:040x}.jpg").write_bytes(encoded(first + i))


@pytest.mark.parametrize("pattern", ["{}_{}_lmdb", "{}_{}"])
def test_exported_pictures(tmp_path: Path, pattern: str) -> None:
    for name, split, count, first in (("bedroom", "train", 3, 0), ("kitchen", "train", 2, 10), ("bedroom", "val", 1, 20)):
        write_pictures(tmp_path / pattern.format(name, split), count, first)
    found = dataset("lsun", tmp_path, category="kitchen,bedroom")
    listing = found.listing()
    assert listing.classes == ("kitchen", "bedroom")
    assert [(r.key, r.label) for r in listing.records] == [
        *((f"kitchen/{i:040x}.jpg", 0) for i in (10, 11)),
        *((f"bedroom/{i:040x}.jpg", 1) for i in range(3)),
    ]
    assert abs(int(np.asarray(found.decode(listing.records[0]))[0, 0, 0]) - 10 * 37 % 256) < 4
    assert found.read_jpeg(listing.records[0]) == encoded(10)
    assert len(dataset("lsun", tmp_path, split="val").listing().records) == 1
    assert dataset("lsun", tmp_path, classes="bedroom").listing().classes == ()
    with pytest.raises(UsageError, match="2 categories: bedroom, kitchen"):
        dataset("lsun", tmp_path).listing()
    with pytest.raises(OptionError, match="are the same for LSUN"):
        dataset("lsun", tmp_path, category="bedroom", classes="bedroom")


def test_exported_pictures_by_category_alone_or_in_folders_of_letters(tmp_path: Path) -> None:
    write_pictures(tmp_path / "all" / "church" / "a" / "b", 2)
    write_pictures(tmp_path / "all" / "tower", 3)
    listing = dataset("lsun", tmp_path / "all", category="church,tower").listing()
    assert [r.label for r in listing.records] == [0, 0, 1, 1, 1]
    assert len(dataset("lsun", tmp_path / "all" / "church").listing().records) == 2
    assert len(dataset("lsun", tmp_path / "all" / "tower").listing().records) == 3
    assert_conforms("datasets", "lsun", options={"data": str(tmp_path / "all"), "category": ["tower"]})


@pytest.mark.data
def test_real_bedrooms() -> None:
    for split, count in (("train", 485), ("val", 50)):
        found = dataset("lsun", real("lsun"), split=split)
        listing = found.listing()
        assert len(listing.records) == count
        assert min(found.decode(listing.records[0]).size) == 256


def test_a_category_that_cannot_be_read_is_named(nobody: Path) -> None:
    (nobody / "bedroom_train").mkdir()
    for i in range(2):
        (nobody / "bedroom_train" / f"{i}.jpg").write_bytes(encoded(i, form="JPEG"))
    database(nobody / "kitchen_train_lmdb", 2)
    closed = nobody / "kitchen_train_lmdb"
    closed.chmod(0)
    refused = f"{closed} cannot be read: Permission denied"
    try:
        listing = dataset("lsun", nobody).listing()
        assert len(listing.records) == 2
        assert listing.notes == (f"careful: {refused}; it was left out",)
        assert dataset("lsun", nobody, category="bedroom").listing().notes == ()
        with pytest.raises(DataError, match=refused):
            dataset("lsun", nobody, category="kitchen").listing()
        (nobody / "bedroom_train").chmod(0)
        with pytest.raises(DataError, match=refused):
            dataset("lsun", nobody).listing()
    finally:
        for folder in nobody.iterdir():
            folder.chmod(0o700)


def test_a_category_without_a_database_may_be_exported_pictures(rooms: Path) -> None:
    write_pictures(rooms / "kitchen", 2)
    write_pictures(rooms / "bedroom", 4)
    assert len(dataset("lsun", rooms, category="kitchen").listing().records) == 2
    assert len(dataset("lsun", rooms, category="bedroom").listing().records) == 5  # those of the database
    with pytest.raises(UsageError, match="3 categories: bedroom, dining_room, kitchen"):
        dataset("lsun", rooms).listing()


def readers() -> int:
    """Return how many processes that read databases are children of this one."""
    mine = 0
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            _, _, rest = file.read_bytes().rpartition(b")")
            command = file.with_name("cmdline").read_bytes()
            mine += int(rest.split()[1]) == os.getpid() and b"lmdb_process" in command
    return mine


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux")
def test_readers_end_when_nobody_holds_them(rooms: Path) -> None:
    gc.collect()
    before = readers()
    found = dataset("lsun", rooms, split="val")
    other = dataset("lsun", rooms, split="val")
    record = found.listing().records[0]
    other.decode(record)
    assert readers() == before + 1  # one for both
    del found
    other.decode(record)
    assert readers() == before + 1
    child = os.fork()
    if child == 0:  # has the pipes too, and ends nothing
        del other
        gc.collect()
        time.sleep(30)
        os._exit(0)
    other.decode(record)
    del other
    gc.collect()
    assert readers() == before
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
