"""The command `zoo`: parses, calls the package `zoo`, prints. No logic."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line."""
    from .main import zoo

    if "_ZOO_COMPLETE" in os.environ:
        from .shells import register

        register()
    try:
        zoo(prog_name="zoo")
    except SystemExit as end:
        if end.code and os.environ.get("WORLD_SIZE", "1") != "1":
            _leave_at_once(end.code if isinstance(end.code, int) else 1)
        raise


def _leave_at_once(code: int) -> None:
    """End one of several processes that failed without taking Python down piece by piece: what its error still refers to may
    hold threads of torch's communication, which then abort the process instead ("terminate called").
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
