"""Tars, and tars of tars: what lies where in them, found by going through their headers once."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import tarfile
import uuid
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from zoo_core.errors import DataError
from zoo_core.places import indexes
from zoo_core.words import printable

from ..sources import AGAIN, file_stamp, refuse_pointer
from .formats import DAMAGE, is_compressed, limit_inflation, open_stream
from .members import WHY, Members, is_inside

INDEXED = 10_000
"""Pictures from which on what a tar holds is kept in the zoo's cache: going through a million headers takes minutes."""

_MOST_HEADER = 1 << 20  # bytes; a name may be long
_MOST_INDEX = 1 << 30  # letters; a million names take a tenth
_VERSION = 4  # of the kept indexes


def tar_members(path: Path) -> Members:
    """Return the pictures in a tar, compressed or not, and in the tars inside it, those called "inner/name"; no links.

    Headers are read and contents are not; of a large archive the result is kept, for as long as the archive does not change.
    That is only ever a shortcut: where it is missing, damaged or cannot be written, the archive is read.

    Raises:
        DataError: it is no tar, or cut short.
    """
    refuse_pointer(path)
    identity = json.dumps([_VERSION, str(path.resolve()), file_stamp(path)])
    kept = indexes() / f"{hashlib.sha256(identity.encode()).hexdigest()[:32]}.json.gz"
    with (
        suppress(OSError, EOFError, ValueError, RecursionError, zlib.error),
        gzip.open(kept, "rt", encoding="utf-8") as file,
    ):
        if _is_index(found := json.loads(file.read(_MOST_INDEX))):
            found["left"] = Counter(found["left"])
            return Members(path, **found)
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


def _is_index(found: Any) -> bool:
    """Return whether JSON is what `tar_members` keeps of an archive."""
    kinds = {"pictures": dict, "folders": list, "left": dict, "examples": dict, "damage": list}
    if not isinstance(found, dict) or {key: type(value) for key, value in found.items()} != kinds:
        return False
    lists = [found["folders"], found["damage"], *found["examples"].values(), [*found["pictures"]]]
    texts = all(isinstance(one, list) and all(isinstance(text, str) for text in one) for one in lists)
    counts = all(why in WHY and type(n) is int and found["examples"].get(why) for why, n in found["left"].items())
    return texts and counts and all(_is_place(where) for where in found["pictures"].values())


def _is_place(where: Any) -> bool:
    return isinstance(where, list) and [*map(type, where)] == [str, int, int] and min(where[1:]) >= 0


def _list_tar(path: Path) -> Members:
    members = Members(path)

    def add(name: str, info: tarfile.TarInfo) -> None:
        members.add(name.removeprefix("./"), f"{info.size}:{info.mtime}", info.offset_data, info.size)

    size, limit = path.stat().st_size, 0
    if is_compressed(path):
        limit = limit_inflation(size)
    with open_stream(path) as opened:
        file: BinaryIO = _Careful(opened)  # type: ignore[assignment]  # as much of one as a tar needs
        for info in _walk_tar(file, 0, limit or size, str(path), members, strict=True, inflated=bool(limit)):
            if info.name.endswith(".tar") and is_inside(info.name):
                inner, start = info.name.removesuffix(".tar"), info.offset_data
                members.folders.append(inner)
                for picture in _walk_tar(file, start, start + info.size, info.name, members, strict=False):
                    add(f"{inner}/{picture.name}" if is_inside(picture.name) else picture.name, picture)
            else:
                add(info.name, info)
    return members


def _walk_tar(
    file: BinaryIO, start: int, end: int, label: str, members: Members, *, strict: bool, inflated: bool = False
) -> Iterator[tarfile.TarInfo]:
    """The regular files of a tar that lies in `file` from `start` to `end`, which an inflated one need not reach."""
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
                problem = f"cut short: {printable(info.name)} should end at byte {after - start:,} of {end - start:,}"
                if inflated:
                    problem = f"no archive of pictures: it would inflate to more than {end:,} bytes"
                break
            if info.isdir():
                members.folders.append(info.name.rstrip("/"))
            elif info.isreg() and not info.issparse():
                yield info
            else:
                members.leave("special", info.name)
        stopped = archive.offset
        if not problem and not inflated and stopped < end:  # tarfile takes damage in the middle for the end
            file.seek(stopped)
            if any(file.read(min(512, end - stopped))):
                problem = f"damaged at byte {stopped - start:,}"
    except DAMAGE as error:
        problem = f"damaged: {error}"
    label = printable(label)
    if problem and strict:
        raise DataError(f"{label} is no tar, or {problem}", hint=AGAIN)
    if problem:
        members.damage.append(f"{label} inside the archive is {problem}; what follows there is missing")


class _Careful:
    """A file that is never read much at once: tarfile would read a header of any length into memory."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int) -> bytes:
        if size > _MOST_HEADER:
            raise tarfile.ReadError(f"a header declares {size:,} bytes")
        return self._file.read(size)


def read_compressed(path: Path, names: Iterable[str], most: int) -> dict[str, bytes]:
    """Some files of a tar, perhaps a compressed one, by their names without folders; none may have more than `most` bytes.

    Raises:
        DataError: the archive is damaged, or a file is larger.
    """
    refuse_pointer(path)
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
    except DAMAGE as error:
        raise DataError(f"{path} is no tar, or cut short: {error}", hint=AGAIN) from error
    return read
