"""What the Hub says of a repository's files, and whether ours are the same."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class RemoteFile:
    """A file in a repository. `sha256` is of its content where it is a large one, else `blob` is git's name for it."""

    size: int
    sha256: str | None
    blob: str | None


def files_of(info: Any) -> dict[str, RemoteFile]:
    """The files of a `ModelInfo` that was asked for with `files_metadata=True`, by name."""
    found = {}
    for sibling in info.siblings or []:
        sha256 = sibling.lfs.sha256 if sibling.lfs else None
        found[str(sibling.rfilename)] = RemoteFile(int(sibling.size or 0), sha256, sibling.blob_id)
    return found


def agrees(path: Path, remote: RemoteFile) -> bool:
    """Whether a file is, byte for byte, what the Hub has."""
    size = path.stat().st_size
    if size != remote.size:
        return False
    if remote.sha256 is not None:
        digest: Any = hashlib.sha256()
    elif remote.blob:
        digest = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    else:
        return True
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return bool(digest.hexdigest() == (remote.sha256 or remote.blob))
