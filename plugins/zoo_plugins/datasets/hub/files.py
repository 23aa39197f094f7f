"""Which files of a dataset `datasets` takes for a split, and which it takes for none."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo_core.datasets import PICTURE_SUFFIXES

from .. import archives
from ..sources import few

_REMOTE, _PICTURE = "hf://", "picture"


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
    there = {name for name in _list_files(where, revision) if _kind(name) in kinds}
    taken = {file for files in used.values() for file in files if _kind(file) in kinds}
    if lost := sorted(there - taken):
        here = len(used.get(split, ()))
        why = f"{few(map(repr, sorted(taken)), 2)} {'has' if len(taken) == 1 else 'have'} a word for a split in the name"
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
    """Return in words how many pictures of a split are in no row, as the table of metadata beside them does not list them.

    `files` are those of the split, `count` is how many rows it has, and `paths` gives the paths that these name.
    """
    pictures = [str(file) for file in files if _kind(str(file)) == _PICTURE]
    if (missing := len(pictures) - count) <= 0:
        return []
    lost = sorted({*pictures} - {*paths()})
    named = f": {few(map(os.path.basename, lost), 3)}" if len(lost) == missing else ""
    are, were = ("is", "was") if missing == 1 else ("are", "were")
    where = "not in the table of metadata beside them"
    return [f"of {len(pictures):,} pictures {missing:,} {are} {where} and {were} left out{named}"]


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
    return suffix if suffix in (".parquet", ".arrow") else archives.suffix_of(name)


def _list_files(where: str, revision: str | None) -> Collection[str]:
    """Return the names of all files of a dataset, hidden ones left out; of one on the Hub none where it does not answer."""
    if Path(where).is_dir():
        found = []
        for folder, folders, files in os.walk(where):
            folders[:] = [name for name in folders if not name.startswith(".")]
            found += [Path(folder, name).relative_to(where).as_posix() for name in files if not name.startswith(".")]
        return found
    if Path(where).exists():
        return []
    from huggingface_hub import HfApi

    return HfApi().list_repo_files(where, repo_type="dataset", revision=revision)
