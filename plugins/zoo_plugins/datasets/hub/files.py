"""Which files of a dataset `datasets` takes for a split, and which it takes for none."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo_core.datasets import PICTURE_SUFFIXES
from zoo_core.folders import is_system_folder

from .. import archives
from ..sources import few

_REMOTE, _PICTURE, _TABLES = "hf://", "picture", {".parquet", ".arrow"}
_SPLIT = re.compile(r"(?<![a-z])(train(ing)?|validation|valid|dev|val|test(ing)?|eval(uation)?)(?![a-z])")
"""The words from which `datasets` guesses a split."""


def describe_files(where: str, revision: str | None, split: str, chosen: Mapping[str, Sequence[Any]]) -> list[str]:
    """Return in words how many files there are, how many of them the split has, and which no split has.

    Nothing where there is nothing to say. `datasets` guesses splits from words in the names of files ("test", "valid", …):
    where one has such a word, the files that have none are in no split.

    Args:
        where: a folder, or "user/name" on the Hub.
        chosen: split → the files that `datasets` takes for it, as paths or hf://….
    """
    used = {str(name): {_name(str(file), where) for file in files} for name, files in chosen.items()}
    kinds = {_kind(file) for files in used.values() for file in files} - {""}
    if kinds and not kinds & _TABLES:  # pictures, alone or in archives, of which `datasets` may take only some kinds
        kinds |= {_kind(name) for name in _list_files(where, revision)} - {"", *_TABLES}
    there = {name for name in _list_files(where, revision) if _kind(name) in kinds}
    taken = {file for files in used.values() for file in files if _kind(file) in kinds}
    if lost := sorted(there - taken):
        here = len(used.get(split, ()))
        worded = [] if any(map(_SPLIT.search, lost)) else sorted(filter(_SPLIT.search, taken))
        why = "its library passes over them"
        if worded:
            why = f"{few(map(repr, worded), 2)} {'has' if len(worded) == 1 else 'have'} a word for a split in the name"
        remedy = (
            f"--dataset folder --data {where}"
            if Path(where).is_dir()
            else f"hf download {where} --repo-type dataset --local-dir DIR, then --dataset folder --data DIR"
        )
        return [
            f"of {len(there):,} files, {here:,} {'is' if here == 1 else 'are'} used for split {split!r} "
            f"and {len(lost):,} for no split, because {why}; left out: {few(lost, 3)}; to take them all: {remedy}"
        ]
    if kinds == {_PICTURE} and len(used) > 1:
        return ["files of each split: " + ", ".join(f"{name} {len(files):,}" for name, files in used.items())]
    return []


def describe_unlisted(files: Sequence[Any], count: int, paths: Callable[[], Sequence[str]]) -> list[str]:
    """Return in words which pictures of a split are in no row, as the table of metadata beside them does not list them.

    `files` are those of the split, `count` is how many rows it has, and `paths` gives the paths that these name.
    """
    pictures = [str(file) for file in files if _kind(str(file)) == _PICTURE]
    if not pictures:
        return []
    lost = sorted({*pictures} - {*paths()})
    told = len(lost) < len(pictures)  # else rows name them in another way, and only their number says something
    if (missing := len(lost) if told else len(pictures) - count) <= 0:
        return []
    named = f": {few(map(os.path.basename, lost), 3)}" if told else ""
    are, were = ("is", "was") if missing == 1 else ("are", "were")
    where = "not in the table of metadata beside them"
    return [f"of {len(pictures):,} pictures {missing:,} {are} {where} and {were} left out{named}"]


def list_tables(folder: Path) -> list[Path]:
    """Return the tables and archives in a folder on this machine, none where there is no such folder."""
    if not folder.is_dir():
        return []
    return [folder / name for name in sorted(_list_files(str(folder), None)) if _kind(name) not in ("", _PICTURE)]


def is_system_file(reference: str, where: str) -> bool:
    """Return whether a picture lies in a folder of the system, or is hidden, within the dataset `where` or a zip in it."""
    inner, outer = split_reference(reference)
    outer = _name(outer, where)
    names = [] if outer.startswith(("..", "/")) else outer.split("/")  # elsewhere it is a file of a cache
    names += inner.split("/")
    return any(map(is_system_folder, names[:-1])) or names[-1].startswith(".")


def split_reference(reference: str) -> tuple[str, str]:
    """Return the member and the archive of "zip://member::archive", of any other reference "" and itself."""
    if not reference.startswith("zip://"):
        return "", reference
    parts = reference.removeprefix("zip://").split("::")  # which may be in names, too
    ways = [("::".join(parts[:i]), "::".join(parts[i:])) for i in range(1, len(parts))]
    return next((way for way in ways if Path(way[1]).is_file()), ways[-1] if ways else ("", reference))


def _name(file: str, where: str) -> str:
    """Return a file's name within the dataset."""
    if file.startswith(_REMOTE):
        return file.partition("@")[2].partition("/")[2] or file
    return Path(os.path.relpath(file, where)).as_posix()


def _kind(name: str) -> str:
    """Return what kind of file it is by its name, "" for none that holds pictures."""
    suffix = os.path.splitext(name)[1].lower()
    if suffix in PICTURE_SUFFIXES:
        return _PICTURE
    return suffix if suffix in _TABLES else archives.suffix_of(name)


def _list_files(where: str, revision: str | None) -> Collection[str]:
    """Return the names of all files of a dataset, hidden ones left out; of one on the Hub none where it does not answer."""
    if Path(where).is_dir():
        found = []
        for folder, folders, files in os.walk(where):
            folders[:] = [name for name in folders if not is_system_folder(name)]
            found += [Path(folder, name).relative_to(where).as_posix() for name in files if not name.startswith(".")]
        return found
    if Path(where).exists():
        return []
    from huggingface_hub import HfApi

    return HfApi().list_repo_files(where, repo_type="dataset", revision=revision)
