"""What goes wrong between here and the Hub: told in words, nothing lost, nothing half there."""

from __future__ import annotations

import errno
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import zoo
from helpers.hub_server import Fault, HubServer
from helpers.hub_server.fixtures import OTHER, READER, TOKEN, make_model
from zoo.progress import Reporter

UPLOAD = r"^/upload/"
COMMIT = r"/commit/main$"
WEIGHTS = r"^/lfs/"


class Listening(Reporter):
    """Remembers what it hears."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)

    warn = note


def commits(hub: HubServer, repo: str) -> int:
    return len(hub.store.repo(repo)["commits"])


def no_half_state(hub: HubServer, repo: str = "ada/small") -> None:
    """The repository holds all of a model or nothing of one, and the cache no unfinished file."""
    from huggingface_hub import constants

    if repo in hub.store.names():
        here = set(hub.store.resolve(repo, "main")[1]["files"])
        model = {"config.json", "generator.safetensors", "discriminator.safetensors", "README.md", "samples.png"}
        assert not here & model or model <= here
    cache = Path(constants.HF_HUB_CACHE)
    assert not [path for path in cache.rglob("*.incomplete") if cache.exists()]


class TestRefusals:
    @pytest.mark.parametrize(
        ("status", "words"),
        [
            (401, "does not accept your token"),
            (403, "your token may not do this"),
            (409, "exists already, or is being changed"),
            (412, "somebody else pushed"),
            (413, "too large"),
            (418, "refused with status 418"),
        ],
    )
    def test_a_push_that_is_refused(self, status: int, words: str, hub: HubServer, small_model: Path) -> None:
        hub.faults.add(Fault(COMMIT, status=status, headers={"X-Error-Message": "as it were"}, times=9))
        with pytest.raises(zoo.ZooError, match=words) as caught:
            zoo.push(small_model, "ada/small")
        assert caught.value.hint or status == 418
        assert commits(hub, "ada/small") == 1
        no_half_state(hub)
        hub.faults.clear()
        zoo.push(small_model, "ada/small")
        assert torch.equal(zoo.load("ada/small").sample(2), zoo.load(small_model).sample(2))

    def test_a_token_that_is_none(self, hub: HubServer, small_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HF_TOKEN", "hf_neverGivenOut999")
        with pytest.raises(zoo.ZooError, match=r"does not accept your token.*hf auth login|token") as caught:
            zoo.push(small_model, "ada/small")
        assert "hf auth login" in str(caught.value)
        assert "hf_neverGivenOut999" not in str(caught.value)
        assert hub.store.names() == []

    def test_no_token(self, hub: HubServer, small_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("HF_TOKEN")
        with pytest.raises(zoo.ZooError, match="not logged in"):
            zoo.push(small_model, "ada/small")
        assert hub.log == []

    def test_a_token_that_breaks_the_request(
        self,
        hub: HubServer,
        small_model: Path,
        monkeypatch: pytest.MonkeyPatch,
        naps: list[float],
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        zoo.push(small_model, "ada/small")
        zoo.pull("ada/small")
        monkeypatch.setenv("HF_TOKEN", "hf_broken\x07SecretToken1")
        for action in (lambda: zoo.push(small_model, "ada/small"), lambda: zoo.pull("ada/small")):
            with pytest.raises(zoo.ZooError) as caught:
                action()
            assert "SecretToken1" not in str(caught.value) + repr(caught.value.__cause__)
        assert "SecretToken1" not in "".join(capfd.readouterr())

    @pytest.mark.parametrize("token", [OTHER, READER])
    def test_a_place_of_somebody_elses(
        self, token: str, hub: HubServer, small_model: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        zoo.push(small_model, "ada/small")
        monkeypatch.setenv("HF_TOKEN", token)
        with pytest.raises(zoo.ZooError, match="your token may not do this"):
            zoo.push(make_model(small_model.parent / "b", seed=5), "ada/small")
        assert commits(hub, "ada/small") == 2

    def test_not_there(self, hub: HubServer, small_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(zoo.ZooError, match="no repository ada/nothing"):
            zoo.pull("ada/nothing")
        zoo.push(small_model, "ada/small")
        with pytest.raises(zoo.ZooError, match="no such revision"):
            zoo.pull("ada/small@v9")
        hub.store.commit("ada/small", "main", None, "gone", {"generator.safetensors": None})
        with pytest.raises(zoo.ZooError, match=r"no generator\.safetensors"):
            zoo.pull("ada/small")
        hub.store.update("ada/small", gated=True)
        monkeypatch.setenv("HF_TOKEN", OTHER)
        with pytest.raises(zoo.ZooError, match="is gated"):
            zoo.pull("ada/small")

    def test_a_file_that_vanishes(self, hub: HubServer, small_model: Path) -> None:
        zoo.push(small_model, "ada/small")
        gone = {"X-Error-Code": "EntryNotFound"}
        hub.faults.add(Fault("/resolve/.*/discriminator.safetensors", status=404, headers=gone, times=9))
        with pytest.raises(zoo.ZooError, match="lacks a file"):
            zoo.pull("ada/small")
        no_half_state(hub)

    def test_a_tag_that_is_taken(self, hub: HubServer, small_model: Path) -> None:
        zoo.push(small_model, "ada/small", tag="v1")
        with pytest.raises(zoo.ZooError, match=r"has a tag 'v1' already.*nothing was uploaded"):
            zoo.push(make_model(small_model.parent / "b", seed=5), "ada/small", tag="v1")
        assert commits(hub, "ada/small") == 2

    def test_a_tag_that_fails_says_that_the_commit_is_there(self, hub: HubServer, small_model: Path) -> None:
        hub.faults.add(Fault(r"/tag/", status=403, times=9))
        with pytest.raises(zoo.ZooError, match=r"published as commit \w+, but not tagged 'v1'"):
            zoo.push(small_model, "ada/small", tag="v1")
        hub.faults.clear()
        zoo.push(small_model, "ada/small", tag="v1")
        assert list(hub.store.repo("ada/small")["tags"]) == ["v1"]
        assert commits(hub, "ada/small") == 2


class TestWhatHeals:
    @pytest.mark.parametrize(
        ("path", "status"),
        [
            *((path, 503) for path in (r"/api/repos/create", r"/revision/main", r"/preupload/", r"/batch$", UPLOAD)),
            *((COMMIT, status) for status in (429, 500, 502, 503, 504)),
        ],
    )
    def test_a_push(self, path: str, status: int, hub: HubServer, small_model: Path, naps: list[float]) -> None:
        hub.faults.add(Fault(path, status=status, times=2))
        zoo.push(small_model, "ada/small")
        assert commits(hub, "ada/small") == 2
        assert naps
        no_half_state(hub)

    @pytest.mark.parametrize(
        ("path", "status"), [(r"/revision/", 503), (r"/resolve/", 503), (WEIGHTS, 503), (WEIGHTS, 500), (WEIGHTS, 429)]
    )
    def test_a_pull(self, path: str, status: int, hub: HubServer, small_model: Path, naps: list[float]) -> None:
        zoo.push(small_model, "ada/small")
        hub.faults.add(Fault(path, status=status, times=2))
        assert torch.equal(zoo.load("ada/small").sample(2), zoo.load(small_model).sample(2))

    def test_retry_after_is_honored_and_said(self, hub: HubServer, small_model: Path, naps: list[float]) -> None:
        heard = Listening()
        hub.faults.add(Fault(COMMIT, status=429, headers={"Retry-After": "17"}))
        zoo.push(small_model, "ada/small", report=heard)
        assert 17.0 in naps
        assert any("asks for fewer requests" in line and "trying again in 17 s" in line for line in heard.lines)

    def test_retry_after_as_a_date(self, hub: HubServer, small_model: Path, naps: list[float]) -> None:
        from email.utils import formatdate

        when = formatdate(time.time() + 30, usegmt=True)
        hub.faults.add(Fault(COMMIT, status=503, headers={"Retry-After": when}))
        zoo.push(small_model, "ada/small")
        assert any(20 < nap <= 30 for nap in naps)

    def test_too_long_a_wait_is_told_instead(self, hub: HubServer, small_model: Path, naps: list[float]) -> None:
        hub.faults.add(Fault(COMMIT, status=429, headers={"Retry-After": "86400"}, times=9))
        with pytest.raises(zoo.ZooError, match="fewer requests"):
            zoo.push(small_model, "ada/small")
        assert max(naps, default=0) < 400

    def test_waits_grow_and_end(self, hub: HubServer, small_model: Path, naps: list[float]) -> None:
        hub.faults.add(Fault(COMMIT, status=503, times=99))
        with pytest.raises(zoo.ZooError, match="the Hub failed with status 503"):
            zoo.push(small_model, "ada/small")
        assert len(naps) == 4
        assert naps == sorted(naps)
        assert commits(hub, "ada/small") == 1


class TestBrokenConnections:
    @pytest.mark.parametrize("when", ["early", "request", "after"])
    @pytest.mark.parametrize("path", [UPLOAD, COMMIT, r"/batch$", r"/api/repos/create"])
    def test_in_the_middle_of_a_push(
        self, when: str, path: str, hub: HubServer, small_model: Path, naps: list[float]
    ) -> None:
        hub.faults.add(Fault(path, reset=when))
        pushed = zoo.push(small_model, "ada/small", tag="v1")
        assert commits(hub, "ada/small") == 2  # an answer that was lost makes no second commit
        assert hub.store.repo("ada/small")["tags"] == {"v1": pushed.commit}
        assert torch.equal(zoo.load("ada/small").sample(2), zoo.load(small_model).sample(2))

    @pytest.mark.parametrize(
        "fault", [Fault(WEIGHTS, reset="body"), Fault(WEIGHTS, truncate=True), Fault(WEIGHTS, reset="early")]
    )
    def test_in_the_middle_of_a_pull(self, fault: Fault, hub: HubServer, small_model: Path, naps: list[float]) -> None:
        zoo.push(small_model, "ada/small")
        hub.faults.add(fault)
        assert torch.equal(zoo.load("ada/small").sample(2), zoo.load(small_model).sample(2))
        assert fault.times == 0
        no_half_state(hub)

    def test_that_never_heal(self, hub: HubServer, small_model: Path, tmp_path: Path, naps: list[float]) -> None:
        zoo.push(small_model, "ada/small")
        hub.faults.add(Fault(WEIGHTS, method="GET", reset="early", times=999))
        with pytest.raises(zoo.ZooError, match="connection to the Hub failed"):
            zoo.pull("ada/small", to=tmp_path / "mine")
        assert not (tmp_path / "mine").exists()
        no_half_state(hub)

    def test_nobody_answers(self, hub: HubServer, small_model: Path, naps: list[float]) -> None:
        hub.close()
        for action in (lambda: zoo.pull("ada/small"), lambda: zoo.push(small_model, "ada/small"), zoo.list_published):
            with pytest.raises(zoo.ZooError, match="connection to the Hub failed"):
                action()


class TestWrongBytes:
    def test_once_is_mended(self, hub: HubServer, small_model: Path) -> None:
        zoo.push(small_model, "ada/small")
        hub.faults.add(Fault(WEIGHTS, corrupt=True))
        heard = Listening()
        zoo.pull("ada/small", report=heard)
        assert any("fetching it again" in line for line in heard.lines)
        assert torch.equal(zoo.load("ada/small").sample(2), zoo.load(small_model).sample(2))

    @pytest.mark.parametrize("path", [WEIGHTS, r"/resolve/.*/config.json", r"/resolve/.*/README.md"])
    def test_always_is_refused_and_not_kept(self, path: str, hub: HubServer, small_model: Path, tmp_path: Path) -> None:
        from huggingface_hub import constants

        zoo.push(small_model, "ada/small")
        hub.faults.add(Fault(path, method="GET", corrupt=True, times=999))
        with pytest.raises(zoo.ZooError, match="its checksum differs, twice"):
            zoo.pull("ada/small", to=tmp_path / "mine")
        assert not (tmp_path / "mine").exists()
        hub.faults.clear()
        zoo.pull("ada/small")
        assert Path(constants.HF_HUB_CACHE).exists()

    def test_in_the_cache_is_found_and_mended(
        self, hub: HubServer, small_model: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        zoo.push(small_model, "ada/small")
        weights = (zoo.pull("ada/small").folder / "generator.safetensors").resolve()
        data = bytearray(weights.read_bytes())
        data[-5] ^= 1
        weights.write_bytes(data)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        with pytest.raises(zoo.ZooError, match="in the cache is damaged"):
            zoo.load("ada/small")
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        assert torch.equal(zoo.load("ada/small").sample(2), zoo.load(small_model).sample(2))


class TestTogether:
    def test_two_pushes(self, hub: HubServer, small_model: Path, tmp_path: Path) -> None:
        zoo.push(small_model, "ada/small")
        models = [make_model(tmp_path / f"m{i}", seed=20 + i) for i in range(2)]
        waiting = threading.Barrier(2)
        outcomes: list[Any] = [None, None]

        def one(i: int) -> None:
            waiting.wait()
            try:
                outcomes[i] = zoo.push(models[i], "ada/small")
            except zoo.ZooError as error:
                outcomes[i] = error

        hub.faults.add(Fault(COMMIT, delay=0.4, times=2))  # both have asked what is there before either commits
        threads = [threading.Thread(target=one, args=(i,)) for i in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        lost = [o for o in outcomes if isinstance(o, zoo.ZooError)]
        won = [i for i, o in enumerate(outcomes) if not isinstance(o, zoo.ZooError)]
        assert len(lost) == 1, outcomes
        assert "somebody else pushed" in str(lost[0])
        assert "nothing of this one was published" in str(lost[0])
        assert torch.equal(zoo.load("ada/small").sample(2), zoo.load(models[won[0]]).sample(2))

    def test_two_pulls(self, hub: HubServer, small_model: Path, tmp_path: Path) -> None:
        zoo.push(small_model, "ada/small")
        hub.faults.add(Fault(WEIGHTS, delay=0.3, times=4))
        code = "import zoo, sys; print(zoo.pull('ada/small', to=sys.argv[1]).commit)"
        running = [
            subprocess.Popen([sys.executable, "-c", code, str(tmp_path / f"to{i}")], stdout=subprocess.PIPE)
            for i in range(2)
        ]
        assert [process.wait(timeout=120) for process in running] == [0, 0]
        for i in range(2):
            assert torch.equal(zoo.load(tmp_path / f"to{i}").sample(2), zoo.load(small_model).sample(2))

    def test_killed_in_the_middle(self, hub: HubServer, small_model: Path, tmp_path: Path) -> None:
        zoo.push(small_model, "ada/small")
        hub.faults.add(Fault(WEIGHTS, delay=20))
        code = f"import zoo; zoo.pull('ada/small', to=r'{tmp_path / 'mine'}')"
        process = subprocess.Popen([sys.executable, "-c", code])
        deadline = time.monotonic() + 60
        while not hub.count("GET", WEIGHTS) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not (tmp_path / "mine").exists()
        zoo.pull("ada/small", to=tmp_path / "mine")
        assert torch.equal(zoo.load(tmp_path / "mine").sample(2), zoo.load(small_model).sample(2))


class TestFullDisk:
    def test_while_fetching(self, hub: HubServer, small_model: Path, other_process: Callable[..., Any]) -> None:
        """A real refusal of the system: no file of this process may be larger than 3,000 bytes."""
        zoo.push(small_model, "ada/small")
        code = """
