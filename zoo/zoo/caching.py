"""`zoo.list_cache` and `zoo.clear_cache`: what the zoo keeps so as not to make it twice.

All of it can be made or fetched again. Imports no torch.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from zoo_core import UsageError, ZooError
from zoo_core.errors import unknown
from zoo_core.places import cache_root, indexes
from zoo_core.words import plural

from .documents import read_json
from .files import TEMPORARY, features_limit, measure_folder, read_use, remove_folder
from .locks import is_held, is_taken
from .packs.cache import Stored, list_packs, lock_file, remove_pack
from .packs.download import DOWNLOADS
from .progress import SILENT, Reporter

KINDS = {
    "packs": "datasets, decoded and resized",
    "features": "features of pictures, for metrics",
    "classifiers": "classifiers of attributes",
    "downloads": "datasets that --download fetched",
    "runtimes": "what draws in the pages of zoo export",
    "indexes": "notes about large archives",
    "plugins": "what plugins keep",
    "models": "models of the Hub, in its own cache",
    "unfinished": "what interrupted commands left",
}
"""Kinds of things in the cache, with a few words."""

RUNTIMES = "runtimes"  # the folder of what pages draw with
FRESH = 600.0  # seconds after which what has no lock and is half-written belongs to nobody
_UNITS = {"min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


@dataclass(frozen=True)
class CacheEntry:
    """Something in the cache.

    Args:
        kind: one of `KINDS`.
        name: of its file or folder.
        path: where it lies.
        bytes: on disk.
        used: when it was last used, seconds since 1970.
        made: what it is, or what made it, in a few words.
        in_use: whether a process uses it now; it is not deleted then.
    """

    kind: str
    name: str
    path: Path
    bytes: int
    used: float
    made: str = ""
    in_use: bool = False

    @property
    def age(self) -> float:
        """Seconds since it was last used."""
        return max(0.0, time.time() - self.used)

    def to_json(self) -> dict[str, Any]:
        """Plain data, for `--json`."""
        return {**asdict(self), "path": str(self.path)}


def list_cache(kinds: Collection[str] = ()) -> list[CacheEntry]:
    """Return what lies in the cache, by kind, the largest of each first; only of some `kinds` where they are named.

    Raises:
        UsageError: there is no such kind.
        ZooError: the cache cannot be read.
    """
    for kind in kinds:
        if kind not in KINDS:
            raise unknown("kind of cache", kind, KINDS, hint="to see all: zoo cache")
    try:
        found = [entry for entry in _find() if not kinds or entry.kind in kinds]
    except OSError as error:
        raise ZooError(f"{error.filename or cache_root()} cannot be read: {error.strerror}") from error
    order = list(KINDS)
    return sorted(found, key=lambda entry: (order.index(entry.kind), -entry.bytes, entry.name))


def clear_cache(
    kinds: Collection[str] = (),
    *,
    older_than: str | float | None = None,
    everything: bool = False,
    dry_run: bool = False,
    report: Reporter = SILENT,
) -> list[CacheEntry]:
    """Delete things from the cache and return them; what a process uses stays.

    Args:
        kinds: which ones, see `KINDS`; by default all kinds, where `older_than` is given.
        older_than: only what was not used for so long: "30d", "12h", "2w", "90min", or seconds.
        everything: all kinds, whatever their age.
        dry_run: delete nothing, and return what would be.
        report: hears what stays because it is used, or cannot be deleted.

    Raises:
        UsageError: nothing was chosen, no such kind, or no such time.
        ZooError: the cache cannot be read.
    """
    least = parse_age(older_than) if older_than is not None else 0.0
    if not (kinds or everything or older_than is not None):
        raise UsageError("say what to clear", hint="for example: zoo cache clear features, or --older-than 30d, or --all")
    if everything and kinds:
        raise UsageError("--all clears all kinds; name kinds, or give --all")
    gone = []
    for entry in list_cache(kinds):
        if entry.age < least:
            continue
        if entry.in_use:
            report.warn(f"{entry.kind}: {entry.name} is in use and stays")
        elif dry_run or _remove(entry, report):
            gone.append(entry)
    return gone


def parse_age(text: str | float) -> float:
    """Return the seconds that "30d", "12h", "2w" or "90min" stand for; raises `UsageError` for anything else."""
    if isinstance(text, str):
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(min|h|d|w)", text.strip())
        seconds = float(match[1]) * _UNITS[match[2]] if match else -1.0
    else:
        seconds = float(text)
    if not 0 <= seconds < float("inf"):
        raise UsageError(f"{text!r} is no time", hint="for example: --older-than 30d, 12h, 2w or 90min")
    return seconds


def _find() -> Iterator[CacheEntry]:
    root = cache_root()
    if root.is_dir():
        yield from _find_packs() if (root / "packs").is_dir() else ()
        for kind in ("features", "classifiers", DOWNLOADS, RUNTIMES, "plugins"):
            for path in _children(root / kind):
                yield _describe(kind, path)
        if notes := _children(indexes()):
            size, written = measure_folder(indexes())
            yield CacheEntry(
                "indexes", indexes().name, indexes(), size, written, f"notes about {plural(len(notes), 'archive')}"
            )
        for kind in ("classifiers", DOWNLOADS, RUNTIMES, "plugins", "indexes"):  # written in one go, without a lock
            for path in sorted((root / kind).rglob(f"{TEMPORARY}*")):
                yield replace(_unfinished(path), in_use=time.time() - _measure(path)[1] < FRESH)
        for path in sorted((root / "features").glob(f"{TEMPORARY}*")):
            yield replace(_unfinished(path), in_use=is_taken(_lock_beside(path)))
    yield from _find_models()


def _children(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith(".")) if folder.is_dir() else []


def _find_packs() -> Iterator[CacheEntry]:
    """Yield all packs; one is used when a view of it is, which would be lost with it."""
    stored = list_packs()
    for one in stored:
        views = [view.used for view in stored if view.of == one.name]
        yield _of_pack(replace(one, used=max([one.used, *views])))


def _of_pack(stored: Stored) -> CacheEntry:
    kind = "unfinished" if stored.kind == "unfinished" else "packs"
    in_use = is_taken(lock_file(stored)) or is_held(stored.path)
    words = "cannot be read" if stored.kind == "unreadable" else "a build, which goes on when its command is given again"
    if stored.kind in ("pack", "view"):
        told = stored.to_json()
        where, count = (f" from {told['data']}" if told["data"] else ""), told.get("count")
        images = plural(count, "image") if isinstance(count, int) else "images"
        words = f"view of {stored.of}" if stored.of else f"{images} of {str(told['dataset']).rpartition(':')[2]}{where}"
    return CacheEntry(kind, stored.name, stored.path, stored.bytes, stored.used, words, in_use)


def _describe(kind: str, path: Path) -> CacheEntry:
    size, written = _measure(path)
    told = {DOWNLOADS: f"--dataset {path.name} --download", RUNTIMES: "of npm's registry", "plugins": f"by {path.name}"}
    made = told.get(kind, "cannot be read")
    try:
        if kind == "features":
            info = read_json(path / "info.json", error=ZooError)
            name, count = info["extractor"]["name"].rpartition(":")[2], plural(int(info["count"]), "image")
            made = f"{name} of {count}, {info['precision']}"
        elif kind == "classifiers":
            info = read_json(path / "classifier.json", error=ZooError)
            made = f"of {', '.join(info['attributes'])}"
    except (ZooError, ValueError, KeyError, TypeError, AttributeError):
        pass
    in_use = is_taken(_lock_beside(path)) or _holds_fresh(path)
    return CacheEntry(kind, path.name, path, size, max(written, read_use(path)), made, in_use)


def _holds_fresh(path: Path) -> bool:
    """Return whether somebody is writing into a folder: something in it has a temporary name and is new."""
    parts = path.rglob(f"{TEMPORARY}*") if path.is_dir() else ()
    return any(time.time() - _measure(part)[1] < FRESH for part in parts)


def _unfinished(path: Path) -> CacheEntry:
    size, written = _measure(path)
    words = f"of {path.relative_to(cache_root()).parts[0]}"
    return CacheEntry("unfinished", path.name.removeprefix(TEMPORARY), path, size, written, words)


def _measure(path: Path) -> tuple[int, float]:
    """Return the bytes of a file or folder and when it was last written; zeros where it was deleted just now."""
    if path.is_dir():
        return measure_folder(path)
    try:
        status = path.stat()
    except OSError:
        return 0, 0.0
    return status.st_size, status.st_mtime


def _lock_beside(path: Path) -> Path:
    return path.with_name(f".{path.name.removeprefix(TEMPORARY)}.lock")


def _find_models() -> Iterator[CacheEntry]:
    """Yield the models of the zoo that the Hub's cache has; other people's things in it are no affair of ours."""
    for folder in sorted(_hub_cache().glob("models--*--*")):
        configs = [
            file for file in folder.glob("snapshots/*/config.json") if (file.parent / "generator.safetensors").exists()
        ]
        if any(_is_ours(file) for file in configs):
            size, written = measure_folder(folder)
            name = folder.name.removeprefix("models--").replace("--", "/", 1)
            yield CacheEntry("models", name, folder, size, written, f"zoo pull {name}")


def _is_ours(config: Path) -> bool:
    try:
        found = read_json(config, error=ZooError)
    except ZooError:
        return False
    return isinstance(found, dict) and "recipe" in found and "image" in found and "format" in found


def _hub_cache() -> Path:
    """Return where huggingface_hub keeps repositories, without importing it."""
    home = os.environ.get("HF_HOME") or os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")
    return Path(os.environ.get("HF_HUB_CACHE") or os.path.join(home, "hub")).expanduser()


def _remove(entry: CacheEntry, report: Reporter) -> bool:
    """Delete an entry, unless somebody begins to use it just now; returns whether it is gone."""
    if entry.path.parent == cache_root() / "packs":
        stored = next((stored for stored in list_packs() if stored.path == entry.path), None)
        return stored is not None and remove_pack(stored, report)
    lock = FileLock(_lock_beside(entry.path)) if _lock_beside(entry.path).exists() else None
    try:
        if lock is not None:
            lock.acquire(timeout=0)
        remove_folder(entry.path)
    except Timeout:
        report.warn(f"{entry.kind}: {entry.name} is in use and stays")
        return False
    except OSError as error:
        report.warn(f"{entry.path} cannot be deleted: {error.strerror}")
        return False
    finally:
        if lock is not None and lock.is_locked:
            lock.release()
            Path(lock.lock_file).unlink(missing_ok=True)
    if entry.path.exists():
        report.warn(f"{entry.path} could not be deleted")
        return False
    return True


def describe_limit() -> str:
    """Say how much of the features stays."""
    return f"at most {features_limit() / 1e9:.1f} GB stay, what was not used for the longest time goes first"
