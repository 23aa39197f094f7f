"""Image datasets of the Hugging Face Hub, or of its kinds of files on this machine."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from zoo_core.datasets import WHITE, Fill, Fit, ImageDataset, LazyRecords, Listing, Record
from zoo_core.errors import DataError, OptionError, UsageError, ZooError, unknown
from zoo_core.folders import is_here, locate, note_on_splits
from zoo_core.hub import ask_hub, is_silence
from zoo_core.words import plural, printable, were

from .. import archives
from ..sources import file_stamp, list_causes, refuse_pointer
from .files import describe_files, describe_unlisted, is_system_file, list_tables, split_reference
from .network import advise_offline, is_reachable, silence_clients
from .rows import ArrowRows, ParquetRows, find_picture_columns, read_reference

if TYPE_CHECKING:
    from datasets import DatasetBuilder
    from PIL.Image import Image

T = TypeVar("T")

_FILES = {".parquet": "parquet", ".arrow": "arrow"}  # a single file by its name → what of `datasets` reads it
_QUOTES = "[]'"  # as lists are written
_NAME = re.compile(r"(?:https://huggingface\.co/datasets/)?(?P<name>\w[\w.-]*/\w[\w.-]*)(?:@(?P<revision>[\w./-]+))?/?")


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
        data: Annotated[str | None, "'user/name[@revision]' on the Hub, or a folder or parquet file of that kind"] = None,
        split: Annotated[str, "one that the dataset has"] = "train",
        config: Annotated[str | None, "which configuration, where it has several"] = None,
        column: Annotated[str | None, "column of the pictures; none: the only one there is"] = None,
        label: Annotated[str | None, "column of the labels; none: its only column of class labels; '' for no labels"] = None,
        revision: Annotated[str | None, "branch, tag or commit"] = None,
        fit: Fit = "crop",
        fill: Fill = WHITE,
    ) -> None:
        super().__init__(data=None, split=split, fit=fit, fill=fill)
        self.repository, self.revision = data, revision
        if data is not None and not Path(data).exists() and (match := _NAME.fullmatch(data)):
            if match["revision"] and revision:
                raise OptionError(
                    f"--data {data} names a revision, and so does dataset.revision", hint="leave one of them out"
                )
            self.repository, self.revision = match["name"], match["revision"] or revision
        self.config, self.column, self.label = config, column, label
        self._rows: ArrowRows | ParquetRows | None = None
        self._system: list[str] = []  # where pictures lay that are a system's
        self._unreachable = False

    @classmethod
    def resolve_data(cls, data: str) -> str:
        if not data.strip() or is_here(data) or data.startswith((".", "/", "~")) or Path(data).is_absolute():
            return str(locate(data))
        if not _NAME.fullmatch(data):
            raise _no_name(data)
        return data

    def listing(self) -> Listing:
        builder, rows = self._load()
        classes, labels = self._labels(rows)
        self.license = str(builder.info.license or self._license())
        self.hub = str(self.repository) if self._remote() else ""
        self.credit = f"{self.repository} (https://huggingface.co/datasets/{self.repository})" if self._remote() else ""
        stamp = f"{builder.hash}:{builder.config_id}"
        if Path(str(self.repository)).is_file():
            stamp = file_stamp(Path(str(self.repository)))

        def make(i: int) -> Record:
            return Record(f"{self.split}/{i:07d}", i, stamp, labels[i] if labels else -1)

        return Listing(
            LazyRecords(len(rows), make),
            classes=classes,
            notes=(*self._notes(builder), *self._unlisted(builder, rows), *self._left_out(rows, classes)),
        )

    def decode(self, record: Record) -> Image:
        from zoo_core.pictures import open_picture

        if self._rows is None:
            self._load()
        assert self._rows is not None
        rows = self._rows
        try:
            value = self._ask(lambda: rows.picture(record.source))
        except Exception as error:  # not this picture is at fault: the file that it is in cannot be had or read
            raise self._translate(error) from error
        if value is None or value["bytes"] is value["path"] is None:
            raise ValueError("the row has no picture")
        return open_picture(value["bytes"] if value["bytes"] is not None else read_reference(value["path"]))

    def _ask(self, function: Callable[[], T]) -> T:
        """Call what may ask the Hub, as often and as long as the Hub is asked."""
        return ask_hub(function) if self._remote() and not self._unreachable else function()

    def _license(self) -> str:
        """Return what the dataset's card says, "" where it says nothing."""
        license = self._card().get("license")
        return ", ".join(map(str, license)) if isinstance(license, list) else str(license or "")

    def _card(self) -> Mapping[str, Any]:
        """Return the facts of the dataset's card, none where there is no card or it cannot be read."""
        from huggingface_hub import DatasetCard

        card = str(self.repository) if self._remote() else Path(str(self.repository)) / "README.md"
        try:
            with silence_clients(offline=self._unreachable):
                facts: Mapping[str, Any] = DatasetCard.load(card).data.to_dict()
        except Exception:
            return {}
        return facts

    def _remote(self) -> bool:
        return self.repository is not None and not Path(self.repository).exists()

    def _notes(self, builder: DatasetBuilder) -> list[str]:
        """Return which files are used, where some are not and no card chose them."""
        if builder.config.name != "default" or "configs" in self._card():
            return []
        try:
            with silence_clients(offline=self._unreachable):
                return describe_files(str(self.repository), self.revision, self.split, builder.config.data_files or {})
        except Exception:  # the Hub does not answer any more: nothing that the pictures need
            return []

    def _unlisted(self, builder: DatasetBuilder, rows: ArrowRows | ParquetRows) -> list[str]:
        """Return how many pictures of the split have no row."""
        files = {str(name): held for name, held in (builder.config.data_files or {}).items()}.get(self.split, ())
        files = [file for file in files if not is_system_file(str(file), str(self.repository))]
        return describe_unlisted(files, len(rows), rows.paths) if isinstance(rows, ArrowRows) else []

    def _left_out(self, rows: ArrowRows | ParquetRows, classes: tuple[str, ...]) -> list[str]:
        """Return what is odd about folders as labels, in words."""
        notes = note_on_splits(classes, "") if isinstance(rows, ArrowRows) else []
        if n := len(self._system):
            example = printable(split_reference(self._system[0])[0] or self._system[0])
            notes.append(f"{plural(n, 'picture')} in folders of the system {were(n)} left out: {example}")
        return notes

    def _load(self) -> tuple[DatasetBuilder, ArrowRows | ParquetRows]:
        """Return the dataset, and in `_rows` the rows of the split."""
        if self.repository is None:
            raise UsageError(
                "hub needs the name of a dataset",
                hint="for example: --data ylecun/mnist; to look for one: https://huggingface.co/datasets?modality=modality:image",
            )
        if self._remote() and not _NAME.fullmatch(self.repository):
            raise _no_name(self.repository)
        try:
            from datasets import load_dataset_builder as load
            from datasets.packaged_modules.parquet.parquet import Parquet
        except ImportError as error:
            hint = "type: pip install 'dcgan-zoo[hub-data]'"
            raise DataError("datasets of the Hub need the package datasets", hint=hint) from error
        try:
            self._unreachable = self._remote() and not is_reachable()
            with silence_clients(offline=self._unreachable):
                builder = self._ask(lambda: self._builder(load))
                files = builder.config.data_files if isinstance(builder, Parquet) else None
                if not files:
                    self._ask(builder.download_and_prepare)
            splits = [*map(str, files or builder.info.splits or ())]
            if self.split not in splits:
                hint = "; ".join(self._notes(builder)) or f"for example: --split {splits[0] if splits else 'test'}"
                raise unknown(f"split of {self.repository}:", self.split, splits, hint=hint)
            names = [*map(str, files[self.split])] if files else []
            with silence_clients(offline=self._unreachable):
                rows = (
                    self._ask(lambda: ParquetRows(names, builder.info.features))
                    if files
                    else ArrowRows(builder.as_dataset(split=self.split))
                )
        except ZooError:
            raise
        except Exception as error:
            raise self._translate(error) from error
        images = find_picture_columns(rows.features)
        if self.column is not None and self.column not in images:
            raise unknown(f"image column of {self.repository}:", self.column, images)
        if not images:
            there = ", ".join(f"{name} ({kind})" if len(str(kind)) < 40 else name for name, kind in rows.features.items())
            wrong = f"{self.repository} has no column of images; its columns: {there or 'none'}"
            raise DataError(wrong, hint=self._elsewhere())
        if self.column is None and len(images) > 1:
            several = f"{self.repository} has several columns of images: {', '.join(images)}"
            tar = "__key__" in rows.features  # a tar of pictures looks like that where names have several dots
            other = f"; or {self._elsewhere()}" if tar and self._elsewhere() else ""
            raise UsageError(several, hint=f"choose one: --set dataset.column={images[0]}{other}")
        rows.choose(self.column or images[0])
        if isinstance(rows, ArrowRows) and hasattr(builder.config, "drop_labels"):  # folders, as they lie there
            paths = rows.paths()
            wanted = [i for i, path in enumerate(paths) if not is_system_file(path, str(self.repository))]
            if len(wanted) < len(paths):
                self._system = [paths[i] for i in sorted({*range(len(paths))}.difference(wanted))]
                rows.keep(wanted)
        self._rows = rows
        return builder, rows

    def _builder(self, load: Callable[..., DatasetBuilder]) -> DatasetBuilder:
        """Return what of `datasets` reads the data, still without rows."""
        place = Path(str(self.repository))
        if place.is_file():
            if place.suffix.lower() not in _FILES:
                hint = "hub reads folders and files called .parquet or .arrow"
                if archives.archive_kind(place):
                    hint = f"it is an archive; type: --dataset folder --data {shlex.quote(str(place))}"
                raise DataError(f"{place} is no table of pictures", hint=hint)
            refuse_pointer(place)
            return load(_FILES[place.suffix.lower()], data_files={"train": [str(place)]})
        for table in list_tables(place):
            refuse_pointer(table)
        builder = load(self.repository, self.config, revision=self.revision)
        files = [str(file) for chosen in (builder.config.data_files or {}).values() for file in chosen]
        if hasattr(builder.config, "drop_labels") and any(map(archives.suffix_of, files)):
            # It takes the names of the folders around an archive for labels, and fails at those inside.
            return load(self.repository, self.config, revision=self.revision, drop_labels=True)
        return builder

    def _labels(self, rows: ArrowRows | ParquetRows) -> tuple[tuple[str, ...], list[int] | None]:
        """Return the names of the classes, and each row's index into them."""
        import datasets

        labeled = [name for name, kind in rows.features.items() if isinstance(kind, datasets.ClassLabel)]
        if not labeled and "__key__" in rows.features and "cls" in rows.features:  # WebDataset's name for it
            labeled = ["cls"]
        column = self.label if self.label is not None else labeled[0] if len(labeled) == 1 else ""
        if not column:
            return self._folders(rows) if self.label is None and not labeled and isinstance(rows, ArrowRows) else ((), None)
        if column not in rows.features:
            raise unknown(f"column of {self.repository}:", column, rows.features)
        try:
            values = self._ask(lambda: rows.values(column))
        except Exception as error:
            raise self._translate(error) from error
        kind = rows.features[column]
        if isinstance(kind, datasets.ClassLabel):
            if isinstance(rows, ArrowRows) and self._system:  # its names are folders, too
                return _index([None if value is None else kind.names[value] for value in values])
            return tuple(kind.names), [-1 if value is None else int(value) for value in values]
        if not all(isinstance(value, str | int | None) for value in values):
            raise UsageError(f"column {column!r} of {self.repository} holds {kind}, which are no labels")
        return _index(values)

    def _folders(self, rows: ArrowRows) -> tuple[tuple[str, ...], list[int] | None]:
        """Return as labels the folders in which the pictures lay in their archive, or else the archives, if several."""
        paths = [*map(split_reference, rows.paths())]
        inner = [member or path.rpartition("://")[2] for member, path in paths]
        names = [path.split("/")[-2] for path in inner if "/" in path and not path.startswith("/")]
        if not names and all(member for member, _ in paths):
            stems = {path: Path(path).name.removesuffix(archives.suffix_of(path)) for _, path in paths}
            if len({re.sub(r"\d+", "", stem) for stem in stems.values()}) == len(stems):  # else parts of one download
                names = [stems[path] for _, path in paths]
        if len(names) < len(inner) or not names:
            return (), None
        return _index(names) if len(set(names)) > 1 else ((), None)

    def _translate(self, error: Exception) -> ZooError:
        words = list_causes(error)
        if "Config name is missing" in words:
            found = re.search(r"(?:one of|available configs): *(.+)", str(error))
            several = f"{self.repository} has several configurations"
            several += f": {found[1].translate(str.maketrans('', '', _QUOTES))}" if found else f" ({words})"
            return UsageError(several, hint="choose one: --set dataset.config=NAME")
        where = f"{self.repository} on the Hub" if self._remote() else str(self.repository)
        silent = is_silence(error) or "NoAnswerError" in words
        unreachable = self._unreachable or silent or re.search(r"\bConnect(ion)?(Error|Timeout)|OfflineMode", words)
        if self._remote() and unreachable:
            why = "" if self._unreachable or silent else f" ({words})"
            return DataError(f"{where} cannot be loaded: the Hub cannot be reached{why}", hint=advise_offline())
        hint = "see https://huggingface.co/datasets for its name; a private or gated one needs: hf auth login"
        return DataError(f"{where} cannot be loaded: {words}", hint=hint if self._remote() else self._elsewhere())

    def _elsewhere(self) -> str:
        """Return what reads a folder on this machine whose pictures `datasets` does not find."""
        place = Path(str(self.repository))
        return f"to read it as any folder: --dataset folder --data {shlex.quote(str(place))}" if place.is_dir() else ""


def _no_name(data: str) -> UsageError:
    hint = "for example: --data ylecun/mnist, or --data DIR"
    return UsageError(f"{data!r} is neither a folder nor a dataset 'user/name' on the Hub", hint=hint)


def _index(values: list[Any]) -> tuple[tuple[str, ...], list[int]]:
    """Return the different values in their order, and each one's index, −1 for None."""
    names = sorted({value for value in values if value is not None})
    index = {value: i for i, value in enumerate(names)}
    return tuple(str(name) for name in names), [index.get(value, -1) for value in values]
