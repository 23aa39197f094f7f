"""From a dataset to a pack: found in the cache, or built once for all."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import filelock
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from zoo_core import DataError, UsageError, ZooError, registry
from zoo_core.words import are, plural, printable

from ..files import TEMPORARY, cache_folder, note_use, publish_folder, sha256, translate_errors, write_json
from ..notebook import AUTOMATIC
from ..progress import Reporter
from ..version import __version__
from .decode import REMARKS
from .pack import FORMAT, LABELS, Pack, open_pack
from .request import PackRequest, Source, find_given_pack, resolve
from .selection import dataset_options
from .workers import decode_all, default_workers
from .write import ShardWriter

DARK = 0.26  # share of white that the brightest gray must have for nobody to wonder; 14 bits in 16 have 0.25
LISTED = 1000  # most skipped records that `pack.json` lists; their number is exact


def build_pack(
    request: PackRequest, *, workers: int | None = None, report: Reporter = AUTOMATIC, announce: bool = False
) -> Pack:
    """Return the pack that answers a request: from the cache, or built now.

    A second process that wants the same pack waits for the first and takes its result. After an error, Ctrl-C or a kill only
    complete files of images stay behind, and the next call goes on from them; the pack is the same, byte for byte. Where
    `data` is itself a pack, or a view of one, it is opened and nothing is built.

    Args:
        request: which images.
        workers: processes that decode; None takes the cores that there are, 1 decodes in this process.
        announce: says the dataset's notice (what is used, whose work it is) even where the pack comes from the cache, as a
            training does that begins; it is always said before one is built.
        report: hears that notice, progress, and what was skipped.

    Raises:
        UsageError: the dataset or one of its options does not exist, or `size` or `channels` is impossible.
        DataError: the source is not there, or none of its pictures can be read.
        PluginError: the dataset is at fault.
        ZooError: the cache cannot be written, or the disk is full.
    """
    if (given := open_existing_pack(request, report)) is not None:
        return given
    source = resolve(request, report)
    target = cache_folder("packs") / f"{source.entry.name}-{source.size}-{source.key[:16]}"
    work = target.with_name(f"{TEMPORARY}{target.name}")
    if announce or not target.exists():
        if source.dataset.notice:
            report.note(source.dataset.notice)
        if why := source.dataset.restriction:
            report.warn(f"a model of these images can neither be pushed nor exported: {why}")
    found = _cached(target, source, report)
    if found is not None and not work.exists():
        return found
    with _only_one(target, report):
        found = found or _cached(target, source, report)  # another process may have built it meanwhile
        if found is None:
            start = time.monotonic()
            info = _build(target, work, source, workers or default_workers(), report)
            report.note(f"packed {_summary(source, info)}, {time.monotonic() - start:.1f} s")
        for leftover in (work, *target.parent.glob(f"{work.name}-*")):  # of builds that were killed
            shutil.rmtree(leftover, ignore_errors=True)
    return found or open_pack(target)


def open_existing_pack(request: PackRequest, report: Reporter) -> Pack | None:
    """Return the pack, or view of one, in the folder that `request.data` names; None where that folder holds no pack.

    Raises:
        UsageError: it holds other images than those asked for; says what to type.
        DataError: it is damaged, or what `request.data` names cannot be read.
    """
    if (folder := find_given_pack(request.data)) is None:
        return None
    pack = open_pack(folder)
    made, known = pack.info["dataset"], dataset_options(request.dataset)
    wanted = {
        "--dataset": (registry.find("datasets", request.dataset).qualified, made["name"]),
        "--size": (request.size, pack.spec.size),
        "--split": (request.split, made["split"]),
        "--channels": (request.channels or pack.spec.channels, pack.spec.channels),
        **{
            f"--set dataset.{key}": (value, made["options"].get(key, known[key].default if key in known else value))
            for key, value in request.options.items()
        },
    }
    for flag, (asked, has) in wanted.items():
        if asked != has:
            typed = f"{flag}={has}" if flag.startswith("--set") else f"{flag} {str(has).partition(':')[2] or has}"
            what = flag.removeprefix("--set ").lstrip("-")
            raise UsageError(f"{folder} is a pack whose {what} is {has}, not {asked}", hint=f"type: {typed}")
    name, size = made["name"].partition(":")[2], pack.spec.size
    report.note(f"{plural(len(pack), 'image')} of {name} at {size}×{size}, the pack {folder}")
    return pack


def _cached(target: Path, source: Source, report: Reporter) -> Pack | None:
    if not target.exists():
        return None
    try:
        pack = open_pack(target)
    except DataError as error:
        report.warn(f"{error.message}; it is built again")
        return None
    report.note(f"{_summary(source, pack.info)}, from the cache")
    note_use(target)
    return pack


@contextmanager
def _only_one(target: Path, report: Reporter) -> Iterator[None]:
    """Let one process at a time build `target`."""
    lock = filelock.FileLock(target.with_name(f".{target.name}.lock"))
    with translate_errors(target):
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            report.note("another process is building this pack; waiting for it")
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _build(target: Path, work: Path, source: Source, workers: int, report: Reporter) -> dict[str, Any]:
    """Make the pack in `work`, where an interrupted build may have left complete files, and publish it as `target`."""
    with translate_errors(target):
        writer = ShardWriter(work, source.key, source.size, source.channels, len(source.listing.records))
        try:
            missing = (len(source.listing.records) - writer.position) * source.size**2 * writer.channels
            free = shutil.disk_usage(target.parent).free
            if missing > free:  # said at once, not after hours
                few = f"{source.label} needs {missing / 1e9:,.1f} GB in {target.parent}, and {free / 1e9:,.1f} GB are free"
                raise ZooError(few, hint="free some space, or choose another cache folder: export ZOO_CACHE=DIR")
            info = _write(writer, source, workers, report)
            publish_folder(writer.folder, target, replace=True)
        except BaseException:
            writer.abandon()
            if writer.kept:
                report.note("finished files are kept: the same command goes on from there (zoo data clear drops them)")
            else:
                shutil.rmtree(work, ignore_errors=True)
            raise
    return info


def _write(writer: ShardWriter, source: Source, workers: int, report: Reporter) -> dict[str, Any]:
    """Decode every record that `writer` still lacks; return what stands in the pack's `pack.json`."""
    dataset, listing = source.dataset, source.listing
    total, begin = len(listing.records), writer.position
    if writer.resumed:
        report.note(f"going on after {begin:,} of {plural(total, 'record')}, which an interrupted build had finished")
    skipped = 0
    chunks = decode_all(dataset, listing.records, source.size, source.channels, workers, begin=begin)
    with closing(chunks), report.task(f"packing {source.entry.name}", total, "images") as task:  # type: ignore[type-var]
        for chunk in chunks:
            writer.add(chunk)
            skipped += len(chunk.skipped)
            task.update(writer.position, **({"skipped": f"{skipped:,}"} if skipped else {}))
    everything = writer.finish()
    listed = [{"key": listing.records[i].key, "reason": why} for i, why in [*everything.skipped.items()][:LISTED]]
    if not writer.count:
        whole = f"none of the {total:,} pictures" if total > 1 else "the only picture"
        raise DataError(f"{whole} of {source.entry.name} can{'not' if total == 1 else ''} be read: {_reasons(listed)}")
    kept, boxes, sides, remarks, grays = everything.tables().values()
    tables = {"record": kept, "side": sides} | ({"boxes": boxes} if dataset.boxed else {})
    if listing.classes:
        tables["labels"] = np.array([listing.records[i].label for i in kept], np.int64)
    if listing.attributes:
        tables["attributes"] = np.array([listing.records[i].attributes for i in kept], np.int64)
    save_file(tables, writer.folder / LABELS)
    notes = [*listing.notes]
    if dark := _note_on_grays(grays, dataset.white):
        report.note(f"{source.entry.name}: {dark}")
        notes.append(dark)
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
        "skipped": {"count": len(everything.skipped), "records": listed},
        "remarks": {words: int(((remarks & bit) > 0).sum()) for bit, words in REMARKS.items()},
        "notes": notes,
        "license": dataset.license,
        "credit": dataset.credit,
        **({"restriction": dataset.restriction} if dataset.restriction else {}),
        "hub": dataset.hub,
        "shards": [{"file": shard.name, "count": shard.count, "sha256": shard.sha256} for shard in writer.shards],
        "labels": {"file": LABELS, "sha256": sha256(writer.folder / LABELS)},
    }
    write_json(writer.folder / "pack.json", info)
    return info


