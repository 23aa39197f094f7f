"""Some of a dataset's pictures: chosen classes, and at most so many. The zoo does it alike for every dataset."""

from __future__ import annotations

import hashlib
import heapq
import json
import shlex
from array import array
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from zoo_core import DataError, Listing, OptionError, Record, UsageError, registry
from zoo_core.datasets import LazyRecords
from zoo_core.errors import unknown
from zoo_core.options import Option, check, schema

SELECTION = {
    "classes": Option(
        "classes", list[str] | str | None, None, "only these, by name ('cat,dog' or '[\"a,b\"]'), as labels in this order"
    ),
    "limit": Option("limit", int | None, None, "at most so many pictures, always the same ones (or --limit N)"),
    "white": Option("white", float | None, None, "which value is white where grays have more than 8 bits (4095, say)"),
}
"""Options that every dataset has, unless its constructor has one of that name; `white` selects none of the pictures."""


def dataset_options(name: str) -> dict[str, Option]:
    """Return all options of a registered dataset: its own, and those by which the zoo selects some of its pictures."""
    return {**SELECTION, **schema(registry.load("datasets", name))}


def limit_options(options: Mapping[str, Any], limit: int | None) -> dict[str, Any]:
    """Return what `--set` says with what `--limit` says; raises `UsageError` where both say the same option."""
    if limit is None:
        return dict(options)
    if "dataset.limit" in options:
        both = f"--limit {limit} and --set dataset.limit={options['dataset.limit']}"
        raise UsageError(f"{both} say the same option twice; leave one of them out")
    return {**options, "dataset.limit": limit}


def split_selection(name: str, options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a dataset's options as those of its constructor, and those that select, without such as select nothing.

    Raises:
        OptionError: an ill-typed or impossible selection.
    """
    own = schema(registry.load("datasets", name))
    chosen = {key: value for key, value in options.items() if key in SELECTION and key not in own}
    rest = {key: value for key, value in options.items() if key not in chosen}
    selection: dict[str, Any] = {}
    for key, value in chosen.items():
        if (value := check(SELECTION[key], value, key=f"dataset.{key}")) is not None:
            selection[key] = _read_classes(value) if isinstance(value, str) else value
    if (limit := selection.get("limit")) is not None and limit < 1:
        raise OptionError(f"dataset.limit must be at least 1, not {limit}", hint="for example: --limit 1000")
    if (white := selection.get("white")) is not None and not 0 < white < float("inf"):
        hint = "for example: --set dataset.white=4095"
        raise OptionError(f"dataset.white must be greater than 0, not {white:g}", hint=hint)
    if (classes := selection.get("classes")) is not None and (not classes or "" in classes):
        raise OptionError("dataset.classes names no class", hint="for example: --set dataset.classes=cat,dog")
    return rest, selection


def _read_classes(text: str) -> list[str]:
    """Return names that are separated by commas, or stand in a JSON list."""
    if text.lstrip().startswith("["):
        with suppress(ValueError, RecursionError):
            names = json.loads(text)
            if isinstance(names, list) and all(isinstance(name, str) for name in names):
                return names
    return [name.strip() for name in text.split(",")]


def write_classes(names: Sequence[str]) -> str:
    """Return names as `--set dataset.classes=` takes them: a JSON list where one of them holds a comma, say."""
    plain = ",".join(names)
    return plain if _read_classes(plain) == [*names] else json.dumps([*names], ensure_ascii=False)


def select(listing: Listing, selection: Mapping[str, Any]) -> Listing:
    """Return the chosen part of a listing, in its order, with notes that say what it is.

    Classes become labels in the order in which they were named; one alone is none, as it tells nothing. Of `limit` pictures
    those are taken whose keys have the least SHA-256: as good as a random choice, the same on every machine, and the smaller
    of two choices lies within the larger.

    Raises:
        UsageError: a class that is not there, or no classes at all.
    """
    total, told = len(listing.records), []
    if names := selection.get("classes"):
        listing = _select_classes(listing, names)
        told.append(f"of {total:,} pictures the {len(listing.records):,} of {', '.join(names)}")
        if not listing.records:
            raise DataError(f"there are no pictures of {', '.join(names)}")
    count, limit = len(listing.records), selection.get("limit")
    if limit is not None and limit < count:
        ranked = heapq.nsmallest(limit, ((_rank(r.key), i) for i, r in enumerate(listing.records)))
        listing = replace(listing, records=take(listing.records, sorted(i for _, i in ranked)))
        told.append(f"{limit:,} of {count:,} pictures, chosen by their names: always the same ones")
    return replace(listing, notes=(*listing.notes, *told))


def _rank(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _select_classes(listing: Listing, names: Sequence[str]) -> Listing:
    if not listing.classes:
        there = f"; they have attributes: {', '.join(list(listing.attributes)[:5])}, …" if listing.attributes else ""
        hint = "leave dataset.classes out; in a folder of pictures, sub-folders become classes"
        raise UsageError(f"dataset.classes={write_classes(names)}: these pictures have no classes{there}", hint=hint)
    chosen = list(dict.fromkeys(_find_class(name, listing) for name in names))
    label = {old: new for new, old in enumerate(chosen)}
    kept = [i for i, record in enumerate(listing.records) if record.label in label]
    several = len(chosen) > 1
    records = take(listing.records, kept, label if several else dict.fromkeys(label, -1))
    return replace(listing, records=records, classes=tuple(listing.classes[i] for i in chosen) if several else ())


def _find_class(name: str, listing: Listing) -> int:
    """Return the index of the class that is called so, or else that has this name among others."""
    if name in listing.classes:
        return listing.classes.index(name)
    plain = _plain(name)
    found = [i for i, own in enumerate(listing.classes) if plain in map(_plain, (own, *listing.aliases.get(own, ())))]
    if len(found) == 1:
        return found[0]
    if found:
        several = ", ".join(listing.classes[i] for i in found)
        raise UsageError(f"dataset.classes: {name!r} names several classes: {several}", hint="name one of these instead")
    others = [alias for own in listing.classes for alias in listing.aliases.get(own, ())]
    setting = shlex.quote(f"dataset.classes={write_classes(listing.classes[:1])}")
    raise unknown("class", name, [*listing.classes, *others], hint=f"for example: --set {setting}")


def _plain(name: str) -> str:
    return name.casefold().replace("_", " ").replace("-", " ").strip()


def take(records: Sequence[Record], numbers: Iterable[int], label: Mapping[int, int] | None = None) -> LazyRecords:
    """Return some of a sequence of records, each still made when it is asked for. `label`: old label → new one; None leaves
    them as they are.
    """

    def make(number: int) -> Record:
        record = records[number]
        return record if label is None else replace(record, label=label[record.label])

    return LazyRecords(array("q", numbers), make)
