"""`zoo pull`: a published model into the Hub's own cache, checked byte by byte, at one commit.

Only the names that a model folder has are ever asked for. Whatever else lies in a repository, pickles above all, stays
there.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from huggingface_hub import constants, errors, hf_hub_download

from zoo_core import ModelError, UsageError

from ..files import atomic_folder
from ..models.config import CONFIG, LIMIT, read_config
from ..models.folder import FILES, WEIGHTS, read_model
from ..progress import Reporter
from .client import HubError, Unreachable, api, call, is_offline, printable, translate_hub_errors
from .names import DEFAULT_REVISION, HubName
from .remote import RemoteFile, agrees, files_of

REQUIRED = (CONFIG, WEIGHTS["generator"])
"""What no model is without."""

SMALL_LIMITS = {CONFIG: LIMIT, "README.md": 16 << 20, "samples.png": 64 << 20, "metrics.json": LIMIT}
"""Most bytes of a file that is no weights; checked before it is fetched."""

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".npy", ".npz", ".h5", ".keras", ".dill", ".model")
"""Endings of files that can run code when they are read."""

MARGIN = 64 << 20
"""Bytes that stay free on the disk."""


@dataclass(frozen=True)
class Fetched:
    """A model that lies on this machine.

    Args:
        folder: the model folder; read it, and leave it as it is: it belongs to the cache.
        repo, commit: what it is a copy of, "" for one that does not come from the Hub.
        refused: names of files in the repository that were not fetched because they can run code.
        cached: whether it came from the cache because the Hub could not be asked.
    """

    folder: Path
    repo: str = ""
    commit: str = ""
    refused: tuple[str, ...] = field(default=())
    cached: bool = False


def fetch(name: HubName, *, report: Reporter | None = None) -> Fetched:
    """Bring a published model into the Hub's cache and check it against what the Hub says of it.

    Offline (`HF_HUB_OFFLINE`, or no connection) a copy that is in the cache already is taken.

    Raises:
        HubError: there is no such repository, revision or file, it may not be read, or the connection failed for good.
        ModelError: it is no zoo model, or what arrived is not what the Hub has.
    """
    report = report or Reporter()
    revision = name.revision or DEFAULT_REVISION
    if is_offline():
        return _from_cache(name, "HF_HUB_OFFLINE forbids the network")
    client = api()
    known = _cached_files(name)

    def ask(wanted: str) -> Any:
        return client.model_info(name.repo, revision=wanted, files_metadata=True)

    try:
        info = call(lambda: ask(revision), what="pull", repo=name.repo, report=report, tries=2 if known else 5)
    except HubError as error:
        if not (isinstance(error, Unreachable) or error.status >= 500) or not known:
            raise
        found = _from_cache(name, "the Hub does not answer")
        report.warn(f"the Hub does not answer; taking commit {found.commit[:12]} of {name.repo} from the cache")
        return found
    files = files_of(info)
    refused = _check_listing(name, files, report)
    first = Path(call(lambda: _download(name.repo, CONFIG, revision), what="pull", repo=name.repo, report=report))
    if first.parent.name != info.sha:  # somebody pushed between the two questions
        commit = first.parent.name
        info = call(lambda: ask(commit), what="pull", repo=name.repo, report=report)
        files = files_of(info)
        refused = _check_listing(name, files, report)
    _check_file(first, files[CONFIG], name, report)
    config = read_config(first.parent)
    wanted = [file for file in FILES if file in files and file != CONFIG]
    if config.get("discriminator") is None:
        wanted = [file for file in wanted if file != WEIGHTS["discriminator"]]
    elif WEIGHTS["discriminator"] not in files:
        raise ModelError(f"{name.repo} has no {WEIGHTS['discriminator']}, which its config.json names")
    _check_space(sum(files[file].size for file in wanted), name)
    for file in wanted:
        path = _fetch_one(name, file, info.sha, report)
        _check_file(path, files[file], name, report)
    return Fetched(first.parent, name.repo, info.sha, refused)


def check(found: Fetched) -> dict[str, Any]:
    """Load what was fetched, as anybody would, and return its configuration; raises `ModelError` or `PluginError`."""
    return read_model(found.folder).config


def copy_model(found: Fetched, target: Path) -> Path:
    """Copy a fetched model to a folder of its own, whole or not at all.

    Raises:
        UsageError: `target` exists and is not empty.
        ZooError: it cannot be written.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{target} exists and is not an empty folder", hint="choose another place: --to DIR")
    with atomic_folder(target, replace=True) as new:
        for file in FILES:
            if (found.folder / file).is_file():
                shutil.copyfile(found.folder / file, new / file)  # follows the cache's links
    return target


