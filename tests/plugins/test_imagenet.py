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


def test_a_tar_for_each_class(tmp_path: Path) -> None:
    folders(tmp_path / "plain" / "train")
    for i, wnid in enumerate(WNIDS):
        (tmp_path / "packed" / "train").mkdir(parents=True, exist_ok=True)
        tar = tar_bytes((f"{wnid}_{k}.JPEG", encoded(10 * i + k)) for k in range(2))
        (tmp_path / "packed" / "train" / f"{wnid}.tar").write_bytes(tar)
    plain = dataset("imagenet", tmp_path / "plain")
    for data in (tmp_path / "packed", tmp_path / "packed" / "train"):
        packed = dataset("imagenet", data)
        listing = packed.listing()
        assert listing.classes == WNIDS
        assert [(r.key, r.label) for r in listing.records] == [(r.key, r.label) for r in plain.listing().records]
        for a, b in zip(decoded(packed), decoded(plain), strict=True):
            assert (a == b).all()


def kaggle(root: Path) -> Path:
    """Kaggle's layout: val lies flat, and a table at the top says its labels."""
    base = root / "ILSVRC" / "Data" / "CLS-LOC"
    folders(base / "train")
    (base / "val").mkdir()
    rows = []
    for i in range(6):
        (base / "val" / f"ILSVRC2012_val_0000000{i}.JPEG").write_bytes(encoded(i))
        rows.append(f"ILSVRC2012_val_0000000{i},{WNIDS[i % 3]} 85 1 499 272 {WNIDS[i % 3]} 1 2 3 4 ")
    (root / "LOC_val_solution.csv").write_text("\r\n".join(["ImageId,PredictionString", *rows]), encoding="utf-8-sig")
    names = ("tench, Tinca tinca", "goldfish, Carassius auratus", "toilet tissue, toilet paper, bathroom tissue")
    (root / "LOC_synset_mapping.txt").write_text("".join(f"{w} {n}\n" for w, n in zip(WNIDS, names, strict=True)))
    return root


def test_kaggles_layout_has_labels_and_names(tmp_path: Path) -> None:
    for data in (kaggle(tmp_path), tmp_path / "ILSVRC" / "Data" / "CLS-LOC"):
        listing = dataset("imagenet", data, split="val").listing()
        assert listing.classes == WNIDS
        assert [r.label for r in listing.records] == [0, 1, 2, 0, 1, 2]
        assert listing.notes == ()
        assert listing.aliases["n01440764"] == ("tench", "Tinca tinca")
        assert dataset("imagenet", data).listing().aliases["n15075141"][1] == "toilet paper"


def test_what_kaggles_table_does_not_list_is_left_out_and_said(tmp_path: Path) -> None:
    val = kaggle(tmp_path) / "ILSVRC" / "Data" / "CLS-LOC" / "val"
    (val / "extra.JPEG").write_bytes(encoded())
    listing = dataset("imagenet", tmp_path, split="val").listing()
    assert len(listing.records) == 6
    assert listing.notes == ("1 of 7 pictures are not in LOC_val_solution.csv and were left out: extra",)
    for path in [*val.iterdir()]:
        path.rename(path.with_name(f"x{path.name}"))
    with pytest.raises(DataError, match=r"LOC_val_solution.csv lists none of the 7 pictures"):
        dataset("imagenet", tmp_path, split="val").listing()


def test_a_table_of_something_else_is_refused(tmp_path: Path) -> None:
    kaggle(tmp_path)
    (tmp_path / "LOC_val_solution.csv").write_text("id,answer\nILSVRC2012_val_00000000,cat\n")
    with pytest.raises(DataError, match="is no table of labels"):
        dataset("imagenet", tmp_path, split="val").listing()


def test_tiny_imagenet(tmp_path: Path) -> None:
    root = tmp_path / "tiny-imagenet-200"
    for i, wnid in enumerate(WNIDS):
        (root / "train" / wnid / "images").mkdir(parents=True)
        (root / "train" / wnid / f"{wnid}_boxes.txt").write_text("")
        for k in range(2):
            (root / "train" / wnid / "images" / f"{wnid}_{k}.JPEG").write_bytes(encoded(10 * i + k, size=(64, 64)))
    (root / "val" / "images").mkdir(parents=True)
    rows = []
    for i in range(4):
        (root / "val" / "images" / f"val_{i}.JPEG").write_bytes(encoded(i, size=(64, 64)))
        rows.append(f"val_{i}.JPEG\t{WNIDS[2 - i % 3]}\t0\t32\t44\t62\n")
    (root / "val" / "val_annotations.txt").write_text("".join(rows))
    (root / "wnids.txt").write_text("\n".join(WNIDS))
    (root / "words.txt").write_text("n00001740\tentity\nn01440764\ttench, Tinca tinca\nn01443537\tgoldfish\n")
    for data in (tmp_path, root):
        assert [r.label for r in dataset("imagenet", data).listing().records] == [0, 0, 1, 1, 2, 2]
        listing = dataset("imagenet", data, split="val").listing()
        assert [listing.classes[r.label] for r in listing.records] == [WNIDS[2 - i % 3] for i in range(4)]
        assert listing.aliases == {"n01440764": ("tench", "Tinca tinca"), "n01443537": ("goldfish",)}


