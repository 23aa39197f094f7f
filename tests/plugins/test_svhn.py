"""SVHN's .mat files."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from dataset_helpers import dataset, decoded

from zoo_core import DataError, UsageError
from zoo_core.testing import assert_conforms

io = pytest.importorskip("scipy.io")
PIXELS = np.random.default_rng(0).integers(0, 256, (32, 32, 3, 12), np.uint8)
DIGITS = np.array([1, 9, 2, 3, 2, 5, 9, 10, 3, 1, 10, 4], np.uint8)[:, None]


def write(path: Path, pixels: object = PIXELS, digits: object = DIGITS, compressed: bool = True) -> Path:
    io.savemat(path, {"X": pixels, "y": digits}, do_compression=compressed)
    return path


def test_it_conforms(tmp_path: Path) -> None:
    write(tmp_path / "train_32x32.mat")
    assert_conforms("datasets", "svhn", options={"data": str(tmp_path)})


@pytest.mark.parametrize("compressed", [True, False])
def test_pictures_and_digits(tmp_path: Path, compressed: bool) -> None:
    path = write(tmp_path / "extra_32x32.mat", compressed=compressed)
    found = dataset("svhn", tmp_path, split="extra")
    listing = found.listing()
    assert listing.classes == tuple("0123456789")
    assert [r.label for r in listing.records] == [1, 9, 2, 3, 2, 5, 9, 0, 3, 1, 0, 4]
    assert (np.stack(decoded(found)) == PIXELS.transpose(3, 0, 1, 2)).all()
    assert dataset("svhn", path, split="extra").listing().fingerprint() == listing.fingerprint()


def test_damage_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "train_32x32.mat")
    held = path.read_bytes()
    for value in (b"", held[:100], held[: len(held) // 2], b"\x00" * 2000):
        path.write_bytes(value)
        with pytest.raises(DataError, match=r"train_32x32.mat (is no SVHN file|holds X)"):
            dataset("svhn", tmp_path).listing()
    write(path, pixels=PIXELS[:, :, :, :5])
    with pytest.raises(DataError, match=r"X \[32, 32, 3, 5\] of uint8 and 12 labels"):
        dataset("svhn", tmp_path).listing()


def test_a_wrong_folder_is_refused_in_words(tmp_path: Path) -> None:
    write(tmp_path / "train_32x32.mat")
    with pytest.raises(DataError, match=r"expected test_32x32.mat; found train_32x32.mat") as caught:
        dataset("svhn", tmp_path, split="test").listing()
    assert "ufldl.stanford.edu" in caught.value.hint
    with pytest.raises(UsageError) as missing:
        dataset("svhn", None).listing()
    assert "182 MB" in missing.value.hint


def test_without_scipy_it_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "train_32x32.mat")
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(DataError, match="needs scipy") as caught:
        dataset("svhn", tmp_path).listing()
    assert "dcgan-zoo[svhn]" in caught.value.hint
