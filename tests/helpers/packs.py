"""What the tests of packs share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from zoo.files import TEMPORARY
from zoo.packs import PackRequest
from zoo.progress import Reporter, Task
from zoo_core import Plugin, registry

NAMES = ("Counted", "Drawn", "Deadly", "Thankless", "Wrong", "Unlisted", "Nothing", "Gap")


def samples() -> AbstractContextManager[None]:
    """Registers every dataset of `pack_samples` under its name in lower case."""
    plugin = Plugin(datasets={name.lower(): f"helpers.pack_samples:{name}" for name in NAMES})
    return registry.add(plugin, distribution="samples")  # type: ignore[no-any-return]


class Heard(Reporter):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.progress: list[float] = []

    def note(self, text: str) -> None:
        self.lines.append(text)

    def warn(self, text: str) -> None:
        self.lines.append(f"warning: {text}")

    @contextmanager
    def task(self, label: str, total: float | None = None, unit: str = "") -> Iterator[Task]:
        self.lines.append(f"{label} {total} {unit}")
        task = Task()
        task.update = lambda done, **values: self.progress.append(done)  # type: ignore[method-assign]
        yield task

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def pictures(folder: Path, count: int, *, colored: set[int] | None = None, side: int = 12) -> Path:
    """`count` PNG files of noise in two class folders, gray unless `colored`."""
    rng = np.random.default_rng(0)
    for i in range(count):
        shape = (side, side, 3) if colored and i in colored else (side, side)
        path = folder / ("cat" if i < count // 2 else "dog") / f"{i:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(path)
    return folder


def unfinished(cache: Path) -> list[str]:
    return [path.name for path in (cache / "packs").glob("*") if path.name.startswith(TEMPORARY) or path.is_dir()]


def request(data: Path, size: int = 8, channels: int | None = None, **options: Any) -> PackRequest:
    return PackRequest("counted", data=data, size=size, channels=channels, options=options)
