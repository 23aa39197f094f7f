"""A stand-in for the part of the Hub that serves datasets: one repository of files, over HTTP on this machine."""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

REPO, COMMIT = "ada/pets", "c" * 40


@dataclass
class Hub:
    """What is served, and what was asked for.

    Args:
        folder: the repository's files.
        sent: path → bytes of it that were sent.
        lost: a file whose download breaks off after `limit` bytes, and which cannot be had from then on.
        down: files that are refused.
    """

    folder: Path
    url: str = ""
    sent: dict[str, int] = field(default_factory=dict)
    lost: str = ""
    limit: int = 0
    down: set[str] = field(default_factory=set)

    def entry(self, path: str) -> dict[str, Any]:
        held = (self.folder / path).read_bytes()
        lfs = {"oid": hashlib.sha256(held).hexdigest(), "size": len(held), "pointerSize": 134}
        return {"type": "file", "path": path, "size": len(held), "oid": hashlib.sha1(held).hexdigest(), "lfs": lfs}

    def paths(self) -> list[str]:
        return sorted(p.relative_to(self.folder).as_posix() for p in self.folder.rglob("*") if p.is_file())


@contextmanager
def serving(folder: Path) -> Iterator[Hub]:
    """Serve the files of a folder as the dataset `REPO`."""
    hub = Hub(folder)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: Any) -> None:
            pass

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"])).decode()
            asked = parse_qs(text).get("paths") or json.loads(text or "{}").get("paths", [])
            self.json([hub.entry(path) for path in hub.paths() if path in asked or path.removesuffix("/") in asked])

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            if match := re.fullmatch(rf"/datasets/{REPO}/resolve/[^/]+/(.+)", path):
                self.file(match[1])
            elif match := re.fullmatch(rf"/api/datasets/{REPO}/tree/[^/]+/?(.*)", path):
                self.tree(match[1].strip("/"))
            elif re.fullmatch(rf"/api/datasets/{REPO}(/revision/[^/]+)?", path):
                siblings = [{"rfilename": name} for name in hub.paths()]
                self.json({"_id": "1", "id": REPO, "sha": COMMIT, "private": False, "gated": False, "siblings": siblings})
            else:
                self.json({"error": "not here"}, 404)

        def tree(self, below: str) -> None:
            inside = [path for path in hub.paths() if not below or path.startswith(f"{below}/")]
            if below and not inside:
                return self.json({"error": "no such folder"}, 404, **{"X-Error-Code": "EntryNotFound"})
            folders = sorted({p.rpartition("/")[0] for p in inside if "/" in p[len(below) + 1 if below else 0 :]})
            listed = [{"type": "directory", "path": name, "size": 0, "oid": "d" * 40} for name in folders]
            self.json(listed + [hub.entry(path) for path in inside])

        def file(self, name: str) -> None:
            if name in hub.down:
                return self.json({"error": "it is down"}, 403)  # which clients do not try again
            if name not in hub.paths():
                return self.json({"error": "no such entry"}, 404, **{"X-Error-Code": "EntryNotFound"})
            held = (hub.folder / name).read_bytes()
            start, end = 0, len(held)
            if asked := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
                start, end = int(asked[1]), min(len(held), int(asked[2]) + 1 if asked[2] else len(held))
            self.send_response(206 if asked else 200)
            if asked:
                self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(held)}")
            self.send_header("ETag", f'"{hashlib.sha256(held).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(end - start))
            self.end_headers()
            if self.command == "HEAD":
                return
            if name == hub.lost and end - start > hub.limit:
                hub.down.add(name)
                end = start + hub.limit
                self.close_connection = True
            hub.sent[name] = hub.sent.get(name, 0) + end - start
            self.wfile.write(held[start:end])

        def json(self, value: Any, status: int = 200, **headers: str) -> None:
            held = json.dumps(value).encode()
            self.send_response(status)
            for key, text in {"Content-Type": "application/json", "Content-Length": str(len(held)), **headers}.items():
                self.send_header(key, text)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(held)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def use_hub(url: str, folder: Path) -> None:
    """Let this process ask a stand-in for the Hub, and keep what comes in a folder."""
    os.environ |= {
        "HF_ENDPOINT": url,
        "HF_HOME": str(folder / "home"),
        "ZOO_CACHE": str(folder / "cache"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
