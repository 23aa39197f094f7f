"""Writing the shards of a pack, image by image, so that a build that was killed goes on at the shard it was on."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ..documents import parse_json
from ..files import atomic_file, sha256
from ..schemas import ListOf, OneOf, Row, Text, Whole, find_problem
from .workers import Chunk

SHARD_BYTES = 1 << 30  # about how large one file of images becomes
_HEADER = 256  # bytes before the pixels; the format lets a header end in spaces
_BLOCK = 16 << 20
_TABLES = ("records", "boxes", "sides", "remarks", "grays")


_ABOUT = {"key": str, "name": Text(plain=True), "channels": OneOf((1, 3)), "end": Whole(0), "sha256": str}
_ABOUT |= {"skipped": ListOf(Row((Whole(0), str)))}
_Rows = tuple[NDArray[Any], ...]
"""Records [n] int64, boxes [n, B, 4] int16 and sides [n] int32 of some images, as in `labels.safetensors`; remarks
[n] uint8 and grays [n, 2] float32."""


@dataclass
class Shard:
    """What is known of one file of images."""

    name: str
    channels: int
    end: int = 0  # records before this one, counted in the listing, are dealt with once the file is complete
    rows: list[_Rows] = field(default_factory=list)  # of its images, in order: see `_TABLES`
    skipped: dict[int, str] = field(default_factory=dict)  # record → why it was skipped
    sha256: str = ""  # of the complete file

    @property
    def count(self) -> int:
        return sum(len(row[0]) for row in self.rows)

    def tables(self) -> dict[str, NDArray[Any]]:
        """Each of `_TABLES` of all images."""
        return {name: np.concatenate([row[i] for row in self.rows]) for i, name in enumerate(_TABLES)}

    def save(self, path: Path, key: str) -> None:
        """Write all but the images themselves: it is there exactly when the file of images is complete."""
        about = {"key": key, "name": self.name, "channels": self.channels, "end": self.end, "sha256": self.sha256}
        with atomic_file(path) as temporary:
            save_file(self.tables(), temporary, {"shard": json.dumps({**about, "skipped": [*self.skipped.items()]})})

    @staticmethod
    def load(path: Path, key: str) -> Shard | None:
        """Return what `save` wrote, None where it is not of the pack `key` or cannot be read."""
        try:
            with safe_open(str(path), framework="np") as file:
                about = parse_json((file.metadata() or {})["shard"].encode())
                row: Any = tuple(file.get_tensor(name) for name in _TABLES)
            if find_problem(about, _ABOUT) or about.pop("key") != key:
                return None
            return Shard(**{**about, "rows": [row], "skipped": dict(about["skipped"])})
        except (OSError, SafetensorError, ValueError, KeyError, RecursionError):
            return None


class ShardWriter:
    """Writes `images-00000.safetensors`, … into a folder; each holds "images", uint8 [n, S, S, C].

    Without `channels` it begins with one and goes over to three at the first colored image: the grays are then copied,
    repeated into three channels, so that a dataset need not be read twice. Each of the two has a folder, and beside it one
    for what makes its complete files usable after a kill. The same records give the same bytes, however often the work was
    interrupted.

    Args:
        work: a folder for this writer alone; what an earlier one completed in it is taken over.
        key: of the pack; what was written for another one is thrown away.
        channels: C, or None to look at the images; as an attribute, C so far.
        total: how many records the listing has.

    Attributes:
        shards: the complete files.
        position: the record that `add` must be given next.
        count, resumed: images so far, and those that an earlier writer had completed.
    """

    def __init__(self, work: Path, key: str, size: int, channels: int | None, total: int) -> None:
        self.work, self.key, self.size, self.total = work, key, size, total
        self._file: BinaryIO | None = None
        self._shard: Shard | None = None
        self._skipped: dict[int, str] = {}  # not yet told by a complete file
        self.shards: list[Shard] = []
        self.channels, grays = channels or 1, []
        self._take_over()
        if channels is None:
            grays, self.channels = self.shards, 3
            self._take_over()
            if not self.shards:  # no colored image was met, or it will be met again
                self.shards, self.channels = grays, 1
        self.position = max([0, *(shard.end for shard in self.shards)])
        self.count = self.resumed = sum(shard.count for shard in self.shards)
        if self.channels == 3 and grays and grays[-1].end > self.position:
            self._copy_grays(grays)
            self.resumed = self.count

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return self.work / str(self.channels)

    @property
    def kept(self) -> bool:
        """Whether another writer would find something to take over."""
        return any(any(self._records(c).glob("*")) for c in (1, 3))

    def add(self, chunk: Chunk) -> None:
        """Append the images of the next records; grays are repeated where colors came before."""
        numbers = np.delete(np.arange(self.position, self.position + chunk.total), [*chunk.skipped])
        self._skipped.update({self.position + place: why for place, why in chunk.skipped.items()})
        if len(chunk.images):
            if chunk.images.shape[3] > self.channels:
                self._promote()
            n = len(numbers)
            remarks = chunk.remarks if chunk.remarks is not None else np.zeros(n, np.uint8)
            grays = chunk.grays if chunk.grays is not None else np.zeros((n, 2), np.float32)
            self._append(chunk.images, (numbers, chunk.boxes, chunk.sides, remarks, grays))
        self.position += chunk.total

    def finish(self) -> Shard:
        """Complete the last file; return what is known of all images and of what was skipped, as if it were one shard."""
        self._close()
        skipped = {record: why for shard in self.shards for record, why in shard.skipped.items()} | self._skipped
        rows = [row for shard in self.shards for row in shard.rows]
        return Shard("", self.channels, self.position, rows, dict(sorted(skipped.items())))

    def abandon(self) -> None:
        """Close what is open; an open file could not be deleted on Windows."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _records(self, channels: int) -> Path:
        return self.work / f"{channels}-complete"

    def _most(self) -> int:
        return max(1, SHARD_BYTES // (self.size * self.size * self.channels))

    def _append(self, images: NDArray[np.uint8], rows: _Rows) -> None:
        if images.shape[3] < self.channels:
            images = np.repeat(images, self.channels, axis=3)
        self.count += len(images)
        start = 0
        while start < len(images):
            if self._file is None or self._shard is None:
                self._shard = Shard(f"images-{len(self.shards):05d}.safetensors", self.channels)
                self._file = open(self.folder / self._shard.name, "wb")  # noqa: SIM115
                self._file.write(b" " * _HEADER)
            some = slice(start, start + self._most() - self._shard.count)
            self._file.write(np.ascontiguousarray(images[some]).data)
            self._shard.rows.append(tuple(table[some] for table in rows))
            self._shard.end = int(rows[0][some][-1]) + 1
            start = some.stop
            if self._shard.count >= self._most():
                self._close()

    def _close(self) -> None:
        """Complete the open file, on disk, and only then say so beside it."""
        file, shard = self._file, self._shard
        if file is None or shard is None:
            return
        shape = [shard.count, self.size, self.size, self.channels]
        tensor = {"dtype": "U8", "shape": shape, "data_offsets": [0, math.prod(shape)]}
        header = json.dumps({"images": tensor}, separators=(",", ":")).encode().ljust(_HEADER - 8)
        file.seek(0)
        file.write(len(header).to_bytes(8, "little") + header)
        file.flush()
        os.fsync(file.fileno())
        file.close()
        self._file = self._shard = None
        shard.sha256 = sha256(self.folder / shard.name)
        shard.skipped = {record: why for record, why in self._skipped.items() if record < shard.end}
        self._skipped = {record: why for record, why in self._skipped.items() if record >= shard.end}
        shard.save(self._records(self.channels) / shard.name, self.key)
        self.shards.append(shard)

    def _take_over(self) -> None:
        """Find the complete files with the present number of channels, and delete whatever else is there."""
        self.shards = []
        folder, records = self.folder, self._records(self.channels)
        for place in (folder, records):
            place.mkdir(parents=True, exist_ok=True)
        for path in sorted(records.glob("images-*.safetensors")):
            shard = Shard.load(path, self.key)
            if shard is None or shard.name != f"images-{len(self.shards):05d}.safetensors":
                break
            if shard.count != self._most() and shard.end < self.total:
                break
            if not (folder / shard.name).is_file() or sha256(folder / shard.name) != shard.sha256:
                break
            self.shards.append(shard)
        known = {shard.name for shard in self.shards}
        for path in (*folder.iterdir(), *records.iterdir()):
            if path.name not in known:
                path.unlink()

    def _promote(self) -> None:
        """Go over to three channels: write everything again. The grays stay until a build is done, in case of a kill."""
        self.abandon()
        if self._shard is not None:  # the last of them, whose header nobody will read
            self.shards.append(self._shard)
            self._shard = None
        grays, self.channels, self.shards, self.count = self.shards, 3, [], 0
        self._copy_grays(grays)

    def _copy_grays(self, grays: list[Shard]) -> None:
        """Append the images of `grays` that are not yet among the colored ones."""
        begin, place = self.count, 0
        skipped = {record: why for shard in grays for record, why in shard.skipped.items()}
        done = self.shards[-1].end if self.shards else 0
        self._skipped = {**{record: why for record, why in skipped.items() if record >= done}, **self._skipped}
        step = max(1, _BLOCK // (self.size * self.size))
        for shard in grays:
            tables = shard.tables().values()
            shape = (shard.count, self.size, self.size, 1)
            pixels = np.memmap(self.work / "1" / shard.name, np.uint8, "r", _HEADER, shape)
            for start in range(max(0, begin - place), shard.count, step):
                self._append(pixels[start : start + step], tuple(table[start : start + step] for table in tables))
            place += shard.count
        self.position = max(self.position, grays[-1].end if grays else 0)
