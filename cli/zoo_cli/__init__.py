"""The command `zoo`: parses, calls the package `zoo`, prints. No logic."""

from __future__ import annotations

import os


def main() -> None:
    """Run the command line."""
    from .main import zoo

    if "_ZOO_COMPLETE" in os.environ:
        from .shells import register

        register()
    zoo(prog_name="zoo")
