"""Talking to the Hub through `huggingface_hub`: names of repositories, errors in words, and never a token in any of them.
`zoo_core.hub` says how often and how long it is asked."""

from __future__ import annotations

import errno
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from huggingface_hub import HfApi, constants, errors, get_token
from huggingface_hub.utils import HFValidationError, validate_repo_id  # type: ignore[attr-defined]
from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

from zoo_core import UsageError, ZooError
from zoo_core.hub import TRIES, ask_hub, is_silence, name_silence, read_response, underlying_error

from ..progress import Reporter
from ..version import __version__

_SECRET = re.compile(r"hf_[A-Za-z0-9_]{6,}|(?i:bearer\s+)\S+|(?i:(?:x-amz-)?(?:signature|credential|token))=(?!…)[^&\s]+")
_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*", re.ASCII)
_LICENSE = re.compile(r"[a-z0-9][a-z0-9.+-]*", re.ASCII)
_AGAIN = "run the same command again"
_MESSAGES: dict[type[Exception] | int, tuple[str, str]] = {
    errors.GatedRepoError: ("{name} is gated: its owner decides who may have it", "ask for access at {url}, then {again}"),
    errors.RevisionNotFoundError: ("{name} has no such revision", "its branches and tags are at {url}/tree/main"),
    errors.RemoteEntryNotFoundError: ("{name} lacks a file that a zoo model has{said}", "zoo list --hub shows models"),
    errors.RepositoryNotFoundError: (
        "there is no repository {name} on the Hub, or {hidden}",
        "check the name; for a private one: hf auth login, or export HF_TOKEN=…",
    ),
    400: ("the Hub cannot take this for {name}{said}", "look at what would be sent: zoo push … --dry-run"),
    401: ("the Hub does not accept your token{said}", "log in anew: hf auth login; or export HF_TOKEN=…"),
    403: ("your token may not do this with {name}{said}", "use a token with write access: hf auth login"),
    404: ("the Hub has no {name}{said}", "check the name"),
    409: ("{name} exists already, or is being changed by somebody else{said}", "{again}"),
    412: (
        "somebody else pushed to {name} while this upload was going on; nothing of this one was published",
        "look at {url}/commits; to replace it, {again}",
    ),
    413: ("the Hub finds it too large{said}", "train a smaller model, or store it in bfloat16: zoo export RUN DIR --bf16"),
    429: ("the Hub asks for fewer requests{said}", "wait some minutes, then {again}"),
    500: (
        "the Hub failed with status {status}{said}",
        "it is not your fault; try again later: https://status.huggingface.co",
    ),
}
"""Error or status → message and hint; 500 stands for every status above."""

T = TypeVar("T")


class HubError(ZooError):
    """Something that the Hub refused, or that did not reach it. `status`: the HTTP status, 0 without one."""

    def __init__(self, message: str, *, hint: str = "", status: int = 0) -> None:
        super().__init__(redact(message), hint=redact(hint))
        self.status = status


class UnreachableError(HubError):
    """The Hub did not answer at all."""


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
    """Return whether `text` could be `user/name` or `user/name@revision`."""
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


def check_names(tag: str | None, license: str | None) -> None:
    """Raise `UsageError` for a name that no tag can have, and a license that is not written as the Hub writes them."""
    if tag is not None and not _is_revision(tag):
        raise UsageError(f"{tag!r} is no name for a tag", hint="letters, digits, '-', '_', '.' and '/': --tag v1.0")
    if license is not None and not is_license(license):
        raise UsageError(
            f"{license!r} is no license identifier of the Hub", hint="for example: --license apache-2.0, --license cc-by-4.0"
        )


def is_license(text: str) -> bool:
    """Return whether a license is written as the Hub writes them ("cc-by-4.0")."""
    return _LICENSE.fullmatch(text) is not None


def api() -> HfApi:
    """Return a client with the person's own token, where they have one."""
    return HfApi(library_name="dcgan-zoo", library_version=__version__)


def redact(text: str) -> str:
    """Return `text` without any token: ours, anything that looks like one, or a signature in an address."""
    token = _token()
    if token and len(token) > 3:
        text = text.replace(token, "***")
    return _SECRET.sub("***", text)


