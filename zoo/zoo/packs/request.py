"""What somebody wants packed, and what that stands for."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo_core import DataError, ImageDataset, ImageSpec, Listing, OptionError, PluginError, ZooError, registry
from zoo_core import options as schema
from zoo_core.datasets import CAREFUL
from zoo_core.errors import unknown
from zoo_core.folders import is_here, locate
from zoo_core.registries import Entry

from ..names import dataset_not_found
from ..progress import Reporter
from . import decode
from .pack import FORMAT
from .selection import dataset_options, select, split_selection, write_classes


@dataclass(frozen=True)
class PackRequest:
    """Which images are wanted.

    Args:
        dataset: registry name, or "distribution:name".
        data: where the source lies, None where the dataset brings its own.
        split: "train" or another one that the dataset has.
        size: height and width of the packed images in pixels.
        channels: 1 (gray), 3 (RGB), or None for what the dataset says, else what the pictures are.
        options: the dataset's own options, and those by which some of its pictures are selected (`selection`).
    """

    dataset: str
    data: str | Path | None = None
    split: str = "train"
    size: int = 64
    channels: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """A request together with what it stands for."""

    entry: Entry
    dataset: ImageDataset
    listing: Listing
    described: dict[str, Any]  # the dataset as pack.json tells it
    fingerprint: str
    size: int
    channels: int | None  # None: look at the pictures
    asked: bool  # whether the person chose the channels
    key: str

    @property
    def label(self) -> str:
        return f"{self.entry.name} at {self.size}×{self.size}"


def parse_options(dataset: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `--set dataset.KEY=VALUE` says, as options of the dataset; values that are no texts stay what they are.

    Raises:
        UsageError: a key that is no option of the dataset, or a value that is none of the option's.
    """
    if unfit := dataset_not_found(dataset):
        raise unfit
    known = dataset_options(dataset)
    options = {}
    for key, value in settings.items():
        part, _, name = key.partition(".")
        if part != "dataset" or name not in known or name in ("data", "split"):
            valid = [f"dataset.{option}" for option in known if option not in ("data", "split")]
            raise unknown("--set key", key, valid, hint=f"to see them: zoo show {dataset}")
        options[name] = schema.parse(known[name], value, key=key) if isinstance(value, str) else value
    return options


def changed_options(dataset: str, options: Mapping[str, Any]) -> dict[str, str]:
    """Return the options that are not the dataset's defaults, as `--set` takes them."""
    known = dataset_options(dataset)
    return {key: _written(key, value) for key, value in options.items() if key in known and value != known[key].default}


def _written(key: str, value: Any) -> str:
    if isinstance(value, list):
        return write_classes(value) if key == "classes" else ",".join(map(str, value))
    return str(value)


def find_given_pack(data: str | Path | None) -> Path | None:
    """Return the folder that `data` names where it holds a pack or a view of one, else None.

    Raises:
        UsageError: `data` is empty.
        DataError: it cannot be read.
    """
    if data is None or (str(data).strip() and not is_here(data)):
        return None
    return Path(data).expanduser() if (locate(data) / "pack.json").is_file() else None


def resolve_data(dataset: str, data: str | Path) -> str:
    """Return what `data` stands for, as the dataset says: an absolute path, or a name that it knows; a pack is a path.

    Raises:
        UsageError: `data` is empty.
        DataError: nothing lies at that path, or it cannot be read.
    """
    given = find_given_pack(data)
    target: type[ImageDataset] = registry.load("datasets", dataset)
    resolved = str(locate(given)) if given else target.resolve_data(str(data))
    if Path(resolved).is_absolute() and not Path(resolved).exists():
        name = registry.find("datasets", dataset).name
        hint = f"--data says where the pictures lie; what {name} expects there: zoo show {name}"
        if str(data) in registry.names("datasets"):
            hint = f"{data} is also a dataset; did you mean: --dataset {data}"
        raise DataError(f"{data} does not exist", hint=hint)
    return resolved


def resolve(request: PackRequest, report: Reporter) -> Source:
    """Make the dataset, list its records, and name the pack that they make."""
    ImageSpec(request.size)  # refuses impossible sizes
    if request.channels not in (None, 1, 3):
        raise OptionError(f"channels is {request.channels!r}; valid: 1 (gray), 3 (RGB)", hint="for example: --channels 3")
    entry = registry.find("datasets", request.dataset)
    own, selection = split_selection(request.dataset, request.options)
    given: dict[str, Any] = {"split": request.split, **own}
    if request.data is not None:
        given["data"] = registry.load("datasets", request.dataset).resolve_data(str(request.data))
    dataset: ImageDataset = registry.create("datasets", request.dataset, given)
    dataset.white = selection.get("white", dataset.white)
    if dataset.default_channels not in (None, 1, 3):
        raise PluginError(f"dataset {entry.name!r}: its default_channels is {dataset.default_channels!r}; valid: 1, 3, None")
    listing = select(_listing(entry, dataset), selection)
    for note in listing.notes:
        (report.warn if note.startswith(CAREFUL) else report.note)(f"{entry.name}: {note.removeprefix(CAREFUL)}")
    options = schema.complete(type(dataset), given, where="dataset")
    data, split = options.pop("data", None), options.pop("split", None)
    described = {"name": entry.qualified, "options": {**options, **selection}, "data": data, "split": split}
    channels = request.channels if request.channels is not None else dataset.default_channels
    fingerprint = listing.fingerprint()
    code = ""
    if not entry.plugin.version:  # registered in this process: in a notebook it changes without any version telling so
        with suppress(OSError, TypeError):
            code = hashlib.sha256(inspect.getsource(type(dataset)).encode()).hexdigest()
    known = dataset_options(request.dataset)
    added = {key for key in dataset.added_options if options.get(key) == known[key].default}
    decisive = {key: value for key, value in described["options"].items() if key not in added}
    identity = {
        "format": FORMAT,
        "decode": decode.VERSION,
        "dataset": {**described, "options": decisive},
        "code": code,
        "fingerprint": fingerprint,
        "size": request.size,
        "channels": channels,
    }
    key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    asked = request.channels is not None
    return Source(entry, dataset, listing, described, fingerprint, request.size, channels, asked, key)


def _listing(entry: Entry, dataset: ImageDataset) -> Listing:
    """Return the dataset's listing, after a look whether its labels and attributes are what it says."""
    try:
        listing = dataset.listing()
    except (ZooError, MemoryError):
        raise
    except OSError as error:  # rights, a disk that fails
        if error.filename is None:
            raise DataError(f"{entry.name} cannot be read: {error}") from error
        raise DataError(f"{error.filename} cannot be read: {error.strerror}") from error
    except Exception as error:
        raise PluginError(f"dataset {entry.name!r} cannot list its records: {type(error).__name__}: {error}") from error
    if not listing.records:
        raise DataError(f"dataset {entry.name!r} has no images", hint=f"to see what it expects: zoo show {entry.name}")
    classes, sizes = len(listing.classes), [len(values) for values in listing.attributes.values()]
    for record in listing.records:
        fits = all(-1 <= value < size for value, size in zip(record.attributes, sizes, strict=False))
        if not fits or len(record.attributes) != len(sizes) or not -1 <= record.label < classes:
            raise PluginError(
                f"dataset {entry.name!r}: record {record.key!r} has label {record.label} and attributes "
                f"{record.attributes}; its listing names {classes} classes and attributes of {sizes} values"
            )
    if boxed := sorted(set(dataset.boxed) - set(listing.attributes)):
        raise PluginError(f"dataset {entry.name!r}: boxed names {', '.join(boxed)}, which are no attributes")
    return listing