@pytest.mark.parametrize("form", ["folder", "tar.gz"])
def test_numbers_in_the_names_of_flat_pictures(tmp_path: Path, form: str) -> None:
    """As the Hub's copy has them: val_images.tar.gz with ILSVRC2012_val_00000001_n01751748.JPEG."""
    members = [(f"ILSVRC2012_val_0000000{i}_{WNIDS[i % 3]}.JPEG", encoded(i)) for i in range(6)]
    members += [(f"{WNIDS[0]}_10026_{WNIDS[0]}.JPEG", encoded(9)), ("no number.JPEG", encoded(8))]
    if form == "folder":
        (tmp_path / "val").mkdir()
        for name, value in members:
            (tmp_path / "val" / name).write_bytes(value)
        data = tmp_path
    else:
        data = tmp_path / "val_images.tar.gz"
        data.write_bytes(tar_bytes(members, mode="w:gz"))
    listing = dataset("imagenet", data, split="val").listing()
    assert listing.classes == WNIDS
    assert sorted((r.key.rsplit("/", 1)[-1], r.label) for r in listing.records) == sorted(
        [*((name, i % 3) for i, (name, _) in enumerate(members[:6])), (members[6][0], 0)]
    )
    assert listing.notes[-1] == "1 of 8 pictures are without a wnid in the name and were left out: no number"


def test_the_hubs_own_archives(tmp_path: Path) -> None:
    """train_images_0.tar.gz, train_images_1.tar.gz and val_images.tar.gz, flat, with the number in each name."""
    for name, numbers in (("train_images_0", (0, 1)), ("train_images_1", (2, 3)), ("val_images", (4,))):
        members = [(f"{WNIDS[i % 3]}_{i}_{WNIDS[i % 3]}.JPEG", encoded(i)) for i in numbers]
        (tmp_path / f"{name}.tar.gz").write_bytes(tar_bytes(members, mode="w:gz"))
    found = dataset("imagenet", tmp_path)
    listing = found.listing()
    assert listing.classes == WNIDS
    assert [r.label for r in listing.records] == [0, 1, 2, 0]
    assert [abs(int(p[0, 0, 0]) - i * 37 % 256) < 4 for i, p in enumerate(decoded(found))] == [True] * 4
    assert dataset("imagenet", tmp_path, split="val").listing().classes == (WNIDS[1],)


def test_one_folder_around_the_splits(tmp_path: Path) -> None:
    folders(tmp_path / "imagenet-mini" / "train")
    assert dataset("imagenet", tmp_path).listing().classes == WNIDS


def test_an_archive_of_several_splits_is_refused(tmp_path: Path) -> None:
    members = [(f"tiny/{part}/{i}.JPEG", encoded(i)) for part in ("train", "val") for i in range(2)]
    (tmp_path / "tiny.tar").write_bytes(tar_bytes(members))
    with pytest.raises(DataError, match=r"tiny.tar holds several splits: train, val"):
        dataset("imagenet", tmp_path / "tiny.tar").listing()


@pytest.mark.data
def test_real_photographs() -> None:
    listing = dataset("imagenet", real("imagenet")).listing()
    assert len(listing.records) == len(listing.classes) == 400


def test_a_class_that_cannot_be_read_is_skipped(nobody: Path) -> None:
    folders(nobody / "train")
    (nobody / "train" / WNIDS[1]).chmod(0)
    try:
        for data in (nobody, nobody / "train"):
            listing = dataset("imagenet", data).listing()
            assert listing.classes == (WNIDS[0], WNIDS[2])
            assert [r.key for r in listing.records if r.label < 0] == [f"{WNIDS[1]}/"]
            assert len(listing.records) == 5
    finally:
        (nobody / "train" / WNIDS[1]).chmod(0o700)
