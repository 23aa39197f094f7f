"""How often and how long the Hub is asked: by one loop, and not for long where nothing answers."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from huggingface_hub import constants, get_session
from huggingface_hub.utils import http_backoff

from zoo_core import DataError, hub


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    hub.forget_silence()
    yield
    hub.forget_silence()


@contextmanager
def listening(answer: Callable[[socket.socket], None]) -> Iterator[tuple[str, list[float]]]:
    """A server that treats every connection alike; gives its address, and when it was asked."""
    asked: list[float] = []
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            asked.append(time.monotonic())
            answer(connection)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}", asked
    finally:
        server.close()


def reply(status: str, headers: str = "") -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        with connection:
            connection.recv(10_000)
            connection.sendall(f"HTTP/1.1 {status}\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())

    return answer


def failing(url: str) -> Exception:
    with pytest.raises(OSError) as caught:
        hub.ask_hub(lambda: http_backoff("GET", url))
    assert isinstance(caught.value, Exception)
    return caught.value


def test_a_server_that_hangs_up_is_asked_five_times_in_all(naps: list[float]) -> None:
    with listening(socket.socket.close) as (url, asked):
        error = failing(url)
    assert hub.is_silence(error)
    assert 2 <= len(asked) <= 5  # the client alone would ask six times for each try
    assert sum(naps) < hub.SECONDS


def test_nobody_listens(naps: list[float]) -> None:
    began = time.monotonic()
    error = failing("http://127.0.0.1:9")
    assert hub.is_silence(error)
    assert hub.name_silence(error) == "ConnectError"
    assert len(naps) <= 4
    assert sum(naps) < hub.SECONDS
    assert time.monotonic() - began < 60


def test_a_server_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "SECONDS", 2.0)
    monkeypatch.setattr(hub, "_ONCE", 1.0)
    kept: list[socket.socket] = []
    began = time.monotonic()
    with listening(kept.append) as (url, asked):
        for _ in range(4):  # what a command asks afterwards is tried once
            assert hub.is_silence(failing(url))
        assert 4 <= len(asked) <= 9
        hub.forget_silence()
        with pytest.raises(OSError):  # what is sent first is no upload
            hub.ask_hub(lambda: get_session().post(url, json={}))
    assert time.monotonic() - began < 60


def test_a_name_that_is_not_found_in_time() -> None:
    began = time.monotonic()
    with pytest.raises(TimeoutError, match="no answer"):
        hub.begin_within(0.05, lambda: time.sleep(30))
    assert time.monotonic() - began < 20
    with pytest.raises(ValueError, match="as it was"):
        hub.begin_within(60, lambda: int("as it was"))
    assert hub.begin_within(60, lambda: 3) == 3


def test_a_status_that_may_heal_is_tried_by_one_loop(naps: list[float]) -> None:
    with listening(reply("503 Busy")) as (url, asked):
        error = failing(url)
    assert hub.read_response(error)[0] == 503
    assert not hub.is_silence(error)
    assert len(asked) == hub.TRIES
    assert len(naps) == hub.TRIES - 1
    assert naps == sorted(naps)


@pytest.mark.parametrize("header", ["Retry-After: 17", 'ratelimit: "api";r=0;t=17'])
def test_the_hub_says_how_long_to_wait(header: str, naps: list[float]) -> None:
    with listening(reply("429 Slowly", f"{header}\r\n")) as (url, _):
        failing(url)
    assert naps == [17.0] * (hub.TRIES - 1)


def test_other_errors_are_not_tried_again(naps: list[float]) -> None:
    tries: list[int] = []

    def fail() -> None:
        tries.append(1)
        raise DataError("no")

    with pytest.raises(DataError):
        hub.ask_hub(fail)
    with listening(reply("404 Not here")) as (url, asked):
        assert hub.ask_hub(lambda: get_session().get(url)).status_code == 404
    assert (len(tries), len(asked), naps) == (1, 1, [])


def test_offline_by_choice_is_no_silence(monkeypatch: pytest.MonkeyPatch, naps: list[float]) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    error = failing("http://127.0.0.1:9")
    assert not hub.is_silence(error)
    assert naps == []


def test_libraries_log_nothing_meanwhile_and_as_before_afterwards(
    caplog: pytest.LogCaptureFixture, naps: list[float]
) -> None:
    log = logging.getLogger("huggingface_hub")
    before = log.level
    with listening(reply("503 Busy")) as (url, _):
        failing(url)
    failing("http://127.0.0.1:9")
    with hub.silence_libraries(), hub.silence_libraries():
        log.warning("nobody reads this")
    assert not caplog.records
    assert log.level == before
