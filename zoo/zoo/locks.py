"""Who works in a folder, told by locks that end with the process that took them.

A process that writes takes a lock file, which one at a time has. Processes that read a folder of the cache hold the folder
itself, any number of them; it makes no file, and who wants to delete the folder can tell.
"""

from __future__ import annotations

import os
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

from zoo_core import UsageError

from .files import LOCK, translate_errors

if TYPE_CHECKING:
    from filelock import FileLock

_held: dict[tuple[int, int], tuple[int, int]] = {}  # device and inode of a folder → its open descriptor, how often held


def lock_folder(folder: Path, doing: str) -> FileLock:
    """Take a folder for this process; `doing` says what others would be doing in it ("training").

    Raises:
        UsageError: another process has it.
        ZooError: it cannot be written.
    """
    from filelock import FileLock, Timeout  # here, as most commands lock nothing

    lock = FileLock(folder / LOCK)
    with translate_errors(folder):
        try:
            lock.acquire(timeout=0.5)  # longer than `is_taken` has it
        except Timeout:
            hint = "wait until it has ended, or choose another folder: --out DIR"
            raise UsageError(f"another process is {doing} in {folder}", hint=hint) from None
    return lock


def is_locked(folder: Path) -> bool:
    """Return whether somebody has taken a folder by `lock_folder`."""
    return is_taken(folder / LOCK)


def is_taken(file: Path) -> bool:
    """Return whether somebody has the lock file of that name; makes none."""
    if not file.exists():
        return False
    from filelock import FileLock, Timeout

    lock = FileLock(file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:  # not ours to write, so no process of ours has it either
        return False
    lock.release()
    return False


def hold(folder: Path, holder: object) -> None:
    """Let `is_held` say that a folder is in use as long as the object `holder` exists, where the system has such locks."""
    try:
        import fcntl
    except ImportError:  # Windows, which deletes no file that is open
        return

    try:
        descriptor = os.open(folder, os.O_RDONLY)
        status = os.fstat(descriptor)
        key = status.st_dev, status.st_ino
        if key in _held:
            os.close(descriptor)
            descriptor, times = _held[key]
        else:
            for _ in range(100):  # `is_held` has it for a moment
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    time.sleep(0.01)
            times = 0
    except OSError:  # a file system without locks, or somebody is deleting it
        return
    _held[key] = descriptor, times + 1
    weakref.finalize(holder, _release, key).atexit = False  # the process's end does it too


def is_held(folder: Path) -> bool:
    """Return whether another process holds a folder (`hold`)."""
    try:
        import fcntl
    except ImportError:
        return False

    try:
        status = folder.stat()
        ours = _held.get((status.st_dev, status.st_ino))
        descriptor = ours[0] if ours else os.open(folder, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(descriptor, fcntl.LOCK_SH if ours else fcntl.LOCK_UN)
    except BlockingIOError:
        if ours:  # a lock that is to be changed is given up first
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return True
    except OSError:
        return False
    finally:
        if not ours:
            os.close(descriptor)
    return False


def _release(key: tuple[int, int]) -> None:
    descriptor, times = _held.pop(key)
    if times > 1:
        _held[key] = descriptor, times - 1
    else:
        os.close(descriptor)
