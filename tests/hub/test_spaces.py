"""`zoo push --space`: the demo of a model as an app on the Hub, pinned to its commit, against the stand-in."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

import zoo
from helpers.hub_server import Fault, HubServer
from helpers.hub_server.fixtures import make_model
from zoo.hub.spaces import GRADIO, check_parts
from zoo.progress import Reporter
from zoo_cli.main import zoo as commands
from zoo_core import UsageError

SPACE = "space:ada/small-demo"
FILES = {"README.md", "app.py", "requirements.txt"}


def read(hub: HubServer, name: str = SPACE) -> dict[str, str]:
    """The files of a Space, by name."""
    files = hub.store.resolve(name, "main")[1]["files"]
    return {file: hub.store.content(about).decode() for file, about in files.items() if file != ".gitattributes"}


def commits(hub: HubServer, name: str = SPACE) -> int:
    return len(hub.store.repo(name)["commits"])


class Listening(Reporter):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)


class TestOnTheHub:
    def test_what_it_holds(self, hub: HubServer, small_model: Path) -> None:
        pushed = zoo.push(small_model, "ada/small", license="mit", space=True)
        assert pushed.space is not None
        assert (pushed.space.name, pushed.space.url) == ("ada/small-demo", f"{hub.url}/spaces/ada/small-demo")
        state, files = hub.store.repo(SPACE), read(hub)
        assert state["sdk"] == "gradio"
        assert not state["private"]
        assert [c["title"] for c in state["commits"].values()] == ["initial commit", f"demo of ada/small@{pushed.commit}"]
        assert pushed.space.commit == state["branches"]["main"]
        assert set(files) == FILES
        header = yaml.safe_load(files["README.md"].split("---")[1])
        assert header == {
            "title": "Demo of small",
            "sdk": "gradio",
            "sdk_version": GRADIO,
            "app_file": "app.py",
            "models": ["ada/small"],
            "license": "mit",
            "tags": ["dcgan-zoo", "gan"],
            "pinned": False,
        }
        assert files["requirements.txt"] == f"dcgan-zoo[demo]=={zoo.__version__}\n"
        assert f'"ada/small@{pushed.commit}"' in files["app.py"]
        assert "from zoo.demo import build" in files["app.py"]
        compile(files["app.py"], "app.py", "exec")
        assert f"zoo demo ada/small@{pushed.commit}" in files["README.md"]
        assert zoo.Model.from_pretrained("ada/small", revision=pushed.commit).image.size == 16

    def test_it_follows_the_model(self, hub: HubServer, small_model: Path) -> None:
        first = zoo.push(small_model, "ada/small", space=True)
        assert zoo.push(small_model, "ada/small", space=True).space == first.space
        assert commits(hub) == 2
        hub.store.commit(SPACE, "main", None, "mine", {"NOTES.md": hub.store.put(b"notes", lfs=False)})
        second = zoo.push(make_model(small_model.parent / "b", seed=5), "ada/small", space=True)
        assert second.commit != first.commit
        files = read(hub)
        assert f"ada/small@{second.commit}" in files["app.py"]
        assert files["NOTES.md"] == "notes"
        assert commits(hub) == 4

    def test_a_name_of_its_own(self, hub: HubServer, small_model: Path) -> None:
        pushed = zoo.push(small_model, "ada/small", space_name="ada/play")
        assert pushed.space is not None
        assert pushed.space.name == "ada/play"
        assert set(read(hub, "space:ada/play")) == FILES
        assert SPACE not in hub.store.names()

    def test_without_a_license_none_is_stated(self, hub: HubServer, small_model: Path) -> None:
        zoo.push(small_model, "ada/small", space=True)
        assert "license" not in yaml.safe_load(read(hub)["README.md"].split("---")[1])

    def test_private_stays_private(self, hub: HubServer, small_model: Path) -> None:
        heard = Listening()
        zoo.push(small_model, "ada/secret", private=True, space=True, report=heard)
        assert hub.store.repo("space:ada/secret-demo")["private"]
        assert any("HF_TOKEN" in line and "/spaces/ada/secret-demo/settings" in line for line in heard.lines)
        zoo.push(small_model, "ada/small", space=True)
        with pytest.raises(
            zoo.ZooError, match="ada/small-demo exists already, and everybody can see it; nothing was"
        ) as error:
            zoo.push(make_model(small_model.parent / "b", seed=5), "ada/other", private=True, space_name="ada/small-demo")
        assert f"{hub.url}/spaces/ada/small-demo/settings" in error.value.hint
        assert "ada/other" not in hub.store.names()

    def test_another_app_is_not_written_over(self, hub: HubServer, small_model: Path) -> None:
        hub.store.create(SPACE, private=False, sdk="gradio")
        mine = {
            "app.py": hub.store.put(b"print('mine')", lfs=False),
            "README.md": hub.store.put(b"---\nsdk: gradio\n---\n", lfs=False),
        }
        hub.store.commit(SPACE, "main", None, "mine", mine)
        with pytest.raises(zoo.ZooError, match=r"Space ada/small-demo is another app.*nothing was uploaded") as error:
            zoo.push(small_model, "ada/small", space=True)
        assert "--space-name" in error.value.hint
        assert "ada/small" not in hub.store.names()
        assert read(hub)["app.py"] == "print('mine')"

    def test_one_that_was_made_by_hand_and_is_empty_is_filled(self, hub: HubServer, small_model: Path) -> None:
        hub.store.create(SPACE, private=False, sdk="gradio")
        zoo.push(small_model, "ada/small", space=True)
        assert set(read(hub)) == FILES

    @pytest.mark.parametrize(
        "fault",
        [Fault("/api/spaces/.*/commit/", status=403, times=9), Fault("/api/spaces/.*/preupload/", status=403, times=9)],
    )
    def test_a_space_that_fails_says_that_the_model_is_there(self, fault: Fault, hub: HubServer, small_model: Path) -> None:
        hub.faults.add(fault)
        with pytest.raises(
            zoo.ZooError, match=r"published as commit \w{12}, but without its Space: .*your token may not"
        ) as error:
            zoo.push(small_model, "ada/small", space=True)
        assert "run the same command again" in error.value.hint
        assert commits(hub) == 1
        assert read(hub) == {}
        hub.faults.clear()
        zoo.push(small_model, "ada/small", space=True)
        assert (commits(hub), commits(hub, "ada/small")) == (2, 2)

    @pytest.mark.parametrize("when", ["request", "after"])
    def test_an_answer_that_gets_lost(self, when: str, hub: HubServer, small_model: Path, naps: list[float]) -> None:
        hub.faults.add(Fault("/api/spaces/.*/commit/", reset=when))
        pushed = zoo.push(small_model, "ada/small", space=True)
        assert commits(hub) == 2
        assert pushed.space is not None
        assert pushed.space.commit == hub.store.repo(SPACE)["branches"]["main"]

    def test_models_are_listed_without_it(self, hub: HubServer, small_model: Path) -> None:
        zoo.push(small_model, "ada/small", space=True)
        assert [one.name for one in zoo.list_published()] == ["ada/small"]


class TestInAFolder:
    def test_pinned_to_the_commit(self, hub: HubServer, small_model: Path, tmp_path: Path) -> None:
        for seed in (0, 5):  # an earlier one is replaced
            model = make_model(tmp_path / f"m{seed}", seed=seed)
            pushed = zoo.push(model, "ada/small", space=True, out=tmp_path / "app")
            assert pushed.space is not None
            assert pushed.space.folder == tmp_path / "app"
            assert {path.name for path in (tmp_path / "app").iterdir()} == FILES
            assert f"ada/small@{pushed.commit}" in (tmp_path / "app" / "app.py").read_text()
        assert SPACE not in hub.store.names()

    def test_a_dry_run_asks_nobody(self, hub: HubServer, small_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(small_model.parent)
        monkeypatch.delenv("HF_TOKEN")
        pushed = zoo.push(small_model, "ada/small", space=True, tag="v1", dry_run=True)
        assert pushed.space is not None
        assert pushed.space.folder == Path("dry-run/ada/small-demo")
        assert '"ada/small@v1"' in (pushed.space.folder / "app.py").read_text()
        zoo.push(small_model, "ada/small", space=True, dry_run=True, out="app")
        assert '"ada/small@main"' in Path("app", "app.py").read_text()
        assert hub.log == []

    def test_what_is_there_stays(
        self, hub: HubServer, small_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "app").mkdir()
        (tmp_path / "app" / "thesis.txt").write_text("mine")
        (tmp_path / "file").write_text("mine")
        for place in ("app", "file"):
            for dry in (True, False):
                with pytest.raises(UsageError, match=f"{place} exists and holds something else"):
                    zoo.push(small_model, "ada/small", space=True, out=place, dry_run=dry)
        assert not Path("dry-run").exists()
        assert hub.store.names() == []
        assert Path("app", "thesis.txt").read_text() == "mine"


class TestParts:
    def config(self, distribution: str, version: str = "1.2") -> dict[str, Any]:
        ours = {"kind": "generators", "name": "dcgan", "distribution": "dcgan-zoo", "version": "0.2.0"}
        return {
            "parts": {"generator": ours, "discriminator": {"name": "d", "distribution": distribution, "version": version}}
        }

    def test_the_packages_of_others_are_required(self) -> None:
        assert check_parts(self.config("dcgan-zoo")) == []
        assert check_parts(self.config("zoo_ResGAN")) == ["zoo-resgan==1.2"]
        assert check_parts(self.config("acme", "")) == ["acme"]
        assert check_parts(self.config("acme", "1.0\nevil")) == ["acme"]

    @pytest.mark.parametrize("distribution", ["local", "acme @ https://evil.example/x.whl", "acme\nevil", "-r x", "a;b"])
    def test_parts_of_no_package_are_refused(self, distribution: str) -> None:
        with pytest.raises(UsageError, match="comes from no package, so a Space could not load it; nothing was uploaded"):
            check_parts(self.config(distribution))


@pytest.mark.parametrize(
    ("choices", "told"),
    [
        ({"space_name": "play"}, "no name of a repository"),
        ({"space_name": "ada/play@v1"}, "a Space has no revisions"),
        ({"space": True, "space_name": "ada/a b"}, "no name of a repository"),
        ({"out": "app"}, "'out' is where a Space is written\nadd 'space'"),
    ],
)
def test_mistakes(choices: dict[str, Any], told: str, hub: HubServer, small_model: Path) -> None:
    with pytest.raises(UsageError, match=told):
        zoo.push(small_model, "ada/small", **choices)
    assert hub.log == []


def test_on_the_command_line(hub: HubServer, small_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> str:
        done = CliRunner().invoke(commands, ["push", str(small_model), "ada/small", *words])
        assert done.exit_code == 0, done.output
        return done.stdout

    assert "its Space ada/small-demo is written to app" in run("--space", "--to", "app", "--dry-run")
    told = json.loads(run("--space", "--dry-run", "--json"))
    assert told["space"] == {"name": "ada/small-demo", "url": "", "commit": "", "folder": "dry-run/ada/small-demo"}
    assert f"its Space: {hub.url}/spaces/ada/small-demo" in run("--space")
    assert f"its Space: {hub.url}/spaces/ada/play" in run("--space-name", "ada/play")
    assert "space" not in json.loads(run("--json"))
    wrong = CliRunner().invoke(commands, ["push", str(small_model), "ada/small", "--out", "x"])
    assert wrong.exit_code == 2
    assert "--space" in wrong.stderr


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("gradio") is None or importlib.util.find_spec("zoo.demo") is None,
    reason="the extra [demo] has gradio",
)
def test_the_app_runs(hub: HubServer, small_model: Path, tmp_path: Path) -> None:
    zoo.push(small_model, "ada/small", space=True, out=tmp_path / "app")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environ = {
        **os.environ,
        "GRADIO_SERVER_NAME": "127.0.0.1",
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_ANALYTICS_ENABLED": "0",
    }
    log = tmp_path / "log"
    with open(log, "w") as output:
        running = subprocess.Popen(
            [sys.executable, "app.py"], cwd=tmp_path / "app", env=environ, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            page, deadline = "", time.monotonic() + 300
            while not page and running.poll() is None and time.monotonic() < deadline:
                time.sleep(0.5)
                try:
                    page = urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60).read().decode()
                except OSError:
                    continue
            told = log.read_text()
        finally:
            running.kill()
            running.wait()
    assert "gradio" in page.lower(), told
    assert "Traceback" not in told
