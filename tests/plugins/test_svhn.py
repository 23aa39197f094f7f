"""SVHN's .mat files."""

from __future__ import annotations

import struct
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from helpers.datasets import dataset, decoded
from zoo_core import DataError, UsageError
from zoo_core.testing import assert_conforms

PIXELS = np.random.default_rng(0).integers(0, 256, (32, 32, 3, 12), np.uint8)
DIGITS = np.array([1, 9, 2, 3, 2, 5, 9, 10, 3, 1, 10, 4], np.uint8)[:, None]
TYPES = {"uint8": (2, 9), "float64": (9, 6), "int16": (3, 10)}  # what an element is of, and of what class the array


def element(kind: int, value: bytes, order: str) -> bytes:
    if len(value) <= 4 and kind != 14:
        tag = struct.pack(f"{order}I", len(value) << 16 | kind)
        return tag + value.ljust(4, b"\0")
    return struct.pack(f"{order}II", kind, len(value)) + value + bytes(-len(value) % 8)


def array(name: str, value: NDArray[np.generic], order: str, compressed: bool, flags: int = 0) -> bytes:
    kind, of = TYPES[str(value.dtype)]
    parts = [
        element(6, struct.pack(f"{order}II", of | flags, 0), order),
        element(5, np.array(value.shape, f"{order}i4").tobytes(), order),
        element(1, name.encode(), order),
        element(kind, value.astype(value.dtype.newbyteorder(order)).tobytes("F"), order),
    ]
    whole = element(14, b"".join(parts), order)
    if not compressed:
        return whole
    packed = zlib.compress(whole)
    return struct.pack(f"{order}II", 15, len(packed)) + packed


def write(
    path: Path,
    pixels: NDArray[np.generic] = PIXELS,
    digits: NDArray[np.generic] = DIGITS,
    *,
    compressed: bool = True,
    order: str = "<",
    flags: int = 0,
) -> Path:
    header = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack(f"{order}H", 0x0100) + (b"IM" if order == "<" else b"MI")
    other = array("other", np.arange(30, dtype=np.int16)[None], order, compressed)
    arrays = [array("X", pixels, order, compressed, flags), other, array("y", digits, order, compressed)]
    path.write_bytes(header + b"".join(arrays))
    return path


def test_it_conforms(tmp_path: Path) -> None:
    write(tmp_path / "train_32x32.mat")
    assert_conforms("datasets", "svhn", options={"data": str(tmp_path)})


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compressed", [True, False])
def test_pictures_and_digits(tmp_path: Path, compressed: bool, order: str) -> None:
    path = write(tmp_path / "extra_32x32.mat", digits=DIGITS.astype(float), compressed=compressed, order=order)
    found = dataset("svhn", tmp_path, split="extra")
    listing = found.listing()
    assert listing.classes == tuple("0123456789")
    assert [r.label for r in listing.records] == [1, 9, 2, 3, 2, 5, 9, 0, 3, 1, 0, 4]
    assert (np.stack(decoded(found)) == PIXELS.transpose(3, 0, 1, 2)).all()
    assert dataset("svhn", path, split="extra").listing().fingerprint() == listing.fingerprint()


def test_it_reads_what_another_library_writes(tmp_path: Path) -> None:
    io = pytest.importorskip("scipy.io")
    for compressed in (True, False):
        io.savemat(tmp_path / "train_32x32.mat", {"X": PIXELS, "y": DIGITS}, do_compression=compressed)
        found = dataset("svhn", tmp_path)
        assert (np.stack(decoded(found)) == PIXELS.transpose(3, 0, 1, 2)).all()
        assert [r.label for r in found.listing().records][:3] == [1, 9, 2]


def test_damage_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "train_32x32.mat")
    for compressed in (True, False):
        held = write(path, compressed=compressed).read_bytes()
        places = (0, 100, 131, 140, 180, len(held) // 2, len(held) - 90, len(held) - 8)
        for value in (b"\0" * 2000, *(held[:place] for place in places)):
            path.write_bytes(value)
            with pytest.raises(DataError, match=r"train_32x32.mat is no SVHN file"):
                dataset("svhn", tmp_path).listing()
    for place in range(128, 400, 7):
        path.write_bytes(held[:place] + bytes([held[place] ^ 0xFF]) + held[place + 1 :])
        with suppress(DataError):  # anything else would be a bug
            dataset("svhn", tmp_path).listing()


@pytest.mark.parametrize(
    ("pixels", "flags", "words"),
    [
        (PIXELS[:, :, :, :5], 0, r"holds X \[32, 32, 3, 5\] of uint8 and 12 labels"),
        (PIXELS.astype(float), 0, "of float64 and 12 labels"),
        (PIXELS[0], 0, r"holds X \[32, 3, 12\]"),
        (PIXELS, 0x0800, "X is no dense array of real numbers"),
    ],
)
def test_other_arrays_are_refused(pixels: NDArray[np.generic], flags: int, words: str, tmp_path: Path) -> None:
    write(tmp_path / "train_32x32.mat", pixels, flags=flags)
    with pytest.raises(DataError, match=words):
        dataset("svhn", tmp_path).listing()


def test_more_than_is_plausible_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "train_32x32.mat")
    monkeypatch.setattr("zoo_plugins.datasets.svhn._MOST_BYTES", 1000)
    with pytest.raises(DataError, match=r"an element has [0-9,]+ bytes, expected at most 1,000"):
        dataset("svhn", tmp_path).listing()


def test_a_wrong_folder_is_refused_in_words(tmp_path: Path) -> None:
    write(tmp_path / "train_32x32.mat")
    with pytest.raises(DataError, match=r"expected test_32x32.mat; found train_32x32.mat") as caught:
        dataset("svhn", tmp_path, split="test").listing()
    assert "ufldl.stanford.edu" in caught.value.hint
    with pytest.raises(UsageError) as missing:
        dataset("svhn", None).listing()
    assert "182 MB" in missing.value.hint
