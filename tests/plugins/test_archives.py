"""Zips and tars as what `folder` and `faces` read: the same pictures and labels as unpacked, and nothing that harms."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.datasets import dataset, decoded, encoded, tar_bytes, write_zip
from zoo_core import DataError, UsageError
from zoo_core.places import indexes
from zoo_core.testing import assert_conforms
from zoo_plugins.datasets.archives import formats, reading, tars

PICTURES = [
    (f"{name}/{i}.png", encoded(10 * k + i, form="PNG")) for k, name in enumerate(("cats", "dogs")) for i in range(3)
]
KINDS = {"zip": "", "tar": "w", "tar.gz": "w:gz", "tgz": "w:gz", "tar.bz2": "w:bz2", "tar.xz": "w:xz"}


def pack(path: Path, members: list[tuple[str, bytes]]) -> Path:
    """An archive of the kind that its name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = path.name.partition(".")[2]
    if kind == "zip":
        return write_zip(path, members)
    path.write_bytes(tar_bytes(members, mode=KINDS[kind]))
    return path


def unpacked(root: Path, members: list[tuple[str, bytes]]) -> Path:
    for name, value in members:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(value)
    return root


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["folder", "faces"])
def test_an_archive_holds_what_the_folder_holds(tmp_path: Path, kind: str, name: str) -> None:
    plain = dataset(name, unpacked(tmp_path / "plain", PICTURES))
    path = pack(tmp_path / "packed" / f"photos.{kind}", [(f"photos/{n}", v) for n, v in PICTURES])
    expected = plain.listing()
    for data in (path, path.parent):  # the file itself, and the folder that holds nothing else
        found = dataset(name, data)
        listing = found.listing()
        assert listing.classes == expected.classes == ("cats", "dogs")
        assert [(r.key, r.label) for r in listing.records] == [(f"photos/{r.key}", r.label) for r in expected.records]
        assert listing.notes == (() if data == path else (f"read in place from photos.{kind}",))
        for a, b in zip(decoded(found), decoded(plain), strict=True):
            assert (a == b).all()


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_archives_conform(tmp_path: Path, kind: str) -> None:
    assert_conforms("datasets", "folder", options={"data": str(pack(tmp_path / f"photos.{kind}", PICTURES))})


def test_flat_pictures_have_no_labels_and_litter_is_left_out(tmp_path: Path) -> None:
    members = [("photos/a.jpg", encoded(1)), ("photos/b.jpg", encoded(2)), ("__MACOSX/photos/._a.jpg", b"x")]
    members += [("photos/.DS_Store", b"x"), ("photos/notes.txt", b"x"), ("photos/.thumbs/c.jpg", encoded(3))]
    listing = dataset("folder", write_zip(tmp_path / "photos.zip", members)).listing()
    assert [r.key for r in listing.records] == ["photos/a.jpg", "photos/b.jpg"]
    assert listing.classes == ()
    assert listing.notes == ("1 member is no picture by its name and was left out: 'photos/notes.txt'",)


def test_small_jpegs_take_the_quick_way(tmp_path: Path) -> None:
    found = dataset("folder", write_zip(tmp_path / "photos.zip", [("a.jpg", encoded(1)), ("b.png", encoded(2, form="PNG"))]))
    one, two = found.listing().records
    assert found.read_jpeg(one) == encoded(1)
    assert found.read_jpeg(two) is None


def test_an_archive_for_each_class(tmp_path: Path) -> None:
    for k, name in enumerate(("cats", "dogs")):
        pack(tmp_path / f"{name}.tar", [(f"{i}.png", encoded(10 * k + i, form="PNG")) for i in range(3)])
    found = dataset("folder", tmp_path)
    listing = found.listing()
    assert [(r.key, r.label) for r in listing.records] == [(name, int(name[0] == "d")) for name, _ in PICTURES]
    assert listing.classes == ("cats", "dogs")
    assert np.asarray(found.decode(listing.records[5]))[0, 0, 0] == 12 * 37 % 256


def test_the_parts_of_one_download(tmp_path: Path) -> None:
    write_zip(tmp_path / "photos-001.zip", [(f"photos/{n}", v) for n, v in PICTURES[:4]])
    write_zip(tmp_path / "photos-002.zip", [(f"photos/{n}", v) for n, v in PICTURES[4:]])
    listing = dataset("folder", tmp_path).listing()
    assert listing.classes == ("cats", "dogs")
    assert [r.key for r in listing.records] == [f"photos/{n}" for n, _ in PICTURES]


