"""ImageNet: class folders, and the tar of tars read where it lies."""

from __future__ import annotations

import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest

from helpers.datasets import dataset, decoded, encoded, real, tar_bytes
from zoo_core import DataError, UsageError
from zoo_core.testing import assert_conforms

WNIDS = ("n01440764", "n01443537", "n15075141")


def folders(root: Path, each: int = 2) -> Path:
    for i, wnid in enumerate(WNIDS):
        (root / wnid).mkdir(parents=True)
        for k in range(each):
            (root / wnid / f"{wnid}_{k}.JPEG").write_bytes(encoded(10 * i + k))
    return root


def train_tar(path: Path, each: int = 2, **damage: bytes) -> Path:
    """The official layout; `damage` replaces the inner tar of a wnid."""
    inner = []
    for i, wnid in enumerate(WNIDS):
        value = tar_bytes((f"{wnid}_{k}.JPEG", encoded(10 * i + k)) for k in range(each))
        inner.append((f"{wnid}.tar", damage.get(wnid, value)))
    path.write_bytes(tar_bytes(inner))
    return path


def test_folders_conform(tmp_path: Path) -> None:
    folders(tmp_path / "train")
    assert_conforms("datasets", "imagenet", options={"data": str(tmp_path)})


def test_the_tar_conforms(tmp_path: Path) -> None:
    train_tar(tmp_path / "ILSVRC2012_img_train.tar")
    assert_conforms("datasets", "imagenet", options={"data": str(tmp_path)})


def test_the_tar_holds_what_the_folders_hold(tmp_path: Path) -> None:
    folders(tmp_path / "a" / "train")
    train_tar(tmp_path / "ILSVRC2012_img_train.tar")
    plain, packed = dataset("imagenet", tmp_path / "a"), dataset("imagenet", tmp_path)
    one, two = plain.listing(), packed.listing()
    assert one.classes == two.classes == WNIDS
    assert [(r.key, r.label) for r in one.records] == [(r.key, r.label) for r in two.records]
    assert two.notes == ()
    for a, b in zip(decoded(plain), decoded(packed), strict=True):
        assert (a == b).all()


@pytest.mark.parametrize("below", ["", "train", "ILSVRC/Data/CLS-LOC/train"])
def test_the_split_or_what_is_above_it_may_be_named(tmp_path: Path, below: str) -> None:
    folders(tmp_path / below if below else tmp_path / "photographs")
    data = tmp_path if below else tmp_path / "photographs"
    assert dataset("imagenet", data).listing().classes == WNIDS
    if below == "train":
        assert dataset("imagenet", tmp_path / "train").listing().classes == WNIDS


def test_val_lies_flat_and_has_no_labels_unless_sorted(tmp_path: Path) -> None:
    (tmp_path / "val").mkdir()
    for i in range(3):
        (tmp_path / "val" / f"ILSVRC2012_val_0000000{i}.JPEG").write_bytes(encoded(i))
    listing = dataset("imagenet", tmp_path, split="val").listing()
    assert listing.classes == ()
    assert len(listing.records) == 3
    assert "no labels" in listing.notes[-1]
    flat = [(f"ILSVRC2012_val_0000000{i}.JPEG", encoded(i)) for i in range(3)]
    tar = tmp_path / "elsewhere.tar"
    tar.write_bytes(tar_bytes(flat))
    assert [r.key for r in dataset("imagenet", tar, split="val").listing().records] == [name for name, _ in flat]
    folders(tmp_path / "sorted" / "val", 1)
    assert dataset("imagenet", tmp_path / "sorted", split="val").listing().classes == WNIDS


