"""Features on disk: computed once, in pieces, so that any number fits in memory and an interrupted computation goes on.

They lie in the cache's folder `features`, each under a name of its content: images, extractor with its weights, precision.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import filelock
import torch
from torch import Tensor

from zoo_core import ZooError

from ..files import TEMPORARY, cache_folder, publish_folder, remove_folder, translate_errors, write_json
from ..progress import SILENT, Reporter
from .extractors import BATCH, Extractor, stream_features
from .images import Images

FORMAT = 1
LIMIT = 16 << 30
"""Bytes of features that stay in the cache; those that were not used for the longest time go first."""

Precision = Literal["float32", "float16"]
_DATA, _INFO = "features.bin", "info.json"


@dataclass(frozen=True)
class Features:
    """Feature vectors [count, dim] on disk.

    Args:
        path: their folder, where what is computed from them may be kept too.
        count, dim: shape.
        precision: of the numbers.
    """

    path: Path
    count: int
    dim: int
    precision: Precision

    def __len__(self) -> int:
        return self.count

    def tensor(self) -> Tensor:
        """All of them [count, dim], on a private memory map: only what is touched is read."""
        dtype = getattr(torch, self.precision)
        flat = torch.from_file(str(self.path / _DATA), shared=False, size=self.count * self.dim, dtype=dtype)
        return flat.view(self.count, self.dim)

    def blocks(self, size: int = 1024) -> Iterator[Tensor]:
        """All of them as float32, in order, `size` at a time."""
        for part in torch.split(self.tensor(), size):
            yield part.float()


def cache_features(
    extractor: Extractor,
    images: Images,
    *,
    precision: Precision = "float32",
    report: Reporter = SILENT,
) -> Features:
    """Return features of images, from the cache or computed now; what an interrupted computation left is gone on from.

    Raises:
        ZooError: features are not finite, or too large for half precision; the disk is full or cannot be written.
    """
    described = {"format": FORMAT, "images": images.key, "extractor": extractor.describe(), "precision": precision}
    key = hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:32]
    target = cache_folder("features") / key
    found = Features(target, images.count, extractor.network.dim, precision)
    if _is_complete(found):
        return found
    with translate_errors(target), filelock.FileLock(target.with_name(f".{key}.lock")):
        if not _is_complete(found):
            remove_folder(target)
            work = target.with_name(f"{TEMPORARY}{key}")
            work.mkdir(exist_ok=True)
            _check_space(work, found)
            _compute(extractor, images, work / _DATA, found, report)
            write_json(work / _INFO, {**described, "count": found.count, "dim": found.dim})
            publish_folder(work, target)
    _prune(target.parent, LIMIT, keep=target)
    return found


def _is_complete(features: Features) -> bool:
    file = features.path / _DATA
    if not (features.path / _INFO).is_file() or not file.is_file() or file.stat().st_size != _count_bytes(features):
        return False
    with suppress(OSError):
        os.utime(features.path)  # used just now
    return True


def _count_bytes(features: Features) -> int:
    return features.count * features.dim * (2 if features.precision == "float16" else 4)


def _compute(extractor: Extractor, images: Images, file: Path, features: Features, report: Reporter) -> None:
    dtype = getattr(torch, features.precision)
    row = _count_bytes(features) // features.count
    done = file.stat().st_size // row // BATCH * BATCH if file.exists() else 0  # whole batches, so that rounding is the same
    if done:
        report.note(f"going on with {images.label} number {done:,}")
    label = f"features of {images.label}"
    with open(file, "r+b" if done else "wb") as stream, report.task(label, images.count, "images") as task:
        stream.truncate(done * row)
        stream.seek(done * row)
        for vectors in stream_features(extractor.network, images.pieces(done)):
            rounded = vectors.to(dtype)
            if not bool(torch.isfinite(rounded).all()):
                raise ZooError(f"features reach {float(vectors.abs().max()):.3g}, too large for half precision")
            stream.write(rounded.contiguous().numpy().data)
            done += len(vectors)
            task.update(done)
    if done != images.count:
        raise ZooError(f"{images.label} ended after {done:,} of {images.count:,}")


def _check_space(work: Path, features: Features) -> None:
    there = sum(file.stat().st_size for file in work.glob("*"))
    needed = _count_bytes(features) - there
    free = shutil.disk_usage(work).free
    if needed > free:
        raise ZooError(
            f"features of {features.count:,} images need {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free in {work}",
            hint="take fewer images, or choose another cache folder: export ZOO_CACHE=DIR",
        )


def _prune(folder: Path, most: int, *, keep: Path) -> None:
    """Delete features that were not used for the longest time until `most` bytes are left; `keep` stays."""
    kept = [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
    sizes = {path: sum(file.stat().st_size for file in path.glob("*") if file.is_file()) for path in kept}
    total = sum(sizes.values())
    for path in sorted(kept, key=lambda p: p.stat().st_mtime):
        if total <= most:
            return
        if path != keep:
            remove_folder(path)
            total -= sizes[path]
