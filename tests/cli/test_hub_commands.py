"""`zoo push`, `zoo pull`, `zoo list --hub` as a person types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from helpers.hub_server import HubServer
from helpers.hub_server.fixtures import TOKEN
from zoo_cli.main import zoo


def run(*words: str) -> Result:
    return CliRunner().invoke(zoo, list(words))


def test_there_and_back(hub: HubServer, small_model: Path, tmp_path: Path) -> None:
    pushed = run("push", str(small_model), "ada/small", "--license", "mit", "--tag", "v1", "--message", "hello")
    assert pushed.exit_code == 0, pushed.output
    assert f"published: {hub.url}/ada/small at commit" in pushed.stdout
    assert ", tag v1" in pushed.stdout
    assert "uploading 5 files" in pushed.stderr
    pulled = run("pull", "ada/small@v1", "--to", str(tmp_path / "mine"))
    assert pulled.exit_code == 0, pulled.output
    commit = hub.store.repo("ada/small")["tags"]["v1"]
    assert f"this is ada/small at commit {commit}" in pulled.stdout
    out = tmp_path / "s.png"
    for model in ("ada/small", f"ada/small@{commit}", str(tmp_path / "mine")):
        drawn = run("sample", model, "-n", "2", "--out", str(out), "--device", "cpu")
        assert drawn.exit_code == 0, drawn.output
    assert out.is_file()
    assert TOKEN not in pushed.output + pulled.output


def test_for_machines(hub: HubServer, small_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    dry = json.loads(run("push", str(small_model), "ada/small", "--dry-run", "--json").stdout)
    assert dry["dry_run"]
    assert Path(dry["folder"], "README.md").is_file()
    pushed = json.loads(run("push", str(small_model), "ada/small", "--json").stdout)
    pulled = json.loads(run("pull", "ada/small", "--json").stdout)
    assert pulled["commit"] == pushed["commit"]
    assert Path(pulled["model"], "config.json").is_file()
    (listed,) = json.loads(run("list", "--hub", "--json").stdout)
    assert (listed["name"], listed["dataset"], listed["size"]) == ("ada/small", "faces", 16)


def test_a_list_to_read(hub: HubServer, small_model: Path) -> None:
    assert "nobody has published" in run("list", "--hub").stdout
    run("push", str(small_model), "ada/small")
    line = run("list", "--hub", "--author", "ada", "--search", "small").stdout
    assert all(word in line for word in ("ada/small", "faces", "16×16", "MB", "downloads", "license not stated"))
    assert "no published model matches" in run("list", "--hub", "--search", "nothing").stdout


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("push", "MODEL", "small"), 2, "write user/name"),
        (("push", "nowhere", "ada/x", "--dry-run"), 2, "there is no model at 'nowhere'"),
        (("pull", "ada/nothing"), 1, "there is no repository ada/nothing"),
        (("pull", "nowhere"), 2, "zoo pull lists"),
        (("pull", "ada/x@v1", "--revision", "v2"), 2, "two revisions"),
        (("pull", "--to", "x"), 2, "need a MODEL"),
        (("list", "recipes", "--hub"), 2, "lists models"),
        (("list", "--search", "x"), 2, "go with --hub"),
    ],
)
def test_mistakes_are_told(words: tuple[str, ...], code: int, told: str, hub: HubServer, small_model: Path) -> None:
    done = run(*(str(small_model) if word == "MODEL" else word for word in words))
    assert done.exit_code == code, done.output
    assert told in done.output
    assert "Traceback" not in done.output
