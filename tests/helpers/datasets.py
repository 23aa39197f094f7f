"""What the tests of datasets share: tiny pictures, and the folder of real ones."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from zoo_core import registry
from zoo_plugins.datasets.cifar10 import CLASSES


def encoded(number: int = 0, *, form: str = "JPEG", size: tuple[int, int] = (40, 32)) -> bytes:
    """A picture as the bytes of its file; each number has another color."""
    buffer = io.BytesIO()
    Image.new("RGB", size, (number * 37 % 256, number * 91 % 256, 120)).save(buffer, form)
    return buffer.getvalue()


def colored_cifar10(folder: Path, *, train: int, test: int) -> Path:
    """CIFAR-10 as class folders, so many pictures of each class, which has its own color."""
    rng = np.random.default_rng(0)
    for split, count in (("train", train), ("test", test)):
        for number, name in enumerate(CLASSES):
            for i in range(count):
                path = folder / split / name / f"{i}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                pixels = rng.integers(0, 40, (16, 16, 3)) + np.array([20 * number, 200 - 20 * number, 10 * (number % 3)])
                Image.fromarray(pixels.astype(np.uint8)).save(path)
    return folder


def dataset(name: str, data: Path | str | None, **options: Any) -> Any:
    return registry.create("datasets", name, {"data": None if data is None else str(data), **options})


def decoded(found: Any) -> list[Any]:
    """Every record as an array."""
    return [np.asarray(found.decode(record)) for record in found.listing().records]


def named_pipe(path: Path) -> Path:
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no named pipes")
    os.mkfifo(path)
    return path


def write_zip(path: Path, members: Iterable[tuple[str, bytes]]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, value in members:
            archive.writestr(name, value)
    return path


def tar_bytes(members: Iterable[tuple[str, bytes | tarfile.TarInfo]], *, mode: str = "w") -> bytes:
    """An archive of files; a `TarInfo` in the place of the bytes is put in as it is (a link, a folder)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for name, value in members:
            if isinstance(value, tarfile.TarInfo):
                archive.addfile(value)
                continue
            info = tarfile.TarInfo(name)
            info.size = len(value)
            archive.addfile(info, io.BytesIO(value))
    return buffer.getvalue()


def bomb() -> bytes:
    """A PNG of a few hundred bytes that declares 50,000 × 50,000 pixels."""
    import struct
    import zlib

    def chunk(kind: bytes, value: bytes) -> bytes:
        return struct.pack(">I", len(value)) + kind + value + struct.pack(">I", zlib.crc32(kind + value))

    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def real(name: str) -> Path:
    """A folder of the real pictures, or a skip."""
    folder = os.environ.get("ZOO_TEST_DATA")
    if not folder:
        pytest.skip("real pictures: set ZOO_TEST_DATA to their folder")
    if not (Path(folder) / name).exists():
        pytest.skip(f"ZOO_TEST_DATA has no {name}")
    return Path(folder) / name
