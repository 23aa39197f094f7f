"""A repository on the Hub as a push changes it: it is looked at, and gets one commit that is based on what was there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, constants

from zoo_core.words import plural

from ..progress import Reporter
from .client import HubError, HubName, api, call

T = TypeVar("T")


@dataclass(frozen=True)
class Repository:
    """A branch of a repository of models, or of a Space.

    Args:
        name: with the branch as its revision.
        kind: what the Hub calls its type.
        is_ours: whether a push replaces a file of this name, or deletes it where it has none; others are the owner's.
        report: hears of what takes long.
    """

    name: HubName
    kind: Literal["model", "space"]
    is_ours: Callable[[str], bool]
    report: Reporter

    @property
    def url(self) -> str:
        """Its page."""
        return f"{constants.ENDPOINT}/{'spaces/' if self.kind == 'space' else ''}{self.name.repo}"

    def ask(self, function: Callable[[], T], what: str = "push") -> T:
        """Call the Hub; see `call`."""
        return call(function, what=what, repo=self.name.repo, report=self.report)

    def exists(self) -> bool:
        """Whether it is there, as far as the person may see."""
        return self.ask(lambda: api().repo_exists(self.name.repo, repo_type=self.kind))

    def look(self) -> Any:
        """Return what the Hub says of the branch: commit, files, who may see it."""
        return self.ask(lambda: api().repo_info(self.name.repo, repo_type=self.kind, revision=self.name.ref))

    def refuse_public(self, found: Any) -> None:
        """Raise `HubError` where everybody can see it."""
        if not found.private:
            raise HubError(
                f"{self.name.repo} exists already, and everybody can see it; nothing was uploaded",
                hint=f"make it private first, at {self.url}/settings, or choose another name",
            )

    def holds(self, folder: Path, commit: str) -> bool:
        """Whether a commit has all files of a folder, byte by byte, and no others of ours."""
        found = self.ask(
            lambda: api().verify_repo_checksums(self.name.repo, repo_type=self.kind, revision=commit, local_dir=folder)
        )
        return not found.mismatches and not found.extra_paths and not any(map(self.is_ours, found.missing_paths))

    def commit(self, folder: Path, before: Any, title: str) -> str:
        """Make one commit of a folder's files on the one that `look` found, and return it.

        `upload_folder` would make several of a large folder, and others could see half of it. Raises `HubError` where
        somebody else was faster; the branch is then what they made of it.
        """
        files = sorted(file for file in folder.iterdir() if self.is_ours(file.name))
        there = {sibling.rfilename for sibling in before.siblings or ()}
        megabytes = sum(file.stat().st_size for file in files) / 1e6
        self.report.note(f"uploading {plural(len(files), 'file')}, {megabytes:,.1f} MB, to {self.name.repo}")

        def upload() -> str:
            stale = sorted(name for name in there - {file.name for file in files} if self.is_ours(name))
            added = [CommitOperationAdd(path_in_repo=file.name, path_or_fileobj=str(file)) for file in files]
            operations: list[Any] = [*added, *(CommitOperationDelete(path_in_repo=name) for name in stale)]
            done = api().create_commit(
                self.name.repo,
                operations,
                commit_message=title,
                repo_type=self.kind,
                revision=self.name.ref,
                parent_commit=before.sha,
            )
            return str(done.oid)

        try:
            return self.ask(upload, "upload")
        except HubError as error:
            if error.status != 412:
                raise
            commit = str(self.look().sha)
            if not self.holds(folder, commit):
                raise
            return commit  # the branch moved by this very push, whose answer was lost
