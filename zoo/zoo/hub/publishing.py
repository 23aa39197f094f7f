"""`zoo push`: a run or model folder to the Hub, in one commit or not at all."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, constants, get_token

from ..files import atomic_folder
from ..models.card import model_card, read_metrics
from ..models.config import CONFIG
from ..models.curves import save_curves
from ..models.folder import FILES, SAMPLES, WEIGHTS, read_model, write_config, write_model
from ..models.grids import save_grid
from ..models.model import Model
from ..progress import Reporter
from ..runs.log import read_log
from ..runs.run import is_run, model_of_run
from .client import HubError, api, call, printable, translate_hub_errors
from .names import DEFAULT_REVISION, HubName, check_license, check_tag, parse_name

EXTRAS = ("curves.png", "report.html")
"""What a push adds to a model folder, where a run has it."""

OURS = (*FILES, *EXTRAS)
"""Names that a push replaces, or deletes where it has no such file any more. All other files are the owner's own."""

DRY_RUN = Path("dry-run")
"""Folder below which `--dry-run` writes."""


@dataclass(frozen=True)
class Pushed:
    """What a push did, or would do.

    Args:
        repo: where.
        folder: the folder to look at, after a dry run.
        commit, url: what was published; "" after a dry run.
        revision, tag: branch and tag.
        files: sizes in bytes, by name.
        changed: False when the repository had all of it already.
    """

    repo: str
    revision: str
    files: dict[str, int]
    folder: Path | None = None
    commit: str = ""
    url: str = ""
    tag: str | None = None
    changed: bool = True


def publish(
    source: Path,
    repo: str,
    *,
    private: bool,
    revision: str | None,
    message: str | None,
    tag: str | None,
    license: str | None,
    dry_run: bool,
    report: Reporter,
) -> Pushed:
    """Publish a run or model folder; see `zoo.push`, whose arguments these are."""
    name = parse_name(repo, revision)
    branch = name.revision or DEFAULT_REVISION
    if tag is not None:
        check_tag(tag)
    if license is not None:
        check_license(license)
    if not dry_run:
        _check_login()
    with tempfile.TemporaryDirectory(prefix="zoo-push-") as temporary:
        folder = Path(temporary) / "model"
        model = stage(source, folder, place=name.repo, license=license)
        if not dry_run:
            return _upload(folder, HubName(name.repo, branch), private, message or _title(model), tag, report)
        target = DRY_RUN / name.repo
        with atomic_folder(target, replace=True) as new:
            shutil.copytree(folder, new, dirs_exist_ok=True)
        return Pushed(name.repo, branch, _sizes(target), folder=target, tag=tag)


def stage(source: Path, folder: Path, *, place: str, license: str | None = None) -> Model:
    """Write the new folder that a push publishes. Weights of a model folder are copied byte by byte.

    Args:
        source: a run or model folder.
        folder: what to make.
        place: what the card tells `zoo.load`.
        license: for the configuration and the card.
    """
    beside = [source]
    if is_run(source):
        write_model(model_of_run(source), folder)
        beside = [folder, source / "model", source]
        model = read_model(folder)
    else:
        model = read_model(source)
        folder.mkdir()
        for file in WEIGHTS.values():
            if (source / file).is_file():
                shutil.copyfile(source / file, folder / file)
        save_grid(model.sample(SAMPLES), folder / "samples.png")
    if license is not None:
        model.config["provenance"] = {**model.config.get("provenance", {}), "license": license}
    model.config = write_config(model.config, folder)
    metrics = next((found for found in map(read_metrics, beside) if found is not None), None)
    for file in ("metrics.json", *EXTRAS):
        existing = next((other / file for other in beside if (other / file).is_file()), None)
        if existing is not None:
            shutil.copyfile(existing, folder / file)
    if (source / "metrics.jsonl").is_file():
        save_curves(read_log(source / "metrics.jsonl"), folder / "curves.png")
    extras = {file.partition(".")[0]: (folder / file).is_file() for file in EXTRAS}
    (folder / "README.md").write_text(model_card(model, place=place, metrics=metrics, **extras), encoding="utf-8")
    return model