def test_its_first_bytes_say_what_it_is(tmp_path: Path) -> None:
    pack(tmp_path / "a.tar.gz", PICTURES).rename(tmp_path / "photos.zip")
    assert len(dataset("folder", tmp_path / "photos.zip").listing().records) == 6
    write_zip(tmp_path / "no-suffix", PICTURES)
    assert len(dataset("folder", tmp_path / "no-suffix").listing().records) == 6


def test_pictures_win_over_archives_beside_them(tmp_path: Path) -> None:
    write_zip(tmp_path / "backup.zip", PICTURES)
    (tmp_path / "a.png").write_bytes(encoded(form="PNG"))
    assert [r.key for r in dataset("folder", tmp_path).listing().records] == ["a.png"]


def test_pictures_behind_a_link_win_too(tmp_path: Path) -> None:
    unpacked(tmp_path / "elsewhere", PICTURES)
    (tmp_path / "here").mkdir()
    write_zip(tmp_path / "here" / "backup.zip", PICTURES)
    try:
        (tmp_path / "here" / "link").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
        (tmp_path / "here" / "circle").symlink_to(tmp_path / "here", target_is_directory=True)
    except OSError:
        pytest.skip("this system lets nobody make links")
    assert [r.key for r in dataset("folder", tmp_path / "here").listing().records] == [
        f"link/{name}" for name, _ in PICTURES
    ]


