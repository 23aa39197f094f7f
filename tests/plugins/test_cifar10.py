"""CIFAR-10 in all its forms, which hold the same pictures; and pickles that want more than arrays."""

from __future__ import annotations

import builtins
import codecs
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.datasets import bomb, dataset, decoded, encoded, real, tar_bytes, write_zip
from zoo_core import DataError, UsageError
from zoo_core.testing import assert_conforms
from zoo_plugins.datasets.archives import reading
from zoo_plugins.datasets.cifar10 import CLASSES

EACH = 4
BATCHES = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]


def batch(number: int) -> tuple[Any, list[int]]:
    """Pixels [4, 3072] and labels of a batch."""
    rng = np.random.default_rng(number)
    return rng.integers(0, 256, (EACH, 3072), np.uint8), [int(label) for label in rng.integers(0, 10, EACH)]


def as_binary(number: int) -> bytes:
    pixels, labels = batch(number)
    return b"".join(bytes([label]) + row.tobytes() for row, label in zip(pixels, labels, strict=True))


def as_pickle(number: int, **more: Any) -> bytes:
    pixels, labels = batch(number)
    held: dict[bytes, Any] = {b"batch_label": b"batch", b"labels": labels, b"data": pixels, b"filenames": [b"a.png"] * EACH}
    return pickle.dumps({**held, **{key.encode(): value for key, value in more.items()}}, protocol=3)


def write(root: Path, form: str) -> Path:
    """The dataset in one of its forms; returns what `data` should name."""
    names = [f"{name}.bin" if "binary" in form else name for name in BATCHES]
    values = [as_binary(i) if "binary" in form else as_pickle(i) for i in range(6)]
    folder = "cifar-10-batches-bin" if "binary" in form else "cifar-10-batches-py"
    if form.endswith("tar"):
        version = form.split()[0]
        members = [(f"{folder}/{name}", value) for name, value in zip(names, values, strict=True)]
        (root / f"cifar-10-{version}.tar.gz").write_bytes(tar_bytes(members, mode="w:gz"))
        return root
    at = root / folder if form.endswith("below") else root
    at.mkdir(exist_ok=True)
    for name, value in zip(names, values, strict=True):
        (at / name).write_bytes(value)
    return root


def folders(root: Path, split: str = "train", classes: tuple[str, ...] = CLASSES) -> Path:
    for i, name in enumerate(classes):
        (root / split / name).mkdir(parents=True)
        (root / split / name / "0001.png").write_bytes(encoded(i, form="PNG", size=(32, 32)))
    return root


FORMS = ["binary", "binary below", "binary tar", "python", "python below", "python tar"]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_holds_the_same_pictures(tmp_path: Path, form: str) -> None:
    data = write(tmp_path, form)
    for split, numbers in (("train", range(5)), ("test", [5])):
        found = dataset("cifar10", data, split=split)
        listing = found.listing()
        assert listing.classes == CLASSES
        assert [r.label for r in listing.records] == [label for i in numbers for label in batch(i)[1]]
        expected = np.concatenate([batch(i)[0] for i in numbers]).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        assert (np.stack(decoded(found)) == expected).all()
        assert listing.records[0].key == f"{split}/00000"
    assert listing.fingerprint() == dataset("cifar10", data, split="test").listing().fingerprint()


@pytest.mark.parametrize("form", ["binary", "python tar"])
def test_batches_conform(tmp_path: Path, form: str) -> None:
    assert_conforms("datasets", "cifar10", options={"data": str(write(tmp_path, form))})


def test_folders_and_zips_conform(tmp_path: Path) -> None:
    folders(tmp_path / "folders")
    assert_conforms("datasets", "cifar10", options={"data": str(tmp_path / "folders")})
    write_zip(tmp_path / "train.zip", ((f"{n}/1.png", encoded(i, form="PNG")) for i, n in enumerate(CLASSES)))
    assert_conforms("datasets", "cifar10", options={"data": str(tmp_path)})


def test_an_archive_or_a_split_may_be_named_itself(tmp_path: Path) -> None:
    write(tmp_path, "binary tar")
    assert len(dataset("cifar10", tmp_path / "cifar-10-binary.tar.gz").listing().records) == 20
    folders(tmp_path / "a")
    assert len(dataset("cifar10", tmp_path / "a" / "train").listing().records) == 10
    write_zip(tmp_path / "b.zip", [("cat/1.png", encoded()), ("dog/1.png", encoded())]).rename(tmp_path / "a" / "test.zip")
    assert len(dataset("cifar10", tmp_path / "a" / "test.zip", split="test").listing().records) == 2


