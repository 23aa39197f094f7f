"""`zoo pull`: a model by any of its names, checked, and where it then lies."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from zoo_core import ModelError, UsageError

from ..catalog import CatalogEntry, check_entry, find_entry
from ..files import sha256
from ..loading import local_folder, model_not_found
from ..progress import Reporter
from ..runs.run import is_run
from .fetching import Fetched, check, copy_model, fetch
from .names import is_hub_name, parse_name


def pull(
    model: str | Path, *, to: str | Path | None = None, revision: str | None = None, report: Reporter | None = None
) -> Fetched:
    """Fetch a model, check all of it, and say where it lies.

    Args:
        model: a name of the catalog, "user/name[@revision]" on the Hub, or a model folder, which is only checked.
        to: a new folder for a copy that is yours to keep; without it the model stays in the Hub's cache.
        revision: branch, tag or commit on the Hub.
        report: hears notes, warnings and retries.

    Raises:
        UsageError: there is no such model, or `to` is not empty.
        HubError: the Hub does not have it or cannot be reached.
        ModelError: it is damaged, no zoo model, or not what its checksums say.
        PluginError: a plugin that it needs is not installed; the message names it.
    """
    text = str(model)
    entry = find_entry(text)
    place = local_folder(model)
    if place is not None and (entry is None or place != entry.folder):
        if is_run(place):
            raise UsageError(f"{place} is a run folder, not a model", hint=f"write its model: zoo export {place} DIR")
        entry, found = None, Fetched(place)
    elif entry is not None and entry.folder is not None:
        check_entry(entry)
        found = Fetched(entry.folder)
    elif entry is not None:
        found = fetch_entry(entry, report=report)
    elif is_hub_name(text):
        found = fetch(parse_name(text, revision), report=report)
    else:
        raise model_not_found(text)
    if revision is not None and not found.repo:
        raise UsageError(f"{text} is no repository on the Hub and has no revisions", hint="leave --revision out")
    check(found)
    return found if to is None else replace(found, folder=copy_model(found, Path(to)))


def fetch_entry(entry: CatalogEntry, *, report: Reporter | None = None) -> Fetched:
    """Fetch a model of the catalog that lies on the Hub; raises `HubError`, or `ModelError` where it is another one."""
    found = fetch(parse_name(entry.where), report=report)
    for file, wanted in entry.sha256.items():
        if not (found.folder / file).is_file() or sha256(found.folder / file) != wanted:
            raise ModelError(f"{file} of {entry.where} is not the one that the catalog means by {entry.name!r}")
    return found