def _upload(folder: Path, name: HubName, private: bool, title: str, tag: str | None, report: Reporter) -> Pushed:
    """Make the repository and the branch, look at what is there, make one commit, and tag it."""
    client, repo, branch = api(), name.repo, name.revision
    assert branch is not None
    files = _sizes(folder)

    # 1. Repository and branch.
    call(lambda: client.create_repo(repo, private=private or None, exist_ok=True), what="push", repo=repo, report=report)
    if branch != DEFAULT_REVISION:
        call(lambda: client.create_branch(repo, branch=branch, exist_ok=True), what="push", repo=repo, report=report)

    # 2. What is there.
    before = call(lambda: client.model_info(repo, revision=branch), what="push", repo=repo, report=report)
    there = {sibling.rfilename for sibling in before.siblings or ()}
    _check_target(before, there, name, private)
    if tag is not None:
        _check_tag_free(client, name, tag, before.sha, folder, report)

    # 3. One commit. `upload_folder` would make several of a large one, so that others could see half a model.
    report.note(f"uploading {len(files)} files, {sum(files.values()) / 1e6:,.1f} MB, to {repo}")

    def commit() -> str:
        added = [CommitOperationAdd(path_in_repo=file, path_or_fileobj=str(folder / file)) for file in files]
        stale = [CommitOperationDelete(path_in_repo=file) for file in OURS if file in there and file not in files]
        done = client.create_commit(repo, [*added, *stale], commit_message=title, revision=branch, parent_commit=before.sha)
        return str(done.oid)

    try:
        oid = call(commit, what="upload", repo=repo, report=report)
    except HubError as error:
        oid = _after_conflict(client, error, folder, name)

    # 4. The tag.
    if tag is not None:
        _tag(client, repo, tag, oid, report)
    url = f"{constants.ENDPOINT}/{repo}"
    return Pushed(repo, branch, files, commit=oid, url=url, tag=tag, changed=oid != before.sha)


def _check_target(info: Any, files: set[str], name: HubName, private: bool) -> None:
    """Refuse to publish what was to be private, and to write over somebody's other model."""
    if private and not info.private:
        raise HubError(
            f"{name.repo} exists already, and everybody can see it; nothing was uploaded",
            hint=f"make it private first, at {constants.ENDPOINT}/{name.repo}/settings, or choose another name",
        )
    if CONFIG in files and WEIGHTS["generator"] not in files:
        raise HubError(
            f"{name.repo} holds another kind of model, whose {CONFIG} a push would replace; nothing was uploaded",
            hint="choose another name, or another branch: --revision NAME",
        )


def _after_conflict(client: Any, error: HubError, folder: Path, name: HubName) -> str:
    """Return the commit of the branch that moved if it is this very push, whose answer was lost; raise otherwise."""
    if error.status != 412:
        raise error
    with translate_hub_errors("push", name.repo):
        commit = str(client.model_info(name.repo, revision=name.revision).sha)
        if _holds(client, name.repo, commit, folder):
            return commit
    raise HubError(
        f"somebody else pushed to {name} while this upload was going on; nothing of this one was published",
        hint=f"look at {constants.ENDPOINT}/{name.repo}/commits/{name.revision}; to replace it, run the same command again",
        status=412,
    ) from error


def _holds(client: Any, repo: str, commit: str, folder: Path) -> bool:
    """Whether a commit has all files of a folder, byte by byte, and no others of ours."""
    found = client.verify_repo_checksums(repo, revision=commit, local_dir=folder)
    return not found.mismatches and not found.extra_paths and not set(OURS) & set(found.missing_paths)


def _tags(client: Any, repo: str) -> dict[str, str]:
    return {ref.name: ref.target_commit for ref in client.list_repo_refs(repo).tags}


def _check_tag_free(client: Any, name: HubName, tag: str, head: str, folder: Path, report: Reporter) -> None:
    """Refuse a tag that another commit bears, before anything is uploaded."""

    def is_free() -> bool:
        bearer = _tags(client, name.repo).get(tag)
        return bearer is None or (bearer == head and _holds(client, name.repo, head, folder))

    if not call(is_free, what="push", repo=name.repo, report=report):
        raise HubError(
            f"{name.repo} has a tag {tag!r} already, at another commit; nothing was uploaded",
            hint="choose another: --tag NAME",
            status=409,
        )


def _tag(client: Any, repo: str, tag: str, oid: str, report: Reporter) -> None:
    def create() -> None:
        if _tags(client, repo).get(tag) != oid:
            client.create_tag(repo, tag=tag, revision=oid)

    try:
        call(create, what="tagging", repo=repo, report=report)
    except HubError as error:
        again = "run the same command again: it uploads nothing twice and sets the tag"
        error.message = f"published as commit {oid[:12]}, but not tagged {tag!r}: {error.message}"
        error.hint = f"{error.hint}\n{again}".strip() if error.status != 409 else "choose another: --tag NAME"
        raise


def _sizes(folder: Path) -> dict[str, int]:
    return {file: (folder / file).stat().st_size for file in OURS if (folder / file).is_file()}


def _title(model: Model) -> str:
    recipe = (model.config.get("recipe") or {}).get("name") or model.config["generator"]["name"]
    shown = model.config.get("provenance", {}).get("images")
    return printable(f"{recipe} after {shown:,} images" if shown else f"{recipe}", 100)


def _check_login() -> None:
    with translate_hub_errors("push"):
        if not get_token():
            raise HubError(
                "you are not logged in to the Hub", hint="log in: hf auth login; or export HF_TOKEN=…", status=401
            )
