"""Talking to the Hub through `huggingface_hub`: retries with backoff, errors in words, and never a token in any of them."""

from __future__ import annotations

import errno
import random
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import NoReturn, TypeVar

from huggingface_hub import HfApi, constants, errors, get_token
from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

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

T = TypeVar("T")


class HubError(ZooError):
    """Something that the Hub refused, or that did not reach it. `status`: the HTTP status, 0 without one."""

    def __init__(self, message: str, *, hint: str = "", status: int = 0) -> None:
        super().__init__(redact(message), hint=redact(hint))
        self.status = status


class Unreachable(HubError):
    """The Hub did not answer at all."""


def api() -> HfApi:
    """A client with the person's own token, where they have one."""
    return HfApi(library_name="dcgan-zoo", library_version=_version())


@contextmanager
def bars() -> Iterator[None]:
    """Let the client draw its progress bars on a terminal, and nowhere else."""
    if sys.stderr.isatty() or are_progress_bars_disabled():
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()


def is_offline() -> bool:
    """Whether `HF_HUB_OFFLINE` forbids the network."""
    return bool(constants.HF_HUB_OFFLINE)


def redact(text: str) -> str:
    """`text` without any token: ours, anything that looks like one, or a signature in an address."""
    token = _token()
    if token and len(token) > 3:
        text = text.replace(token, "***")
    return _SECRET.sub("***", text)


def printable(text: object, most: int = 200) -> str:
    """A text that came from elsewhere as one line that a terminal only shows: no control characters, not endless."""
    line = "".join(c for c in " ".join(str(text).split()) if c.isprintable())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def call(function: Callable[[], T], *, what: str, repo: str = "", report: Reporter | None = None, tries: int = TRIES) -> T:
    """Call the Hub, again after a failure that may heal, waiting as long as the Hub says or ever longer.

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
    report = report or Reporter()
    for attempt in range(1, tries + 1):
        try:
            with bars():
                return function()
        except ZooError:
            raise
        except Exception as error:
            wait = _wait(error, attempt)
            if wait is None or attempt == tries:
                raise_hub_error(error, what, repo)
            words = explain(error, what, repo).message
            report.warn(f"{words}; trying again in {wait:.0f} s ({attempt} of {tries - 1})")
            time.sleep(wait)
    raise AssertionError("unreachable")


@contextmanager
def translate_hub_errors(what: str, repo: str = "") -> Iterator[None]:
    """Turn what goes wrong with the Hub in the block into a `HubError`."""
    try:
        yield
    except ZooError:
        raise
    except Exception as error:
        raise_hub_error(error, what, repo)


def status_of(error: BaseException) -> int:
    """The HTTP status that an error of the Hub's client carries, 0 without one."""
    response = getattr(error, "response", None)
    return int(getattr(response, "status_code", 0) or 0)


def explain(error: Exception, what: str, repo: str = "") -> HubError:
    """An error of `huggingface_hub` in words, with what to type next."""
    status = status_of(error)
    name = repo or "the Hub"
    said = _said(error)
    if isinstance(error, errors.OfflineModeIsEnabled):
        return Unreachable(f"{what}: HF_HUB_OFFLINE forbids the network", hint="to allow it: unset HF_HUB_OFFLINE")
    if isinstance(error, errors.GatedRepoError):
        hint = f"ask for access at {constants.ENDPOINT}/{repo}, then run the same command again"
        return HubError(f"{name} is gated: its owner decides who may have it", hint=hint, status=status)
    if isinstance(error, errors.RevisionNotFoundError):
        hint = f"its branches and tags are at {constants.ENDPOINT}/{repo}/tree/main"
        return HubError(f"{name} has no such revision", hint=hint, status=status)
    if isinstance(error, errors.RemoteEntryNotFoundError):
        return HubError(f"{name} lacks a file that a zoo model has{said}", hint="zoo list --hub shows models", status=status)
    if isinstance(error, errors.RepositoryNotFoundError):
        known = "your token may not see it" if _token() else "you are not logged in, and private ones stay hidden"
        hint = "check the name; for a private one: hf auth login, or export HF_TOKEN=…"
        return HubError(f"there is no repository {name} on the Hub, or {known}", hint=hint, status=status)
    if isinstance(error, errors.HFValidationError):
        return HubError(f"{name} is no name that the Hub takes: {printable(error)}", hint="write user/name")
    if status in _WORDS:
        message, hint = _WORDS[status]
        return HubError(f"{what}: {message.format(name=name)}{said}", hint=hint.format(name=name), status=status)
    if status >= 500:
        hint = "it is not your fault; try again later: https://status.huggingface.co tells"
        return HubError(f"{what}: the Hub failed with status {status}{said}", hint=hint, status=status)
    if status:
        return HubError(f"{what}: the Hub refused with status {status}{said}", status=status)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        hint = "free some space, or choose another cache: export HF_HOME=DIR; then run the same command again"
        return HubError(f"{what}: no space left on disk", hint=hint)
    if isinstance(error, PermissionError):
        return HubError(f"{what}: {error.filename} cannot be written", hint="choose another cache: export HF_HOME=DIR")
    if _is_network(error):
        hint = "check the connection, then run the same command again"
        return Unreachable(f"{what}: the connection to the Hub failed ({type(error).__name__})", hint=hint)
    return HubError(f"{what} failed: {type(error).__name__}: {printable(error)}", hint="to see where: zoo --debug …")


