"""Pictures inside zips and tars, read where they are: nothing is ever unpacked to disk.

Names that lead out of an archive (absolute, or with "..") could do no harm here; they are left out all the same, because an
archive that has them is not what it says.
"""

from __future__ import annotations

import os
import posixpath
import re
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from zoo_core.datasets import PICTURE_SUFFIXES, Listing, Record, printable
from zoo_core.errors import DataError

from . import index
from .sources import few, few_of, file_stamp

MOST_BYTES = 256 << 20
"""No picture's file is larger; what claims to be is not read."""

_AGAIN = "download it again"
_EXAMPLES = 3


@dataclass(frozen=True)
class Member:
    """A picture in an archive. `where` is what `read_zip` or `read_tar` needs to find it."""

    name: str
    where: Any
    stamp: str


@dataclass
class Members:
    """The pictures of an archive in its order, with what was left out.

    Args:
        pictures: name → member; a name that occurs twice means the later one, as it would after unpacking.
        folders: folders that the archive mentions.
    """

    pictures: dict[str, Member] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    _left: Counter[str] = field(default_factory=Counter)
    _examples: dict[str, list[str]] = field(default_factory=dict)
    _damage: list[str] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        """As plain data, without the archive's path."""
        pictures = [[member.name, *member.where[1:], member.stamp] for member in self.pictures.values()]
        left = [[why, number, self._examples[why]] for why, number in self._left.items()]
        return {"pictures": pictures, "folders": sorted(self.folders), "left": left, "damage": self._damage}

    @classmethod
    def restored(cls, path: Path, plain: dict[str, Any]) -> Members:
        """What `plain` gave, of an archive that now lies at `path`."""
        left = plain["left"]
        members = cls(
            folders=set(plain["folders"]),
            _left=Counter({why: number for why, number, _ in left}),
            _examples={why: examples for why, _, examples in left},
            _damage=plain["damage"],
        )
        for name, *where, stamp in plain["pictures"]:
            members.pictures[name] = Member(name, (str(path), *where), stamp)
        return members

    def add(self, name: str, where: Any, stamp: str) -> None:
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
            self.pictures[name] = Member(name, where, stamp)

    def leave(self, why: str, name: str) -> None:
        """Count a member that is left out."""
        self._left[why] += 1
        examples = self._examples.setdefault(why, [])
        if len(examples) < _EXAMPLES:
            examples.append(repr(name))

    def damaged(self, what: str) -> None:
        """Note that a part of the archive could not be listed."""
        self._damage.append(what)

    def notes(self) -> tuple[str, ...]:
        """For `Listing.notes`."""
        left = [
            f"{n:,} {why} and {'were' if n > 1 else 'was'} left out: {few_of(self._examples[why], n)}"
            for why, n in self._left.items()
        ]
        return (*self._damage, *left)

    def listing(self) -> Listing:
        """The pictures with their first-level folders as labels; a single folder around everything does not count."""
        names = sorted(self.pictures)
        around = posixpath.commonpath(names).split("/") if names else []
        depth = len([part for part in around if part]) if len(names) > 1 else max(0, names[0].count("/")) if names else 0
        tops = {name: name.split("/")[depth] if name.count("/") > depth else "" for name in names}
        found = set(tops.values())
        classes = tuple(sorted(found)) if "" not in found and len(found) > 1 else ()
        index = {name: i for i, name in enumerate(classes)}
        records = [
            Record(name, self.pictures[name].where, self.pictures[name].stamp, index.get(tops[name], -1)) for name in names
        ]
        siblings = {f.split("/")[depth] for f in self.folders if classes and f.count("/") >= depth and is_inside(f)}
        empty = sorted(name for name in siblings - found if name and not name.startswith(".") and name != "__MACOSX")
        notes = (f"folders without pictures are no class: {few(empty)}",) if empty else ()
        return Listing(records, classes=classes, notes=(*self.notes(), *notes))


def is_inside(name: str) -> bool:
    """Whether a member's name would stay below the folder into which an archive is unpacked, on any system."""
    outside = name.startswith("/") or re.match(r"[A-Za-z]:", name) or "\\" in name or "\0" in name
    return bool(name) and not outside and ".." not in name.split("/")