import resource, torch, zoo
resource.setrlimit(resource.RLIMIT_FSIZE, (3_000, 3_000))
try:
    zoo.pull('ada/small')
except zoo.ZooError as error:
    print(error)
"""
        done = other_process(code)
        assert "no space left on disk" in done.stdout, done.stderr
        assert "export HF_HOME=DIR" in done.stdout
        no_half_state(hub)
        assert torch.equal(zoo.load("ada/small").sample(2), zoo.load(small_model).sample(2))

    def test_too_little_is_seen_before(self, hub: HubServer, small_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        zoo.push(small_model, "ada/small")
        usage = shutil.disk_usage("/")._replace(free=1000)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
        with pytest.raises(zoo.ZooError, match="0 MB left"):
            zoo.pull("ada/small")
        assert hub.count("GET", WEIGHTS) == 0

    def test_while_copying(self, hub: HubServer, small_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        zoo.push(small_model, "ada/small")

        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(shutil, "copyfile", full)
        with pytest.raises(zoo.ZooError, match="no space left on disk"):
            zoo.pull("ada/small", to=tmp_path / "mine")
        assert not [path for path in tmp_path.iterdir() if "mine" in path.name]


def test_no_token_in_anything_that_is_written(
    hub: HubServer, small_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    zoo.push(small_model, "ada/small", dry_run=True)
    zoo.push(small_model, "ada/small", private=True)
    zoo.pull("ada/small", to=tmp_path / "mine")
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert TOKEN.encode() not in path.read_bytes(), path
