"""Where things lie on this machine. Imports no torch."""

from __future__ import annotations

import os
from pathlib import Path


def cache_root() -> Path:
    """The zoo's cache: `$ZOO_CACHE`, else `$XDG_CACHE_HOME/dcgan-zoo`, else `~/.cache/dcgan-zoo`. It need not exist."""
    root = os.environ.get("ZOO_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "dcgan-zoo")
    return Path(root).expanduser()


def indexes() -> Path:
    """Where datasets keep what they learned about large archives, so as not to read them again. May be lost any time."""
    return cache_root() / "indexes"
