"""The rows of a split, with one column of pictures: prepared by `datasets`, or in parquet files that are read in place."""

from __future__ import annotations

import bisect
import itertools
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..archives import read
from .files import split_reference

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from datasets import Dataset

MOST_BYTES = 256 << 20  # no picture's file is larger
_REMOTE = "hf://"
_AT_ONCE = 16  # files whose contents are asked for at once


def find_picture_columns(features: Mapping[str, Any]) -> list[str]:
    """Return the columns of pictures; where none is declared as such, those that hold bytes, alone or beside a path."""
    import datasets

    images = [name for name, kind in features.items() if isinstance(kind, datasets.Image)]
    return images or [name for name, kind in features.items() if _holds_bytes(kind)]


def _holds_bytes(kind: Any) -> bool:
    import datasets

    if isinstance(kind, dict):
        return _holds_bytes(kind.get("bytes"))
    return isinstance(kind, datasets.Value) and kind.dtype in ("binary", "large_binary", "binary_view")


def read_reference(reference: str) -> bytes | str:
    """Return what a row refers to instead of holding it: the bytes of a member of an archive, or the path of a file.

    `datasets` writes a file in a zip as "zip://train/0.jpg::/where/the.zip lies", and what is elsewhere as an address.
    """
    inner, outer = split_reference(reference)
    if inner and Path(outer).is_file():
        return read((outer, inner))
    if "://" not in reference:
        return reference
    if not outer.startswith(_REMOTE):
        raise ValueError(f"the row refers to {reference[:100]}, which is not fetched")
    import fsspec

    with fsspec.open(reference, "rb") as file:
        value: bytes = file.read(MOST_BYTES + 1)
    if len(value) > MOST_BYTES:
        raise ValueError(f"more than the limit of {MOST_BYTES:,} bytes")
    return value


class ArrowRows:
    """The rows of a split that `datasets` has downloaded and prepared, on a memory map.

    `features` says what each column holds.
    """

    def __init__(self, rows: Dataset) -> None:
        self._rows, self.features = rows, rows.features
        self._column, self._encoded = "", rows

    def __len__(self) -> int:
        return int(self._rows.num_rows)

    def keep(self, wanted: Sequence[int]) -> None:
        """Leave all other rows out."""
        self._rows, self._encoded = self._rows.select(wanted), self._encoded.select(wanted)

    def choose(self, column: str) -> None:
        """Say which column holds the pictures."""
        import datasets

        self._column, self._encoded = column, self._rows.select_columns([column])
        if isinstance(self.features[column], datasets.Image):
            self._encoded = self._encoded.cast_column(column, datasets.Image(decode=False))

    def paths(self) -> list[str]:
        """Return where each picture lay, "" where nobody knows; its bytes are not read."""
        import pyarrow as pa
        import pyarrow.compute as pc

        found: list[str] = []
        for batch in self._encoded.with_format("arrow").iter(1000):
            column = batch.column(self._column)
            if not pa.types.is_struct(column.type) or column.type.get_field_index("path") < 0:
                return [""] * len(self)
            found += [path or "" for path in pc.struct_field(column, "path").to_pylist()]
        return found

    def values(self, column: str) -> list[Any]:
        """Return all values of a column that is no picture."""
        return list(self._rows.select_columns([column])[:][column])

    def picture(self, number: int) -> dict[str, Any] | None:
        """The "bytes" of a picture, or the "path" where it lies; None where the row has none. Any error means the file."""
        found = self._encoded[number][self._column]
        if isinstance(found, bytes):
            return {"bytes": found, "path": None}
        return found and {"bytes": found.get("bytes"), "path": found.get("path")}


class ParquetRows:
    """The same of parquet files: those on the Hub (hf://…) are downloaded whole when a picture in them is wanted.

    `features` is what the dataset's card says about the columns; None: what the first file says.
    """

    def __init__(self, files: Sequence[str], features: Mapping[str, Any] | None) -> None:
        import datasets

        self._files = [*files]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            contents = list(pool.map(lambda file: _open_parquet(file).metadata, self._files))
        self.features = features or datasets.Features.from_arrow_schema(contents[0].schema.to_arrow_schema())
        groups = [[table.row_group(i).num_rows for i in range(table.num_row_groups)] for table in contents]
        self._groups = [(file, i) for file, sizes in enumerate(groups) for i in range(len(sizes))]
        self._starts = [*itertools.accumulate(itertools.chain(*groups), initial=0)]
        self._column = ""

    def __len__(self) -> int:
        return int(self._starts[-1])

    def choose(self, column: str) -> None:
        self._column = column

    def values(self, column: str) -> list[Any]:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            tables = pool.map(lambda file: _open_parquet(file).read(columns=[column]), self._files)
            return [value for table in tables for value in table.column(column).to_pylist()]

    def picture(self, number: int) -> dict[str, Any] | None:
        place = bisect.bisect_right(self._starts, number) - 1
        file, group = self._groups[place]
        value = _pictures(self._files[file], group, self._column)[number - self._starts[place]].as_py()
        if isinstance(value, bytes):
            return {"bytes": value, "path": None}
        if value is None or value.get("bytes") is not None or not value.get("path"):
            return value and {"bytes": value.get("bytes"), "path": None}
        beside = Path(self._files[file]).parent / value["path"]  # a path from elsewhere means nothing here
        return {"bytes": None, "path": None if self._files[file].startswith(_REMOTE) else os.fspath(beside)}


def _open_parquet(file: str) -> pq.ParquetFile:
    """Return a parquet file of which a little is wanted; of one on the Hub no more is downloaded than that."""
    import pyarrow.parquet as pq

    if not file.startswith(_REMOTE):
        return pq.ParquetFile(file)
    from huggingface_hub import HfFileSystem

    return pq.ParquetFile(HfFileSystem().open(file, cache_type="none"), pre_buffer=True)


@lru_cache(maxsize=2)
def _pictures(file: str, group: int, column: str) -> pa.ChunkedArray:
    """Return a column of pictures of one row group, encoded: neighbors are read together."""
    return _local(file).read_row_group(group, columns=[column]).column(column)


@lru_cache(maxsize=2)
def _local(file: str) -> pq.ParquetFile:
    """Return a parquet file on this machine, downloaded first where it is not."""
    import pyarrow.parquet as pq

    if file.startswith(_REMOTE):
        from huggingface_hub import HfFileSystem, hf_hub_download, utils

        utils.disable_progress_bars()  # type: ignore[attr-defined]  # several processes would write over each other
        where: Any = HfFileSystem().resolve_path(file)
        file = hf_hub_download(where.repo_id, where.path_in_repo, repo_type=where.repo_type, revision=where.revision)
    return pq.ParquetFile(Path(file), memory_map=True)
