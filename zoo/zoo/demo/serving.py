"""Building the page, and serving it on this machine until somebody stops it."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
import threading
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

from zoo_core import UsageError, ZooError

from ..models.model import ModelLike
from .libraries import load_gradio
from .limits import SESSIONS, UPLOAD
from .subjects import Subject, open_subjects

HOST = "127.0.0.1"
PORTS = range(7860, 7960)  # those that are tried first where none is asked for
_FOLDER = "GRADIO_TEMP_DIR"
_PATIENCE = 1  # seconds that open connections have once the server is to stop


def build(models: ModelLike | Sequence[ModelLike], *, device: str = "auto") -> Any:
    """Return the page of one model or several, a `gradio.Blocks`: `build("dcgan-faces").launch()` serves it.

    Args:
        models: models, or where they lie; at most 4. Those with latents of the same kind are shown the same ones.
        device: what computes; see `zoo.load`.

    Raises:
        UsageError: there is none, or there are too many.
        ZooError: Gradio is not installed, or a model cannot be loaded.
    """
    load_gradio()
    return _build(open_subjects(models, device), threading.Event())


def _build(subjects: tuple[Subject, ...], stopping: threading.Event) -> Any:
    from .building import build_page

    return build_page(subjects, stopping)


def serve(
    models: ModelLike | Sequence[ModelLike],
    *,
    port: int | None = None,
    open: bool = False,
    share: bool = False,
    device: str = "auto",
    tell: Callable[[str], None] = print,
) -> None:
    """Serve the page of one model or several to this machine alone, until Ctrl-C or SIGTERM.

    In a notebook `build(models).launch()` serves it beside the cells.

    Args:
        models, device: as of `build`.
        port: a free one by default, 7860 if it can be had.
        open: open the page in the browser.
        share: also make a public address, through Gradio's server; whoever knows it can use the page, for a week at most.
        tell: hears the addresses, once the page can be opened.

    Raises:
        UsageError: the port is impossible, or in use.
        ZooError: as `build`; or there is no public address to be had.
    """
    if port is not None and not 1 <= port <= 65535:
        raise UsageError(f"a port is a number from 1 to 65535, not {port}", hint="leave --port out for a free one")
    with _outlive_signals(), _listen(port) as listening, _temporary_files():
        load_gradio()
        subjects = open_subjects(models, device)
        with _public(share, listening) as public:
            _run(subjects, listening, public, open, tell)


@contextmanager
def _temporary_files() -> Iterator[None]:
    """Let what is handed in lie in a folder that ends with the block."""
    before = os.environ.get(_FOLDER)
    with tempfile.TemporaryDirectory(prefix="zoo-demo-") as folder:
        os.environ[_FOLDER] = folder
        try:
            yield
        finally:
            os.environ.pop(_FOLDER)
            if before is not None:
                os.environ[_FOLDER] = before


@contextmanager
def _listen(port: int | None) -> Iterator[socket.socket]:
    """Yield a socket that is bound to a port of this machine alone."""
    for number in [port] if port is not None else [*PORTS, 0]:
        found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind((HOST, number))
            found.listen(128)
        except OSError as error:
            found.close()
            if port is not None:
                hint = "leave --port out for a free one"
                raise UsageError(f"port {port} cannot be had: {error.strerror or error}", hint=hint) from error
            continue
        with found:
            yield found
        return
    raise ZooError(f"no port of {HOST} is free")


@contextmanager
def _public(share: bool, listening: socket.socket) -> Iterator[str]:
    """Yield a public address of the page, "" where none is asked for; it ends with the block."""
    if not share:
        yield ""
        return
    import secrets

    from gradio import networking, tunneling

    try:
        port = listening.getsockname()[1]
        address = networking.setup_tunnel(HOST, port, secrets.token_urlsafe(32), None, None)
    except Exception as error:
        raise ZooError(f"there is no public address to be had: {error}", hint="leave --share out") from error
    try:
        yield str(address)
    finally:
        for tunnel in tunneling.CURRENT_TUNNELS:
            tunnel.kill()


@contextmanager
def _outlive_signals() -> Iterator[None]:
    """Let SIGTERM end the block tidily, as Ctrl-C does, and go on behind it; uvicorn stops, and raises the signal again."""
    mine = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, signal.default_int_handler) if mine else None
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        if mine:
            signal.signal(signal.SIGTERM, before)


def _run(
    subjects: tuple[Subject, ...], listening: socket.socket, public: str, open: bool, tell: Callable[[str], None]
) -> None:
    """Serve until a signal says to stop."""
    import fastapi
    import gradio as gr
    import uvicorn
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    from .building import choose_theme

    address = f"http://{HOST}:{listening.getsockname()[1]}"
    stopping = threading.Event()
    blocks = _build(subjects, stopping)
    blocks.state_session_capacity = SESSIONS
    app = gr.mount_gradio_app(
        fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None),
        blocks,
        path="/",
        server_name=HOST,
        server_port=listening.getsockname()[1],
        footer_links=[],
        run_history=False,
        max_file_size=UPLOAD,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=choose_theme(),
    )

    class Server(uvicorn.Server):  # type: ignore[misc]  # whose types are not looked at
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.should_exit:
                return
            tell(address)
            if public:
                tell(public)
            if open:
                threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            stopping.set()  # ends long work, and what streams to pages
            blocks.app.stop_event.set()
            super().handle_exit(sig, frame)

    hosts = [HOST, "localhost", *filter(None, [urlsplit(public).hostname])]  # no name that somebody lets mean this machine
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts)
    config = uvicorn.Config(app, log_level="critical", access_log=False, timeout_graceful_shutdown=_PATIENCE)
    try:
        Server(config).run(sockets=[listening])
    finally:
        stopping.set()
        blocks.close(verbose=False)
