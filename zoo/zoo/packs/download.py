"""`zoo.download`: a dataset fetched from its own page, where that hands it out to everybody."""

from __future__ import annotations

from pathlib import Path

from zoo_core import ImageDataset, UsageError, registry
from zoo_core.folders import locate
from zoo_core.places import cache_root

from ..files import cache_folder, note_use

DOWNLOADS = "downloads"  # the cache's folder


def find_download(dataset: str) -> Path:
    """Return where `download` puts a dataset unless it is told another place; it need not exist."""
    return cache_root() / DOWNLOADS / registry.find("datasets", dataset).name


def download(dataset: str, data: str | Path | None = None, *, split: str = "train") -> Path:
    """Fetch a dataset, unless it is there, and return the folder that `data` should name.

    Every file's checksum is compared with the one that is known; nothing is unpacked and nothing of it is run.

    Args:
        dataset: registry name of a dataset that can be fetched.
        data: the folder to fetch it into; by default one in the zoo's cache.
        split: which part of it is wanted.

    Raises:
        UsageError: the dataset cannot be fetched; says which can.
        DataError: its page cannot be reached, or sends something else.
    """
    target: type[ImageDataset] = registry.load("datasets", dataset)
    name = registry.find("datasets", dataset).name
    if target.download is None:
        able = [e.name for e in registry.entries("datasets") if registry.load("datasets", e.name).download is not None]
        hint = f"--download fetches {', '.join(able)}; where to get {name}: zoo show {name}"
        raise UsageError(f"{name} cannot be fetched by the zoo", hint=hint)
    folder = locate(data) if data is not None else cache_folder(DOWNLOADS) / name
    folder.mkdir(parents=True, exist_ok=True)
    target.download(folder, split=split)
    note_use(folder)
    return folder