def test_an_archive_has_only_train(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no split 'test'; valid: train"):
        dataset("folder", write_zip(tmp_path / "photos.zip", PICTURES), split="test").listing()


def test_it_crosses_to_a_worker_after_use(tmp_path: Path) -> None:
    found = dataset("folder", pack(tmp_path / "photos.tar.gz", PICTURES))
    record = found.listing().records[4]
    before = np.asarray(found.decode(record))
    twin, sent = pickle.loads(pickle.dumps((found, record)))
    assert (np.asarray(twin.decode(sent)) == before).all()


def test_names_that_lead_out_are_left_out(tmp_path: Path) -> None:
    bad = ["../../escaped.png", "/absolute.png", "C:/windows.png", "a\\b.png"]
    members = [("cats/a.png", encoded(form="PNG")), *((name, encoded(form="PNG")) for name in bad)]
    for kind in ("zip", "tar"):
        listing = dataset("folder", pack(tmp_path / f"photos.{kind}", members)).listing()
        assert [r.key for r in listing.records] == ["cats/a.png"]
        assert listing.notes[0].startswith("4 members have names that lead out of the archive and were left out: ")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["photos.tar", "photos.zip"]


def lying_zip(path: Path, real: int, declared: int) -> Path:
    """A zip whose directory says that its one picture has `declared` bytes, and which inflates to `real` zeros."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = bytes(1 << 20)
    body = b"".join(deflate.compress(block) for _ in range(real >> 20)) + deflate.flush()
    name = b"a.png"
    sizes = struct.pack("<IIIHH", 0, len(body), declared, len(name), 0)
    local = b"PK\x03\x04" + struct.pack("<HHHHH", 20, 0, 8, 0, 0x21) + sizes + name
    central = (
        b"PK\x01\x02" + struct.pack("<HHHHHH", 20, 20, 0, 8, 0, 0x21) + sizes + struct.pack("<HHHII", 0, 0, 0, 0, 0) + name
    )
    at = len(local) + len(body)
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), at, 0)
    path.write_bytes(local + body + central + end)
    return path


BOUNDED = """
import resource, sys
from zoo_core import registry
found = registry.create("datasets", "folder", {"data": sys.argv[1]})
record, = found.listing().records
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for read in (found.decode, found.read_jpeg if record.key.endswith("jpg") else found.decode):
    try:
        read(record)
    except Exception as error:
        print(type(error).__name__, error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_member_that_inflates_to_more_than_it_declares_is_not_inflated(tmp_path: Path) -> None:
    """A zip of half a megabyte that says 1,000 bytes and holds 512 million: refused, and never in memory."""
    path = lying_zip(tmp_path / "photos.zip", 512 << 20, 1000)
    assert path.stat().st_size < 1 << 20
    done = subprocess.run([sys.executable, "-c", BOUNDED, str(path)], capture_output=True, text=True, timeout=60, check=True)
    *said, grown = done.stdout.splitlines()
    assert said == ["BadZipFile Bad CRC-32 for file 'a.png'"] * 2
    assert int(grown) < 64 << 10  # kilobytes


def test_a_member_that_declares_too_much_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_BYTES", 1 << 20)
    for kind in ("zip", "tar", "tar.gz"):
        found = dataset("folder", pack(tmp_path / kind / f"photos.{kind}", [("a.png", bytes(2 << 20))]))
        with pytest.raises(ValueError, match="2,097,152 bytes: more than the limit of 1,048,576"):
            found.decode(found.listing().records[0])


def test_a_tar_that_inflates_to_too_much_is_refused_before_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "MOST_INFLATED", (10, 1 << 20))
    path = pack(
        tmp_path / "photos.tar.gz", [("a.png", encoded(form="PNG")), ("b.bin", bytes(8 << 20)), ("c.png", encoded())]
    )
    with pytest.raises(DataError, match="it would inflate to more than 1,048,576 bytes"):
        dataset("folder", path).listing()


def test_a_zip_whose_members_are_too_much_together_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "MOST_INFLATED", (10, 1 << 20))
    with zipfile.ZipFile(tmp_path / "photos.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for i in range(4):
            archive.writestr(f"{i}.png", bytes(500_000))
    with pytest.raises(DataError, match=r"it would inflate to 2,000,000 bytes, more than 1,048,576"):
        dataset("folder", tmp_path / "photos.zip").listing()


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
def test_a_header_of_any_length_is_not_read(tmp_path: Path, kind: bytes) -> None:
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = kind, 64 << 20
    path = tmp_path / "photos.tar"
    path.write_bytes(header.tobuf(tarfile.GNU_FORMAT) + bytes(64 << 20))
    with pytest.raises(DataError, match="a header declares"):
        dataset("folder", path).listing()


def test_what_is_encrypted_is_said_with_the_command_that_unpacks_it(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "photos.zip", PICTURES)
    held = bytearray(path.read_bytes())
    for magic, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = held.find(magic)
        while at >= 0:
            held[at + flags] |= 1
            at = held.find(magic, at + 4)
    path.write_bytes(held)
    with pytest.raises(
        DataError, match=r"no pictures in .*photos.zip; 6 members are encrypted and were left out: 'cats/0.png'"
    ) as caught:
        dataset("folder", path).listing()
    assert "unzip" in caught.value.hint


def test_archives_in_archives_are_said(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("a.png", encoded(form="PNG"))
    path = write_zip(tmp_path / "photos.zip", [("one.zip", inner.getvalue()), ("two.tar.gz", b"")])
    with pytest.raises(DataError, match=r"no pictures in .*; 2 members are archives themselves and were left out") as caught:
        dataset("folder", path).listing()
    assert f"unzip {path} -d {tmp_path / 'photos'}" in caught.value.hint
    (tmp_path / "photos.zip").write_bytes(
        tar_bytes([("cats.tar", tar_bytes(PICTURES[:2])), ("dogs.tar", tar_bytes(PICTURES[3:]))])
    )
    assert dataset("folder", path).listing().classes == ("cats", "dogs")  # which a tar of tars is known for


@pytest.mark.parametrize(
    ("name", "start", "types"),
    [
        (
            "photos.7z",
            b"7z\xbc\xaf\x27\x1c",
            "mkdir {0}/photos && 7z x {0}/photos.7z -o{0}/photos; then give the folder: --data {0}/photos",
        ),
        ("photos.rar", b"Rar!\x1a\x07\x01", "unrar x {0}/photos.rar {0}/photos/"),
        ("photos.tar.zst", b"\x28\xb5\x2f\xfd", "tar --zstd -xf {0}/photos.tar.zst -C {0}/photos"),
    ],
)
def test_other_archives_are_refused_with_the_command_that_unpacks_them(
    tmp_path: Path, name: str, start: bytes, types: str
) -> None:
    (tmp_path / name).write_bytes(start + bytes(600))
    for data in (tmp_path / name, tmp_path):
        with pytest.raises(DataError, match="archive, which cannot be read where it lies") as caught:
            dataset("folder", data).listing()
        assert types.format(tmp_path) in caught.value.hint


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.95])
def test_an_archive_that_is_cut_short_is_one_clear_error(tmp_path: Path, kind: str, keep: float) -> None:
    path = pack(tmp_path / f"photos.{kind}", [(f"{i}.png", np.random.default_rng(i).bytes(20_000)) for i in range(9)])
    held = path.read_bytes()
    path.write_bytes(held[: keep if isinstance(keep, int) else int(keep * len(held))])
    with pytest.raises(DataError, match=r"is no (zip|tar|archive)|cut short"):
        dataset("folder", path).listing()


