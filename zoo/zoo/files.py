"""Writing so that a reader never sees half a file, and where the cache lies."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias

from safetensors import SafetensorError

from zoo_core import UsageError, ZooError
from zoo_core.places import cache_root

Place: TypeAlias = str | os.PathLike[str]
"""Where something lies: a path, or what has one, as a `Run` or a `Pack` has."""

TEMPORARY = ".unfinished-"
"""What the name of everything half-written begins with."""

LOCK = ".lock"
"""The file in a folder that says by its lock that a process is working there."""


def cache_folder(*parts: str) -> Path:
    """Return a folder in the zoo's cache, made if need be; raises `ZooError` where it cannot be written.

    The cache is `$ZOO_CACHE`, else `$XDG_CACHE_HOME/dcgan-zoo`, else `~/.cache/dcgan-zoo`.
    """
    folder = cache_root().joinpath(*parts)
    with translate_errors(folder, hint="choose another cache folder: export ZOO_CACHE=DIR"):
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return folder


FEATURES = 4 * 10**9
"""Bytes of features that stay in the cache, unless `$ZOO_FEATURES_GB` says otherwise."""


def features_limit(default: int = FEATURES) -> int:
    """Return how many bytes of features stay in the cache; raises `UsageError` where `$ZOO_FEATURES_GB` is no number."""
    given = os.environ.get("ZOO_FEATURES_GB")
    try:
        limit = float(given) * 1e9 if given else default
        if 0 <= limit < float("inf"):
            return int(limit)
    except ValueError:
        pass
    raise UsageError(
        f"ZOO_FEATURES_GB is {given!r}, and it must be a number of gigabytes", hint="for example: export ZOO_FEATURES_GB=16"
    )


def path_of(place: Place | None) -> str | Path | None:
    """Return a place as a path, None as None."""
    return place if place is None or isinstance(place, str | Path) else os.fspath(place)


@contextmanager
def translate_errors(path: Path, *, hint: str = "") -> Iterator[None]:
    """Turn the operating system's refusal to write `path` into a `ZooError` with words."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        code = getattr(error, "errno", None)
        # safetensors hands the system's error on as text
        if code in (errno.ENOSPC, errno.EDQUOT) or (code is None and f"(os error {errno.ENOSPC})" in str(error)):
            hint = hint or "free some space and try again; what was complete before is untouched"
            raise ZooError(f"no space left on disk for {path}", hint=hint) from error
        reason = getattr(error, "strerror", None) or str(error)
        culprit = str(getattr(error, "filename", None) or path)
        if culprit != str(path) and TEMPORARY not in culprit:
            reason = f"{reason}: {culprit}"
        raise ZooError(f"{path} cannot be written: {reason}", hint=hint) from error


@contextmanager
def name_in_text(path: Path) -> Iterator[Path]:
    """Yield a name of a file that is text, which safetensors wants for its maps."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        with open(path, "rb") as file:
            yield Path(f"/dev/fd/{file.fileno()}")
    else:
        yield path


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """Yield a temporary name beside `target`; what has it after an error is deleted."""
    with translate_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = _unfinished(target)
        try:
            yield temporary
        except BaseException:
            _delete(temporary)
            raise


@contextmanager
def atomic_folder(target: Path, *, replace: bool = False) -> Iterator[Path]:
    """Yield a new folder beside `target` that bears its name once the block ends without an error.

    Its files are flushed to disk first. After an error nothing stays behind. With `replace`, `target` may exist; it is then
    replaced, in two renames, as no system swaps folders in one: whoever is killed just between them has neither. Raises
    `ZooError` where the disk is full or the place cannot be written.
    """
    with _beside(target) as folder:
        folder.mkdir()
        yield folder
        publish_folder(folder, target, replace=replace)


def publish_folder(folder: Path, target: Path, *, replace: bool = False) -> None:
    """Flush the files of a finished folder to disk and give it the name `target`; see `atomic_folder` for `replace`."""
    mode = folder.stat().st_mode & 0o666
    for file in folder.rglob("*"):
        if file.is_file():
            os.chmod(file, mode)  # what the umask grants: safetensors keeps its files to their owner
            _flush(file)
    _flush(folder)
    if replace and target.exists():
        old = _unfinished(target)
        os.rename(target, old)
        os.rename(folder, target)
        shutil.rmtree(old, ignore_errors=True)
    else:
        os.rename(folder, target)
    _flush(target.parent)


@contextmanager
def atomic_file(target: Path) -> Iterator[Path]:
    """Yield the temporary name of a file that bears the name `target` once the block ends without an error."""
    with _beside(target) as temporary:
        yield temporary
        _flush(temporary)
        os.replace(temporary, target)
        _flush(target.parent)


def write_json(target: Path, value: Any) -> None:
    """Write `value` atomically as indented UTF-8 JSON."""
    with atomic_file(target) as temporary:
        temporary.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def sha256(path: Path) -> str:
    """Return the checksum of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def measure_folder(folder: Path) -> tuple[int, float]:
    """Return the bytes of all files in a folder and when one was last written; what cannot be read counts nothing."""
    size, modified, waiting = 0, 0.0, [str(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    elif entry.name != LOCK:
                        status = entry.stat(follow_symlinks=False)
                        size, modified = size + status.st_size, max(modified, status.st_mtime)
        except OSError:  # just deleted by somebody else, or not ours to read
            continue
    return size, modified or read_use(folder)


def note_use(folder: Path) -> None:
    """Note that something in the cache is used now."""
    with suppress(OSError):  # the cache may be read-only
        os.utime(folder)


def read_use(path: Path) -> float:
    """Return when something in the cache was last used, seconds since 1970; 0 where it is gone."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def remove_unfinished(folder: Path) -> None:
    """Delete what a killed process left half-written in `folder`."""
    for path in folder.glob(f"{TEMPORARY}*"):
        _delete(path)


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def remove_folder(folder: Path) -> None:
    """Delete a folder (or file) so that nobody sees half of it, if the system lets us: a file in use keeps it on Windows."""
    doomed = _unfinished(folder)
    with suppress(OSError):
        os.rename(folder, doomed)
        _delete(doomed)


def _unfinished(target: Path) -> Path:
    """Return a new name beside `target`, with the same ending, from which writers tell the format."""
    return target.with_name(f"{TEMPORARY}{target.name}-{uuid.uuid4().hex[:8]}{target.suffix}")


def _flush(path: Path) -> None:
    """fsync a file, or a folder where the system allows it (Windows does not)."""
    try:
        handle = os.open(path, os.O_RDONLY if path.is_dir() or os.name != "nt" else os.O_RDWR)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            raise
    finally:
        os.close(handle)