def test_an_empty_class_folder_is_no_class_and_is_named(tmp_path: Path) -> None:
    folders(tmp_path / "train")
    (tmp_path / "train" / "n99999999").mkdir()
    listing = dataset("imagenet", tmp_path).listing()
    assert listing.classes == WNIDS
    assert "n99999999" in listing.notes[0]
    train_tar(tmp_path / "ILSVRC2012_img_train.tar", n01443537=tar_bytes([]))
    listing = dataset("imagenet", tmp_path / "ILSVRC2012_img_train.tar").listing()
    assert listing.classes == (WNIDS[0], WNIDS[2])
    assert WNIDS[1] in listing.notes[0]


def test_names_of_any_kind_and_length(tmp_path: Path) -> None:
    wnid = WNIDS[0]
    names = [f"{'lang' * 60}.JPEG", "Küche 写真 'quoted' 100%.JPEG"]
    inner = tar_bytes((name, encoded(i)) for i, name in enumerate(names))
    train_tar(tmp_path / "t.tar", n01440764=inner)
    found = dataset("imagenet", tmp_path / "t.tar")
    assert {r.key for r in found.listing().records} >= {f"{wnid}/{name}" for name in names}
    assert len(decoded(found)) == 6


def test_names_that_lead_out_links_and_devices_are_left_out(tmp_path: Path) -> None:
    link = tarfile.TarInfo("n01440764_9.JPEG")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    device = tarfile.TarInfo("n01440764_8.JPEG")
    device.type = tarfile.CHRTYPE
    bad = ["../../escaped.JPEG", "/absolute.JPEG", "C:/windows.JPEG", "a\\b.JPEG"]
    inner = tar_bytes(
        [("n01440764_0.JPEG", encoded()), *((name, encoded()) for name in bad), ("", link), ("", device), ("x.txt", b"text")]
    )
    train_tar(tmp_path / "t.tar", n01440764=inner)
    listing = dataset("imagenet", tmp_path / "t.tar").listing()
    assert [r.key for r in listing.records if r.label == 0] == ["n01440764/n01440764_0.JPEG"]
    notes = "\n".join(listing.notes)
    assert "4 members have names that lead out of the archive and were left out" in notes
    assert "2 members are links, devices or the like" in notes
    assert "1 member is no picture" in notes


def test_of_equal_names_the_last_counts_as_after_unpacking(tmp_path: Path) -> None:
    twice = tar_bytes([("n01440764_0.JPEG", encoded(1)), ("n01440764_0.JPEG", encoded(5))])
    train_tar(tmp_path / "t.tar", n01440764=twice)
    found = dataset("imagenet", tmp_path / "t.tar")
    listing = found.listing()
    assert len({r.key for r in listing.records}) == len(listing.records) == 5
    assert "name of a later one" in listing.notes[0]
    assert np.asarray(found.decode(listing.records[0]))[0, 0, 0] == pytest.approx(5 * 37, abs=3)


def test_a_corrupt_member_fails_alone(tmp_path: Path) -> None:
    inner = tar_bytes([("a.JPEG", b"\xff\xd8 no jpeg"), ("b.JPEG", encoded(1))])
    train_tar(tmp_path / "t.tar", n01440764=inner)
    found = dataset("imagenet", tmp_path / "t.tar")
    records = found.listing().records
    with pytest.raises(OSError, match="cannot identify"):
        found.decode(records[0])
    found.decode(records[1]).load()


