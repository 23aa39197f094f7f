"""Image datasets of the Hugging Face Hub, through its `datasets` library."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from zoo_core.datasets import WHITE, Fill, Fit, ImageDataset, Listing, Record
from zoo_core.errors import DataError, UsageError, ZooError, unknown

from .sources import LazyRecords

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from datasets import Dataset, DatasetBuilder
    from PIL.Image import Image

_REMOTE = "hf://"
_AT_ONCE = 16  # files whose contents are asked for at once


class Hub(ImageDataset):
    """Any dataset on the Hub that has a column of images: parquet files, a folder of images, or what else its library reads.

    Parquet files, which most are, come one after the other as their pictures are wanted, into the cache of `huggingface_hub`
    (`HF_HOME`); only their tables of contents and labels are read at once. Other files `datasets` downloads and prepares in
    its own cache first. Either way a download that was broken off goes on where it was, and several processes can read. No
    code from the Hub is run: the library dropped dataset scripts with version 4.

    Raises:
        UsageError: no dataset is named, or there are several configurations, image columns or splits and none fits.
        DataError: it is not there, cannot be reached, holds no images, or the extra is missing. Raised while decoding, it
            ends the build, which goes on later.
    """

    def __init__(
        self,
        *,
        data: Annotated[str | None, "'user/name' on the Hub, or a folder that holds such a dataset"] = None,
        split: Annotated[str, "one that the dataset has"] = "train",
        config: Annotated[str | None, "which configuration, where it has several"] = None,
        column: Annotated[str | None, "column of the pictures; none: the only one there is"] = None,
        label: Annotated[str | None, "column of the labels; none: its only column of class labels; '' for no labels"] = None,
        revision: Annotated[str | None, "branch, tag or commit"] = None,
        fit: Fit = "crop",
        fill: Fill = WHITE,
    ) -> None:
        super().__init__(data=None, split=split, fit=fit, fill=fill)
        self.repository = data
        self.config, self.column, self.label, self.revision = config, column, label, revision
        self._rows: ArrowRows | ParquetRows | None = None

    def listing(self) -> Listing:
        builder, rows = self._load()
        classes, labels = self._labels(rows)
        self.license = str(builder.info.license or self._license())
        self.credit = f"{self.repository} (https://huggingface.co/datasets/{self.repository})" if self._remote() else ""
        stamp = f"{builder.hash}:{builder.config_id}"

        def make(i: int) -> Record:
            return Record(f"{self.split}/{i:07d}", i, stamp, labels[i] if labels else -1)

        return Listing(LazyRecords(len(rows), make), classes=classes)

    def decode(self, record: Record) -> Image:
        from zoo_core.pictures import open_picture

        if self._rows is None:
            self._load()
        assert self._rows is not None
        try:
            value = self._rows.picture(record.source)
        except Exception as error:  # not this picture is at fault: the file that it is in cannot be had or read
            raise self._translate(error) from error
        if value is None or value["bytes"] is value["path"] is None:
            raise ValueError("the row has no picture")
        return open_picture(value["bytes"] if value["bytes"] is not None else value["path"])

    def _license(self) -> str:
        """Return what the dataset's card says, "" where it says nothing."""
        from huggingface_hub import DatasetCard

        card = str(self.repository) if self._remote() else Path(str(self.repository)) / "README.md"
        try:
            license = DatasetCard.load(card).data.get("license")
        except Exception:  # no card, or one that cannot be read
            return ""
        return ", ".join(map(str, license)) if isinstance(license, list) else str(license or "")

    def _remote(self) -> bool:
        return self.repository is not None and not Path(self.repository).exists()

    def _load(self) -> tuple[DatasetBuilder, ArrowRows | ParquetRows]:
        """Return the dataset, and in `_rows` the rows of the split."""
        if self.repository is None:
            raise UsageError(
                "hub needs the name of a dataset",
                hint="for example: --data ylecun/mnist; to look for one: https://huggingface.co/datasets?modality=modality:image",
            )
        if self._remote() and self.repository.count("/") != 1:
            raise UsageError(f"{self.repository!r} is neither a folder nor a dataset 'user/name' on the Hub")
        try:
            import datasets
            from datasets.packaged_modules.parquet.parquet import Parquet
        except ImportError as error:
            hint = "type: pip install 'dcgan-zoo[hub-data]'"
            raise DataError("datasets of the Hub need the package datasets", hint=hint) from error
        try:
            builder = datasets.load_dataset_builder(self.repository, self.config, revision=self.revision)
            files = builder.config.data_files if isinstance(builder, Parquet) else None
            if not files:
                builder.download_and_prepare()
            splits = [*map(str, files or builder.info.splits or ())]
            if self.split not in splits:
                raise unknown(f"split of {self.repository}:", self.split, splits, hint="for example: --split test")
            rows = (
                ParquetRows([*map(str, files[self.split])], builder.info.features)
                if files
                else ArrowRows(builder.as_dataset(split=self.split))
            )
        except ZooError:
            raise
        except Exception as error:
            raise self._translate(error) from error
        images = [name for name, kind in rows.features.items() if isinstance(kind, datasets.Image)]
        if self.column is not None and self.column not in images:
            raise unknown(f"image column of {self.repository}:", self.column, images)
        if not images:
            raise DataError(f"{self.repository} has no column of images; its columns: {', '.join(rows.features) or 'none'}")
        if self.column is None and len(images) > 1:
            several = f"{self.repository} has several columns of images: {', '.join(images)}"
            raise UsageError(several, hint=f"choose one: --set dataset.column={images[0]}")
        rows.choose(self.column or images[0])
        self._rows = rows
        return builder, rows

    def _labels(self, rows: ArrowRows | ParquetRows) -> tuple[tuple[str, ...], list[int] | None]:
        """Return the names of the classes, and each row's index into them."""
        import datasets

        labeled = [name for name, kind in rows.features.items() if isinstance(kind, datasets.ClassLabel)]
        column = self.label if self.label is not None else labeled[0] if len(labeled) == 1 else ""
        if not column:
            return (), None
        if column not in rows.features:
            raise unknown(f"column of {self.repository}:", column, rows.features)
        try:
            values = rows.values(column)
        except Exception as error:
            raise self._translate(error) from error
        kind = rows.features[column]
        if isinstance(kind, datasets.ClassLabel):
            return tuple(kind.names), [-1 if value is None else int(value) for value in values]
        if not all(isinstance(value, str | int | None) for value in values):
            raise UsageError(f"column {column!r} of {self.repository} holds {kind}, which are no labels")
        names = sorted({value for value in values if value is not None})
        index = {value: i for i, value in enumerate(names)}
        return tuple(str(name) for name in names), [index.get(value, -1) for value in values]

    def _translate(self, error: Exception) -> ZooError:
        words = (str(error).splitlines() or [""])[0] or type(error).__name__
        if "Config name is missing" in words:
            _, _, there = str(error).partition("one of: ")
            several = f"{self.repository} has several configurations: {there.splitlines()[0]}" if there else words
            return UsageError(several, hint="choose one: --set dataset.config=NAME")
        hint = "see https://huggingface.co/datasets for its name; a private or gated one needs: hf auth login"
        where = f"{self.repository} on the Hub" if self._remote() else str(self.repository)
        return DataError(f"{where} cannot be loaded: {type(error).__name__}: {words}", hint=hint if self._remote() else "")


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
        """Return all values of a column that is no picture."""
        return list(self._rows.select_columns([column])[:][column])

    def picture(self, number: int) -> dict[str, Any] | None:
        """The "bytes" of a picture, or the "path" where it lies; None where the row has none. Any error means the file."""
        found: dict[str, Any] | None = self._encoded[number][self._column]
        return found


class ParquetRows:
    """The same of parquet files: those on the Hub (hf://…) are downloaded whole when a picture in them is wanted.

    `features` is what the dataset's card says about the columns; None: what the first file says.
    """

    def __init__(self, files: Sequence[str], features: Mapping[str, Any] | None) -> None:
        import datasets

        self._files = [*files]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            contents = list(pool.map(lambda file: _opened(file).metadata, self._files))
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
            tables = pool.map(lambda file: _opened(file).read(columns=[column]), self._files)
            return [value for table in tables for value in table.column(column).to_pylist()]

    def picture(self, number: int) -> dict[str, Any] | None:
        place = bisect.bisect_right(self._starts, number) - 1
        file, group = self._groups[place]
        value = _pictures(self._files[file], group, self._column)[number - self._starts[place]].as_py()
        if isinstance(value, bytes):
            return {"bytes": value, "path": None}
        remote = value is not None and self._files[file].startswith(_REMOTE)
        return {**value, "path": None} if remote else value  # a path from elsewhere means nothing here


def _opened(file: str) -> pq.ParquetFile:
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
