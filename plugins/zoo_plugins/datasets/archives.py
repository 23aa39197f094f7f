"""Pictures inside zips and tars, read where they are: nothing is ever unpacked to disk.

Names that lead out of an archive (absolute, or with "..") could do no harm here; they are left out all the same, because an
archive that has them is not what it says.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import posixpath
import re
import tarfile
import uuid
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from zoo_core.datasets import PICTURE_SUFFIXES, Listing, Record, printable
from zoo_core.errors import DataError
from zoo_core.places import indexes

from .sources import AGAIN, few, file_stamp

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_BYTES = 256 << 20  # no picture's file is larger; what claims to be is not read
INDEXED = 10_000
"""Pictures from which on what a tar holds is kept in the zoo's cache: going through a million headers takes minutes."""

_VERSION = 2  # of the kept indexes
_EXAMPLES = 3


@dataclass
class Members:
    """The pictures of an archive in its order, with what was left out; plain data but for the path.

    `pictures` has for each name its stamp and, after the path, what `read` needs to find it; a name that occurs twice means
    the later one, as it would after unpacking.
    """

    path: Path
    pictures: dict[str, list[Any]] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)  # that the archive mentions
    left: Counter[str] = field(default_factory=Counter)  # why members were left out → how many
    examples: dict[str, list[str]] = field(default_factory=dict)  # why → the first names
    damage: list[str] = field(default_factory=list)  # what could not be listed

    def add(self, name: str, stamp: str, *where: Any) -> None:
        """Take a file in if it is a picture with a decent name."""
        parts = name.split("/")
        if not is_inside(name):
            self.leave("members have names that lead out of the archive", name)
        elif "__MACOSX" in parts or any(part.startswith(".") for part in parts):
            pass
        elif os.path.splitext(name)[1].lower() not in PICTURE_SUFFIXES:
            self.leave("members are no pictures by their name", name)
        else:
            if name in self.pictures:
                self.leave("members have the name of a later one", name)
            self.pictures[name] = [stamp, *where]

    def leave(self, why: str, name: str) -> None:
        """Count a member that is left out."""
        self.left[why] += 1
        examples = self.examples.setdefault(why, [])
        if len(examples) < _EXAMPLES:
            examples.append(repr(name))

    def listing(self) -> Listing:
        """Return the pictures with their first-level folders as labels; a single folder around everything does not count."""
        names = sorted(self.pictures)
        around = posixpath.commonpath(names).split("/") if names else []
        depth = len([part for part in around if part]) if len(names) > 1 else max(0, names[0].count("/")) if names else 0
        tops = {name: name.split("/")[depth] if name.count("/") > depth else "" for name in names}
        found = set(tops.values())
        classes = tuple(sorted(found)) if "" not in found and len(found) > 1 else ()
        labels = {name: i for i, name in enumerate(classes)}
        records = []
        for name in names:
            stamp, *where = self.pictures[name]
            records.append(Record(name, (str(self.path), *where), stamp, labels.get(tops[name], -1)))
        notes = [
            f"{n:,} {why} and {'were' if n > 1 else 'was'} left out: {few(self.examples[why], number=n)}"
            for why, n in self.left.items()
        ]
        siblings = {f.split("/")[depth] for f in self.folders if classes and f.count("/") >= depth and is_inside(f)}
        if empty := sorted(n for n in siblings - found if n and not n.startswith(".") and n != "__MACOSX"):
            notes.append(f"folders without pictures are no class: {few(empty)}")
        return Listing(records, classes=classes, notes=(*self.damage, *notes))


def is_inside(name: str) -> bool:
    """Return whether a member's name would stay below the folder into which an archive is unpacked, on any system."""
    outside = name.startswith("/") or re.match(r"[A-Za-z]:", name) or "\\" in name or "\0" in name
    return bool(name) and not outside and ".." not in name.split("/")


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
        _check_size(archive.getinfo(name).file_size)
        try:
            return archive.read(name)
        except zlib.error as error:
            raise OSError(f"its compressed bytes are damaged: {error}") from error
    path, offset, size = where
    _check_size(size)
    file = _open_file(path, os.getpid())
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
def _open_file(path: str, process: int) -> BinaryIO:
    return open(path, "rb")


def zip_members(path: Path) -> Members:
    """The pictures in a zip; raises `DataError` where it is no zip or cut short: its table of contents stands at its end."""
    members = Members(path)
    try:
        archive = _open_zip(str(path), file_stamp(path), os.getpid())
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError) as error:
        raise DataError(f"{path} is no zip, or cut short: {error}", hint=AGAIN) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    for info in archive.infolist():
        if info.is_dir():
            members.folders.append(info.filename.rstrip("/"))
        else:
            members.add(info.filename, f"{info.file_size}:{info.CRC:08x}", info.filename)
    return members