def _note_on_grays(grays: NDArray[np.float32], asked: float | None) -> str:
    """Return what to do about pictures that are nearly black since their values use a small part of their range.

    `grays` [n, 2] has of each picture its brightest value and what became white, 0 for those with no more than 8 bits.
    """
    deep = grays[grays[:, 1] > 0]
    if asked is not None or not len(deep):
        return ""
    brightest, white = (float(value) for value in deep[(deep[:, 0] / deep[:, 1]).argmax()])
    if not 0 < brightest < white * DARK:
        return ""
    full = f"{max(255, 2 ** round(brightest).bit_length() - 1)}" if white > 255 else f"{brightest:g}"
    return (
        f"{plural(len(deep), 'picture')} of more than 8 bits {are(len(deep))} dark: the brightest value is {brightest:,g}, "
        f"and {white:,g} is white; to make {full} white: --set dataset.white={full}"
    )


def _summary(source: Source, info: Mapping[str, Any]) -> str:
    """Return the pack in one line: count, what was skipped and why, channels and who chose them."""
    skipped = info["skipped"]
    why = f", {skipped['count']:,} skipped ({_reasons(skipped['records'])})" if skipped["count"] else ""
    channels = "1 channel" if info["channels"] == 1 else f"{info['channels']} channels"
    if source.asked:
        channels += " as asked"
    elif source.channels is not None:
        channels += " as the dataset suggests"
    elif info["channels"] == 1:
        channels = "all pictures are gray: 1 channel (--channels 3 for color networks)"
    else:
        channels += ", as there are colored pictures"
    remarks = "".join(f", {count:,} {words}" for words, count in info.get("remarks", {}).items() if count)
    return f"{plural(info['count'], 'image')} of {source.label}{why}{remarks}, {channels}"


def _reasons(listed: list[dict[str, str]], most: int = 3) -> str:
    """Return why the first pictures were skipped."""
    said, last = list[str](), ""
    for entry in listed[:most]:
        said.append(f"{entry['key']}: {'the same' if entry['reason'] == last else entry['reason']}")
        last = entry["reason"]
    return printable("; ".join(said) + (", …" if len(listed) > most else ""))
