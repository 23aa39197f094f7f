"""Starting and stopping the server, what it refuses, and what cannot be served."""

from __future__ import annotations

import os
import signal
import socket
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

import zoo
from helpers.served import PATIENCE, serve
from helpers.workplace import run
from zoo.demo import build
from zoo.demo import serve as serve_here
from zoo.demo.limits import UPLOAD, WAITING
from zoo_core import UsageError, ZooError


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=PATIENCE) as answer:
            return answer.status == 200
    except OSError:
        return False


def _upload(address: str, size: int) -> int:
    """Hand in so many bytes; return the status of the answer."""
    head = b'--zoo\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
    request = urllib.request.Request(
        f"{address}/gradio_api/upload",
        data=head + bytes(size) + b"\r\n--zoo--\r\n",
        headers={"Content-Type": "multipart/form-data; boundary=zoo"},
    )
    return _status(request)


def _status(request: urllib.request.Request) -> int:
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_server_that_is_stopped_leaves_nothing(sign: signal.Signals) -> None:
    with serve("mlp-faces") as served:
        assert _answers(served.address)
        assert _status(urllib.request.Request(served.address, headers={"Host": "elsewhere.example"})) == 400
        assert _upload(served.address, 1000) == 200
        assert list(served.folder.rglob("a.png"))
        assert _upload(served.address, UPLOAD + 1) >= 400
        port = int(served.address.rpartition(":")[2])
        taken = run("demo", "mlp-faces", "--port", port)  # while it is in use
        assert taken.exit_code == 2
        assert f"port {port} cannot be had" in taken.output
        os.kill(served.process.pid, sign)
        assert served.process.wait(PATIENCE) == 0
        assert not _answers(served.address)
        assert list(served.folder.iterdir()) == []
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", port))


@pytest.mark.slow
def test_the_page_says_what_it_allows() -> None:
    blocks = build([zoo.create("mlp-gan", size=16, options={"generator.width": 8}), "mlp-faces"])
    config = blocks.get_config_file()
    assert config["analytics_enabled"] is False
    assert blocks._queue.max_size == WAITING
    served = [fn for fn in blocks.fns.values() if fn.queue and fn.fn]
    assert len(served) > 20
    assert {(fn.concurrency_id, fn.concurrency_limit, fn.api_visibility) for fn in served} == {("compute", 1, "private")}


def test_a_demo_without_gradio_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)
    result = run("demo", "mlp-faces")
    assert result.exit_code == 1
    assert "the demo needs gradio, which is not installed" in result.output
    assert 'pip install "dcgan-zoo[demo]"' in result.output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("models", "message"),
    [
        (["no-such-model"], "no-such-model"),
        (["mlp-faces", "broken"], "broken"),
        (["mlp-faces"] * 5, "from 1 to 4 models, not 5"),
    ],
)
def test_models_that_cannot_be_shown(
    models: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text("{")
    result = run("demo", *models)
    assert result.exit_code in (1, 2)
    assert message in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("port", [0, 65536])
def test_a_port_that_cannot_be(port: int) -> None:
    with pytest.raises(UsageError, match="a port is a number from 1 to 65535"):
        serve_here("mlp-faces", port=port)


@pytest.mark.slow
def test_no_public_address_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    from gradio import networking

    def refuse(*_: object) -> str:
        raise RuntimeError("no way out")

    monkeypatch.setattr(networking, "setup_tunnel", refuse)
    with pytest.raises(ZooError, match="no public address to be had: no way out"):
        serve_here("mlp-faces", share=True)
