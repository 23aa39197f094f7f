"""MNIST's idx files."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from helpers.datasets import dataset, decoded, named_pipe
from zoo_core import DataError, OptionError, UsageError
from zoo_core.testing import assert_conforms
from zoo_plugins.datasets.mnist import _read_idx

PIXELS = np.random.default_rng(0).integers(0, 256, (7, 28, 28), np.uint8)
DIGITS = np.arange(7, dtype=np.uint8)


def idx(values: np.ndarray) -> bytes:
    shape = b"".join(n.to_bytes(4, "big") for n in values.shape)
    return bytes((0, 0, 8, values.ndim)) + shape + values.tobytes()


def write(root: Path, *, part: str = "train", packed: bool = True, spelling: str = "-idx") -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for kind, values in (("images", PIXELS), ("labels", DIGITS)):
        name, value = f"{part}-{kind}{spelling}{values.ndim}-ubyte", idx(values)
        (root / (f"{name}.gz" if packed else name)).write_bytes(gzip.compress(value) if packed else value)
    return root


def test_it_conforms(tmp_path: Path) -> None:
    assert_conforms("datasets", "mnist", options={"data": str(write(tmp_path))})


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("below", ["", "MNIST/raw"])
def test_digits_are_padded_to_32(tmp_path: Path, packed: bool, below: str) -> None:
    write(tmp_path / below, packed=packed)
    write(tmp_path / below, part="t10k", packed=packed, spelling=".idx")
    found = dataset("mnist", tmp_path)
    listing = found.listing()
    assert listing.classes == tuple("0123456789")
    assert [r.label for r in listing.records] == list(range(7))
    pictures = np.stack(decoded(found))
    assert pictures.shape == (7, 32, 32)
    assert (pictures[:, 2:30, 2:30] == PIXELS).all()
    assert pictures.sum() == PIXELS.sum()
    assert found.default_channels == 1
    assert dataset("mnist", tmp_path, split="test").listing().records[0].key == "test/00000"


def test_the_border_is_an_option(tmp_path: Path) -> None:
    assert (np.stack(decoded(dataset("mnist", write(tmp_path), pad=0))) == PIXELS).all()
    with pytest.raises(OptionError, match="it must be at least 0 and at most 64"):
        dataset("mnist", tmp_path, pad=-1)


def test_damage_is_refused(tmp_path: Path) -> None:
    images = write(tmp_path) / "train-images-idx3-ubyte.gz"
    held = images.read_bytes()
    huge = bytes((0, 0, 8, 3)) + b"\x7f\xff\xff\xff" * 3
    for value, says in (
        (held[:-200], "cut short"),
        (gzip.compress(idx(PIXELS)[:-1]), "cut short: 5,487 of 5,488"),
        (gzip.compress(idx(DIGITS)), "no idx file"),
        (b"plain", "cannot be read"),
        (gzip.compress(huge), "claims to hold"),
        (gzip.compress(idx(PIXELS[:3])), "3 pictures and 7 labels"),
    ):
        images.write_bytes(value)
        with pytest.raises(DataError, match=says):
            dataset("mnist", tmp_path).listing()


def test_a_wrong_folder_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected t10k-images-idx3-ubyte or .*; found train-") as caught:
        dataset("mnist", write(tmp_path), split="test").listing()
    assert "mnist" in caught.value.hint
    with pytest.raises(UsageError) as missing:
        dataset("mnist", None).listing()
    assert "12 MB" in missing.value.hint


LETTERS = np.arange(1, 8, dtype=np.uint8)


def write_emnist(root: Path, part: str, labels: np.ndarray, split: str = "train") -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for kind, values in (("images", PIXELS.transpose(0, 2, 1)), ("labels", labels)):
        (root / f"emnist-{part}-{split}-{kind}-idx{values.ndim}-ubyte.gz").write_bytes(gzip.compress(idx(values)))
    return root


@pytest.mark.parametrize("below", ["", "gzip", "EMNIST/raw"])
def test_emnist_is_turned_and_has_its_letters(tmp_path: Path, below: str) -> None:
    """EMNIST stores pictures turned and counts its letters from 1."""
    write_emnist(tmp_path / below, "letters", LETTERS)
    found = dataset("mnist", tmp_path, pad=0)
    listing = found.listing()
    assert listing.classes == tuple("abcdefghijklmnopqrstuvwxyz")
    assert [listing.classes[r.label] for r in listing.records] == list("abcdefg")
    assert (np.stack(decoded(found)) == PIXELS).all()
    assert found.credit.startswith("EMNIST")


def test_parts_of_emnist(tmp_path: Path) -> None:
    for part, labels in (("digits", DIGITS), ("balanced", DIGITS + 30), ("byclass", DIGITS + 40)):
        write_emnist(tmp_path, part, labels)
    with pytest.raises(UsageError, match="3 parts of EMNIST: balanced, byclass, digits") as caught:
        dataset("mnist", tmp_path).listing()
    assert "--set dataset.part=balanced" in caught.value.hint
    for part, names in (("digits", "0123456"), ("balanced", "UVWXYZa"), ("byclass", "efghijk")):
        listing = dataset("mnist", tmp_path, part=part).listing()
        assert "".join(listing.classes[r.label] for r in listing.records) == names
    with pytest.raises(UsageError, match=r"'ballanced'; did you mean balanced\?"):
        dataset("mnist", tmp_path, part="ballanced").listing()
    with pytest.raises(DataError, match="expected t10k-images-idx3-ubyte"):
        dataset("mnist", tmp_path, split="test").listing()


@pytest.mark.parametrize("below", ["", "FashionMNIST/raw"])
def test_fashion_has_names(tmp_path: Path, below: str) -> None:
    write(tmp_path / below)
    listing = dataset("fashion-mnist", tmp_path).listing()
    assert listing.classes[:2] == ("T-shirt/top", "Trouser")
    assert [r.label for r in listing.records] == list(range(7))
    write(tmp_path / "my-fashion")
    assert "--dataset fashion-mnist" in dataset("mnist", tmp_path / "my-fashion").listing().notes[0]


def test_of_several_in_torchvisions_folder_each_finds_its_own(tmp_path: Path) -> None:
    write(tmp_path / "MNIST" / "raw")
    write(tmp_path / "FashionMNIST" / "raw")
    (tmp_path / "FashionMNIST" / "raw" / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(DIGITS[::-1])))
    assert [r.label for r in dataset("mnist", tmp_path).listing().records] == list(range(7))
    assert [r.label for r in dataset("fashion-mnist", tmp_path).listing().records] == list(range(7))[::-1]


def test_labels_that_are_no_digits_are_told(tmp_path: Path) -> None:
    write(tmp_path, packed=False)
    labels = np.array([0, 1, 2, 3, 4, 5, 46], np.uint8)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(labels))
    listing = dataset("mnist", tmp_path).listing()
    assert len(listing.classes) == 47
    assert listing.notes == ("careful: labels go up to 46, those of MNIST to 9: other data, or a damaged file",)


def test_a_pipe_instead_of_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a named pipe, not a file"):
        _read_idx(named_pipe(tmp_path / "train-images-idx3-ubyte"), 3)
