"""What the stand-in answers: one function for each call of the client."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

import yaml

from .store import Refusal, Store, git_oid, is_large

PAGE = 3
"""Entries on one page of a list, so few that paging is really used."""


@dataclass
class Request:
    """What came. `path` is raw: a revision keeps its %2F."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: Any
    body: bytes
    user: str | None = None

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body or b"{}")


@dataclass
class Answer:
    """What goes back."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    @staticmethod
    def of(value: Any, status: int = 200, **headers: str) -> Answer:
        """A JSON answer."""
        return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json", **headers})


Route = Callable[..., Answer]
_ROUTES: list[tuple[str, re.Pattern[str], Route]] = []
_ID = r"(?P<repo>[^/]+/[^/]+)"
_SPACES = re.compile(r"^(/api)?/spaces/")
SPACE = "space:"
"""What the name of a Space begins with in the store: user/name may be a model too."""


def route(method: str, pattern: str) -> Callable[[Route], Route]:
    """Let a function answer a method and a path."""

    def register(function: Route) -> Route:
        _ROUTES.append((method, re.compile(pattern), function))
        return function

    return register


class Api:
    """The calls, over a store.

    Args:
        store: what there is.
        tokens: token → user.
        writers: tokens that may write.
        url, cdn: origins of the stand-in and of its file server.
    """

    def __init__(self, store: Store, tokens: dict[str, str], writers: set[str], url: str, cdn: str) -> None:
        self.store, self.tokens, self.writers, self.url, self.cdn = store, tokens, writers, url, cdn
        self.listed_extra: list[dict[str, Any]] = []

    def answer(self, request: Request) -> Answer:
        """The answer to a request; errors are told in headers, as the client reads them."""
        try:
            self._authenticate(request)
            if found := _SPACES.match(request.path):  # the same calls, on another kind of repository
                request.path = f"{'/api/models/' if found[1] else '/'}{SPACE}{request.path[found.end() :]}"
            for method, pattern, function in _ROUTES:
                found = pattern.fullmatch(request.path)
                if found and method == ("GET" if request.method == "HEAD" else request.method):
                    given = {key: unquote(value) for key, value in found.groupdict().items() if value is not None}
                    return function(self, request, **given)
            raise Refusal(404, message=f"no such call: {request.method} {request.path}")
        except Refusal as refusal:
            headers = {"X-Error-Message": refusal.message} if refusal.message else {}
            if refusal.code:
                headers["X-Error-Code"] = refusal.code
            return Answer.of({"error": refusal.message}, refusal.status, **headers)

    def _authenticate(self, request: Request) -> None:
        given = request.headers.get("Authorization")
        if given is None:
            return
        request.user = self.tokens.get(given.removeprefix("Bearer "))
        if request.user is None:
            raise Refusal(401, message="Invalid credentials in Authorization header")

    def readable(self, request: Request, repo: str) -> dict[str, Any]:
        """A repository's state, for who may see it."""
        state = self.store.repo(repo)
        if state["private"] and request.user != owner(repo):
            raise Refusal(404 if request.user else 401, "RepoNotFound", "Repository not found")
        if state.get("gated") and request.user != owner(repo):
            raise Refusal(403, "GatedRepo", "Access to this model is restricted")
        return state

    def writable(self, request: Request, namespace: str) -> None:
        """Refuse who may not write below a name."""
        if request.user is None:
            raise Refusal(401, message="Invalid username or password.")
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if request.user != namespace or token not in self.writers:
            raise Refusal(403, message=f"You don't have the rights to write under {namespace}")

    def info(self, repo: str, revision: str) -> dict[str, Any]:
        """A repository as `model_info` and `list_models` tell it."""
        state = self.store.repo(repo)
        commit, record = self.store.resolve(repo, revision)
        files = record["files"]
        card = self.store.card(files)
        datasets = card.get("datasets") or []
        tags = [*card.get("tags", []), *([card["library_name"]] if "library_name" in card else [])]
        tags += [f"license:{card['license']}"] if "license" in card else []
        tags += [f"dataset:{name}" for name in datasets]
        return {
            "_id": git_oid(repo.encode())[:24],
            "id": repo.removeprefix(SPACE),
            "author": owner(repo),
            **({"sdk": state["sdk"]} if "sdk" in state else {}),
            "sha": commit,
            "lastModified": "2026-01-01T00:00:00.000Z",
            "createdAt": "2026-01-01T00:00:00.000Z",
            "private": state["private"],
            "gated": bool(state.get("gated")),
            "disabled": False,
            "downloads": state["downloads"],
            "likes": 0,
            "tags": list(dict.fromkeys(tags)),
            "library_name": card.get("library_name"),
            "pipeline_tag": card.get("pipeline_tag"),
            "cardData": card,
            "usedStorage": sum(file["size"] for file in files.values()),
            "siblings": [_sibling(path, file) for path, file in sorted(files.items())],
        }

    def page(self, request: Request, entries: list[Any]) -> Answer:
        """One page of a list, with a link to the next."""
        start = int(request.query.get("cursor", ["0"])[0])
        headers = {}
        if start + PAGE < len(entries):
            query = {**request.query, "cursor": [str(start + PAGE)]}
            text = "&".join(f"{key}={quote(value)}" for key, values in query.items() for value in values)
            headers["Link"] = f'<{self.url}{request.path}?{text}>; rel="next"'
        return Answer.of(entries[start : start + PAGE], **headers)


