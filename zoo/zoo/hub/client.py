"""Talking to the Hub through `huggingface_hub`: retries with backoff, errors in words, and never a token in any of them."""

from __future__ import annotations

import errno
import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import NoReturn, TypeVar

from huggingface_hub import HfApi, constants, errors, get_token

from zoo import __version__
from zoo_core import ZooError

from ..progress import Reporter

TRIES = 5
"""How often a call is made before it counts as failed."""

FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0
"""Seconds before the second try, doubled before each one after it, and the most."""

PATIENCE = 300.0
"""Longest wait that the Hub may ask for; beyond it the person is told to come back."""

TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
"""Status codes after which the same call may succeed."""

_SECRET = re.compile(r"hf_[A-Za-z0-9_]{6,}|(?i:bearer\s+)\S+|(?i:(?:x-amz-)?(?:signature|credential|token))=[^&\s]+")
_NETWORK = frozenset({"httpx", "httpx2", "httpcore", "httpcore2", "requests", "urllib3"})
"""Packages whose exceptions mean the network; which of them carries depends on the version of `huggingface_hub`."""

_AGAIN = "run the same command again"
_WORDS: dict[type[Exception] | int, tuple[str, str]] = {
    errors.GatedRepoError: (
        "{name} is gated: its owner decides who may have it",
        f"ask for access at {{url}}, then {_AGAIN}",
    ),
    errors.RevisionNotFoundError: ("{name} has no such revision", "its branches and tags are at {url}/tree/main"),
    errors.RemoteEntryNotFoundError: ("{name} lacks a file that a zoo model has{said}", "zoo list --hub shows models"),
    errors.RepositoryNotFoundError: (
        "there is no repository {name} on the Hub, or {hidden}",
        "check the name; for a private one: hf auth login, or export HF_TOKEN=…",
    ),
    400: ("{what}: the Hub cannot take this for {name}{said}", "look at what would be sent: zoo push … --dry-run"),
    401: ("{what}: the Hub does not accept your token{said}", "log in anew: hf auth login; or export HF_TOKEN=…"),
    403: (
        "{what}: your token may not do this with {name}{said}",
        "use a token with write access: hf auth login",
    ),
    404: ("{what}: the Hub has no {name}{said}", "check the name"),
    409: ("{what}: {name} exists already, or is being changed by somebody else{said}", _AGAIN),
    412: (
        "{what}: {name} was changed by somebody else meanwhile{said}",
        f"look at the change, then {_AGAIN}",
    ),
    413: (
        "{what}: the Hub finds it too large{said}",
        "train a smaller model, or store it in bfloat16: zoo export RUN DIR --bf16",
    ),
    429: ("{what}: the Hub asks for fewer requests{said}", f"wait some minutes, then {_AGAIN}"),
}
"""Error or status → message and hint."""

T = TypeVar("T")


class HubError(ZooError):
    """Something that the Hub refused, or that did not reach it. `status`: the HTTP status, 0 without one."""

    def __init__(self, message: str, *, hint: str = "", status: int = 0) -> None:
        super().__init__(redact(message), hint=redact(hint))
        self.status = status


class Unreachable(HubError):
    """The Hub did not answer at all."""


def api() -> HfApi:
    """Return a client with the person's own token, where they have one."""
    return HfApi(library_name="dcgan-zoo", library_version=__version__)


def is_offline() -> bool:
    """Whether `HF_HUB_OFFLINE` forbids the network."""
    return bool(constants.HF_HUB_OFFLINE)


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
    """Call the Hub, again after a failure that may heal, waiting as long as the Hub says or ever longer.

    `huggingface_hub` retries downloads by itself, and neither commits nor any other call of its API; it also waits for as
    long as the Hub asks, be it a day. Repeating a whole call is safe: each of ours finds what the one before has done.

    Args:
        function: makes one whole attempt.
        what: what it does, for messages ("upload").
        repo: with which repository.
        report: hears about retries.
        tries: the most attempts.

    Raises:
        Unreachable: nothing answered.
        HubError: it was refused, in words, with what to do next.
    """
    for attempt in range(1, tries):
        try:
            return function()
        except ZooError:
            raise
        except Exception as error:
            wait = _wait(error, attempt)
            if wait is None:
                raise_hub_error(error, what, repo)
            if report is not None:
                words = explain(error, what, repo).message
                report.warn(f"{words}; trying again in {wait:.0f} s ({attempt} of {tries - 1})")
            time.sleep(wait)
    with translate_hub_errors(what, repo):
        return function()