def zip_members(path: Path) -> Members:
    """The pictures in a zip; `where` is (path, name).

    Raises:
        DataError: it is no zip, or cut short: its table of contents stands at its end.
    """
    members = Members()
    try:
        archive = _open_zip(str(path), file_stamp(path), os.getpid())
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError) as error:
        raise DataError(f"{path} is no zip, or cut short: {error}", hint=_AGAIN) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    for info in archive.infolist():
        if info.is_dir():
            members.folders.add(info.filename.rstrip("/"))
        else:
            members.add(info.filename, (str(path), info.filename), f"{info.file_size}:{info.CRC:08x}")
    return members


def read_zip(where: tuple[str, str]) -> bytes:
    """The bytes of a member. Raises whatever is wrong with it: checksum, encryption, method, a size that is no picture's."""
    path, name = where
    archive = _open_zip(path, file_stamp(Path(path)), os.getpid())
    info = archive.getinfo(name)
    _check_size(info.file_size)
    try:
        return archive.read(info)
    except zlib.error as error:
        raise OSError(f"its compressed bytes are damaged: {error}") from error


@lru_cache(maxsize=4)
def _open_zip(path: str, stamp: str, process: int) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)


def tar_members(path: Path) -> Members:
    """The pictures in an uncompressed tar and in the tars inside it; `where` is (path, offset, size).

    A picture in an inner tar is called "inner/name". Only regular files count: links and devices are left out. Headers are
    read and contents are not; of a large archive the result is kept, for as long as the archive does not change.

    Raises:
        DataError: it is no tar, or cut short.
    """
    if (kept := index.load(path)) is not None:
        return Members.restored(path, kept)
    members = _read_members(path)
    if len(members.pictures) >= index.LEAST:
        index.save(path, members.plain())
    return members


def _read_members(path: Path) -> Members:
    members = Members()
    end = path.stat().st_size
    with open(path, "rb") as file:
        for info in _walk_tar(file, 0, end, str(path), members, strict=True):
            if info.name.endswith(".tar") and is_inside(info.name):
                inner = info.name.removesuffix(".tar")
                members.folders.add(inner)
                for picture in _walk_tar(
                    file, info.offset_data, info.offset_data + info.size, info.name, members, strict=False
                ):
                    _add(members, f"{inner}/{picture.name}" if is_inside(picture.name) else picture.name, path, picture)
            else:
                _add(members, info.name, path, info)
    return members


def _add(members: Members, name: str, path: Path, info: tarfile.TarInfo) -> None:
    members.add(printable(name.removeprefix("./")), (str(path), info.offset_data, info.size), f"{info.size}:{info.mtime}")


def _walk_tar(
    file: BinaryIO, start: int, end: int, label: str, members: Members, *, strict: bool
) -> Iterator[tarfile.TarInfo]:
    """The regular files of a tar that lies in `file` from `start` to `end`.

    Python's tarfile takes damage in the middle for the end; so this looks whether the end is one.
    """
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
                members.folders.add(info.name.rstrip("/"))
            elif info.isreg() and not info.issparse():
                yield info
            else:
                members.leave("members are links, devices or the like", info.name)
        stopped = archive.offset
        if not problem and stopped < end:
            file.seek(stopped)
            if any(file.read(min(512, end - stopped))):
                problem = f"damaged at byte {stopped - start:,}"
    except (tarfile.TarError, EOFError, ValueError) as error:
        problem = f"damaged: {error}"
    if problem and strict:
        raise DataError(f"{label} is no tar, or {problem}", hint=_AGAIN)
    if problem:
        members.damaged(f"{label} inside the archive is {problem}; what follows there is missing")


def read_tar(where: tuple[str, int, int]) -> bytes:
    """The bytes of a member."""
    path, offset, size = where
    _check_size(size)
    file = _open_file(path, os.getpid())
    file.seek(offset)
    value = file.read(size)
    if len(value) != size:
        raise EOFError(f"the archive ends {size - len(value):,} bytes before the picture does")
    return value


@lru_cache(maxsize=4)
def _open_file(path: str, process: int) -> BinaryIO:
    return open(path, "rb")


def read_compressed(path: Path, names: Iterable[str], most: int) -> dict[str, bytes]:
    """Some files of a compressed tar by their last name, held in memory: such an archive cannot be read from its middle.

    Args:
        path: a .tar, .tar.gz, … .
        names: the files wanted, without folders.
        most: bytes that each may have.

    Raises:
        DataError: the archive is damaged, or a file is larger.
    """
    wanted, read = set(names), {}
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
        raise DataError(f"{path} is no tar, or cut short: {error}", hint=_AGAIN) from error
    return read


def _check_size(size: int) -> None:
    if size > MOST_BYTES:
        raise ValueError(f"{size:,} bytes: more than the limit of {MOST_BYTES:,}")