def test_a_table_of_pictures_is_sent_to_the_dataset_that_reads_it(tmp_path: Path) -> None:
    (tmp_path / "train.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="a table with pictures in it") as caught:
        dataset("folder", tmp_path / "train.parquet").listing()
    assert "--dataset hub --data" in caught.value.hint


def test_lfw_packed_has_no_labels(tmp_path: Path) -> None:
    members: list[Any] = [(f"lfw/{n}/{n}_000{k}.jpg", encoded(k)) for n in ("Ann_Lee", "Bo_Li", "Cy_Fu") for k in (1, 2)]
    found = dataset("faces", pack(tmp_path / "lfw.tgz", members))
    listing = found.listing()
    assert len(listing.records) == 6
    assert listing.classes == ()
    assert listing.notes[-1] == "the names of 3 persons are not used as labels"
    assert found.credit.startswith("LFW")


def test_archives_of_one_stem_are_all_read(tmp_path: Path) -> None:
    pack(tmp_path / "photos.zip", [(f"{i}.png", encoded(i, form="PNG")) for i in range(2)])
    pack(tmp_path / "photos.tar.gz", [(f"{i}.png", encoded(9 + i, form="PNG")) for i in range(3)])
    pack(tmp_path / "more.tar", [("0.png", encoded(20, form="PNG"))])
    found = dataset("folder", tmp_path)
    listing = found.listing()
    assert listing.classes == ("more", "photos.tar.gz", "photos.zip")
    assert sorted(r.label for r in listing.records) == [0, 1, 1, 1, 2, 2]
    colors = {int(picture[0, 0, 0]) for picture in decoded(found)}
    assert colors == {i * 37 % 256 for i in (0, 1, 9, 10, 11, 20)}


@pytest.mark.parametrize(
    ("name", "shown"), [("a\tb", "a\\tb"), ("a\x1bb", "a\\x1bb"), ("a\u202eb", "a\\u202eb"), ("é", None)]
)
def test_any_name_in_a_tar_is_read_and_shown_safely(tmp_path: Path, name: str, shown: str | None) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT, encoding="utf-8" if shown else "latin-1") as tar:
        for k, top in enumerate(("x", name)):
            for file in (f"{top}/1.png", f"{top}/{name}.txt"):
                value = encoded(k, form="PNG")
                info = tarfile.TarInfo(file)
                info.size = len(value)
                tar.addfile(info, io.BytesIO(value))
    (tmp_path / "photos.tar").write_bytes(buffer.getvalue())
    found = dataset("folder", tmp_path / "photos.tar")
    listing = found.listing()
    shown = shown or "\\xe9"
    assert sorted(listing.classes) == sorted([shown, "x"])
    assert {r.key: listing.classes[r.label] for r in listing.records} == {f"{shown}/1.png": shown, "x/1.png": "x"}
    assert listing.notes[0].startswith("2 members are no pictures by their names and were left out: ")
    assert f"{shown}.txt" in listing.notes[0]
    assert "\\\\" not in listing.notes[0]
    assert len(decoded(found)) == 2


def test_backslashes_part_folders_where_no_member_has_a_slash(tmp_path: Path) -> None:
    found = dataset("folder", write_zip(tmp_path / "photos.zip", [(n.replace("/", "\\"), v) for n, v in PICTURES]))
    assert [r.key for r in found.listing().records] == [name for name, _ in PICTURES]
    assert found.listing().classes == ("cats", "dogs")
    assert len(decoded(found)) == len(PICTURES)
    bad = write_zip(tmp_path / "bad.zip", [("a\\1.png", encoded(1)), ("..\\2.png", encoded(2)), ("C:\\3.png", encoded(3))])
    assert [r.key for r in dataset("folder", bad).listing().records] == ["a/1.png"]