def _check_listing(name: HubName, files: Mapping[str, RemoteFile], report: Reporter) -> tuple[str, ...]:
    """Refuse what is no model before anything is fetched; returns the names of the files that can run code."""
    refused = tuple(sorted(file for file in files if file.lower().endswith(PICKLES)))
    missing = [file for file in REQUIRED if file not in files]
    shown = ", ".join(printable(file, 60) for file in refused[:5]) + (" …" if len(refused) > 5 else "")
    if missing:
        beside = f"; it has {shown}, which can run code when read and which the zoo never opens" if refused else ""
        raise ModelError(
            f"{name.repo} is no zoo model: it has no {' and no '.join(missing)}{beside}",
            hint="models that are: zoo list --hub",
        )
    if refused:
        report.warn(
            f"{name.repo} also has {shown}: refused, for such files can run code when read; only safetensors are taken"
        )
    for file, most in SMALL_LIMITS.items():
        if file in files and files[file].size > most:
            raise ModelError(f"{name.repo}: {file} has {files[file].size:,} bytes; the most is {most:,}")
    return refused


def _fetch_one(name: HubName, file: str, commit: str, report: Reporter) -> Path:
    return Path(call(lambda: _download(name.repo, file, commit), what=f"pull of {file}", repo=name.repo, report=report))


def _download(repo: str, file: str, revision: str) -> str:
    return str(hf_hub_download(repo, file, revision=revision, library_name="dcgan-zoo", endpoint=constants.ENDPOINT))


def _check_file(path: Path, remote: RemoteFile, name: HubName, report: Reporter) -> None:
    """Compare a file with what the Hub says of it; one that differs is taken out of the cache and had anew."""
    if agrees(path, remote):
        return
    blob = path.resolve()
    path.unlink(missing_ok=True)
    if blob.parent.name == "blobs":
        blob.unlink(missing_ok=True)
    report.warn(f"{path.name} did not arrive as the Hub has it; fetching it again")
    again = _fetch_one(name, path.name, path.parent.name, report)
    if not agrees(again, remote):
        blob = again.resolve()
        again.unlink(missing_ok=True)
        if blob.parent.name == "blobs":
            blob.unlink(missing_ok=True)
        raise ModelError(
            f"{path.name} of {name.repo} does not arrive as the Hub has it: its checksum differs, twice",
            hint="nothing of it was kept; run the same command again, over another connection if you can",
        )


def _check_space(size: int, name: HubName) -> None:
    place = Path(constants.HF_HUB_CACHE)
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if size + MARGIN > free:
        raise HubError(
            f"{name.repo} has {size / 1e6:,.0f} MB, and {place} has {free / 1e6:,.0f} MB left",
            hint="free some space, or choose another cache: export HF_HOME=DIR",
        )


def _cached_files(name: HubName) -> dict[str, Path]:
    """The files of a model that the cache has, at the commit that its revision meant when it was last asked."""
    found = {}
    for file in FILES:
        with translate_hub_errors("reading the cache", name.repo):
            try:
                path = hf_hub_download(name.repo, file, revision=name.revision or DEFAULT_REVISION, local_files_only=True)
            except errors.LocalEntryNotFoundError:
                continue
            found[file] = Path(path)
    return found


def _from_cache(name: HubName, why: str) -> Fetched:
    """The model as the cache has it; raises `HubError` naming what is missing."""
    found = _cached_files(name)
    missing = [file for file in REQUIRED if file not in found]
    second = WEIGHTS["discriminator"]
    if CONFIG in found and second not in found and read_config(found[CONFIG].parent).get("discriminator") is not None:
        missing.append(second)
    if missing:
        what = "nothing of it" if not found else f"no {' and no '.join(missing)}"
        raise Unreachable(
            f"{name} cannot be fetched: {why}, and the cache in {constants.HF_HUB_CACHE} has {what}",
            hint=f"with a connection, run once: {'env -u HF_HUB_OFFLINE ' if is_offline() else ''}zoo pull {name}",
        )
    folder = found[CONFIG].parent
    for file in WEIGHTS.values():
        if file in found and not _as_named(found[file]):
            raise ModelError(
                f"{file} of {name.repo} in the cache is damaged: its checksum differs",
                hint=f"with a connection, run: zoo pull {name}",
            )
    return Fetched(folder, name.repo, folder.name, cached=True)


def _as_named(path: Path) -> bool:
    """Whether a large file in the cache has the checksum that the cache named it by; True where it has no such name."""
    blob = path.resolve()
    if blob.parent.name != "blobs" or len(blob.name) != 64:
        return True
    return agrees(path, RemoteFile(path.stat().st_size, blob.name, None))
