"""Other processes that measure claims of the same reproduction."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

import zoo
from helpers import claims
from helpers.claims import Good
from helpers.reporters import Heard
from zoo.reproducing import planning
from zoo.reproducing.bench import Shop
from zoo.reproducing.helpers import Helpers
from zoo.reproducing.planning import choose_processes, choose_threads
from zoo.reproducing.rows import claim_file
from zoo_core import UsageError, registry

pytestmark = pytest.mark.slow


def shop(folder: Path, heard: Heard) -> Shop:
    return Shop(folder, "seconds", {}, "cpu", "fp32", None, 1, heard)


def test_a_helper_measures_what_nobody_has_taken(tmp_path: Path) -> None:
    heard = Heard()
    (tmp_path / "claims").mkdir()
    with (
        FileLock(tmp_path / "claims" / ".stable.lock"),
        Helpers("dcgan", ["stable", "walks"], shop(tmp_path, heard), 1) as helpers,
    ):
        helpers.wait()
    assert not claim_file(tmp_path, "stable").exists()
    told = json.loads(claim_file(tmp_path, "walks").read_text())
    assert (told["error"], len(told["trainings"])) == ("", 1)
    assert "walks: Walking through latent space" in heard.text
    assert heard.text.count("walks: ") == 2  # what is measured, and the verdict


@pytest.fixture
def in_the_background() -> Iterator[None]:
    """As of a command that a shell begins in the background: Ctrl-C is ignored, also by the processes that it begins."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("in_the_background")
def test_helpers_end_with_the_block_and_leave_what_can_be_gone_on_with(tmp_path: Path) -> None:
    begun = time.monotonic()
    with Helpers("dcgan", ["stable"], shop(tmp_path, Heard()), 2) as helpers:
        while not list(tmp_path.glob("courses/*.json")):  # a first training is done, of four
            assert time.monotonic() - begun < 120
            time.sleep(0.1)
    assert all(process.poll() is not None for process in helpers.processes)
    assert not claim_file(tmp_path, "stable").exists()


def test_a_claim_of_another_process_is_left_to_it(tmp_path: Path) -> None:
    given = {"profile": "seconds", "device": "cpu", "precision": "fp32", "report": Heard(), "processes": 1}
    with registry.add(claims.plugin(good=Good)):
        zoo.reproduce("claims", out=tmp_path / "new", **given)
        claim_file(tmp_path / "new", "good").unlink()
        with FileLock(tmp_path / "new" / "claims" / ".good.lock"):
            done = zoo.reproduce("claims", out=tmp_path / "new", **given)
        assert [row.kind for row in done.rows] == ["not yet"]
        done = zoo.reproduce("claims", out=tmp_path / "new", **given)
        assert [row.kind for row in done.rows] == ["holds"]


@pytest.mark.parametrize(
    ("asked", "device", "cores", "processes", "threads"),
    [(None, "cpu", 4, 4, 1), (2, "cpu", 4, 2, 2), (1, "cpu", 4, 1, None), (None, "cuda", 4, 1, None), (3, "cpu", 2, 3, 1)],
)
def test_processes_share_the_cores(
    asked: int | None, device: str, cores: int, processes: int, threads: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "count_granted", lambda: cores)
    assert choose_processes(asked, device) == processes
    assert choose_threads(processes, device) == threads


def test_less_than_one_process_is_refused() -> None:
    with pytest.raises(UsageError, match=r"processes.* must be at least 1, not 0"):
        choose_processes(0, "cpu")


def test_a_helper_that_fails_is_told(tmp_path: Path) -> None:
    heard = Heard()
    with Helpers("no-such-paper", ["walks"], shop(tmp_path, heard), 1) as helpers:
        helpers.wait()
    assert "a process that helped ended with exit code 1; this one measures what it left" in heard.text
