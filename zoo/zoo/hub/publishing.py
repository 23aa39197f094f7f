"""`zoo push`: a run or model folder to the Hub, in one commit or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypedDict

from huggingface_hub import get_token

from zoo_core import ZooError
from zoo_core.words import plural

from ..files import atomic_folder
from ..models.card import model_card, read_metrics
from ..models.config import CONFIG, check_publishable, note_choice
from ..models.curves import save_curves
from ..models.folder import OTHERS, SAMPLES, read_model, weight_file, write_config, write_model
from ..models.grids import save_grid
from ..models.model import Model
from ..progress import Reporter
from ..runs.run import is_run, model_of_run, read_log
from .client import HubError, HubName, api, call, printable
from .repository import Repository
from .spaces import PublishedSpace, Space, check_parts

EXTRAS = ("curves.png", "report.html")
"""What a push adds to a model folder, where a run has it."""


@dataclass(frozen=True)
class PushResult:
    """What a push did, or would do."""

    repo: str
    revision: str  # the branch
    files: dict[str, int]  # sizes in bytes, by name
    folder: Path | None = None  # to look at, after a dry run
    commit: str = ""  # what was published; "" after a dry run
    url: str = ""
    tag: str | None = None
    changed: bool = True  # False when the repository had all of it already
    space: PublishedSpace | None = None  # where one was asked for


class Which(TypedDict):
    """Which checkpoint of a run: the newest, or the one after so many images; else the best."""

    last: bool
    at: int | None


def preview(
    source: Path,
    name: HubName,
    tag: str | None,
    license: str | None,
    which: Which,
    report: Reporter,
    space: Space | None = None,
) -> PushResult:
    """Write what `publish` would publish to dry-run/user/name, and ask nobody."""
    target = Path("dry-run", name.repo)
    with atomic_folder(target, replace=True) as folder:
        model = stage(source, folder, place=name.repo, license=license, which=which)
        if space is not None:
            check_parts(model.config)
        note_choice(model.config, report)
    result = PushResult(name.repo, name.ref, _sizes(target), folder=target, tag=tag)
    if space is None:
        return result
    pinned = HubName(name.repo, tag or name.ref)  # which commit it becomes is not known before
    return replace(result, space=space.write(space.folder or Path("dry-run", space.name.repo), pinned, model.config))


def publish(
    source: Path,
    name: HubName,
    private: bool,
    message: str | None,
    tag: str | None,
    license: str | None,
    which: Which,
    report: Reporter,
    space: Space | None = None,
) -> PushResult:
    """Publish a run or model folder; see `zoo.push`, whose arguments these are."""
    if not call(get_token, what="push"):
        raise HubError("you are not logged in to the Hub", hint="log in: hf auth login; or export HF_TOKEN=…", status=401)
    with tempfile.TemporaryDirectory(prefix="zoo-push-") as temporary:
        folder = Path(temporary)
        model = stage(source, folder, place=name.repo, license=license, which=which)
        if space is not None:
            check_parts(model.config)
            space.check_there(private, report)
        note_choice(model.config, report)
        recipe = (model.config.get("recipe") or {}).get("name") or model.config["parts"]["generator"]["name"]
        shown = model.config.get("provenance", {}).get("images")
        title = printable(f"{recipe} after {plural(shown, 'image')}" if shown else recipe, 100)
        pushed = _upload(folder, name, private, message or title, tag, report)
    if space is None:
        return pushed
    with _keep_published(pushed.commit, "but without its Space", "makes the Space"):
        made = space.publish(HubName(pushed.repo, pushed.commit), model.config, private, report)
    return replace(pushed, space=made)


@contextmanager
def _keep_published(commit: str, missing: str, next_time: str, *, conflict: str = "") -> Iterator[None]:
    """Say in an error that the model itself was published, what is `missing`, and what to do: `conflict` for status 409."""
    try:
        yield
    except ZooError as error:
        error.message = f"published as commit {commit[:12]}, {missing}: {error.message}"
        again = "; then ".join(
            filter(None, [error.hint, f"run the same command again: it uploads nothing twice and {next_time}"])
        )
        error.hint = conflict if conflict and getattr(error, "status", 0) == 409 else again
        raise


def stage(source: Path, folder: Path, *, place: str, license: str | None, which: Which | None = None) -> Model:
    """Write what a push publishes of a run or model folder into an empty folder; weights are copied byte by byte.

    The card tells `zoo.load` the name `place`. A license goes into configuration and card, beside what the model states.
    Raises `UsageError` where the images that it was trained on allow no publishing.
    """
    beside = [source]
    if is_run(source):
        model = model_of_run(source, **which) if which else model_of_run(source)
        check_publishable(model.config)
        write_model(model, folder, replace=True)
        chosen = model.config.get("provenance", {}).get("chosen", {}).get("as", "best")
        beside = [folder, source] if chosen == "at" else [folder, source / "model", source]
    else:
        model = read_model(source)
        check_publishable(model.config)
        for file in map(weight_file, model.config["parts"]):
            shutil.copyfile(source / file, folder / file)
        save_grid(model.sample(SAMPLES), folder / "samples.png")
    if license is not None:
        model.config["provenance"] = {**model.config.get("provenance", {}), "license": license}
    model.config = write_config(model.config, folder)
    for file in ("metrics.json", *EXTRAS):
        existing = next((other / file for other in beside if (other / file).is_file()), None)
        if existing is not None:
            shutil.copyfile(existing, folder / file)
    if (source / "metrics.jsonl").is_file():
        save_curves(read_log(source / "metrics.jsonl"), folder / "curves.png")
    extras = {file.partition(".")[0]: (folder / file).is_file() for file in EXTRAS}
    card = model_card(model, place=place, metrics=read_metrics(folder), **extras)
    (folder / "README.md").write_text(card, encoding="utf-8")
    return model


def _upload(folder: Path, name: HubName, private: bool, title: str, tag: str | None, report: Reporter) -> PushResult:
    client, repo, there = api(), name.repo, Repository(name, "model", _is_ours, report)

    def tags() -> dict[str, str]:
        return {ref.name: ref.target_commit for ref in client.list_repo_refs(repo).tags}

    # 1. Repository and branch.
    there.ask(lambda: client.create_repo(repo, private=private or None, exist_ok=True))
    if name.ref != "main":
        there.ask(lambda: client.create_branch(repo, branch=name.ref, exist_ok=True))

    # 2. What is there.
    before = there.look()
    files = {sibling.rfilename for sibling in before.siblings or ()}
    if private:
        there.refuse_public(before)
    if CONFIG in files and weight_file("generator") not in files:
        raise HubError(
            f"{repo} holds another kind of model, whose {CONFIG} a push would replace; nothing was uploaded",
            hint="choose another name, or another branch: --revision NAME",
        )
    commit = str(before.sha)
    changed = not there.holds(folder, commit)
    tagged = there.ask(tags).get(tag) if tag is not None else None
    if tagged is not None and (changed or tagged != commit):
        raise HubError(
            f"{repo} has a tag {tag!r} already, at commit {tagged[:12]}; nothing was uploaded",
            hint="choose another: --tag NAME",
            status=409,
        )

    # 3. One commit.
    if changed:
        commit = there.commit(folder, before, title)

    # 4. The tag.
    def create_tag() -> None:
        if tags().get(str(tag)) != commit:
            client.create_tag(repo, tag=str(tag), revision=commit)

    if tag is not None:
        with _keep_published(commit, f"but not tagged {tag!r}", "sets the tag", conflict="choose another: --tag NAME"):
            there.ask(create_tag, "tagging")
    return PushResult(repo, name.ref, _sizes(folder), None, commit, there.url, tag, changed)


def _sizes(folder: Path) -> dict[str, int]:
    return {file.name: file.stat().st_size for file in sorted(folder.iterdir()) if _is_ours(file.name)}


def _is_ours(file: str) -> bool:
    """Whether a push replaces a file of this name, or deletes it where it has none any more; others are the owner's."""
    return file in (CONFIG, *OTHERS, *EXTRAS) or ("/" not in file and file.endswith(".safetensors"))
