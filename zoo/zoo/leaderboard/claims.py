"""Who works at a cell, also where several machines share a disk.

A claimant holds a lock on the cell's folder and leaves `claim.json` there, whose modification time it renews every `BEAT`
seconds. The lock ends with its process, however that ends, so that on one machine (and on every shared disk that carries
locks, as NFS does) a dead claimant is known at once. Where a disk does not carry locks from machine to machine, another
machine's claim counts as long as its file was renewed within the last `STALE` seconds by the disk's own clock, whatever the
machines' clocks say. After that, whoever comes next takes the cell over and goes on with its run.
"""

from __future__ import annotations

import os
import platform
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from zoo_core import UsageError, ZooError

from ..documents import read_json
from ..files import TEMPORARY, remove_unfinished, translate_errors, write_json
from ..locks import lock_folder

if TYPE_CHECKING:
    from filelock import FileLock

CLAIM = "claim.json"
BEAT, STALE = 15.0, 180.0  # seconds


class Claim:
    """A cell that this process has."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.token = folder, uuid.uuid4().hex

    @property
    def file(self) -> Path:
        return self.folder / CLAIM

    def holds(self) -> bool:
        """Return whether nobody else has taken the cell over meanwhile, which took this process for dead."""
        return _read(self.file).get("token") == self.token


@contextmanager
def claim(folder: Path) -> Iterator[Claim | None]:
    """Take a cell's folder, made if need be, for the time of the block; yields None where somebody else has it.

    Raises `ZooError` where it cannot be written.
    """
    try:
        lock = _lock(folder)
    except UsageError:
        yield None
        return
    except NotImplementedError as error:  # not even a process's own locks
        hint = "choose a folder on another disk"
        raise ZooError(f"the disk of {folder} has no locks, by which processes could share it", hint=hint) from error
    try:
        if _is_renewed_elsewhere(folder):
            yield None
            return
        mine, ended = Claim(folder), threading.Event()
        try:
            remove_unfinished(folder)
            write_json(mine.file, {"token": mine.token, "machine": _name_machine(), "process": os.getpid()})
        except ZooError:
            if folder.exists():
                raise
            yield None  # others finished the last cell while this one waited for the lock, and took all folders away
            return
        beat = threading.Thread(target=_renew, args=(mine, ended), daemon=True)
        beat.start()
        try:
            yield mine
        finally:
            ended.set()
            beat.join()
            if mine.holds():
                with suppress(OSError):
                    mine.file.unlink(missing_ok=True)
    finally:
        lock.release()


def _lock(folder: Path) -> FileLock:
    """Lock a folder, made if need be, also where others who are done with the board take it away meanwhile."""
    for _ in range(10):
        with translate_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        try:
            return lock_folder(folder, "at work")
        except ZooError as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                raise
    raise ZooError(f"{folder} vanishes as soon as it is made", hint="look what else is at work there")


def _renew(mine: Claim, ended: threading.Event) -> None:
    while not ended.wait(BEAT):
        if not mine.holds():
            return
        with suppress(OSError):
            os.utime(mine.file)


def _is_renewed_elsewhere(folder: Path) -> bool:
    """Return whether another machine's process renewed its claim of a folder a short time ago; the folder is locked."""
    found = _read(folder / CLAIM)
    if not found or found.get("machine") == _name_machine():  # whose lock would be seen here
        return False
    try:
        return disk_time(folder) - (folder / CLAIM).stat().st_mtime < STALE
    except OSError:
        return False


def disk_time(folder: Path) -> float:
    """Return what time it is by the clock of the disk that a folder lies on, as modification times of files tell it."""
    now = folder / f"{TEMPORARY}now-{uuid.uuid4().hex[:8]}"
    with translate_errors(now):
        now.touch()
        try:
            return now.stat().st_mtime
        finally:
            now.unlink(missing_ok=True)


def _name_machine() -> str:
    """Return what tells one running machine from all others: Linux has a number for each start, others their names."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    return platform.node()


def _read(file: Path) -> dict[str, object]:
    try:
        found = read_json(file, error=ZooError)
    except ZooError:
        return {}
    return found if isinstance(found, dict) else {}
