"""What every test gets."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["helpers.hub_server.fixtures"]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of its own for every test."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("ZOO_CACHE", str(folder))
    return folder