_WORDS = {
    400: ("the Hub cannot take this for {name}", "look at what would be sent: zoo push … --dry-run"),
    401: ("the Hub does not accept your token", "log in anew: hf auth login; or export HF_TOKEN=…"),
    403: ("your token may not do this with {name}", "use a token with write access: hf auth login"),
    404: ("the Hub has no {name}", "check the name"),
    409: ("{name} exists already, or is being changed by somebody else", "run the same command again"),
    412: ("{name} was changed by somebody else meanwhile", "look at the change, then run the same command again"),
    413: ("the Hub finds it too large", "train a smaller model, or store it in bfloat16: zoo export RUN DIR --bf16"),
    429: ("the Hub asks for fewer requests", "wait some minutes, then run the same command again"),
}


def raise_hub_error(error: Exception, what: str, repo: str) -> NoReturn:
    """Raise what `explain` says of an error."""
    told = explain(error, what, repo)
    if redact(str(error)) != str(error):
        raise told from None  # a traceback would print what the cause says
    raise told from error


def _said(error: Exception) -> str:
    """What the Hub itself says about it, made harmless."""
    response = getattr(error, "response", None)
    text = getattr(error, "server_message", None) or getattr(response, "headers", {}).get("X-Error-Message")
    return f": {printable(redact(str(text)))}" if text else ""


def _wait(error: Exception, attempt: int) -> float | None:
    """Seconds until the next try, None where another try would be in vain."""
    status = status_of(error)
    if status:
        if status not in TRANSIENT:
            return None
        asked = _retry_after(error)
        if asked is not None:
            return asked if asked <= PATIENCE else None
    elif not _is_network(error) and not _is_cut_short(error):
        return None
    wait = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** (attempt - 1))
    return wait * (1 + random.random() / 4)  # two that failed together do not come back together


def _retry_after(error: Exception) -> float | None:
    text = getattr(getattr(error, "response", None), "headers", {}).get("Retry-After")
    if not text:
        return None
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(timezone.utc)).total_seconds())
    except (ValueError, TypeError):
        return None


def _is_network(error: BaseException) -> bool:
    ours = ("LocalProtocolError", "UnsupportedProtocol", "InvalidURL")  # a malformed token or address: no use to try again
    if isinstance(error, errors.OfflineModeIsEnabled) or type(error).__name__ in ours:
        return False
    if isinstance(error, errors.LocalEntryNotFoundError) and error.__cause__ is not None:
        return _is_network(error.__cause__) or status_of(error.__cause__) in TRANSIENT
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    return type(error).__module__.partition(".")[0] in _NETWORK


def _is_cut_short(error: BaseException) -> bool:
    return isinstance(error, OSError) and "Consistency check failed" in str(error)


def _token() -> str | None:
    try:
        return get_token()
    except Exception:  # a token file that cannot be read; the call itself will say so
        return None


def _version() -> str:
    from zoo import __version__

    return __version__
