"""Asking the Hugging Face Hub: how often, how long, and quietly. One policy for models, datasets and whatever else asks it.

`huggingface_hub` tries many requests six times, and others once. Trying again around that would be two loops, one in the
other. So its client is told to send each request once and to wait for no answer without end; `ask_hub` alone tries again.
Imports `huggingface_hub` when the Hub is asked.
"""

from __future__ import annotations

import contextvars
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, TypeVar

from .errors import ZooError

TRIES, SECONDS = 5, 8.0
"""How often a call is made before it counts as failed, and how many seconds it may take in all where nothing answers: with
what a command takes to start, that stays below ten."""

FIRST_WAIT, LONGEST_WAIT, PATIENCE = 1.0, 30.0, 300.0
"""Seconds before the second try, doubled before each one after it; the most; and the most that the Hub may ask for. Where
nothing answers, each wait is a quarter of that."""

TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})  # after which the same call may succeed
NETWORK = frozenset({"httpx", "httpx2", "httpcore", "httpcore2"})  # whose exceptions: that depends on the client's version
_OURS = ("LocalProtocolError", "UnsupportedProtocol", "InvalidURL")  # a malformed token or address: no use to try again
_CONNECT, _ONCE, _LATER, _REMEMBERED = 3.0, 8.0, 1.0, 30.0
"""Seconds: to connect; until an answer begins; the same once nothing has answered for `SECONDS`; and how long that is
remembered."""
_READ, _SLOW = 10.0, 120.0  # seconds without a byte of an answer, and until the answer to an upload
_ANSWER = 64 << 20  # most bytes of an answer that is no file
_LIBRARIES = ("datasets", "filelock", "fsspec", "huggingface_hub", "urllib3")

T = TypeVar("T")

_most: list[int] = []  # bytes, of those who fetch files whose sizes they know


class EndlessBodyError(ZooError):
    """An answer that is longer than it can be."""


@dataclass
class _Silence:
    """Since when nothing has answered, and when this process gave up; None: something answered last."""

    since: float | None = None
    given_up: float | None = None
    answered: bool = False  # whether anything ever has

    def left(self) -> float:
        """Return the seconds that the next request may take until its answer begins."""
        if self.is_known():
            return _LATER
        return _ONCE if self.since is None else max(_LATER, min(_ONCE, self.since + SECONDS - time.monotonic()))

    def is_known(self) -> bool:
        """Whether this process gave up a moment ago: what follows is tried once, and shortly."""
        return self.given_up is not None and time.monotonic() - self.given_up < _REMEMBERED

    def end(self) -> None:
        """Something answered."""
        self.since, self.given_up, self.answered = None, None, True

    def forget(self) -> None:
        """Be as if nothing had been asked."""
        self.since, self.given_up, self.answered = None, None, False


_silence = _Silence()
forget_silence = _silence.forget


Told = Callable[[Exception, float, int], None]


def ask_hub(function: Callable[[], T], *, tries: int = TRIES, told: Told | None = None) -> T:
    """Call what asks the Hub; again after a failure that may heal, waiting as long as the Hub says or ever longer.

    Where nothing answers there are at most `TRIES` tries and `SECONDS` seconds in all; once that has been so, other calls of
    the next half minute are tried once. Libraries log nothing meanwhile.

    Args:
        function: makes one whole attempt, and finds what the one before has done.
        tries: at most, for whoever has something else at hand.
        told: is called before each wait with the error, the seconds, and the number of the attempt.

    Raises what the last attempt raised.
    """
    _set_up_client()
    for attempt in range(1, tries + 1):
        try:
            with silence_libraries():
                return function()
        except ZooError:
            raise
        except Exception as error:
            wait = _find_wait(error, attempt)
            if wait is None or attempt == tries:
                if is_silence(error):
                    _silence.given_up = time.monotonic()
                raise
            if told is not None:
                told(error, wait, attempt)
        time.sleep(wait)
    raise AssertionError("every attempt returns or raises")


def begin_within(seconds: float, function: Callable[[], T]) -> T:
    """Call a function that waits for somebody's answer; raise TimeoutError where it has not returned in time.

    It goes on in a thread that nobody waits for: the search for a name's address cannot be interrupted, and of a name with
    several addresses each one is waited for.
    """
    done, context = threading.Event(), contextvars.copy_context()
    found: list[T] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            found.append(context.run(function))
        except BaseException as error:
            failed.append(error)
        done.set()

    threading.Thread(target=work, daemon=True, name="zoo-ask").start()
    if not done.wait(seconds):
        raise TimeoutError(f"no answer in {seconds:.0f} s")
    if failed:
        raise failed[0]
    return found[0]


@contextmanager
def limit_bodies(most: int) -> Iterator[None]:
    """Let no file that is fetched meanwhile, in whatever thread, be longer than the largest of them, `most` bytes: it ends
    there with an `EndlessBodyError`, whatever its header says and however it is compressed.
    """
    _most.append(most)
    try:
        yield
    finally:
        _most.remove(most)


def underlying_error(error: Exception) -> Exception:
    """Return why the Hub could not be asked, where the client only says that its cache does not have the answer either, or
    that an upload failed.
    """
    from huggingface_hub import errors

    wrappers = (errors.LocalEntryNotFoundError, errors.RevisionResolutionError)
    while (isinstance(error, wrappers) or type(error) is RuntimeError) and isinstance(error.__cause__, Exception):
        error = error.__cause__
    return error


def read_response(error: Exception) -> tuple[int, Mapping[str, str]]:
    """Return the HTTP status and headers that an error of the Hub's client carries; status 0 without any."""
    response = getattr(error, "response", None)
    return int(getattr(response, "status_code", 0) or 0), getattr(response, "headers", {})


