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
from .remote import agrees, files_of

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


def push(
    where: str | Path,
    repo: str,
    *,
    private: bool = False,
    revision: str | None = None,
    message: str | None = None,
    tag: str | None = None,
    license: str | None = None,
    dry_run: bool = False,
    report: Reporter | None = None,
) -> Pushed:
    """Publish a model on the Hugging Face Hub.

    Configuration, weights, card and samples arrive in one commit, based on the one that was there when the push began: if
    somebody else pushes meanwhile, nothing of this one appears.

    Args:
        where: a run folder, a model folder, or a name of the catalog.
        repo: "user/name"; made if it does not exist.
        private: make it one that only its owner sees.
        revision: a branch, made if it does not exist; "main" by default.
        message: of the commit.
        tag: a name for the commit, given when it is complete.
        license: of this model ("apache-2.0"), for its card; not stated otherwise.
        dry_run: write the folder that would be published to dry-run/user/name, and ask nobody.
        report: hears notes and progress.

    Raises:
        UsageError: a name is not valid, or there is no such model.
        HubError: the Hub refused, or could not be reached; it has what it had before.
        ModelError, PluginError, CheckpointError: the model cannot be read.
    """
    report = report or Reporter()
    name = parse_name(repo, revision)
    branch = name.revision or DEFAULT_REVISION
    if tag is not None:
        check_tag(tag)
    if license is not None:
        check_license(license)
    if not dry_run and not _logged_in():
        raise HubError("you are not logged in to the Hub", hint="log in: hf auth login; or export HF_TOKEN=…", status=401)
    if dry_run:
        target = DRY_RUN / name.repo
        with atomic_folder(target, replace=True) as folder:
            stage(where, folder, place=name.repo, license=license)
        return Pushed(name.repo, branch, _sizes(target), folder=target, tag=tag)
    with tempfile.TemporaryDirectory(prefix="zoo-push-") as temporary:
        folder = Path(temporary) / "model"
        folder.mkdir()
        model = stage(where, folder, place=name.repo, license=license)
        title = message or _title(model)
        return _publish(folder, HubName(name.repo, branch), private, title, tag, report)


def stage(where: str | Path, folder: Path, *, place: str, license: str | None = None) -> Model:
    """Write the folder that a push publishes; see `push`. Weights of a model folder are copied byte by byte."""
    from ..loading import local_folder, model_not_found

    source = local_folder(where)
    if source is None:
        raise model_not_found(str(where))
    if is_run(source):
        run, source = source, folder.parent / f"{folder.name}-exported"
        try:
            write_model(model_of_run(run), source)
            return _stage(source, run, folder, place, license)
        finally:
            shutil.rmtree(source, ignore_errors=True)
    return _stage(source, None, folder, place, license)


def _stage(source: Path, run: Path | None, folder: Path, place: str, license: str | None) -> Model:
    model = read_model(source)
    for file in WEIGHTS.values():
        if (source / file).is_file():
            shutil.copyfile(source / file, folder / file)
    config = {key: value for key, value in model.config.items() if key != "sha256"}
    if license is not None:
        config["provenance"] = {**config.get("provenance", {}), "license": license}
    model.config = write_config(config, folder)
    beside = [source, run / "model", run] if run is not None else [source]
    metrics = next((found for found in map(read_metrics, beside) if found is not None), None)
    for file in ("metrics.json", "report.html", "curves.png"):
        existing = next((other / file for other in beside if (other / file).is_file()), None)
        if existing is not None:
            shutil.copyfile(existing, folder / file)
    if run is not None and (run / "metrics.jsonl").is_file():
        save_curves(read_log(run / "metrics.jsonl"), folder / "curves.png")
    save_grid(model.sample(SAMPLES), folder / "samples.png")
    extras = {file.partition(".")[0]: (folder / file).is_file() for file in EXTRAS}
    (folder / "README.md").write_text(model_card(model, place=place, metrics=metrics, **extras), encoding="utf-8")
    return model


