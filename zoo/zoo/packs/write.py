"""Writing the shards of a pack, image by image, without holding them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..files import sha256

SHARD_BYTES = 1 << 30
"""About how large one file of images becomes."""

_HEADER = 256  # bytes before the pixels; the format lets a header end in spaces
_BLOCK = 16 << 20


class ShardWriter:
    """Writes `images-00000.safetensors`, … into a folder; each holds "images", uint8 [n, S, S, C].

    It begins with `channels` and goes over to 3 with the first coloured image: what is already written is then repeated into
    three channels on disk, so that a dataset need not be read twice to know what it is.

    Args:
        folder: where the files go; must exist.
        size: S.
        channels: C to begin with, 1 or 3.
    """

    def __init__(self, folder: Path, size: int, channels: int) -> None:
        self.folder, self.size, self.channels = folder, size, channels
        self.count = 0
        self._shards: list[dict[str, Any]] = []
        self._file: BinaryIO | None = None
        self._in_file = 0

    def add(self, images: NDArray[np.uint8]) -> None:
        """Append images [n, S, S, 1 or 3]; greys are repeated where colours came before."""
        if len(images) == 0:
            return
        if images.shape[3] > self.channels:
            self._promote()
        if images.shape[3] < self.channels:
            images = np.repeat(images, self.channels, axis=3)
        most = max(1, SHARD_BYTES // (self.size * self.size * self.channels))
        while len(images):
            if self._file is None:
                self._file = open(self.folder / f"images-{len(self._shards):05d}.safetensors", "xb")  # noqa: SIM115
                self._file.write(b" " * _HEADER)
            some, images = images[: most - self._in_file], images[most - self._in_file :]
            self._file.write(np.ascontiguousarray(some).data)
            self._in_file += len(some)
            self.count += len(some)
            if self._in_file >= most:
                self._close()

    def finish(self) -> list[dict[str, Any]]:
        """Complete the last file; return for each its name, count and SHA-256."""
        self._close()
        return self._shards

    def abandon(self) -> None:
        """Close what is open after an error; an open file could not be deleted on Windows."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _close(self) -> None:
        if self._file is None:
            return
        shape = [self._in_file, self.size, self.size, self.channels]
        tensor = {"dtype": "U8", "shape": shape, "data_offsets": [0, int(np.prod(shape))]}
        header = json.dumps({"images": tensor}, separators=(",", ":")).encode().ljust(_HEADER - 8)
        self._file.seek(0)
        self._file.write(len(header).to_bytes(8, "little") + header)
        path = Path(self._file.name)
        self._file.close()
        self._shards.append({"file": path.name, "count": self._in_file, "sha256": sha256(path)})
        self._file, self._in_file = None, 0

    def _promote(self) -> None:
        """Write everything again with three channels, in shards of the usual size."""
        greys = []
        for shard in self.finish():
            path = self.folder / shard["file"]
            greys.append((path.rename(path.with_name(f"grey-{path.name}")), shard["count"]))
        self._shards, self.channels, self.count = [], 3, 0
        step = max(1, _BLOCK // (self.size * self.size))
        for path, count in greys:
            with open(path, "rb") as file:
                file.seek(_HEADER)
                for start in range(0, count, step):
                    n = min(step, count - start)
                    block = np.frombuffer(file.read(n * self.size * self.size), np.uint8)
                    self.add(block.reshape(n, self.size, self.size, 1))
            path.unlink()