def owner(repo: str) -> str:
    """Whose a repository is."""
    return repo.removeprefix(SPACE).partition("/")[0]


def _sibling(path: str, file: dict[str, Any]) -> dict[str, Any]:
    told = {"rfilename": path, "size": file["size"], "blobId": file["oid"]}
    if file["sha256"]:
        told["lfs"] = {"sha256": file["sha256"], "size": file["size"], "pointerSize": file["pointer"]}
    return told


@route("GET", "/api/whoami-v2")
def whoami(api: Api, request: Request) -> Answer:
    if request.user is None:
        raise Refusal(401, message="Invalid username or password.")
    role = "write" if request.headers["Authorization"].removeprefix("Bearer ") in api.writers else "read"
    auth = {"accessToken": {"role": role}}
    return Answer.of({"type": "user", "name": request.user, "fullname": request.user, "orgs": [], "auth": auth})


@route("POST", "/api/repos/create")
def create_repo(api: Api, request: Request) -> Answer:
    given = request.json
    namespace = given.get("organization") or request.user
    api.writable(request, namespace)
    private = given.get("visibility") == "private" or bool(given.get("private"))
    repo = f"{namespace}/{given['name']}"
    is_space = given.get("type") == "space"
    told = {"url": f"{api.url}/{'spaces/' if is_space else ''}{repo}", "name": repo}
    if is_space and not given.get("sdk"):
        raise Refusal(400, message='"sdk" is required')
    try:
        api.store.create(
            f"{SPACE}{repo}" if is_space else repo, private=private, **({"sdk": given["sdk"]} if is_space else {})
        )
    except Refusal as refusal:  # the client reads the address from this refusal too
        return Answer.of({**told, "error": refusal.message}, refusal.status, **{"X-Error-Message": refusal.message})
    return Answer.of(told)


@route("DELETE", "/api/repos/delete")
def delete_repo(api: Api, request: Request) -> Answer:
    given = request.json
    namespace = given.get("organization") or request.user
    api.writable(request, namespace)
    api.store.delete(f"{namespace}/{given['name']}")
    return Answer.of({})


@route("POST", "/api/repos/move")
def move_repo(api: Api, request: Request) -> Answer:
    given = request.json
    api.writable(request, given["fromRepo"].partition("/")[0])
    api.store.move(given["fromRepo"], given["toRepo"])
    return Answer.of({})


@route("PUT", f"/api/models/{_ID}/settings")
def settings(api: Api, request: Request, repo: str) -> Answer:
    api.writable(request, owner(repo))
    api.store.update(repo, private=request.json.get("visibility") == "private")
    return Answer.of({})