def _publish(folder: Path, name: HubName, private: bool, title: str, tag: str | None, report: Reporter) -> Pushed:
    """1. repository and branch, 2. what is there, 3. one commit, 4. the tag."""
    client, repo, branch = api(), name.repo, name.revision
    assert branch is not None
    files = _sizes(folder)
    what = "push"

    # 1.
    call(lambda: client.create_repo(repo, private=private or None, exist_ok=True), what=what, repo=repo, report=report)
    if branch != DEFAULT_REVISION:
        call(lambda: client.create_branch(repo, branch=branch, exist_ok=True), what=what, repo=repo, report=report)

    # 2.
    before = call(lambda: _info(client, repo, branch), what=what, repo=repo, report=report)
    _check_target(before, name, private)
    if tag is not None:
        _check_tag_free(client, repo, tag, before, folder, report)

    # 3.
    size = sum(files.values())
    report.note(f"uploading {len(files)} files, {size / 1e6:,.1f} MB, to {repo}")
    parent = before.sha

    def commit() -> Any:
        stale = [file for file in OURS if file in files_of(before) and file not in files]
        operations = [CommitOperationAdd(path_in_repo=file, path_or_fileobj=str(folder / file)) for file in files]
        deletions = [CommitOperationDelete(path_in_repo=file) for file in stale]
        return client.create_commit(
            repo, [*operations, *deletions], commit_message=title, revision=branch, parent_commit=parent
        )

    try:
        oid = call(commit, what="upload", repo=repo, report=report).oid
    except HubError as error:
        after = _after_conflict(client, error, folder, name)
        if after is None:
            raise
        oid = after

    # 4.
    if tag is not None:
        _tag(client, repo, tag, oid, report)
    url = f"{constants.ENDPOINT}/{repo}"
    return Pushed(repo, branch, files, commit=oid, url=url, tag=tag, changed=oid != before.sha)


def _info(client: Any, repo: str, branch: str) -> Any:
    return client.model_info(repo, revision=branch, files_metadata=True)


def _check_target(info: Any, name: HubName, private: bool) -> None:
    """Refuse to publish what was to be private, and to write over somebody's other model."""
    if private and not info.private:
        raise HubError(
            f"{name.repo} exists already, and everybody can see it; nothing was uploaded",
            hint=f"make it private first, at {constants.ENDPOINT}/{name.repo}/settings, or choose another name",
        )
    files = files_of(info)
    if CONFIG in files and WEIGHTS["generator"] not in files:
        raise HubError(
            f"{name.repo} holds another kind of model, whose {CONFIG} a push would replace; nothing was uploaded",
            hint="choose another name, or another branch: --revision NAME",
        )


def _after_conflict(client: Any, error: HubError, folder: Path, name: HubName) -> str | None:
    """After a refusal because the branch moved: its commit if that is this very push, whose answer was lost, else None."""
    if error.status != 412:
        return None
    assert name.revision is not None
    with translate_hub_errors("push", name.repo):
        info = _info(client, name.repo, name.revision)
    if _same(folder, info):
        return str(info.sha)
    raise HubError(
        f"somebody else pushed to {name} while this upload was going on; nothing of this one was published",
        hint=f"look at {constants.ENDPOINT}/{name.repo}/commits/{name.revision}; to replace it, run the same command again",
        status=412,
    ) from error


def _same(folder: Path, info: Any) -> bool:
    remote = files_of(info)
    local = _sizes(folder)
    return {file for file in remote if file in OURS} == set(local) and all(
        agrees(folder / file, remote[file]) for file in local
    )


def _tags(client: Any, repo: str) -> dict[str, str]:
    return {ref.name: ref.target_commit for ref in client.list_repo_refs(repo).tags}


def _check_tag_free(client: Any, repo: str, tag: str, before: Any, folder: Path, report: Reporter) -> None:
    """Refuse a tag that another commit bears, before anything is uploaded."""
    tags = call(lambda: _tags(client, repo), what="push", repo=repo, report=report)
    if tag in tags and not (tags[tag] == before.sha and _same(folder, before)):
        raise HubError(
            f"{repo} has a tag {tag!r} already, at commit {tags[tag][:12]}; nothing was uploaded",
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


def _logged_in() -> bool:
    with translate_hub_errors("push"):
        return bool(get_token())
