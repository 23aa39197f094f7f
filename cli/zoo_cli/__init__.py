"""The command `zoo`: parses, calls the package `zoo`, prints. No logic."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from types import FrameType


def main() -> None:
    """Run the command line."""
    try:
        _listen()
        from .main import zoo

        if "_ZOO_COMPLETE" in os.environ:
            from .shells import register

            register()
        zoo(prog_name="zoo")
    except SystemExit as end:
        _be_deaf()
        if end.code and os.environ.get("WORLD_SIZE", "1") != "1":
            _leave_at_once(end.code if isinstance(end.code, int) else 1)
        raise
    except KeyboardInterrupt:  # before a command had begun
        _be_deaf()
        _say("stopped")
        _leave_at_once(130)
    except OSError as error:  # what click prints by itself, the help for example
        _be_deaf()
        _say(f"error: standard output cannot be written: {error.strerror}")
        _leave_at_once(1)


CALM = 0.5  # seconds within which signals are one wish to stop


def _listen() -> None:
    """Take a storm of Ctrl-C as one: whoever holds the keys down is not shown how the work is taken down."""
    last = -CALM

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal last
        before, last = last, time.monotonic()
        if last - before >= CALM:
            raise KeyboardInterrupt

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupt)


def _be_deaf() -> None:
    """Hear no Ctrl-C any more: the process is about to end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _say(text: str) -> None:
    with suppress(OSError, ValueError, AttributeError):  # nobody there to hear it
        sys.stderr.write(f"{text}\n")


def _leave_at_once(code: int) -> None:
    """End one of several processes that failed without taking Python down piece by piece: what its error still refers to may
    hold threads of torch's communication, which then abort the process instead ("terminate called").
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # closed, or full
            stream.flush()
    os._exit(code)