@route("POST", "/api/validate-yaml")
def validate_yaml(api: Api, request: Request) -> Answer:
    text = request.json["content"]
    problems = []
    if text.startswith("---\n"):
        try:
            found = yaml.safe_load(text[4:].partition("\n---")[0])
            if isinstance(found, dict) and not re.fullmatch(r"[a-z0-9.+-]+", str(found.get("license", "other"))):
                problems.append({"message": '"license" must be one of the known ones'})
        except yaml.YAMLError as error:
            problems.append({"message": str(error)})
    return Answer.of({"errors": problems, "warnings": []}, 400 if problems else 200)


@route("POST", f"/api/models/{_ID}/preupload/(?P<rev>[^/]+)")
def preupload(api: Api, request: Request, repo: str, rev: str) -> Answer:
    api.readable(request, repo)
    api.writable(request, owner(repo))
    _, record = api.store.resolve(repo, rev)
    told = []
    for file in request.json["files"]:
        large = is_large(file["path"], file["size"])
        entry = {"path": file["path"], "uploadMode": "lfs" if large else "regular", "shouldIgnore": False}
        present = record["files"].get(file["path"])
        if present is not None:
            entry["oid"] = present["sha256"] or present["oid"]
        told.append(entry)
    return Answer.of({"files": told})


@route("POST", f"/{_ID}.git/info/lfs/objects/batch")
def lfs_batch(api: Api, request: Request, repo: str) -> Answer:
    api.writable(request, owner(repo))
    objects = []
    for wanted in request.json["objects"]:
        told: dict[str, Any] = {"oid": wanted["oid"], "size": wanted["size"]}
        if not api.store.has_lfs(wanted["oid"]):
            told["actions"] = {
                "upload": {"href": f"{api.cdn}/upload/{wanted['oid']}?X-Amz-Signature=signed", "header": {}},
                "verify": {"href": f"{api.url}/{repo}.git/info/lfs/objects/verify"},
            }
        objects.append(told)
    return Answer.of({"transfer": "basic", "objects": objects})


@route("POST", f"/{_ID}.git/info/lfs/objects/verify")
def lfs_verify(api: Api, request: Request, repo: str) -> Answer:
    if not api.store.has_lfs(request.json["oid"]):
        raise Refusal(404, message="the object is not there")
    return Answer.of({})


@route("POST", f"/api/models/{_ID}/commit/(?P<rev>[^/]+)")
def commit(api: Api, request: Request, repo: str, rev: str) -> Answer:
    api.readable(request, repo)
    api.writable(request, owner(repo))
    header: dict[str, Any] = {}
    changes: dict[str, dict[str, Any] | None] = {}
    for line in request.body.splitlines():
        item = json.loads(line)
        value = item["value"]
        if item["key"] == "header":
            header = value
        elif item["key"] == "file":
            changes[value["path"]] = api.store.put(base64.b64decode(value["content"]), lfs=False)
        elif item["key"] == "lfsFile":
            if not api.store.has_lfs(value["oid"]):
                raise Refusal(400, message="LFS object missing")
            data = (api.store.root / "lfs" / value["oid"]).read_bytes()
            changes[value["path"]] = api.store.put(data, lfs=True)
        else:
            changes[value["path"]] = None
    oid = api.store.commit(repo, rev, header.get("parentCommit"), header["summary"], changes)
    return Answer.of(
        {"commitOid": oid, "commitUrl": f"{api.url}/{repo.replace(SPACE, 'spaces/')}/commit/{oid}", "hookOutput": ""}
    )


@route("GET", "/api/models")
def list_models(api: Api, request: Request) -> Answer:
    def one(key: str) -> str:
        return request.query.get(key, [""])[0]

    found = []
    for name in api.store.names():
        state = api.store.repo(name)
        if name.startswith(SPACE):
            continue
        if state["private"] and request.user != name.partition("/")[0]:
            continue
        info = api.info(name, "main")
        if one("author") and info["author"] != one("author"):
            continue
        if one("search") and one("search").lower() not in name.lower():
            continue
        if not set(request.query.get("filter", [])) <= set(info["tags"]):
            continue
        found.append(info)
    found += api.listed_extra
    found.sort(key=lambda info: -info["downloads"])
    return api.page(request, found)


