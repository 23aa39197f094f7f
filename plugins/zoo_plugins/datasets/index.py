"""What a large archive holds, kept in the zoo's cache: going through the headers of a million members takes minutes.

It is only ever a shortcut: where it is missing, damaged or cannot be written, the archive is read.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import uuid
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

from zoo_core.places import indexes

from .sources import file_stamp

LEAST = 10_000
"""Pictures from which on an index is worth its file."""

_VERSION = 1


def load(path: Path) -> dict[str, Any] | None:
    """What was saved for an archive that has not changed since, None where nothing was."""
    try:
        with gzip.open(_place(path), "rt", encoding="utf-8") as file:
            found: dict[str, Any] = json.load(file)
        return found if found.keys() == {"pictures", "folders", "left", "damage"} else None
    except (OSError, EOFError, ValueError, AttributeError, zlib.error):
        return None


def save(path: Path, plain: dict[str, Any]) -> None:
    """Keep what an archive holds."""
    place = _place(path)
    temporary = place.with_name(f"{place.name}-{uuid.uuid4().hex[:8]}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with gzip.open(temporary, "wt", encoding="utf-8", compresslevel=1) as file:
            json.dump(plain, file, separators=(",", ":"))
        os.replace(temporary, place)
    except OSError:  # a cache that is full or not ours: whoever builds a pack is told so there
        with suppress(OSError):
            temporary.unlink()


def _place(path: Path) -> Path:
    """The name says which file it is of, and in what state."""
    identity = json.dumps([_VERSION, str(path.resolve()), file_stamp(path)])
    return indexes() / f"{hashlib.sha256(identity.encode()).hexdigest()[:32]}.json.gz"
