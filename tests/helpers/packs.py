"""What the tests of packs share."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from helpers.reporters import Heard as Heard
from zoo.files import TEMPORARY
from zoo.packs import PackRequest
from zoo_core import Plugin, registry

NAMES = ("Counted", "Drawn", "Deadly", "Thankless", "Wrong", "Unlisted", "Nothing", "Gap")


def samples() -> AbstractContextManager[None]:
    """Registers every dataset of `pack_samples` under its name in lower case."""
    plugin = Plugin(datasets={name.lower(): f"helpers.pack_samples:{name}" for name in NAMES})
    return registry.add(plugin, distribution="samples")  # type: ignore[no-any-return]


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
