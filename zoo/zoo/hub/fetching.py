"""A published model into the Hub's own cache, checked byte by byte, at one commit.

Only the names that a model folder has are ever asked for. Whatever else lies in a repository, pickles above all, stays
there.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import constants, try_to_load_from_cache
from huggingface_hub.file_download import repo_folder_name

from zoo_core import ModelError, UsageError
from zoo_core.hub import TRIES, EndlessBodyError, limit_bodies
from zoo_core.words import plural

from ..files import atomic_folder, sha256
from ..models.config import CONFIG, LIMIT, read_config
from ..models.folder import files_of_model, weight_file
from ..progress import Reporter
from .client import HubError, HubName, UnreachableError, api, call, printable

REQUIRED = (CONFIG, weight_file("generator"))
SMALL_LIMITS = {CONFIG: LIMIT, "README.md": 16 << 20, "samples.png": 64 << 20, "metrics.json": LIMIT}
"""Most bytes of a file that is no weights; checked before it is fetched."""

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".npy", ".npz", ".h5", ".keras", ".dill", ".model")
"""Endings of files that can run code when they are read."""

MARGIN = 64 << 20  # bytes that stay free on the disk


@dataclass(frozen=True)
class FetchedModel:
    """A model that lies on this machine."""

    folder: Path  # the model folder; read it, and leave it as it is: it belongs to the cache
    repo: str = ""  # what it is a copy of, "" for one that does not come from the Hub
    commit: str = ""
    refused: tuple[str, ...] = ()  # files of the repository that were not fetched because they can run code
    cached: bool = False  # whether it came from the cache because the Hub could not be asked

    def __fspath__(self) -> str:  # it stands wherever its folder may
        return str(self.folder)


def fetch(name: HubName, *, report: Reporter | None = None) -> FetchedModel:
    """Bring a published model into the Hub's cache and check it against what the Hub says of it.

    Offline (`HF_HUB_OFFLINE`, or no connection) a copy that is in the cache already is taken. Raises `HubError` where it may
    not be read or the connection failed for good, `ModelError` where it is no zoo model, or arrives damaged.
    """
    report = report or Reporter()
    if constants.HF_HUB_OFFLINE:
        return _from_cache(name, "HF_HUB_OFFLINE forbids the network")
    client, known = api(), cached_folder(name) is not None

    def ask() -> Any:
        found = client.model_info(name.repo, revision=name.ref, files_metadata=True)
        client.resolve_revision(name.repo, revision=name.ref)  # only to note it in the cache: its answer may come from there
        return found

    # 1. One commit, and what it holds; nothing that is no model, or too large, is fetched.
    try:
        info = call(ask, what="pull", repo=name.repo, report=report, tries=2 if known else TRIES)
    except HubError as error:
        if not (isinstance(error, UnreachableError) or error.status >= 500) or not known:
            raise
        found = _from_cache(name, "the Hub does not answer")
        report.warn(f"the Hub does not answer; taking commit {found.commit[:12]} of {name.repo} from the cache")
        return found
    sizes = {str(sibling.rfilename): int(sibling.size or 0) for sibling in info.siblings or ()}
    refused = _check_listing(name, sizes, report)

    # 2. The configuration, which decides about the weights.
    folder = _download(client, name, info.sha, {CONFIG: sizes[CONFIG]}, report)
    config = read_config(folder)
    for file in map(weight_file, config["parts"]):
        if file not in sizes:
            raise ModelError(f"{name.repo} has no {file}, which its config.json names")

    # 3. All the rest.
    wanted = {file: sizes[file] for file in files_of_model(config) if file in sizes}
    size, place = sum(wanted.values()), constants.HF_HUB_CACHE
    free = shutil.disk_usage(place).free
    if size + MARGIN > free:
        raise HubError(
            f"{name.repo} has {size / 1e6:,.0f} MB, and {place} has {free / 1e6:,.0f} MB left",
            hint="free some space, or choose another cache: export HF_HOME=DIR",
        )
    return FetchedModel(_download(client, name, info.sha, wanted, report), name.repo, info.sha, refused)


def copy_model(found: FetchedModel, target: Path) -> Path:
    """Copy a fetched model to a folder of its own, whole or not at all; raises `UsageError` where there is something."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{target} exists and is not an empty folder", hint="choose another place: --out DIR")
    with atomic_folder(target, replace=True) as new:
        for file in files_of_model(read_config(found.folder)):
            if (found.folder / file).is_file():
                shutil.copyfile(found.folder / file, new / file)  # follows the cache's links
    return target


