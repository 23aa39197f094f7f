"""Reading what lies in a zip or a tar."""

from __future__ import annotations

import os
import zipfile
import zlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from zoo_core.errors import DataError

from ..sources import AGAIN, file_stamp, refuse_pointer
from .formats import COMPRESSED, archive_kind, limit_inflation, open_stream, refuse_archive
from .members import Members
from .tars import tar_members

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_BYTES = 256 << 20  # no picture's file is larger; what claims to be is not read
_UNPACKABLE = ("encrypted", "method", "archive")  # why members are left out that unpacking would give
_METHODS = {
    zipfile.ZIP_STORED,
    zipfile.ZIP_DEFLATED,
    zipfile.ZIP_BZIP2,
    zipfile.ZIP_LZMA,
    getattr(zipfile, "ZIP_ZSTANDARD", 0),
}


def read_archive(path: Path) -> Members:
    """Return the pictures in a zip, or in a tar, compressed or not.

    Raises:
        DataError: it is damaged, encrypted, or of a kind that is not read in place; says the command that unpacks it.
    """
    refuse_pointer(path)
    kind = archive_kind(path)
    if kind not in ("zip", "tar", *COMPRESSED):
        raise refuse_archive(path, kind)
    members = zip_members(path) if kind == "zip" else tar_members(path)
    if members.pictures:
        return members
    wrong = f"no pictures in {path}; {'; '.join(members.notes()) or 'it is empty'}"
    if any(members.left[why] for why in _UNPACKABLE):
        raise refuse_archive(path, kind, wrong)
    raise DataError(wrong, hint="name an archive or a folder with pictures (.jpg, .png, .webp, …): --data DIR")


def open_picture(source: str | tuple[Any, ...], folder: Path) -> Image:
    """Return the picture of a record: in an archive, or a file below `folder`."""
    from zoo_core import pictures

    return pictures.open_picture(read(source) if isinstance(source, tuple) else folder / source)


def read(where: tuple[Any, ...]) -> bytes:
    """Return the bytes of a member: (path, name) of a zip, (path, offset, size) of a tar.

    Raises whatever is wrong with it: checksum, encryption, method, a size that is no picture's.
    """
    if len(where) == 2:
        path, name = where
        archive = _open_zip(path, file_stamp(Path(path)), os.getpid())
        info = archive.getinfo(name)
        _check_size(info.file_size)
        try:
            with archive.open(info) as member:
                value = member.read(info.file_size + 1)  # never all: what it inflates to is not what it declares
        except zlib.error as error:
            raise OSError(f"its compressed bytes are damaged: {error}") from error
        if len(value) != info.file_size:
            raise EOFError(f"it has {len(value):,} bytes and declares {info.file_size:,}")
        return value
    path, offset, size = where
    _check_size(size)
    file = _open_file(path, file_stamp(Path(path)), os.getpid())
    file.seek(offset)
    value = file.read(size)
    if len(value) != size:
        raise EOFError(f"the archive ends {size - len(value):,} bytes before the picture does")
    return value


def _check_size(size: int) -> None:
    if size > MOST_BYTES:
        raise ValueError(f"{size:,} bytes: more than the limit of {MOST_BYTES:,}")


@lru_cache(maxsize=4)
def _open_zip(path: str, stamp: str, process: int) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)


@lru_cache(maxsize=4)
def _open_file(path: str, stamp: str, process: int) -> BinaryIO:
    return open_stream(Path(path))


def zip_members(path: Path) -> Members:
    """The pictures in a zip; raises `DataError` where it is no zip or cut short: its table of contents stands at its end."""
    refuse_pointer(path)
    members = Members(path)
    try:
        archive = _open_zip(str(path), file_stamp(path), os.getpid())
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError) as error:
        raise DataError(f"{path} is no zip, or cut short: {error}", hint=AGAIN) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    limit, total = limit_inflation(path.stat().st_size), sum(info.file_size for info in archive.infolist())
    if total > limit:
        raise DataError(f"{path} is no archive of pictures: it would inflate to {total:,} bytes, more than {limit:,}")
    # Some programs on Windows write backslashes between folders, and then no slash at all.
    separator = "/" if any("/" in info.filename for info in archive.infolist()) else "\\"
    for info in archive.infolist():
        name = info.filename.replace(separator, "/")
        if name.endswith("/"):
            members.folders.append(name.rstrip("/"))
        elif info.flag_bits & 1:
            members.leave("encrypted", name)
        elif info.compress_type not in _METHODS:
            members.leave("method", name)
        else:
            members.add(name, f"{info.file_size}:{info.CRC:08x}", info.filename)
    return members
