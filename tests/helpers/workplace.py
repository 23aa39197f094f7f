"""A folder in which commands are run as a person types them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from zoo_cli.main import zoo


def run(*words: object) -> Result:
    """Run `zoo` with some words."""
    return CliRunner().invoke(zoo, [str(word) for word in words])


def write_noise(folder: Path, count: int) -> None:
    """Write `count` pictures of 20×20 pixels of noise."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(count):
        Image.fromarray(rng.integers(0, 256, (20, 20, 3), np.uint8)).save(folder / f"{i}.png")


@contextmanager
def workplace(folder: Path) -> Iterator[pytest.MonkeyPatch]:
    """Work in a folder, with a cache in it and one thread; what else is patched is undone at the end."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_CACHE", str(folder / "cache"))
        patch.chdir(folder)
        yield patch
    torch.set_num_threads(threads)
