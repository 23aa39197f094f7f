"""What the tests of commands share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _at_home(request: pytest.FixtureRequest, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every test of a module that has a `home`, a folder for all of its tests, work there with the cache in it."""
    if hasattr(request.module, "home"):
        home: Path = request.getfixturevalue("home")
        monkeypatch.setenv("ZOO_CACHE", str(home / "cache"))
        monkeypatch.chdir(home)
