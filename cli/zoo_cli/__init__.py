"""The command `zoo`: parses, calls the package `zoo`, prints. No logic."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from .main import zoo

    zoo(prog_name="zoo")