@contextmanager
def translate_hub_errors(what: str, repo: str = "") -> Iterator[None]:
    """Turn what goes wrong with the Hub in the block into a `HubError`."""
    try:
        yield
    except ZooError:
        raise
    except Exception as error:
        raise_hub_error(error, what, repo)


def raise_hub_error(error: Exception, what: str, repo: str) -> NoReturn:
    """Raise what `explain` says of an error."""
    told = explain(error, what, repo)
    if redact(str(error)) != str(error):
        raise told from None  # a traceback would print what the cause says
    raise told from error


def explain(error: Exception, what: str, repo: str = "") -> HubError:
    """Return an error of `huggingface_hub` in words, with what to type next."""
    error = _cause(error)
    status = _status(error)
    if isinstance(error, errors.OfflineModeIsEnabled):
        return Unreachable(f"{what}: HF_HUB_OFFLINE forbids the network", hint="to allow it: unset HF_HUB_OFFLINE")
    fields = {
        "what": what,
        "name": repo or "the Hub",
        "url": f"{constants.ENDPOINT}/{repo}",
        "said": _said(error),
        "hidden": "your token may not see it" if _token() else "you are not logged in, and private ones stay hidden",
    }
    kind = next((kind for kind in _WORDS if isinstance(kind, type) and isinstance(error, kind)), status)
    if kind in _WORDS:
        message, hint = (text.format(**fields) for text in _WORDS[kind])
        return HubError(message, hint=hint, status=status)
    if status >= 500:
        hint = "it is not your fault; try again later: https://status.huggingface.co tells"
        return HubError(f"{what}: the Hub failed with status {status}{fields['said']}", hint=hint, status=status)
    if status:
        return HubError(f"{what}: the Hub refused with status {status}{fields['said']}", status=status)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        hint = f"free some space, or choose another cache: export HF_HOME=DIR; then {_AGAIN}"
        return HubError(f"{what}: no space left on disk", hint=hint)
    if isinstance(error, PermissionError):
        return HubError(f"{what}: {error.filename} cannot be written", hint="choose another cache: export HF_HOME=DIR")
    if _is_network(error):
        hint = f"check the connection, then {_AGAIN}"
        return Unreachable(f"{what}: the connection to the Hub failed ({type(error).__name__})", hint=hint)
    return HubError(f"{what} failed: {type(error).__name__}: {printable(error)}", hint="to see where: zoo --debug …")


def _cause(error: Exception) -> Exception:
    """Return why the Hub could not be asked, where the client only says that its cache does not have the answer either."""
    answer = (errors.LocalEntryNotFoundError, errors.RevisionResolutionError)
    return error.__cause__ if isinstance(error, answer) and isinstance(error.__cause__, Exception) else error


def _status(error: Exception) -> int:
    """Return the HTTP status that an error of the Hub's client carries, 0 without one."""
    return int(getattr(getattr(error, "response", None), "status_code", 0) or 0)


def _header(error: Exception, name: str) -> str:
    return str(getattr(getattr(error, "response", None), "headers", {}).get(name) or "")


def _said(error: Exception) -> str:
    """Return what the Hub itself says about it, made harmless."""
    text = getattr(error, "server_message", None) or _header(error, "X-Error-Message")
    return f": {printable(redact(str(text)))}" if text else ""


def _wait(error: Exception, attempt: int) -> float | None:
    """Return the seconds until the next try, None where another try would be in vain."""
    error = _cause(error)
    status = _status(error)
    asked = _retry_after(error)
    if status and (status not in TRANSIENT or (asked or 0) > PATIENCE):
        return None
    if status and asked is not None:
        return asked
    cut_short = isinstance(error, OSError) and "Consistency check failed" in str(error)
    if not status and not _is_network(error) and not cut_short:
        return None
    wait = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** (attempt - 1))
    return wait * (1 + random.random() / 4)  # two that failed together do not come back together


def _retry_after(error: Exception) -> float | None:
    """Return the seconds that the Hub asks to wait, in either form of the header; None where it does not ask."""
    text = _header(error, "Retry-After")
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(timezone.utc)).total_seconds())
    except (ValueError, TypeError):
        return None


def _is_network(error: Exception) -> bool:
    ours = ("LocalProtocolError", "UnsupportedProtocol", "InvalidURL")  # a malformed token or address: no use to try again
    if isinstance(error, errors.OfflineModeIsEnabled) or type(error).__name__ in ours:
        return False
    return isinstance(error, ConnectionError | TimeoutError) or type(error).__module__.partition(".")[0] in _NETWORK


def _token() -> str | None:
    try:
        return get_token()
    except Exception:  # a token file that cannot be read; the call itself will say so
        return None