def is_silence(error: Exception) -> bool:
    """Return whether nothing answered: no connection, or it broke off."""
    error = underlying_error(error)
    if type(error).__name__ in _OURS or read_response(error)[0]:
        return False
    if isinstance(error, ConnectionError | TimeoutError):
        return isinstance(error, _no_answer()) or not _forbids_network(error)
    return type(error).__module__.partition(".")[0] in NETWORK


def name_silence(error: Exception) -> str:
    """Return what kind of error it was that nothing answered ("ConnectError")."""
    error = underlying_error(error)
    cause = error.__cause__ if isinstance(error, _no_answer()) else None
    return type(cause or error).__name__


@contextmanager
def silence_libraries() -> Iterator[None]:
    """Keep what talks to the Hub from logging what an error says as well. May be nested, and used in several threads."""
    with _lock:
        if not _levels:
            _levels.update({name: logging.getLogger(name).level for name in _LIBRARIES})
            for name in _LIBRARIES:
                logging.getLogger(name).setLevel(logging.CRITICAL)
        _inside.append(None)
    try:
        yield
    finally:
        with _lock:
            _inside.pop()
            if not _inside:
                for name, level in _levels.items():
                    logging.getLogger(name).setLevel(level)
                _levels.clear()


_lock, _levels, _inside = threading.Lock(), dict[str, int](), list[None]()


def _forbids_network(error: Exception) -> bool:
    from huggingface_hub import errors

    return isinstance(error, errors.OfflineModeIsEnabled)


@lru_cache(maxsize=1)
def _no_answer() -> type[ConnectionError]:
    """Return the class of errors that say that nothing answered. `huggingface_hub` takes them as it takes HF_HUB_OFFLINE: it
    looks into its cache, and does not try again.
    """
    from huggingface_hub import errors

    class NoAnswerError(errors.OfflineModeIsEnabled):
        """Nothing answered."""

    return NoAnswerError


@lru_cache(maxsize=1)
def _set_up_client() -> None:
    """Let the client of `huggingface_hub` try each request once; it stays what somebody made of it in all else."""
    from huggingface_hub import set_client_factory
    from huggingface_hub.utils import _http

    make: Callable[[], Any] | None = getattr(_http, "_GLOBAL_CLIENT_FACTORY", None)
    if make is None:  # another version: it tries more often than it should, and all else works
        return

    def make_impatient() -> Any:
        client = make()
        client.send = _send_once(client.send)
        return client

    set_client_factory(make_impatient)


def _send_once(send: Callable[..., Any]) -> Callable[..., Any]:
    """Return the method of a client that sends a request, such that what fails is tried again by nobody but `ask_hub`."""
    from huggingface_hub.utils import hf_raise_for_status  # type: ignore[attr-defined]

    def send_once(request: Any, *, stream: bool = False, **how: Any) -> Any:
        began, body = time.monotonic(), request.method not in ("GET", "HEAD", "OPTIONS")
        seconds = _silence.left()
        limits = dict(request.extensions.get("timeout") or {})
        limits["connect"] = min(limits.get("connect") or _CONNECT, _CONNECT, seconds)
        limits["read"] = limits.get("read") or (_SLOW if body else _READ)
        request.extensions = {**request.extensions, "timeout": limits}
        response = None
        try:
            if body and _silence.answered and _silence.since is None:  # an upload takes as long as it takes
                response = send(request, stream=True, **how)
            else:
                response = begin_within(seconds, lambda: send(request, stream=True, **how))
            _silence.end()
            if _most or not stream:
                _limit_body(response, max(_most) if stream else _ANSWER)
            if not stream or response.status_code in TRANSIENT:
                response.read()
            if response.status_code in TRANSIENT:
                hf_raise_for_status(response)
        except Exception as error:
            if response is not None:
                response.close()
            elif is_silence(error):
                _silence.since = began if _silence.since is None else _silence.since
            if not is_silence(error) or isinstance(error, _no_answer()):
                raise
            raise _no_answer()(f"{type(error).__name__}: {error}") from error
        return response

    return send_once


def _limit_body(response: Any, most: int) -> None:
    """Make an answer end with an error after so many bytes, counted when they are no longer compressed."""
    iterate = response.iter_bytes

    def iter_bytes(*given: Any, **how: Any) -> Iterator[bytes]:
        count = 0
        for piece in iterate(*given, **how):
            count += len(piece)
            if count > most:
                response.close()
                raise EndlessBodyError(f"{response.url.host} sends more than the {most:,} bytes that there can be")
            yield piece

    response.iter_bytes = iter_bytes


def _find_wait(error: Exception, attempt: int) -> float | None:
    """Return the seconds until the next try, None where another try would be in vain."""
    error = underlying_error(error)
    status, headers = read_response(error)
    silent = is_silence(error)
    if not (status in TRANSIENT if status else silent or "Consistency check failed" in str(error)):
        return None
    asked = _read_retry_after(headers)
    if asked is not None:
        return asked if asked <= PATIENCE else None
    wait = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** (attempt - 1))
    wait *= 1 + random.random() / 4  # two that failed together do not come back together
    if not silent or _silence.since is None:
        return wait
    wait /= 4
    passed = time.monotonic() - _silence.since
    return None if _silence.is_known() or passed + wait + _LATER > SECONDS else wait


def _read_retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that the Hub asks to wait, None where it does not say."""
    from huggingface_hub.utils import parse_ratelimit_headers  # type: ignore[attr-defined]

    text = headers.get("Retry-After") or ""
    try:  # seconds, or a date
        return max(0.0, float(text) if text.isdigit() else parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError):
        limit = parse_ratelimit_headers(headers)
        return float(limit.reset_in_seconds) if limit is not None and limit.remaining == 0 else None
