"""What the cache of packs holds, and how it is emptied. Imports no torch."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import filelock

from zoo_core import DataError, UsageError
from zoo_core.errors import unknown
from zoo_core.places import indexes

from ..documents import read_json
from ..files import TEMPORARY, cache_folder, measure_folder, read_use, remove_folder
from ..locks import is_held
from ..progress import SILENT, Reporter

LIMIT = 64 << 20
"""Most bytes of a `pack.json`, which lists a thousand skipped records, and all classes."""

_UNFINISHED = re.compile(rf"{re.escape(TEMPORARY)}(?P<name>.+?)(?:-[0-9a-f]{{8}})?")


@dataclass(frozen=True)
class Stored:
    """Something in the cache of packs.

    Args:
        name: what commands call it.
        path: its folder.
        kind: a whole "pack"; a "view" of another; "unfinished", where a build may go on; "unreadable", which is of no use.
        bytes: on disk.
        modified: when it was made, seconds since 1970.
        of: the name of the pack that a view looks into.
        info: its `pack.json`; empty where there is none.
        used: when it was last used.
    """

    name: str
    path: Path
    kind: Literal["pack", "view", "unfinished", "unreadable"]
    bytes: int
    modified: float
    of: str
    info: dict[str, Any]
    used: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Plain data, for `--json`."""
        made = self.info.get("dataset")
        made = made if isinstance(made, dict) else {}
        return {
            "name": self.name,
            "path": str(self.path),
            "kind": self.kind,
            "of": self.of,
            "dataset": str(made.get("name", "")),
            "data": made.get("data") and str(made.get("data")),
            "split": str(made.get("split", "")),
            **({key: _number(self.info.get(key)) for key in ("size", "channels", "count")} if self.info else {}),
            "bytes": self.bytes,
            "modified": self.modified,
            "used": self.used,
        }


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None


def list_packs() -> list[Stored]:
    """Return everything in the cache of packs, by name."""
    folder = cache_folder("packs")
    return sorted((_describe(path) for path in folder.iterdir() if path.is_dir()), key=lambda stored: stored.name)


def find_pack(name: str | Path) -> Path:
    """Return the folder of a pack: a folder as it is, else what the cache has under that name or the only one that begins so
    (the only pack, where views of it begin so too).

    Raises:
        UsageError: there is none, or several begin so.
    """
    if (Path(name) / "pack.json").is_file():
        return Path(name)
    if os.sep in str(name) or Path(name).is_dir():
        wrong = f"{name} is no pack: there is no {Path(name) / 'pack.json'}"
        raise UsageError(wrong, hint="to see the packs there are: zoo data list")
    there = {stored.name: stored for stored in list_packs() if stored.kind != "unfinished"}
    if name in there:
        return there[str(name)].path
    fitting = [stored for stored in there.values() if stored.name.startswith(str(name))]
    packs = [stored for stored in fitting if stored.kind == "pack"]
    found = packs if len(packs) == 1 else fitting  # a view's name begins like its pack's
    if len(found) > 1:
        names = ", ".join(stored.name for stored in found)
        raise UsageError(f"{name!r} begins the names of {len(found)} packs: {names}", hint="type more of it")
    if not found:
        hint = "to see all: zoo data list; to make one: zoo data build DATASET --size S"
        raise unknown("pack", str(name), there, hint=hint)
    return found[0].path


def clear_packs(
    names: Iterable[str] = (), *, everything: bool = False, unfinished: bool = False, report: Reporter = SILENT
) -> list[Stored]:
    """Delete packs from the cache, and with each the views that look into it; return them.

    Pictures elsewhere are never touched.

    Args:
        names: packs and views by name.
        everything: all that there is, and what datasets noted about large archives.
        unfinished: what interrupted builds left.
        report: hears what is left alone because a build is using it.

    Raises:
        UsageError: a name that the cache does not have, or nothing was chosen.
    """
    there = {stored.name: stored for stored in list_packs()}
    chosen = set(names)
    if not (chosen or everything or unfinished):
        raise UsageError("say what to clear", hint="names from zoo data list, or --unfinished, or --all")
    for name in chosen:
        if name not in there:
            raise unknown("pack", name, there, hint="to see all: zoo data list")
    if everything:
        shutil.rmtree(indexes(), ignore_errors=True)
    return [
        stored
        for stored in there.values()
        if (everything or {stored.name, stored.of} & chosen or (unfinished and stored.kind == "unfinished"))
        and remove_pack(stored, report)
    ]


def read_info(folder: Path) -> dict[str, Any]:
    """Return what `pack.json` in a folder says, nothing where there is none or it cannot be read."""
    try:
        info = read_json(folder / "pack.json", LIMIT, error=DataError)
    except DataError:
        return {}
    return info if isinstance(info, dict) else {}


def _describe(folder: Path) -> Stored:
    size, last = measure_folder(folder)
    used = max(last, read_use(folder))
    if folder.name.startswith(TEMPORARY):
        return Stored(folder.name.removeprefix(TEMPORARY), folder, "unfinished", size, last, "", {}, used)
    info = read_info(folder)
    view = info.get("view")
    of = os.path.basename(os.path.normpath(str(view["path"]))) if isinstance(view, dict) and "path" in view else ""
    return Stored(folder.name, folder, "view" if of else "pack" if info else "unreadable", size, last, of, info, used)


def lock_file(stored: Stored) -> Path:
    """Return the file whose lock a build has."""
    match = _UNFINISHED.fullmatch(stored.path.name)
    return stored.path.with_name(f".{match['name'] if match else stored.path.name}.lock")


def remove_pack(stored: Stored, report: Reporter) -> bool:
    """Delete something from the cache of packs, unless a build or another process uses it; returns whether it is gone."""
    if is_held(stored.path):
        report.warn(f"{stored.name} is being read and stays")
        return False
    lock = filelock.FileLock(lock_file(stored))
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        report.warn(f"{stored.name} is being built and stays")
        return False
    try:
        remove_folder(stored.path)
    finally:
        lock.release()
        Path(lock.lock_file).unlink(missing_ok=True)
    if stored.path.exists():
        report.warn(f"{stored.path} could not be deleted")
        return False
    return True
