"""What goes wrong on demand."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field


@dataclass
class Fault:
    """Something that happens to the next requests that match.

    Args:
        path: a regular expression, searched in the raw path.
        method: "GET", …; "" for any.
        status: answer with this status and nothing else.
        headers: with the answer.
        reset: cut the connection: before the request's body is read ("early"), after it ("request"), in
            the middle of the answer's body ("body"), or once it has been acted on, instead of the answer ("after").
        truncate: send the length of the whole answer, half of its bytes, and close.
        corrupt: flip a bit of the answer's body.
        endless: send so many bytes in pieces, after what is right, and never say that it is the end; `squeezed` by gzip.
        delay: seconds to wait first.
        skip: matching requests that are left alone first.
        times: matching requests that it happens to.
    """

    path: str
    method: str = ""
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    reset: str = ""
    truncate: bool = False
    corrupt: bool = False
    endless: int = 0
    squeezed: bool = False
    delay: float = 0.0
    skip: int = 0
    times: int = 1


class Faults:
    """Those that are still to happen."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, *faults: Fault) -> None:
        """Let them happen, in this order where several match."""
        with self._lock:
            self._waiting += faults

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        with self._lock:
            self._waiting.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """The fault that befalls this request."""
        with self._lock:
            for fault in self._waiting:
                if fault.method not in ("", method) or not re.search(fault.path, path):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                if fault.times > 0:
                    fault.times -= 1
                    return fault
        return None
