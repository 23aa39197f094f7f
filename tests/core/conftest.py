"""Fixtures for plugins that are installed nowhere but in a folder of the test's own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Install = Callable[..., None]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder on `sys.path`; what is imported from it is forgotten afterwards."""
    folder = tmp_path / "site packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def install(site: Path) -> Install:
    """Install a fake distribution: `install("acme", "from zoo_core import Plugin; plugin = Plugin()")`.

    The module bears the distribution's name with underscores; `entry_points` replaces the usual file.
    """

    def install(
        name: str, source: str = "", *, version: str = "1.0", point: str = "", entry_points: str | bytes | None = None
    ) -> None:
        module = name.replace("-", "_").replace(".", "_").lower()
        if source:
            (site / f"{module}.py").write_text(source, encoding="utf-8")
        text = f"[zoo.plugins]\n{point or module} = {module}:plugin\n" if entry_points is None else entry_points
        info = site / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
        (info / "entry_points.txt").write_bytes(text if isinstance(text, bytes) else text.encode())

    return install
