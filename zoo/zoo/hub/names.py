"""Names on the Hub: `user/name`, `user/name@revision`, tags and licenses."""

from __future__ import annotations

import re
from dataclasses import dataclass

from huggingface_hub.utils import HFValidationError, validate_repo_id  # type: ignore[attr-defined]

from zoo_core import UsageError

_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*", re.ASCII)
_LICENSE = re.compile(r"[a-z0-9][a-z0-9.+-]*", re.ASCII)


@dataclass(frozen=True)
class HubName:
    """A repository and, where somebody named one, a branch, tag or commit of it."""

    repo: str
    revision: str | None = None

    @property
    def ref(self) -> str:
        """The revision, "main" where nobody named one."""
        return self.revision or "main"

    def __str__(self) -> str:
        return f"{self.repo}@{self.revision}" if self.revision else self.repo


def is_hub_name(text: str) -> bool:
    """Whether `text` could be `user/name` or `user/name@revision`."""
    repo, sign, revision = text.partition("@")
    return _is_repo(repo) and (not sign or _is_revision(revision))


def parse_name(text: str, revision: str | None = None) -> HubName:
    """Read `user/name[@revision]`; `revision` comes from `--revision`. Raises `UsageError`, also where two are named."""
    repo, sign, named = text.partition("@")
    if not _is_repo(repo):
        raise UsageError(
            f"{text!r} is no name of a repository on the Hub", hint="write user/name: letters, digits, '-', '_' and '.'"
        )
    if sign and revision is not None and named != revision:
        raise UsageError(f"two revisions are named: {named!r} and {revision!r}", hint="name one of them")
    chosen = named if sign else revision
    if chosen is not None and not _is_revision(chosen):
        raise UsageError(f"{chosen!r} is no revision", hint="name a branch, a tag or a commit: user/name@v1")
    return HubName(repo, chosen)


def check_tag(tag: str | None) -> None:
    """Raise `UsageError` for a name that no tag can have."""
    if tag is not None and not _is_revision(tag):
        raise UsageError(f"{tag!r} is no name for a tag", hint="letters, digits, '-', '_', '.' and '/': --tag v1.0")


def check_license(license: str | None) -> None:
    """Raise `UsageError` for a license that is not written as the Hub writes them."""
    if license is not None and not _LICENSE.fullmatch(license):
        raise UsageError(
            f"{license!r} is no license identifier of the Hub", hint="for example: --license apache-2.0, --license cc-by-4.0"
        )


def _is_repo(repo: str) -> bool:
    try:
        validate_repo_id(repo)
    except HFValidationError:
        return False
    return "/" in repo and len(repo) <= 96  # the Hub's own limit


def _is_revision(revision: str) -> bool:
    bad = (".." in revision, "//" in revision, revision.endswith(("/", ".", ".lock")), len(revision) > 200)
    return bool(_REVISION.fullmatch(revision)) and not any(bad)
