"""The stand-in's two HTTP servers: the calls, and on another origin the large files."""

from __future__ import annotations

import contextlib
import hashlib
import re
import socket
import struct
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from .api import Answer, Api, Request
from .faults import Fault, Faults
from .store import Store


class HubServer:
    """A stand-in for the Hub on this machine.

    Args:
        root: folder of everything that it keeps.
        tokens: token → user.
        read_only: tokens that may not write.
    """

    def __init__(self, root: Path, tokens: dict[str, str] | None = None, read_only: set[str] | None = None) -> None:
        self.store = Store(root)
        self.faults = Faults()
        self.log: list[tuple[str, str, bool]] = []
        """What came: method, raw path with query, whether it carried a token."""
        self._open: set[socket.socket] = set()
        self._servers = [self._listen(self._call), self._listen(self._file)]
        hosts = ("127.0.0.1", "localhost")  # two names, so that the client takes them for two origins and keeps its token
        self.url, self.cdn = (f"http://{host}:{s.server_port}" for host, s in zip(hosts, self._servers, strict=True))
        tokens = tokens or {}
        self.api = Api(self.store, tokens, set(tokens) - (read_only or set()), self.url, self.cdn)

    def close(self) -> None:
        """Stop listening, and cut the connections that are kept alive."""
        for server in self._servers:
            server.shutdown()
            server.server_close()
        for connection in self._open.copy():
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> HubServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def count(self, method: str, pattern: str) -> int:
        """How many requests of a method matched."""
        return sum(1 for m, path, _ in self.log if m == method and re.search(pattern, path))

    def _listen(self, answer: Any) -> ThreadingHTTPServer:
        hub = self

        class Handler(_Handler):
            def respond(self, request: Request) -> Answer:
                hub.log.append((self.command, self.path, "Authorization" in self.headers))
                return answer(request)  # type: ignore[no-any-return]

            def setup(self) -> None:
                super().setup()
                hub._open.add(self.connection)

            def finish(self) -> None:
                hub._open.discard(self.connection)
                super().finish()

            def fault(self) -> Fault | None:
                return hub.faults.take(self.command, self.path)

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return server

    def _call(self, request: Request) -> Answer:
        return self.api.answer(request)

    def _file(self, request: Request) -> Answer:
        kind, _, oid = request.path.strip("/").partition("/")
        if "Authorization" in request.headers:  # a signed address takes no other credentials
            return Answer(400, b"only one authentication mechanism is allowed")
        if request.query.get("X-Amz-Signature") != ["signed"]:
            return Answer(403, b"not signed")
        if kind == "upload" and request.method == "PUT":
            if hashlib.sha256(request.body).hexdigest() != oid:
                return Answer(400, b"the content is not what its name says")
            self.store.put_lfs(oid, request.body)
            return Answer(200, b"", {"ETag": f'"{oid}"'})
        if kind == "lfs" and self.store.has_lfs(oid):
            data = (self.store.root / "lfs" / oid).read_bytes()
            return Answer(200, data, {"ETag": f'"{oid}"', "Accept-Ranges": "bytes"})
        return Answer(404, b"no such object")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def respond(self, request: Request) -> Answer:
        raise NotImplementedError

    def fault(self) -> Fault | None:
        raise NotImplementedError

    def _handle(self) -> None:
        fault = self.fault() or Fault("")
        if fault.delay:
            threading.Event().wait(fault.delay)
        if fault.reset == "early":
            return self._cut()
        body = self._body()
        if fault.reset == "request":
            return self._cut()
        if fault.status:
            return self._send(Answer(fault.status, b"{}", dict(fault.headers)))
        parts = urlsplit(self.path)
        request = Request(self.command, parts.path, parse_qs(parts.query, keep_blank_values=True), self.headers, body)
        answer = self._ranged(self.respond(request))
        answer.headers.update(fault.headers)
        if fault.reset == "after":
            return self._cut()
        if fault.corrupt and answer.body:
            middle = len(answer.body) // 2
            answer.body = answer.body[:middle] + bytes([answer.body[middle] ^ 1]) + answer.body[middle + 1 :]
        if fault.endless and self.command != "HEAD":
            return self._send_endless(answer, fault.endless, fault.squeezed)
        if (fault.truncate or fault.reset == "body") and self.command != "HEAD":
            self._send(answer, only=len(answer.body) // 2)
            if fault.reset:
                threading.Event().wait(0.05)  # so that the first half is read before the cut
                return self._cut()
            self.close_connection = True
            return None
        return self._send(answer)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _handle

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            pieces = []
            while size := int(self.rfile.readline().strip() or b"0", 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(pieces)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _ranged(self, answer: Answer) -> Answer:
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if answer.status != 200 or not asked or "Accept-Ranges" not in answer.headers:
            return answer
        total = len(answer.body)
        start, end = int(asked[1]), min(int(asked[2] or total - 1), total - 1)
        if start >= total:
            return Answer(416, b"", {"Content-Range": f"bytes */{total}"})
        headers = {**answer.headers, "Content-Range": f"bytes {start}-{end}/{total}"}
        return Answer(206, answer.body[start : end + 1], headers)

    def _send(self, answer: Answer, only: int | None = None) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.send_response(answer.status)
            for key, value in answer.headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body[:only])

    def _send_endless(self, answer: Answer, count: int, squeezed: bool) -> None:
        """Send the answer and `count` zeros after it, in chunks, as no length is known before."""
        packer = zlib.compressobj(wbits=31)
        pieces = [answer.body, *[bytes(1 << 20)] * (count >> 20)]
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.send_response(answer.status)
            told = {**answer.headers, "Transfer-Encoding": "chunked", **({"Content-Encoding": "gzip"} if squeezed else {})}
            for key, value in told.items():
                self.send_header(key, value)
            self.end_headers()
            for piece in pieces:
                data = packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH) if squeezed else piece
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.close_connection = True

    def _cut(self) -> None:
        """Close so that the other side sees a reset."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.rfile.close()
        self.connection.close()

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError, ValueError, OSError):
            super().handle()

    def finish(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().finish()

    def log_message(self, *_: object) -> None:
        """Silence."""
