"""The rows of a dataset of the Hub: parquet files read where they are, or what `datasets` has prepared."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from datasets import Dataset, DatasetBuilder

_REMOTE = "hf://"
_AT_ONCE = 16  # files whose contents are asked for at once
_T = TypeVar("_T")


class ArrowRows:
    """The rows of a split that `datasets` has downloaded and prepared, on a memory map.

    `features` says what each column holds.
    """

    def __init__(self, rows: Dataset) -> None:
        self._rows, self.features = rows, rows.features
        self._column, self._encoded = "", rows

    def __len__(self) -> int:
        return int(self._rows.num_rows)

    def choose(self, column: str) -> None:
        """Say which column holds the pictures."""
        import datasets

        self._column = column
        self._encoded = self._rows.select_columns([column]).cast_column(column, datasets.Image(decode=False))

    def values(self, column: str) -> list[Any]:
        """All values of a column that is no picture."""
        return list(self._rows.select_columns([column])[:][column])

    def picture(self, number: int) -> dict[str, Any] | None:
        """The "bytes" of a picture, or the "path" where it lies; None where the row has none. Any error means the file."""
        found: dict[str, Any] | None = self._encoded[number][self._column]
        return found


class ParquetRows:
    """The same of parquet files: those on the Hub are downloaded whole when a picture in them is wanted.

    Args:
        files: their paths, or addresses that begin with hf://.
        features: what the dataset's card says about the columns; None: what the first file says.
    """

    def __init__(self, files: Sequence[str], features: Mapping[str, Any] | None) -> None:
        import datasets

        self._files = [*files]
        contents = _at_once(lambda file: _opened(file).metadata, self._files)
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
        parts = _at_once(lambda file: _opened(file).read(columns=[column]).column(column).to_pylist(), self._files)
        return [*itertools.chain(*parts)]

    def picture(self, number: int) -> dict[str, Any] | None:
        place = bisect.bisect_right(self._starts, number) - 1
        file, group = self._groups[place]
        value = _pictures(self._files[file], group, self._column)[number - self._starts[place]].as_py()
        if isinstance(value, bytes):
            return {"bytes": value, "path": None}
        if value is not None and self._files[file].startswith(_REMOTE):
            return {**value, "path": None}  # a path from elsewhere means nothing here
        found: dict[str, Any] | None = value
        return found


Rows = ArrowRows | ParquetRows


def parquet_files(builder: DatasetBuilder) -> dict[str, list[str]] | None:
    """Split → parquet files, None where the dataset is of another kind."""
    from datasets.packaged_modules.parquet.parquet import Parquet

    files = builder.config.data_files
    if not isinstance(builder, Parquet) or not files:
        return None
    return {str(split): [*map(str, some)] for split, some in files.items()}


def _at_once(read: Callable[[str], _T], files: Sequence[str]) -> list[_T]:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(read, files))


def _opened(file: str) -> pq.ParquetFile:
    """A parquet file of which a little is wanted; of one on the Hub no more is downloaded than that."""
    import pyarrow.parquet as pq

    if not file.startswith(_REMOTE):
        return pq.ParquetFile(file)
    from huggingface_hub import HfFileSystem

    return pq.ParquetFile(HfFileSystem().open(file, cache_type="none"), pre_buffer=True)


@lru_cache(maxsize=2)
def _pictures(file: str, group: int, column: str) -> pa.ChunkedArray:
    """A column of pictures of one row group, encoded: neighbors are read together."""
    return _local(file).read_row_group(group, columns=[column]).column(column)


@lru_cache(maxsize=2)
def _local(file: str) -> pq.ParquetFile:
    """A parquet file on this machine, downloaded first where it is not."""
    import pyarrow.parquet as pq

    if file.startswith(_REMOTE):
        from huggingface_hub import HfFileSystem, hf_hub_download, utils

        utils.disable_progress_bars()  # type: ignore[attr-defined]  # several processes would write over each other
        where: Any = HfFileSystem().resolve_path(file)
        file = hf_hub_download(where.repo_id, where.path_in_repo, repo_type=where.repo_type, revision=where.revision)
    return pq.ParquetFile(Path(file), memory_map=True)
