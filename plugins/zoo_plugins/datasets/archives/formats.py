"""Which archives there are, known by their first bytes or else by their names, and what unpacks those that are not read."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import shlex
import tarfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO

from zoo_core.errors import DataError

DAMAGE = (tarfile.TarError, EOFError, ValueError, OSError, zlib.error, lzma.LZMAError)
"""What the libraries raise for an archive that is damaged."""

MOST_INFLATED = 200, 1 << 30
"""An archive may hold this many times its own bytes, or this many where that is more: pictures compress far less."""

SUFFIXES = {
    **dict.fromkeys((".zip",), "zip"),
    **dict.fromkeys((".tar",), "tar"),
    **dict.fromkeys((".tar.gz", ".tgz"), "gzip"),
    **dict.fromkeys((".tar.bz2", ".tbz2", ".tbz"), "bzip2"),
    **dict.fromkeys((".tar.xz", ".txz"), "xz"),
    **dict.fromkeys((".7z", ".7z.001"), "7z"),
    **dict.fromkeys((".rar",), "rar"),
    **dict.fromkeys((".tar.zst", ".tzst"), "zstd"),
}
"""How an archive's name ends → what it is, unless its first bytes say something else."""

READ = tuple(suffix for suffix, kind in SUFFIXES.items() if kind in ("zip", "tar", "gzip", "bzip2", "xz"))
"""How archives end that are read in place."""

UNPACK = {
    "7z": "7z x {name} -o{folder}",
    "rar": "unrar x {name} {folder}/",
    "zip": "unzip {name} -d {folder}",
    **dict.fromkeys(("tar", "gzip", "bzip2", "xz"), "tar -xf {name} -C {folder}"),
    "zstd": "tar --zstd -xf {name} -C {folder}",
}
"""What an archive is → the command that unpacks it."""

_MAGIC = {
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "rar",
    b"\x28\xb5\x2f\xfd": "zstd",
}
COMPRESSED: dict[str, Any] = {"gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open}
"""How a tar is compressed as a whole → what opens it."""


def limit_inflation(size: int) -> int:
    """Return how many bytes an archive of `size` bytes may hold."""
    return max(MOST_INFLATED[0] * size, MOST_INFLATED[1])


def suffix_of(name: str) -> str:
    """Return with which of `SUFFIXES` a name ends, "" with none."""
    return next((suffix for suffix in sorted(SUFFIXES, key=len, reverse=True) if name.lower().endswith(suffix)), "")


def archive_kind(path: Path) -> str:
    """Return what archive a file is, by its first bytes or else by its name; "" for anything else."""
    try:
        with open(path, "rb") as file:
            start = file.read(512)
    except OSError:
        start = b""
    kind = next((kind for magic, kind in _MAGIC.items() if start.startswith(magic)), "")
    if not kind and start[257:262] == b"ustar":
        kind = "tar"
    named = SUFFIXES.get(suffix_of(path.name), "")
    if kind in COMPRESSED and named not in COMPRESSED:  # a file by itself may be compressed too
        return kind if _inflates_to_tar(path, kind) else ""
    return kind or named


def _inflates_to_tar(path: Path, kind: str) -> bool:
    try:
        with COMPRESSED[kind](path) as file:
            return bool(file.read(512)[257:262] == b"ustar")
    except DAMAGE:
        return False


def open_stream(path: Path) -> BinaryIO:
    """Open a tar, inflated where it is compressed; going back in such a one begins anew."""
    kind = archive_kind(path)
    file: BinaryIO = COMPRESSED.get(kind, open)(path, "rb")
    return file


def is_compressed(path: Path) -> bool:
    """Return whether a tar is compressed as a whole."""
    return archive_kind(path) in COMPRESSED


def refuse_archive(path: Path, kind: str, why: str = "") -> DataError:
    """Return the error for an archive that is not read, with the command that unpacks it."""
    if kind not in UNPACK:
        return DataError(f"{path} is no archive that can be read; valid: zip, tar, tar.gz, tar.bz2, tar.xz")
    place = os.path.abspath(path)  # for whoever types it elsewhere
    suffix = suffix_of(place)
    folder = shlex.quote(place[: -len(suffix)] if suffix else f"{place}-unpacked")
    command = UNPACK[kind].format(name=shlex.quote(place), folder=folder)
    why = why or f"{path} is a {kind} archive, which cannot be read where it lies (zip, tar and tar.gz can)"
    return DataError(why, hint=f"unpack it: mkdir {folder} && {command}; then give the folder: --data {folder}")
