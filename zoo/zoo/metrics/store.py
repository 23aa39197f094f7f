"""Features on disk: computed once, in pieces, so that any number fits in memory and an interrupted computation goes on.

They lie in the cache's folder `features`, each under a name of its content: images, extractor with its weights, precision.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Literal

import filelock
import torch
from torch import Tensor

from zoo_core import ZooError

from ..files import (
    FEATURES,
    TEMPORARY,
    cache_folder,
    features_limit,
    measure_folder,
    note_use,
    publish_folder,
    remove_folder,
    translate_errors,
    write_json,
)
from ..progress import SILENT, Reporter
from .extractors import BATCH, Extractor, stream_features
from .images import Images, hash_json

FORMAT = 1
LIMIT = FEATURES  # bytes that stay in the cache; see `features_limit`
Precision = Literal["float32", "float16"]
_DATA, _INFO = "features.bin", "info.json"


def cache_features(
    extractor: Extractor, images: Images, *, precision: Precision = "float32", report: Reporter = SILENT
) -> Tensor:
    """Return features [N, dim] of images, from the cache or computed now, on a private memory map.

    What an interrupted computation left is gone on from; only what is touched of the map is read. Raises `ZooError` for
    features that are not finite or too large for half precision, and for a disk that is full or cannot be written.
    """
    dim, dtype = extractor.network.dim, getattr(torch, precision)
    size = images.count * dim * dtype.itemsize
    described = {"format": FORMAT, "images": images.key, "extractor": extractor.describe(), "precision": precision}
    if extractor.device.type != "cpu":
        described["device"] = extractor.device.type  # its kernels round differently
    key = hash_json(described)[:32]
    target, limit = cache_folder("features") / key, features_limit(LIMIT)
    with translate_errors(target), filelock.FileLock(target.with_name(f".{key}.lock")):
        if not _is_complete(target, size):
            remove_folder(target)
            work = target.with_name(f"{TEMPORARY}{key}")
            work.mkdir(exist_ok=True)
            needed, free = size - measure_folder(work)[0], shutil.disk_usage(work).free
            if needed > free:
                raise ZooError(
                    f"features of {images.count:,} images need {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free in "
                    f"{work}",
                    hint="take fewer images, or choose another cache folder: export ZOO_CACHE=DIR",
                )
            _compute(extractor, images, work / _DATA, dtype, report)
            write_json(work / _INFO, {**described, "count": images.count, "dim": dim})
            publish_folder(work, target)
            _prune(target.parent, limit, keep=target)
    return torch.from_file(str(target / _DATA), shared=False, size=images.count * dim, dtype=dtype).view(-1, dim)


def _is_complete(folder: Path, size: int) -> bool:
    file = folder / _DATA
    if not (folder / _INFO).is_file() or not file.is_file() or file.stat().st_size != size:
        return False
    note_use(folder)
    return True


def _compute(extractor: Extractor, images: Images, file: Path, dtype: torch.dtype, report: Reporter) -> None:
    row = extractor.network.dim * dtype.itemsize
    done = file.stat().st_size // row // BATCH * BATCH if file.exists() else 0  # whole batches, so that rounding is the same
    if done:
        report.note(f"going on with {images.label} number {done:,}")
    label = f"features of {images.label}"
    with open(file, "r+b" if done else "wb") as stream, report.task(label, images.count, "images") as task:
        stream.truncate(done * row)
        stream.seek(done * row)
        for vectors in stream_features(extractor.network, images.pieces(done, extractor.device)):
            rounded = vectors.to(dtype)
            if not bool(torch.isfinite(rounded).all()):
                raise ZooError(f"features reach {float(vectors.abs().max()):.3g}, too large for half precision")
            stream.write(rounded.contiguous().numpy().data)
            task.update(done := done + len(vectors))
    if done != images.count:
        raise ZooError(f"{images.label} ended after {done:,} of {images.count:,}")


def _prune(folder: Path, limit: int, *, keep: Path) -> None:
    """Delete features that were not used for the longest time until `limit` bytes are left; `keep` stays."""
    sizes = {path: measure_folder(path)[0] for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")}
    total = sum(sizes.values())
    for path in sorted(sizes, key=lambda p: p.stat().st_mtime):
        if total > limit and path != keep:
            remove_folder(path)
            total -= sizes[path]
