"""From a dataset to a pack: found in the cache, or built once for all."""

from __future__ import annotations

import hashlib
import inspect
import json
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import filelock
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from zoo_core import DataError, ImageDataset, ImageSpec, Listing, OptionError, PluginError, ZooError, registry
from zoo_core import options as schema
from zoo_core.registries import Entry

from .. import __version__
from ..files import TEMPORARY, atomic_folder, cache_folder, explained, sha256, write_json
from ..reporting import Reporter
from . import decode
from .pack import FORMAT, Pack, open_pack
from .workers import decode_all, default_workers
from .write import ShardWriter

LISTED = 1000
"""Most skipped records that `pack.json` lists; their number is exact."""

_SILENT = Reporter()


@dataclass(frozen=True)
class PackRequest:
    """Which images are wanted.

    Args:
        dataset: registry name, or "distribution:name".
        data: where the source lies, None where the dataset brings its own.
        split: "train" or another one that the dataset has.
        size: height and width of the packed images in pixels.
        channels: 1 (grey), 3 (RGB), or None for what the dataset says, else what the pictures are.
        options: the dataset's own options.
    """

    dataset: str
    data: str | Path | None = None
    split: str = "train"
    size: int = 64
    channels: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Source:
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


def build_pack(request: PackRequest, *, workers: int | None = None, report: Reporter = _SILENT) -> Pack:
    """The pack that answers a request: from the cache, or built now.

    A second process that wants the same pack waits for the first and takes its result. After an error or Ctrl-C nothing half
    built stays behind.

    Args:
        request: which images.
        workers: processes that decode; None takes the cores that there are, 1 decodes in this process.
        report: hears the dataset's notice, progress, and what was skipped.

    Raises:
        UsageError: the dataset or one of its options does not exist, or `size` or `channels` is impossible.
        DataError: the source is not there, or none of its pictures can be read.
        PluginError: the dataset is at fault.
        ZooError: the cache cannot be written, or the disk is full.
    """
    source = _source(request, report)
    target = cache_folder("packs") / f"{source.entry.name}-{source.size}-{source.key[:16]}"
    found = _cached(target, source, report)
    if found is not None:
        return found
    with _only_one(target, report):
        found = _cached(target, source, report)  # another process may have built it meanwhile
        if found is not None:
            return found
        for leftover in target.parent.glob(f"{TEMPORARY}{target.name}-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        with atomic_folder(target, replace=True) as folder:
            info = _write(folder, source, workers if workers is not None else default_workers(), report)
    report.note(f"packed {_summary(source, info)}, {info['seconds']:.1f} s")
    return open_pack(target)


def _source(request: PackRequest, report: Reporter) -> _Source:
    """Make the dataset, list its records, and name the pack that they make."""
    ImageSpec(request.size)  # refuses impossible sizes
    if request.channels not in (None, 1, 3):
        raise OptionError(f"channels is {request.channels!r}; valid: 1 (grey), 3 (RGB)", hint="for example: --channels 3")
    entry = registry.find("datasets", request.dataset)
    given: dict[str, Any] = {"split": request.split, **request.options}
    if request.data is not None:
        given["data"] = str(Path(request.data).expanduser())
    dataset: ImageDataset = registry.create("datasets", request.dataset, given)
    if dataset.default_channels not in (None, 1, 3):
        raise PluginError(f"dataset {entry.name!r}: its default_channels is {dataset.default_channels!r}; valid: 1, 3, None")
    if dataset.notice:
        report.note(dataset.notice)
    listing = _listing(entry, dataset)
    for note in listing.notes:
        report.note(f"{entry.name}: {note}")
    options = schema.complete(type(dataset), given, where="dataset")
    data, split = options.pop("data", None), options.pop("split", None)
    if data is not None and Path(data).exists():
        data = str(Path(data).resolve())
    described = {"name": entry.qualified, "options": options, "data": data, "split": split}
    channels = request.channels if request.channels is not None else dataset.default_channels
    fingerprint = listing.fingerprint()
    identity = {
        "format": FORMAT,
        "decode": decode.VERSION,
        "dataset": described,
        "code": _code(entry, dataset),
        "fingerprint": fingerprint,
        "size": request.size,
        "channels": channels,
    }
    key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    asked = request.channels is not None
    return _Source(entry, dataset, listing, described, fingerprint, request.size, channels, asked, key)


def _code(entry: Entry, dataset: ImageDataset) -> str:
    """The source of a class registered in this process: in a notebook it changes without any version telling so."""
    if entry.plugin.version:
        return ""
    try:
        return hashlib.sha256(inspect.getsource(type(dataset)).encode()).hexdigest()
    except (OSError, TypeError):
        return ""


def _listing(entry: Entry, dataset: ImageDataset) -> Listing:
    """The dataset's listing, after a look whether its labels and attributes are what it says."""
    try:
        listing = dataset.listing()
    except (ZooError, MemoryError):
        raise
    except Exception as error:
        raise PluginError(f"dataset {entry.name!r} cannot list its records: {type(error).__name__}: {error}") from error
    if not listing.records:
        raise DataError(f"dataset {entry.name!r} has no images", hint=f"to see what it expects: zoo show {entry.name}")
    classes, sizes = len(listing.classes), [len(values) for values in listing.attributes.values()]
    for record in listing.records:
        fits = len(record.attributes) == len(sizes) and all(
            -1 <= v < n for v, n in zip(record.attributes, sizes, strict=True)
        )
        if not fits or not -1 <= record.label < classes:
            raise PluginError(
                f"dataset {entry.name!r}: record {record.key!r} has label {record.label} and attributes "
                f"{record.attributes}; its listing names {classes} classes and attributes of {sizes} values"
            )
    unknown = set(dataset.boxed) - set(listing.attributes)
    if unknown:
        raise PluginError(f"dataset {entry.name!r}: boxed names {', '.join(sorted(unknown))}, which are no attributes")
    return listing


def _cached(target: Path, source: _Source, report: Reporter) -> Pack | None:
    if not target.exists():
        return None
    try:
        pack = open_pack(target)
    except DataError as error:
        report.warn(f"{error.message}; it is built again")
        return None
    report.note(f"{_summary(source, pack.info)}, from the cache")
    return pack


@contextmanager
def _only_one(target: Path, report: Reporter) -> Iterator[None]:
    """Let one process at a time build `target`."""
    lock = filelock.FileLock(target.with_name(f".{target.name}.lock"))
    with explained(target):
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            report.note("another process is building this pack; waiting for it")
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _write(folder: Path, source: _Source, workers: int, report: Reporter) -> dict[str, Any]:
    """Decode every record into `folder`; return what stands in its `pack.json`."""
    start = time.monotonic()
    dataset, listing = source.dataset, source.listing
    writer = ShardWriter(folder, source.size, source.channels or 1)
    skipped: dict[int, str] = {}
    boxes: list[NDArray[np.int16]] = []
    done = 0
    chunks = decode_all(dataset, listing.records, source.size, source.channels, workers)
    try:
        with closing(chunks), report.task(f"packing {source.entry.name}", len(listing.records), "images") as task:  # type: ignore[type-var]
            for chunk in chunks:
                writer.add(chunk.images)
                boxes.append(chunk.boxes)
                skipped.update({done + position: why for position, why in chunk.skipped.items()})
                done += chunk.total
                task.update(done, **({"skipped": f"{len(skipped):,}"} if skipped else {}))
        shards = writer.finish()
    finally:
        writer.abandon()
    listed = [{"key": listing.records[i].key, "reason": why} for i, why in list(skipped.items())[:LISTED]]
    if not writer.count:
        raise DataError(f"none of the {done:,} pictures of {source.entry.name} can be read: {_reasons(listed)}")
    kept = np.array([i for i in range(done) if i not in skipped], np.int64)
    tables = _tables(dataset, listing, kept, np.concatenate(boxes))
    save_file(tables, folder / "labels.safetensors")
    info = {
        "format": FORMAT,
        "zoo": __version__,
        "key": source.key,
        "dataset": source.described,
        "source": {"fingerprint": source.fingerprint},
        "size": source.size,
        "channels": writer.channels,
        "count": writer.count,
        "classes": list(listing.classes),
        "attributes": {name: list(values) for name, values in listing.attributes.items()},
        "boxed": list(dataset.boxed),
        "skipped": {"count": len(skipped), "records": listed},
        "notes": list(listing.notes),
        "licence": dataset.licence,
        "credit": dataset.credit,
        "shards": shards,
        "labels": {"file": "labels.safetensors", "sha256": sha256(folder / "labels.safetensors")},
        "seconds": round(time.monotonic() - start, 2),
    }
    write_json(folder / "pack.json", info)
    return info


def _tables(
    dataset: ImageDataset, listing: Listing, kept: NDArray[np.int64], boxes: NDArray[np.int16]
) -> dict[str, NDArray[Any]]:
    tables: dict[str, NDArray[Any]] = {"record": kept}
    if listing.classes:
        tables["labels"] = np.array([listing.records[i].label for i in kept], np.int64)
    if listing.attributes:
        tables["attributes"] = np.array([listing.records[i].attributes for i in kept], np.int64)
    if dataset.boxed:
        tables["boxes"] = boxes
    return tables


def _summary(source: _Source, info: Mapping[str, Any]) -> str:
    """The pack in one line: count, what was skipped and why, channels and who chose them."""
    parts = [f"{info['count']:,} images of {source.label}"]
    if info["skipped"]["count"]:
        parts.append(f"{info['skipped']['count']:,} skipped ({_reasons(info['skipped']['records'])})")
    channels = "1 channel" if info["channels"] == 1 else f"{info['channels']} channels"
    if source.asked:
        parts.append(f"{channels} as asked")
    elif source.channels is not None:
        parts.append(f"{channels} as the dataset suggests")
    elif info["channels"] == 1:
        parts.append("all pictures are grey: 1 channel (--channels 3 for colour networks)")
    else:
        parts.append(f"{channels}, as there are coloured pictures")
    return ", ".join(parts)


def _reasons(listed: list[dict[str, str]], most: int = 3) -> str:
    return "; ".join(f"{entry['key']}: {entry['reason']}" for entry in listed[:most]) + (", …" if len(listed) > most else "")
