"""Samples of a model as files."""

from __future__ import annotations

from pathlib import Path

import torch

from zoo_core import UsageError

from ..files import atomic_folder
from ..progress import Reporter
from .grids import save_grid, to_pictures
from .model import Model

FORMATS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")
"""Endings of a file name that make a grid; anything else names a folder."""

GRID_LIMIT = 4096
"""Most pictures of one grid."""


def sample_to(
    model: Model,
    out: Path,
    n: int,
    *,
    seed: int = 0,
    label: str | None = None,
    numbered: bool = False,
    report: Reporter | None = None,
) -> Path:
    """Draw `n` samples, as `Model.sample` does, into one grid, or each into a file of its own.

    `out` is a name that ends like a picture's for a grid, in which `numbered` writes each picture's number below it; else a
    new or empty folder for 00000.png, 00001.png, … Raises `UsageError` where `n` is impossible, the folder is not empty or
    the file cannot be a picture, `ZooError` where the place cannot be written.
    """
    if out.suffix.lower() in FORMATS:
        if n > GRID_LIMIT:
            raise UsageError(
                f"{n} pictures are too many for one grid; the most is {GRID_LIMIT}", hint="name a folder: --out DIR"
            )
        if out.is_dir():
            raise UsageError(f"{out} is a folder", hint="choose another file name")
        return save_grid(model.sample(n, seed=seed, label=label), out, numbered=numbered)
    if out.suffix and not out.is_dir():
        raise UsageError(
            f"{out.suffix!r} is no picture format that can be written; valid: {', '.join(FORMATS)}",
            hint="a name without an ending makes a folder of pictures",
        )
    if out.resolve() == Path.cwd():
        raise UsageError("the current folder cannot be replaced by one of pictures", hint="name another: --out DIR")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} exists and is not an empty folder", hint="choose another place: --out DIR")
    with (report or Reporter()).task("sampling", n, "images") as task, atomic_folder(out, replace=True) as folder:
        done = 0
        for images in model.batches(n, seed=seed, label=label, on_device=True):  # rounded there: a quarter of the bytes
            for picture in to_pictures(torch.as_tensor(images)):
                picture.save(folder / f"{done:05d}.png")
                done += 1
            task.update(done)
    return out