def test_a_hint_can_be_typed_anywhere(tmp_path: Path) -> None:
    (tmp_path / "my photos").mkdir()
    (tmp_path / "my photos" / "p.7z").write_bytes(b"7z\xbc\xaf\x27\x1c" + bytes(600))
    with pytest.raises(DataError) as caught:
        dataset("folder", tmp_path / "my photos").listing()
    place = f"'{tmp_path}/my photos/p"
    assert f"mkdir {place}' && 7z x {place}.7z' -o{place}'; then give the folder: --data {place}'" in caught.value.hint


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ([], "it is empty"),
        ([("a.txt", b"x")], "1 member is no picture by its name and was left out: 'a.txt'"),
        ([(".photos/a.png", b"x")], "1 member is hidden or in a folder of the system and was left out: '.photos/a.png'"),
        ([("@eaDir/a.png", b"x"), ("b/.c.png", b"x")], "2 members are hidden or in folders of the system"),
    ],
)
def test_an_archive_without_pictures_says_what_it_holds(tmp_path: Path, members: list[tuple[str, bytes]], says: str) -> None:
    path = write_zip(tmp_path / "photos.zip", members)
    with pytest.raises(DataError, match="no pictures in") as caught:
        dataset("folder", path).listing()
    assert says in caught.value.message
    assert "unpack" not in caught.value.hint


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345678\n"


@pytest.mark.parametrize(
    ("plugin", "name"),
    [
        ("folder", "photos.zip"),
        ("folder", "photos.tar.gz"),
        ("folder", "photos.7z"),
        ("imagenet", "ILSVRC2012_img_train.tar"),
        ("lsun", "bedroom_train_lmdb/data.mdb"),
        ("imagenet", "train_data_batch_1"),
        ("mnist", "train-images-idx3-ubyte"),
        ("mnist", "train-images-idx3-ubyte.gz"),
        ("cifar10", "data_batch_1"),
        ("cifar10", "cifar-10-python.tar.gz"),
        ("svhn", "train_32x32.mat"),
        ("hub", "train.parquet"),
        ("hub", "photos.zip"),
    ],
)
def test_pointers_of_git_lfs_are_named(tmp_path: Path, plugin: str, name: str) -> None:
    if plugin == "hub":
        pytest.importorskip("datasets")
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(POINTER)
    for other in (name.replace("_1", f"_{i}") for i in range(2, 11)):
        (tmp_path / other).write_bytes(POINTER)
    (tmp_path / name.replace("images-idx3", "labels-idx1")).write_bytes(POINTER)
    with pytest.raises(DataError, match="not the file but its pointer in Git LFS") as caught:
        dataset(plugin, tmp_path).listing()
    assert "git lfs pull" in caught.value.hint


@pytest.mark.parametrize(
    "spoil",
    [
        lambda found: [],
        lambda found: {**found, "pictures": []},
        lambda found: {**found, "pictures": {name: ["", 0] for name in found["pictures"]}},
        lambda found: {**found, "pictures": {name: ["", -1, 5] for name in found["pictures"]}},
        lambda found: {**found, "pictures": {name: [5, 0, 5] for name in found["pictures"]}},
        lambda found: {**found, "left": {"because": 1}},
        lambda found: {**found, "left": {"other": 1}},
        lambda found: {**found, "folders": [[]]},
        lambda found: {**found, "damage": [5]},
        lambda found: {**found, "path": "elsewhere"},
    ],
)
def test_a_kept_index_that_says_something_else_is_made_anew(
    spoil: Callable[[Any], Any], tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tars, "INDEXED", 1)
    file = pack(tmp_path / "x.tar", [*PICTURES, ("notes.txt", b"x")])
    first = tars.tar_members(file)
    (kept,) = indexes().iterdir()
    good = kept.read_bytes()
    kept.write_bytes(gzip.compress(json.dumps(spoil(json.loads(gzip.decompress(good)))).encode()))
    assert tars.tar_members(file) == first
    assert json.loads(gzip.decompress(kept.read_bytes())) == json.loads(gzip.decompress(good))
    kept.write_bytes(gzip.compress(b"[" * 100_000))
    assert tars.tar_members(file) == first
    assert tars.tar_members(file) == first  # as kept


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_an_archive_that_may_not_be_read(kind: str, nobody: Path) -> None:
    file = pack(nobody / f"photos.{kind}", PICTURES)
    file.chmod(0)
    try:
        with pytest.raises(DataError, match=r"photos\.\S+ cannot be read: Permission denied"):
            dataset("folder", file).listing()
    finally:
        file.chmod(0o600)