def rewritten(number: int, protocol: int, *, numpy_1: bool = False, labels: Any = list) -> bytes:
    """A batch as somebody's Python 3 wrote it anew."""
    pixels, digits = batch(number)
    value = pickle.dumps({"data": pixels, "labels": labels(digits), "fine": (1, 2.5, None, "ü")}, protocol=protocol)
    return value.replace(b"numpy._core", b"numpy.core") if numpy_1 else value


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "labels", [list, np.array, lambda digits: [*np.array(digits, np.uint8)]], ids=["list", "array", "numbers"]
)
def test_batches_that_python_3_wrote_anew_hold_the_same_pictures(tmp_path: Path, protocol: int, labels: Any) -> None:
    for i, name in enumerate(BATCHES):
        (tmp_path / name).write_bytes(rewritten(i, protocol, numpy_1=protocol < 4 and i % 2 == 1, labels=labels))
    found = dataset("cifar10", tmp_path)
    assert [r.label for r in found.listing().records] == [label for i in range(5) for label in batch(i)[1]]
    expected = np.concatenate([batch(i)[0] for i in range(5)]).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    assert (np.stack(decoded(found)) == expected).all()


@pytest.mark.parametrize("protocol", range(6))
def test_pixels_by_columns_are_the_same_pixels(tmp_path: Path, protocol: int) -> None:
    data = write(tmp_path, "python")
    pixels, labels = batch(1)
    held = {"data": np.asfortranarray(pixels), "labels": labels}
    (data / "data_batch_2").write_bytes(pickle.dumps(held, protocol=protocol))
    found = dataset("cifar10", data)
    assert (decoded(found)[4] == pixels[0].reshape(3, 32, 32).transpose(1, 2, 0)).all()


class Malicious:
    def __init__(self, call: Any, *arguments: Any) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self) -> Any:
        return (self.call, self.arguments)