def tar_members(path: Path) -> Members:
    """Return the pictures in an uncompressed tar and in the tars inside it, those called "inner/name"; links are left out.

    Headers are read and contents are not; of a large archive the result is kept, for as long as the archive does not change.
    That is only ever a shortcut: where it is missing, damaged or cannot be written, the archive is read.

    Raises:
        DataError: it is no tar, or cut short.
    """
    identity = json.dumps([_VERSION, str(path.resolve()), file_stamp(path)])
    kept = indexes() / f"{hashlib.sha256(identity.encode()).hexdigest()[:32]}.json.gz"
    with suppress(OSError, EOFError, ValueError, TypeError, zlib.error), gzip.open(kept, "rt", encoding="utf-8") as file:
        return Members(path, **json.load(file))
    members = _list_tar(path)
    if len(members.pictures) >= INDEXED:
        temporary = kept.with_name(f"{kept.name}-{uuid.uuid4().hex[:8]}")
        try:
            kept.parent.mkdir(parents=True, exist_ok=True)
            with gzip.open(temporary, "wt", encoding="utf-8", compresslevel=1) as file:
                json.dump({name: value for name, value in vars(members).items() if name != "path"}, file)
            os.replace(temporary, kept)
        except OSError:  # a cache that is full or not ours: whoever builds a pack is told so there
            with suppress(OSError):
                temporary.unlink()
    return members


def _list_tar(path: Path) -> Members:
    members = Members(path)

    def add(name: str, info: tarfile.TarInfo) -> None:
        members.add(printable(name.removeprefix("./")), f"{info.size}:{info.mtime}", info.offset_data, info.size)

    with open(path, "rb") as file:
        for info in _walk_tar(file, 0, path.stat().st_size, str(path), members, strict=True):
            if info.name.endswith(".tar") and is_inside(info.name):
                inner, start = info.name.removesuffix(".tar"), info.offset_data
                members.folders.append(inner)
                for picture in _walk_tar(file, start, start + info.size, info.name, members, strict=False):
                    add(f"{inner}/{picture.name}" if is_inside(picture.name) else picture.name, picture)
            else:
                add(info.name, info)
    return members


def _walk_tar(
    file: BinaryIO, start: int, end: int, label: str, members: Members, *, strict: bool
) -> Iterator[tarfile.TarInfo]:
    """The regular files of a tar that lies in `file` from `start` to `end`."""
    file.seek(start)
    stopped, problem = start, ""
    try:
        archive = tarfile.TarFile(fileobj=file)
        while (info := archive.next()) is not None:
            archive.members = []  # type: ignore[attr-defined]  # it would keep them all
            if info.offset >= end:  # an inner tar without the blocks that should end it
                break
            after = info.offset_data + info.size
            if after > end and not info.isdir():
                problem = f"cut short: {info.name} should end at byte {after - start:,} of {end - start:,}"
                break
            if info.isdir():
                members.folders.append(info.name.rstrip("/"))
            elif info.isreg() and not info.issparse():
                yield info
            else:
                members.leave("members are links, devices or the like", info.name)
        stopped = archive.offset
        if not problem and stopped < end:  # tarfile takes damage in the middle for the end
            file.seek(stopped)
            if any(file.read(min(512, end - stopped))):
                problem = f"damaged at byte {stopped - start:,}"
    except (tarfile.TarError, EOFError, ValueError) as error:
        problem = f"damaged: {error}"
    if problem and strict:
        raise DataError(f"{label} is no tar, or {problem}", hint=AGAIN)
    if problem:
        members.damage.append(f"{label} inside the archive is {problem}; what follows there is missing")


def read_compressed(path: Path, names: Iterable[str], most: int) -> dict[str, bytes]:
    """Some files of a tar, perhaps a compressed one, by their names without folders; none may have more than `most` bytes.

    Raises:
        DataError: the archive is damaged, or a file is larger.
    """
    wanted: set[str] = set(names)
    read: dict[str, bytes] = {}
    try:
        with tarfile.open(path, "r|*") as archive:
            for info in archive:
                name = info.name.rsplit("/", 1)[-1]
                if name not in wanted or not info.isreg():
                    continue
                if info.size > most:
                    raise DataError(f"{name} in {path} has {info.size:,} bytes, expected at most {most:,}")
                file = archive.extractfile(info)
                assert file is not None
                read[name] = file.read()
                if len(read) == len(wanted):
                    break
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise DataError(f"{path} is no tar, or cut short: {error}", hint=AGAIN) from error
    return read