def _check_listing(name: HubName, sizes: Mapping[str, int], report: Reporter) -> tuple[str, ...]:
    """Refuse what is no model; return the names of the files that can run code."""
    refused = tuple(sorted(file for file in sizes if file.lower().endswith(PICKLES)))
    missing = [file for file in REQUIRED if file not in sizes]
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
        if sizes.get(file, 0) > most:
            raise ModelError(f"{name.repo}: {file} has {sizes[file]:,} bytes; the most is {most:,}")
    return refused


def _download(client: Any, name: HubName, commit: str, files: Mapping[str, int], report: Reporter) -> Path:
    """Fetch files of a commit, by name and size; those that do not arrive as the Hub has them are taken out of the cache and
    had once more.
    """

    def attempt() -> tuple[Path, list[str]]:
        try:
            with limit_bodies(max(files.values())):
                folder = Path(client.snapshot_download(name.repo, revision=commit, allow_patterns=list(files)))
        except EndlessBodyError as error:
            _forget_unfinished(name)
            raise ModelError(f"{name.repo} cannot be fetched: {error.message}", hint="nothing of it was kept") from error
        found = client.verify_repo_checksums(name.repo, revision=commit)
        differing = {mismatch["path"] for mismatch in found.mismatches} | set(found.missing_paths)
        return folder, sorted(differing & set(files))

    what = f"pull of {' and '.join(files) if len(files) < 3 else plural(len(files), 'file')}"
    for last in (False, True):
        folder, wrong = call(attempt, what=what, repo=name.repo, report=report)
        if not wrong:
            break
        for path in (folder / file for file in wrong):
            path.resolve().unlink(missing_ok=True)  # the content, which the name in the commit's folder links to
            path.unlink(missing_ok=True)
        if last:
            raise ModelError(
                f"{' and '.join(wrong)} of {name.repo} does not arrive as the Hub has it: its checksum differs, twice",
                hint="nothing of it was kept; run the same command again, over another connection if you can",
            )
        report.warn(f"{' and '.join(wrong)} did not arrive as the Hub has it; fetching it again")
    return folder


def _forget_unfinished(name: HubName) -> None:
    """Take out of the cache what was begun of a repository that does not send what it has."""
    blobs = Path(constants.HF_HUB_CACHE, repo_folder_name(repo_id=name.repo, repo_type="model"), "blobs")
    for path in blobs.glob("*.incomplete"):
        with suppress(OSError):
            path.unlink()


def cached_folder(name: HubName) -> Path | None:
    """Return the cache's folder of a model, at the commit that its revision meant when the Hub was last asked."""
    found = try_to_load_from_cache(name.repo, CONFIG, revision=name.ref)
    return Path(found).parent if isinstance(found, str) else None


def _from_cache(name: HubName, why: str) -> FetchedModel:
    """Return the model as the cache has it; raise `HubError` naming what is missing."""
    folder = cached_folder(name)
    weights = [weight_file(role) for role in read_config(folder)["parts"]] if folder is not None else []
    missing = [file for file in weights if folder is None or not (folder / file).is_file()]
    if folder is None or missing:
        allow = "env -u HF_HUB_OFFLINE " if constants.HF_HUB_OFFLINE else ""
        what = "nothing of it" if folder is None else f"no {' and no '.join(missing)}"
        raise UnreachableError(
            f"{name} cannot be fetched: {why}, and the cache in {constants.HF_HUB_CACHE} has {what}",
            hint=f"with a connection, run once: {allow}zoo pull {name}",
        )
    for file in weights:
        content = (folder / file).resolve()  # the cache names large files by their checksum
        if content.parent.name == "blobs" and len(content.name) == 64 and sha256(content) != content.name:
            raise ModelError(
                f"{file} of {name.repo} in the cache is damaged: its checksum differs",
                hint=f"with a connection, run: zoo pull {name}",
            )
    return FetchedModel(folder, name.repo, folder.name, cached=True)