@pytest.mark.parametrize(
    "value",
    [
        Malicious(os.system, "touch harmed"),
        Malicious(builtins.eval, "open('harmed', 'w')"),
        Malicious(builtins.getattr, "x", "upper"),
        Malicious(np.load, "harmed.npy"),
        Malicious(os.mkdir, "harmed"),
        Malicious(codecs.open, "harmed", "w"),
        Malicious(codecs.decode, "unezrq", "rot13"),
        Malicious(np.dtypes.StrDType, "x"),
        Malicious(np.fromfile, "harmed"),
    ],
    ids=["os.system", "eval", "getattr", "numpy.load", "mkdir", "codecs.open", "codecs.decode", "dtypes", "fromfile"],
)
@pytest.mark.parametrize("protocol", [0, 2, 3, 5])
def test_a_malicious_pickle_is_refused_and_runs_nothing(
    tmp_path: Path, value: Malicious, protocol: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = write(tmp_path, "python")
    pixels, labels = batch(2)
    held = {"data": pixels, "labels": labels, "extra": value}
    (data / "data_batch_3").write_bytes(pickle.dumps(held, protocol=protocol))
    with pytest.raises(DataError, match="data_batch_3 is no CIFAR-10 batch: its pickle asks for") as caught:
        dataset("cifar10", data).listing()
    assert "which could run a program; it is not loaded" in caught.value.message
    assert not list(tmp_path.glob("harmed*"))


@pytest.mark.parametrize(
    "value",
    [
        np.array([Malicious(os.mkdir, "harmed")], object),
        np.zeros(EACH, [("a", "u1", 3072)]),
        np.zeros((EACH, 3072), np.float32),
        np.zeros((EACH, 5), np.uint8),
        np.zeros((EACH + 1, 3072), np.uint8),
        "text",
    ],
    ids=["objects", "structures", "floats", "shape", "count", "text"],
)
def test_arrays_of_anything_else_are_refused(tmp_path: Path, value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = write(tmp_path, "python")
    (data / "data_batch_1").write_bytes(as_pickle(0, data=value))
    with pytest.raises(DataError, match="data_batch_1 is no CIFAR-10 batch"):
        dataset("cifar10", data).listing()
    assert not (tmp_path / "harmed").exists()


@pytest.mark.parametrize("form", ["binary", "python", "binary tar"])
def test_a_batch_that_is_cut_short_is_refused(tmp_path: Path, form: str) -> None:
    data = write(tmp_path, form)
    file = next(iter(sorted(p for p in data.iterdir() if p.is_file())))
    held = file.read_bytes()
    file.write_bytes(held[: len(held) // 2 + 7])
    with pytest.raises(DataError, match="cut short"):
        dataset("cifar10", data).listing()


def test_a_missing_batch_is_named(tmp_path: Path) -> None:
    data = write(tmp_path, "binary")
    (data / "data_batch_4.bin").unlink()
    with pytest.raises(DataError, match=r"expected data_batch_4.bin beside the others; found data_batch_1.bin"):
        dataset("cifar10", data).listing()


def test_a_label_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    data = write(tmp_path, "binary")
    (data / "data_batch_1.bin").write_bytes(bytes([10]) + bytes(3072))
    with pytest.raises(DataError, match="label 10, expected 0 to 9"):
        dataset("cifar10", data).listing()


def test_class_folders_keep_the_official_labels_when_some_are_empty_or_missing(tmp_path: Path) -> None:
    folders(tmp_path, classes=("dog", "cat"))
    (tmp_path / "train" / "ship").mkdir()
    listing = dataset("cifar10", tmp_path).listing()
    assert listing.classes == CLASSES
    assert {r.key: CLASSES[r.label] for r in listing.records} == {"cat/0001.png": "cat", "dog/0001.png": "dog"}
    assert "ship" in listing.notes[0]
    assert "no pictures of airplane" in listing.notes[1]


def test_other_classes_are_refused(tmp_path: Path) -> None:
    folders(tmp_path, classes=("dog", "unicorn"))
    with pytest.raises(DataError, match="there are dog, unicorn"):
        dataset("cifar10", tmp_path).listing()


def zipped(tmp_path: Path, members: list[tuple[str, bytes]]) -> Any:
    ordinary = [("cat/1.png", encoded(1, form="PNG")), ("dog/1.png", encoded(2, form="PNG"))]
    write_zip(tmp_path / "train.zip", ordinary + members)
    return dataset("cifar10", tmp_path)


def test_names_in_a_zip_that_lead_out_are_left_out(tmp_path: Path) -> None:
    found = zipped(tmp_path, [("../../x.png", encoded()), ("/etc/y.png", encoded()), ("__MACOSX/cat/._1.png", b"")])
    listing = found.listing()
    assert [r.key for r in listing.records] == ["cat/1.png", "dog/1.png"]
    assert "2 members have names that lead out" in listing.notes[0]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_duplicate_names_in_a_zip_count_once(tmp_path: Path) -> None:
    found = zipped(tmp_path, [("cat/1.png", encoded(5, form="PNG"))])
    listing = found.listing()
    assert [r.key for r in listing.records] == ["cat/1.png", "dog/1.png"]
    assert np.asarray(found.decode(listing.records[0]))[0, 0, 0] == 5 * 37
    assert "name of a later one" in listing.notes[0]


def test_a_corrupt_member_of_a_zip_fails_alone(tmp_path: Path) -> None:
    value = encoded(3, form="BMP")
    found = zipped(tmp_path, [("cat/2.bmp", value)])
    records = found.listing().records
    file = tmp_path / "train.zip"
    held = file.read_bytes()
    at = held.index(value) + 200
    file.write_bytes(held[:at] + b"\x00\x01\x02\x03" + held[at + 4 :])
    with pytest.raises(zipfile.BadZipFile, match="CRC"):
        found.decode(next(r for r in records if r.key == "cat/2.bmp"))
    found.decode(records[0]).load()


def test_a_member_that_claims_to_be_enormous_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_BYTES", 1 << 20)
    with zipfile.ZipFile(tmp_path / "train.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("cat/1.bmp", bytes(2 << 20))
        archive.writestr("dog/1.png", encoded(form="PNG"))
    found = dataset("cifar10", tmp_path)
    with pytest.raises(ValueError, match="more than the limit"):
        found.decode(found.listing().records[0])


def test_a_picture_that_declares_billions_of_pixels_fails_alone(tmp_path: Path) -> None:
    found = zipped(tmp_path, [("cat/3.png", bomb())])
    with pytest.raises(Exception, match="more than the limit"):
        found.decode(found.listing().records[1])


@pytest.mark.parametrize("keep", [0, 50, 0.9])
def test_a_zip_that_is_cut_short_is_refused(tmp_path: Path, keep: float) -> None:
    zipped(tmp_path, [])
    held = (tmp_path / "train.zip").read_bytes()
    (tmp_path / "train.zip").write_bytes(held[: int(keep * len(held)) if isinstance(keep, float) else keep])
    with pytest.raises(DataError, match="no zip, or cut short"):
        dataset("cifar10", tmp_path).listing()


def test_a_wrong_folder_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing here")
    with pytest.raises(DataError, match=r"expected a folder with data_batch_1.bin .*; found notes.txt") as caught:
        dataset("cifar10", tmp_path).listing()
    assert "cs.toronto.edu" in caught.value.hint
    with pytest.raises(DataError, match="found a file of 12 bytes"):
        dataset("cifar10", tmp_path / "notes.txt").listing()


def test_without_data_it_says_where_to_get_it_and_how_large_it_is() -> None:
    with pytest.raises(UsageError, match="must be downloaded") as caught:
        dataset("cifar10", None).listing()
    assert "170 MB" in caught.value.hint
    with pytest.raises(UsageError, match="valid: train, test"):
        dataset("cifar10", "x", split="val")


def test_records_and_dataset_are_small_to_send(tmp_path: Path) -> None:
    found = dataset("cifar10", write(tmp_path, "binary"))
    records = found.listing().records
    assert len(pickle.dumps(records[0])) < 4000
    assert len(pickle.dumps(found)) < 1000


@pytest.mark.data
def test_real_zips() -> None:
    for split, count in (("train", 50_000), ("test", 10_000)):
        found = dataset("cifar10", real("cifar10"), split=split)
        listing = found.listing()
        assert (len(listing.records), listing.classes, listing.notes) == (count, CLASSES, ())
        assert found.decode(listing.records[0]).size == (32, 32)
