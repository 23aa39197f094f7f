"""Clients that nobody here wrote: they keep the stand-in honest, and show which of them the zoo can use.

Opt-in, each skipped with its reason:

    pip install --target DIR "huggingface_hub==1.33.0" && ZOO_HUB_1X=DIR pytest tests/hub/test_clients.py
    npm install --prefix DIR @huggingface/hub && ZOO_HUB_JS=DIR pytest tests/hub/test_clients.py
    ZOO_LIVE_HUB=1 HF_TOKEN=… pytest tests/hub/test_clients.py     # the Hub itself, with your account
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
import torch

import zoo
from helpers.hub_server import HubServer
from helpers.hub_server.fixtures import TOKEN, one_thread

pytestmark = pytest.mark.slow

ONE_X, JS = os.environ.get("ZOO_HUB_1X"), os.environ.get("ZOO_HUB_JS")


@pytest.mark.skipif(not ONE_X, reason="ZOO_HUB_1X names no folder with huggingface_hub 1.x")
class TestOneX:
    def run(self, code: str, *words: str, **environ: str) -> Any:
        """Run code with that client before the installed one."""
        paths = [str(ONE_X), *filter(None, [os.environ.get("PYTHONPATH")])]
        variables = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **environ}
        command = [sys.executable, "-c", code, *words]
        done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def test_the_zoo_on_it(self, hub: HubServer, small_model: Path, tmp_path: Path) -> None:
        code = """
import json, sys, torch, zoo, huggingface_hub
pushed = zoo.push(sys.argv[1], "ada/small", tag="v1", license="mit")
found = zoo.pull("ada/small@v1", to=sys.argv[2])
same = torch.equal(zoo.load("ada/small").sample(2), zoo.load(sys.argv[1]).sample(2))
try:
    zoo.pull("ada/nothing")
except zoo.ZooError as error:
    words = str(error)
listed = [one.name for one in zoo.list_published()]
print(json.dumps([huggingface_hub.__version__, pushed.commit == found.commit, same, listed, words]))
"""
        version, pinned, same, listed, words = self.run(code, str(small_model), str(tmp_path / "mine"))
        assert version.startswith("1.")
        assert (pinned, same, listed) == (True, True, ["ada/small"])
        assert "no repository ada/nothing" in words
        offline = "import json, sys, torch, zoo; print(json.dumps(zoo.load('ada/small').sample(1).sum().item()))"
        with one_thread():
            wanted = zoo.load(small_model).sample(1).sum().item()
        assert self.run(offline, HF_HUB_OFFLINE="1") == pytest.approx(wanted)

    def test_what_heals(self, hub: HubServer, small_model: Path) -> None:
        from helpers.hub_server import Fault

        hub.faults.add(
            Fault("/commit/main", status=503),
            Fault("^/upload/", reset="request"),
            Fault("^/lfs/", method="GET", reset="body"),
        )
        code = "import json, sys, zoo; zoo.push(sys.argv[1], 'ada/small'); print(json.dumps(zoo.pull('ada/small').commit))"
        assert self.run(code, str(small_model)) == hub.store.repo("ada/small")["branches"]["main"]
        assert len(hub.store.repo("ada/small")["commits"]) == 2


@pytest.mark.skipif(
    not JS or not shutil.which("node"), reason="ZOO_HUB_JS names no folder with @huggingface/hub, or no node"
)
def test_javascript(hub: HubServer, small_model: Path, tmp_path: Path) -> None:
    zoo.push(small_model, "ada/small")
    weights = (small_model / "generator.safetensors").read_bytes()
    script = tmp_path / "client.mjs"
    script.write_text(
        """
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
const [folder, hubUrl, accessToken, file] = process.argv.slice(2);
const hub = await import(pathToFileURL(createRequire(folder + "/x.js").resolve("@huggingface/hub")));
const at = { hubUrl, accessToken };
const seen = {};
seen.user = (await hub.whoAmI(at)).name;
seen.files = [];
for await (const one of hub.listFiles({ ...at, repo: "ada/small", recursive: true })) seen.files.push(one.path);
const blob = await hub.downloadFile({ ...at, repo: "ada/small", path: "generator.safetensors" });
seen.size = (await blob.arrayBuffer()).byteLength;
seen.models = [];
for await (const one of hub.listModels({ ...at, search: { owner: "ada" } })) seen.models.push(one.name);
await hub.createRepo({ ...at, repo: "ada/js", private: true });
const content = new Blob([readFileSync(file)]);
const files = [{ path: "generator.safetensors", content }, { path: "NOTES.md", content: new Blob(["hello"]) }];
await hub.uploadFiles({ ...at, repo: "ada/js", files, useXet: false });
await hub.deleteFile({ ...at, repo: "ada/js", path: "NOTES.md" });
console.log(JSON.stringify(seen));
"""
    )
    command = ["node", str(script), str(JS), hub.url, TOKEN, str(small_model / "generator.safetensors")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["user"] == "ada"
    assert {"config.json", "generator.safetensors", "README.md"} <= set(seen["files"])
    assert seen["size"] == len(weights)
    assert seen["models"] == ["ada/small"]
    there = hub.store.resolve("ada/js", "main")[1]["files"]
    assert hub.store.content(there["generator.safetensors"]) == weights
    assert "NOTES.md" not in there
    assert hub.store.repo("ada/js")["private"]


@pytest.mark.skipif(os.environ.get("ZOO_LIVE_HUB") != "1", reason="ZOO_LIVE_HUB is not 1: needs a connection and a token")
def test_the_hub_itself(small_model: Path, tmp_path: Path) -> None:
    from huggingface_hub import HfApi

    api = HfApi()
    repo = f"{api.whoami()['name']}/zoo-test-{uuid.uuid4().hex[:8]}"
    try:
        pushed = zoo.push(small_model, repo, private=True, tag="v1", license="mit")
        assert zoo.push(small_model, repo, private=True, tag="v1", license="mit").commit == pushed.commit
        found = zoo.pull(f"{repo}@v1", to=tmp_path / "mine")
        assert found.commit == pushed.commit
        assert torch.equal(zoo.load(found.folder).sample(2), zoo.load(small_model).sample(2))
    finally:
        api.delete_repo(repo, missing_ok=True)
