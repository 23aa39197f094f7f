"""A stand-in for wandb's server: answers what a run asks when it begins, keeps what is sent, and may fall silent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


class WandbServer(ThreadingHTTPServer):
    """`asked` holds (operation, body) of all requests; after the operation `last` it answers no more."""

    daemon_threads = True

    def __init__(self, last: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, str]] = []
        self.last, self.silent = last, False

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def answer(self, path: str, body: str) -> Any:
        if "graphql" not in path:
            self.asked.append((path.rpartition("/")[2], body))
            return {"exitcode": None, "limits": {}}
        query = json.loads(body)
        found = re.search(r"(?:query|mutation)\s+(\w+)", query["query"])
        operation = found[1] if found else ""
        self.asked.append((operation, body))
        self.silent = operation == self.last
        name = (query.get("variables") or {}).get("name") or "run"
        project = {"id": "p", "name": "try", "entity": {"id": "e", "name": "ada"}}
        run: dict[str, Any] = dict.fromkeys(("description", "config", "sweepName", "history"))
        run |= {"id": "r", "name": name, "displayName": name, "project": project, "historyLineCount": 0}
        viewer = {"id": "1", "entity": "ada", "username": "ada", "flags": "{}", "email": "", "teams": {"edges": []}}
        answers: dict[str, Any] = {
            "Viewer": {"viewer": viewer},
            "UpsertBucket": {"upsertBucket": {"bucket": run, "inserted": True}},
            "RunResumeStatus": {"model": None},
            "CreateRunFiles": {"createRunFiles": {"runID": "r", "uploadHeaders": [], "files": []}},
        }
        return {"data": answers.get(operation, {})}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: WandbServer

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode(errors="replace")
        if self.server.silent:
            self.close_connection = True
            return
        text = json.dumps(self.server.answer(self.path, body)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_PUT = do_POST


@contextmanager
def wandb_server(last: str = "") -> Iterator[WandbServer]:
    """Serve in a thread until the block ends."""
    server = WandbServer(last)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
