"""LMDB databases that strangers made: their lengths are checked before anything is mapped, and another process reads them.

LMDB maps the file and follows the numbers in it. A file that is shorter than its pages, or damaged, ends the process that
reads it (SIGBUS, SIGSEGV, an assertion), without a word.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import weakref
from contextlib import suppress
from pathlib import Path

from zoo_core.errors import DataError

from ..sources import refuse_pointer
from .lmdb_process import LENGTH, SHORT

# A page's head of 16 bytes; then magic, version, address, size of the map; two databases (for each: pad, flags, depth, pages
# of branches, leaves and overflow, entries, root); number of the last page, number of the transaction.
_META = struct.Struct("<16x IIQQ I44x 48x QQ")
_MAGIC = 0xBEEFC0DE
_AGAIN = "download and unpack it again"
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from zoo_plugins.datasets.readers.lmdb_process import serve; serve(sys.argv[2])"
)


class LMDBReader:
    """The database in a folder; the process that reads it ends with the reader, at the latest.

    Raises:
        DataError: it is none, is cut short, or so damaged that the process that reads it has ended.
    """

    def __init__(self, folder: Path) -> None:
        self.file = folder / "data.mdb"
        check_length(self.file)
        command = [sys.executable, "-I", "-c", _START, json.dumps(sys.path), str(folder)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.close = weakref.finalize(self, _end, self._process, os.getpid())
        """End the process that reads."""
        self._answer("it was opened")

    def keys(self) -> list[bytes]:
        """Return all keys in the database's order; the values, hundreds of times larger, are not touched."""
        self._ask(b"")
        found: list[bytes] = []
        while body := self._answer("its keys were listed"):
            at = 0
            while at < len(body):
                (length,) = SHORT.unpack_from(body, at)
                at += SHORT.size + length
                found.append(body[at - length : at])
        return found

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key, None where there is none."""
        self._ask(key)
        return self._answer(f"{key!r} was read")

    def is_alive(self) -> bool:
        """Return whether the process that reads has not ended."""
        return self._process.poll() is None

    def _ask(self, key: bytes) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # said when its answer does not come
            self._process.stdin.write(LENGTH.pack(len(key)) + key)
            self._process.stdin.flush()

    def _answer(self, when: str) -> bytes | None:
        assert self._process.stdout is not None
        head = self._process.stdout.read(1 + LENGTH.size)
        length = LENGTH.unpack(head[1:])[0] if len(head) == 1 + LENGTH.size else 0
        body = self._process.stdout.read(length) if length else b""
        if len(head) != 1 + LENGTH.size or len(body) != length:
            code = self._process.wait()
            how = signal.Signals(-code).name if code < 0 and os.name == "posix" else f"exit code {code}"
            raise DataError(f"{self.file} is damaged: the process that reads it ended ({how}) when {when}", hint=_AGAIN)
        if head[:1] == b"E":
            words = body.decode("utf-8", "replace")
            raise DataError(f"{self.file} is damaged or no LMDB database: {words}", hint=_AGAIN)
        return None if head[:1] == b"N" else body


def _end(process: subprocess.Popen[bytes], owner: int) -> None:
    """End a process, unless it is another one's: a fork has the pipes too, which would keep it waiting for their end."""
    if os.getpid() == owner:
        with suppress(OSError), process:
            process.kill()


def check_length(file: Path) -> None:
    """Raise `DataError` unless a file begins like an LMDB database and is as long as its pages."""
    refuse_pointer(file)
    try:
        size = file.stat().st_size
        with open(file, "rb") as opened:
            first = opened.read(_META.size)
            if len(first) < _META.size or (meta := _META.unpack(first))[0] != _MAGIC:
                raise DataError(f"{file} is no LMDB database, or its beginning is damaged", hint=_AGAIN)
            page = meta[4]
            if page.bit_count() != 1 or not 256 <= page <= 1 << 16:
                raise DataError(
                    f"{file} is no LMDB database, or its beginning is damaged: pages of {page:,} bytes", hint=_AGAIN
                )
            opened.seek(page)
            second = opened.read(_META.size)
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror or error}") from error
    metas = [meta, _META.unpack(second)] if len(second) == _META.size else [meta]
    newest = max((m for m in metas if m[0] == _MAGIC), key=lambda m: m[-1])
    if len(metas) < 2 or size < (expected := (newest[-2] + 1) * page):
        expected = 2 * page if len(metas) < 2 else expected
        raise DataError(f"{file} is cut short: {size:,} of {expected:,} bytes are there", hint=_AGAIN)
