"""What reads an LMDB in a process of its own, which a damaged database may end: LMDB trusts every number in it.

Asked on standard input: a length and a key, for its value; or length 0, for all keys. Answers on standard output, each a
letter and a length before it: V a value, N none, K some keys, each behind its length, E an error in words.
"""

from __future__ import annotations

import signal
import struct
import sys
from typing import BinaryIO

LENGTH, SHORT = struct.Struct("<Q"), struct.Struct("<H")
MOST_BYTES = 256 << 20  # of a value; no picture's file is larger
_AT_ONCE = 10_000  # keys in an answer


def serve(folder: str) -> None:
    """Answer until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle, which then closes our input
    asked, out = sys.stdin.buffer, sys.stdout.buffer
    import lmdb

    try:
        environment = lmdb.open(folder, readonly=True, lock=False, create=False)
    except Exception as error:
        return _answer(out, b"E", str(error).encode())
    with environment.begin(buffers=True) as transaction:
        _answer(out, b"N", b"")  # it is open
        while head := asked.read(LENGTH.size):
            (length,) = LENGTH.unpack(head)
            try:
                if length:
                    value = transaction.get(asked.read(length))
                    if value is not None and len(value) > MOST_BYTES:
                        raise ValueError(f"a value of {len(value):,} bytes")
                    _answer(out, b"N" if value is None else b"V", b"" if value is None else value)
                else:
                    _send_keys(out, transaction, environment.stat()["entries"])
            except Exception as error:
                _answer(out, b"E", f"{type(error).__name__}: {error}".encode())


def _send_keys(out: BinaryIO, transaction: object, most: int) -> None:
    """Send all keys and then none; raises ValueError where there are more than the database says, as in a circle."""
    keys: list[bytes] = []
    total = 0
    for key in transaction.cursor().iternext(keys=True, values=False):  # type: ignore[attr-defined]
        keys.append(SHORT.pack(len(key)) + bytes(key))
        total += 1
        if total > most:
            raise ValueError(f"it lists more keys than the {most:,} that it says it has")
        if len(keys) == _AT_ONCE:
            _answer(out, b"K", b"".join(keys))
            keys.clear()
    if total != most:
        raise ValueError(f"it lists {total:,} keys and says that it has {most:,}")
    if keys:
        _answer(out, b"K", b"".join(keys))
    _answer(out, b"K", b"")


def _answer(out: BinaryIO, letter: bytes, body: bytes | memoryview) -> None:
    out.write(letter + LENGTH.pack(len(body)))
    out.write(body)
    out.flush()
