"""Repositories as files: one JSON file for each, and its contents by checksum."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import uuid
from pathlib import Path
from typing import Any

import yaml

LFS_FROM = 100_000
"""Bytes from which a file is a large one; safetensors always are."""

LFS_ENDINGS = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".pkl", ".h5")


class Refusal(Exception):
    """An answer that is an error: status, `X-Error-Code`, `X-Error-Message`."""

    def __init__(self, status: int, code: str = "", message: str = "") -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class Store:
    """Everything that the stand-in keeps, below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.lock = threading.RLock()
        for name in ("repos", "blobs", "lfs"):
            (root / name).mkdir(parents=True, exist_ok=True)

    # Contents

    def put(self, data: bytes, *, lfs: bool) -> dict[str, Any]:
        """Keep a content; what a commit says of it."""
        sha256 = hashlib.sha256(data).hexdigest()
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {len(data)}\n".encode()
        oid = git_oid(pointer if lfs else data)
        self._write(self.root / ("lfs" if lfs else "blobs") / (sha256 if lfs else oid), data)
        return {"oid": oid, "size": len(data), "sha256": sha256 if lfs else None, "pointer": len(pointer) if lfs else 0}

    def put_lfs(self, oid: str, data: bytes) -> None:
        """Keep an uploaded large content."""
        self._write(self.root / "lfs" / oid, data)

    def has_lfs(self, oid: str) -> bool:
        """Whether a large content is there."""
        return (self.root / "lfs" / oid).is_file()

    def content(self, file: dict[str, Any]) -> bytes:
        """A file's bytes."""
        place = self.root / "lfs" / file["sha256"] if file["sha256"] else self.root / "blobs" / file["oid"]
        return place.read_bytes()

    # Repositories

    def create(self, repo: str, *, private: bool, **more: Any) -> dict[str, Any]:
        """A new repository with one commit, as the Hub makes them."""
        with self.lock:
            if self._path(repo).exists():
                raise Refusal(409, message="You already created this model repo")
            attributes = self.put(b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n", lfs=False)
            state: dict[str, Any] = {"private": private, "branches": {}, "tags": {}, "commits": {}, "downloads": 0, **more}
            self._commit(state, "main", None, "initial commit", {".gitattributes": attributes})
            self._save(repo, state)
            return state

    def delete(self, repo: str) -> None:
        """Forget a repository."""
        with self.lock:
            self.repo(repo)
            self._path(repo).unlink()

    def move(self, old: str, new: str) -> None:
        """Give a repository another name."""
        with self.lock:
            self._save(new, self.repo(old))
            self._path(old).unlink()

    def repo(self, repo: str) -> dict[str, Any]:
        """A repository's state."""
        with self.lock:
            try:
                state: dict[str, Any] = json.loads(self._path(repo).read_text())
            except FileNotFoundError:
                raise Refusal(404, "RepoNotFound", "Repository not found") from None
            return state

    def names(self) -> list[str]:
        """All repositories, user/name."""
        return sorted(path.name.removesuffix(".json").replace("--", "/") for path in (self.root / "repos").glob("*.json"))

    def resolve(self, repo: str, revision: str) -> tuple[str, dict[str, Any]]:
        """A revision's commit and its record."""
        state = self.repo(repo)
        commit = state["branches"].get(revision) or state["tags"].get(revision) or revision
        if commit not in state["commits"]:
            raise Refusal(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return commit, state["commits"][commit]

    def commit(
        self, repo: str, branch: str, parent: str | None, title: str, changes: dict[str, dict[str, Any] | None]
    ) -> str:
        """Change files (None deletes) in one step; refuses a stale `parent`."""
        with self.lock:
            state = self.repo(repo)
            if branch not in state["branches"]:
                raise Refusal(404, "RevisionNotFound", f"Invalid rev id: {branch}")
            head = state["branches"][branch]
            if parent is not None and parent != head:
                raise Refusal(412, message="A commit has happened since. Please refresh and try again.")
            files = dict(state["commits"][head]["files"])
            for path, file in changes.items():
                if file is None:
                    for gone in [p for p in files if p == path or p.startswith(path.rstrip("/") + "/")]:
                        del files[gone]
                else:
                    files[path] = file
            commit = self._commit(state, branch, head, title, files)
            self._save(repo, state)
            return commit

    def set_ref(self, repo: str, kind: str, name: str, revision: str | None) -> None:
        """Make a branch or tag ("branches", "tags"), or delete it."""
        with self.lock:
            state = self.repo(repo)
            if revision is None:
                if state[kind].pop(name, None) is None:
                    raise Refusal(404, "RevisionNotFound", f"no {name}")
            elif name in state[kind]:
                raise Refusal(409, message=f"Reference already exists: {name}")
            else:
                state[kind][name] = self.resolve(repo, revision)[0]
            self._save(repo, state)

    def update(self, repo: str, **values: Any) -> None:
        """Set fields of a repository."""
        with self.lock:
            self._save(repo, {**self.repo(repo), **values})

    def card(self, files: dict[str, Any]) -> dict[str, Any]:
        """What the YAML header of the README says."""
        if "README.md" not in files:
            return {}
        text = self.content(files["README.md"]).decode("utf-8", "replace")
        if not text.startswith("---\n") or "\n---" not in text[4:]:
            return {}
        try:
            found = yaml.safe_load(text[4:].partition("\n---")[0])
        except yaml.YAMLError:
            return {}
        return found if isinstance(found, dict) else {}

    def _commit(self, state: dict[str, Any], branch: str, parent: str | None, title: str, files: dict[str, Any]) -> str:
        seed = json.dumps([parent, title, files, uuid.uuid4().hex])
        commit = hashlib.sha1(seed.encode()).hexdigest()
        state["commits"][commit] = {"parent": parent, "title": title, "files": files}
        state["branches"][branch] = commit
        return commit

    def _path(self, repo: str) -> Path:
        return self.root / "repos" / f"{repo.replace('/', '--')}.json"

    def _save(self, repo: str, state: dict[str, Any]) -> None:
        self._write(self._path(repo), json.dumps(state).encode())

    def _write(self, path: Path, data: bytes) -> None:
        temporary = path.with_name(f".{uuid.uuid4().hex}")
        temporary.write_bytes(data)
        os.replace(temporary, path)


def git_oid(data: bytes) -> str:
    """What git calls a content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def is_large(path: str, size: int) -> bool:
    """Whether a file is kept as a large one; an empty one never is."""
    return size > 0 and (size >= LFS_FROM or path.endswith(LFS_ENDINGS))