def test_a_damaged_inner_tar_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    inner = bytearray(tar_bytes((f"{k}.JPEG", encoded(k)) for k in range(4)))
    second = 512 + -(-len(encoded(0)) // 512) * 512
    inner[second : second + 512] = b"\xa5" * 512  # the header of the second picture
    train_tar(tmp_path / "t.tar", n01443537=bytes(inner))
    listing = dataset("imagenet", tmp_path / "t.tar").listing()
    assert len(listing.records) == 5
    assert "n01443537.tar inside the archive is damaged at byte" in listing.notes[0]


@pytest.mark.parametrize("keep", [0, 300, 5000])
def test_a_tar_that_is_cut_short_is_refused(tmp_path: Path, keep: int) -> None:
    tar = train_tar(tmp_path / "ILSVRC2012_img_train.tar")
    tar.write_bytes(tar.read_bytes()[:keep])
    with pytest.raises(DataError, match="no tar, or") as caught:
        dataset("imagenet", tmp_path).listing()
    assert str(tar) in caught.value.message


def test_what_is_no_tar_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(b"text " * 1000)
    with pytest.raises(DataError, match="no tar"):
        dataset("imagenet", tmp_path / "a.tar").listing()
    (tmp_path / "ILSVRC2012_img_val.tar").write_bytes(tar_bytes([("a.JPEG", encoded())]))
    with pytest.raises(DataError, match=r"expected ILSVRC2012_img_train\.tar"):
        dataset("imagenet", tmp_path / "ILSVRC2012_img_val.tar").listing()


def test_a_large_tar_is_gone_through_once(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from zoo_plugins.datasets.archives import tars

    monkeypatch.setattr(tars, "INDEXED", 4)
    read = []
    monkeypatch.setattr(tars, "_walk_tar", lambda *a, walk=tars._walk_tar, **k: read.append(a[3]) or walk(*a, **k))
    link = tarfile.TarInfo("n01440764_9.JPEG")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    inner = tar_bytes([*((f"n01440764_{k}.JPEG", encoded(k)) for k in range(2)), ("", link)])
    damaged = tar_bytes((f"{k}.JPEG", encoded(k)) for k in range(4))[:-9000]
    path = train_tar(tmp_path / "ILSVRC2012_img_train.tar", n01440764=inner, n15075141=damaged)
    first = dataset("imagenet", tmp_path).listing()
    assert read
    read.clear()
    second = dataset("imagenet", tmp_path).listing()
    assert (list(second.records), second.classes, second.notes) == (list(first.records), first.classes, first.notes)
    assert second.notes
    assert read == []
    (kept,) = (cache / "indexes").iterdir()
    for damage in (b"no", kept.read_bytes()[:-20], kept.read_bytes()[:40]):
        kept.write_bytes(damage)
        assert dataset("imagenet", tmp_path).listing().fingerprint() == first.fingerprint()
        assert read
        read.clear()
    train_tar(path, each=3)
    assert len(dataset("imagenet", tmp_path).listing().records) == 9
    (cache / "indexes" / "x").touch()
    monkeypatch.setenv("ZOO_CACHE", str(cache / "indexes" / "x"))  # no folder: it does without
    assert len(dataset("imagenet", tmp_path).listing().records) == 9


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_wrong_folder_is_refused_in_words(tmp_path: Path, split: str) -> None:
    (tmp_path / "holiday").mkdir()
    (tmp_path / "holiday" / "beach.jpg").write_bytes(encoded())
    with pytest.raises(DataError, match=rf"expected {split}/<wnid>/\*.JPEG or .*; found beach.jpg") as caught:
        dataset("imagenet", tmp_path / "holiday", split=split).listing()
    assert "image-net.org" in caught.value.hint


def test_without_data_it_says_where_to_get_it_and_how_large_it_is() -> None:
    with pytest.raises(UsageError) as caught:
        dataset("imagenet", None).listing()
    assert "image-net.org" in caught.value.hint
    assert "138 GB" in caught.value.hint


def test_it_crosses_to_a_worker_after_use(tmp_path: Path) -> None:
    train_tar(tmp_path / "t.tar")
    found = dataset("imagenet", tmp_path / "t.tar")
    record = found.listing().records[3]
    before = np.asarray(found.decode(record))
    twin, sent = pickle.loads(pickle.dumps((found, record)))
    assert (np.asarray(twin.decode(sent)) == before).all()


@pytest.mark.data
def test_real_photographs() -> None:
    listing = dataset("imagenet", real("imagenet")).listing()
    assert len(listing.records) == len(listing.classes) == 400