def printable(text: object, most: int = 200) -> str:
    """Return a text that came from elsewhere as one line that a terminal only shows: no control characters, not endless."""
    line = "".join(c for c in " ".join(str(text).split()) if c.isprintable())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def call(function: Callable[[], T], *, what: str, repo: str = "", report: Reporter | None = None, tries: int = TRIES) -> T:
    """Call the Hub by `ask_hub`, and say what goes wrong in words.

    `what` and `repo` are for messages: `HubError` says what was refused and what to do next; it is an `UnreachableError`
    where nothing answered.
    """

    def attempt() -> T:
        with _progress_bars():
            return function()

    def tell(error: Exception, wait: float, number: int) -> None:
        silent = is_silence(error)
        if report is not None and not (silent and number > 1):  # once: nothing new is to be said of silence
            again = "trying for some seconds" if silent else f"trying again in {wait:.0f} s ({number} of {tries - 1})"
            report.warn(f"{explain(error, what, repo).message}; {again}")

    try:
        return ask_hub(attempt, tries=tries, told=tell)
    except ZooError:
        raise
    except Exception as error:
        causes = f"{error} {underlying_error(error)}"  # which a traceback would print, secrets and all
        raise explain(error, what, repo) from (error if redact(causes) == causes else None)


def explain(error: Exception, what: str, repo: str = "") -> HubError:
    """Return an error of `huggingface_hub` in words, with what to type next."""
    error = underlying_error(error)
    status, headers = read_response(error)
    if is_silence(error):
        message = f"{what}: the connection to the Hub failed ({name_silence(error)})"
        return UnreachableError(message, hint=f"check the connection, then {_AGAIN}")
    if isinstance(error, errors.OfflineModeIsEnabled):
        return UnreachableError(f"{what}: HF_HUB_OFFLINE forbids the network", hint="to allow it: unset HF_HUB_OFFLINE")
    kind = next((kind for kind in _MESSAGES if isinstance(kind, type) and isinstance(error, kind)), min(status, 500))
    if status or kind in _MESSAGES:
        said = getattr(error, "server_message", None) or headers.get("X-Error-Message")
        fields = {
            "name": repo or "the Hub",
            "url": f"{constants.ENDPOINT}/{repo}",
            "again": _AGAIN,
            "status": status,
            "said": f": {printable(redact(str(said)), 120)}" if said else "",
            "hidden": "your token may not see it" if _token() else "you are not logged in, and private ones stay hidden",
        }
        message, hint = _MESSAGES.get(kind, ("the Hub refused with status {status}{said}", ""))
        before = f"{what}: " if isinstance(kind, int) else ""
        return HubError(before + message.format(**fields), hint=hint.format(**fields), status=status)
    cache = "choose another cache: export HF_HOME=DIR"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return HubError(f"{what}: no space left on disk", hint=f"free some space, or {cache}; then {_AGAIN}")
    if isinstance(error, PermissionError):
        return HubError(f"{what}: {error.filename} cannot be written", hint=cache)
    return HubError(f"{what} failed: {type(error).__name__}: {printable(error, 160)}", hint="to see where: zoo --debug …")


@contextmanager
def _progress_bars() -> Iterator[None]:
    """Let the client draw its progress bars on a terminal alone."""
    quiet = not sys.stderr.isatty() and not are_progress_bars_disabled()
    if quiet:
        disable_progress_bars()
    try:
        yield
    finally:
        if quiet:
            enable_progress_bars()


def _token() -> str | None:
    try:
        return get_token()
    except Exception:  # a token file that cannot be read; the call itself will say so
        return None


def _is_repo(repo: str) -> bool:
    try:
        validate_repo_id(repo)
    except HFValidationError:
        return False
    return "/" in repo and len(repo) <= 96  # the Hub's own limit


def _is_revision(revision: str) -> bool:
    bad = (".." in revision, "//" in revision, revision.endswith(("/", ".", ".lock")), len(revision) > 200)
    return bool(_REVISION.fullmatch(revision)) and not any(bad)