@route("GET", f"/api/models/{_ID}(?:/revision/(?P<rev>[^/]+))?")
def model_info(api: Api, request: Request, repo: str, rev: str = "main") -> Answer:
    api.readable(request, repo)
    return Answer.of(api.info(repo, rev))


@route("GET", f"/api/models/{_ID}/tree/(?P<rev>[^/]+)(?:/(?P<below>.*))?")
def tree(api: Api, request: Request, repo: str, rev: str, below: str = "") -> Answer:
    api.readable(request, repo)
    _, record = api.store.resolve(repo, rev)
    entries = []
    for path, file in sorted(record["files"].items()):
        if below and not path.startswith(f"{below}/"):
            continue
        told = {"type": "file", "oid": file["oid"], "size": file["size"], "path": path}
        if file["sha256"]:
            told["lfs"] = {"oid": file["sha256"], "size": file["size"], "pointerSize": file["pointer"]}
        entries.append(told)
    return api.page(request, entries)


@route("GET", f"/api/models/{_ID}/refs")
def refs(api: Api, request: Request, repo: str) -> Answer:
    state = api.readable(request, repo)

    def told(kind: str, prefix: str) -> list[dict[str, str]]:
        return [{"name": name, "ref": f"{prefix}/{name}", "targetCommit": at} for name, at in state[kind].items()]

    return Answer.of({"branches": told("branches", "refs/heads"), "tags": told("tags", "refs/tags"), "converts": []})


@route("GET", f"/api/models/{_ID}/commits/(?P<rev>[^/]+)")
def commits(api: Api, request: Request, repo: str, rev: str) -> Answer:
    state = api.readable(request, repo)
    at, _ = api.store.resolve(repo, rev)
    told = []
    while at is not None:
        record = state["commits"][at]
        told.append({"id": at, "title": record["title"], "message": "", "date": "2026-01-01T00:00:00.000Z", "authors": []})
        at = record["parent"]
    return api.page(request, told)


@route("POST", f"/api/models/{_ID}/(?P<kind>branch|tag)/(?P<name>[^/]+)")
def make_ref(api: Api, request: Request, repo: str, kind: str, name: str) -> Answer:
    api.readable(request, repo)
    api.writable(request, owner(repo))
    if kind == "branch":
        api.store.set_ref(repo, "branches", name, request.json.get("startingPoint") or "main")
    else:
        api.store.set_ref(repo, "tags", request.json["tag"], name)
    return Answer.of({}, 201)


@route("DELETE", f"/api/models/{_ID}/(?P<kind>branch|tag)/(?P<name>[^/]+)")
def delete_ref(api: Api, request: Request, repo: str, kind: str, name: str) -> Answer:
    api.writable(request, owner(repo))
    api.store.set_ref(repo, "branches" if kind == "branch" else "tags", name, None)
    return Answer.of({})


@route("GET", f"/{_ID}/resolve/(?P<rev>[^/]+)/(?P<path>.+)")
def resolve(api: Api, request: Request, repo: str, rev: str, path: str) -> Answer:
    api.readable(request, repo)
    commit_id, record = api.store.resolve(repo, rev)
    file = record["files"].get(path)
    if file is None:
        answer = Answer.of({"error": "Entry not found"}, 404, **{"X-Error-Code": "EntryNotFound"})
        answer.headers["X-Repo-Commit"] = commit_id
        return answer
    headers = {"X-Repo-Commit": commit_id, "Accept-Ranges": "bytes"}
    if file["sha256"]:
        headers.update({"X-Linked-Etag": f'"{file["sha256"]}"', "X-Linked-Size": str(file["size"])})
        headers["Location"] = f"{api.cdn}/lfs/{file['sha256']}?X-Amz-Signature=signed"
        return Answer(302, b"", headers)
    api.store.update(repo, downloads=api.store.repo(repo)["downloads"] + (path == "config.json" and request.method == "GET"))
    return Answer(200, api.store.content(file), {**headers, "ETag": f'"{file["oid"]}"'})
