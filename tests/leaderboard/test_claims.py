"""Who has a cell: a process here, one that was killed, one on another machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from zoo.files import remove_folder
from zoo.leaderboard import claims
from zoo.leaderboard.claims import CLAIM, STALE, claim, disk_time
from zoo_core import ZooError

HOLD = """
import sys, time
from pathlib import Path
from zoo.leaderboard.claims import claim
with claim(Path(sys.argv[1])) as mine:
    print("has it" if mine else "has it not", flush=True)
    time.sleep(600)
"""


def test_a_claim_keeps_others_out_and_ends(tmp_path: Path) -> None:
    with claim(tmp_path / "cell") as mine:
        assert mine is not None
        assert mine.holds()
        with claim(tmp_path / "cell") as another:
            assert another is None
        assert mine.holds()
    assert not (tmp_path / "cell" / CLAIM).exists()
    with claim(tmp_path / "cell") as mine:
        assert mine is not None


def test_a_killed_claimant_is_known_at_once(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "cell")], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "has it\n"
    with claim(tmp_path / "cell") as mine:
        assert mine is None
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=60)
    assert (tmp_path / "cell" / CLAIM).exists()  # nobody was there to take it away
    with claim(tmp_path / "cell") as mine:
        assert mine is not None


def write_foreign(cell: Path, age: float) -> None:
    """Write a claim of another machine, whose locks are not seen here, renewed `age` seconds ago."""
    cell.mkdir()
    (cell / CLAIM).write_text(json.dumps({"token": "theirs", "machine": "another", "process": 1}))
    os.utime(cell / CLAIM, (disk_time(cell) - age,) * 2)


def test_another_machines_claim_counts_while_it_is_renewed(tmp_path: Path) -> None:
    write_foreign(tmp_path / "cell", STALE / 2)
    with claim(tmp_path / "cell") as mine:
        assert mine is None
    assert json.loads((tmp_path / "cell" / CLAIM).read_text())["token"] == "theirs"


def test_another_machines_claim_that_nobody_renews_is_taken_over(tmp_path: Path) -> None:
    write_foreign(tmp_path / "cell", 2 * STALE)
    with claim(tmp_path / "cell") as mine:
        assert mine is not None
        assert mine.holds()


def test_a_claim_is_renewed_and_notices_that_it_was_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "BEAT", 0.02)
    with claim(tmp_path / "cell") as mine:
        assert mine is not None
        os.utime(mine.file, (1, 1))
        deadline = time.monotonic() + 60
        while mine.file.stat().st_mtime < 10 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert mine.file.stat().st_mtime > 10
        mine.file.write_text(json.dumps({"token": "theirs"}))
        assert not mine.holds()
    assert json.loads((tmp_path / "cell" / CLAIM).read_text()) == {"token": "theirs"}  # which stays


def test_a_damaged_claim_is_none(tmp_path: Path) -> None:
    (tmp_path / "cell").mkdir()
    (tmp_path / "cell" / CLAIM).write_text("{")
    with claim(tmp_path / "cell") as mine:
        assert mine is not None


def test_a_cell_that_is_taken_away_once_it_is_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As by a process that finished the board's last cell while this one waited for the lock."""

    def vanish(file: Path, value: object) -> None:
        remove_folder(tmp_path / "cells")
        raise ZooError(f"{file} cannot be written: No such file or directory")

    monkeypatch.setattr(claims, "write_json", vanish)
    with claim(tmp_path / "cells" / "cell") as mine:
        assert mine is None
    assert not (tmp_path / "cells").exists()


def test_a_cell_that_cannot_be_written_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(file: Path, value: object) -> None:
        raise ZooError(f"{file} cannot be written")

    monkeypatch.setattr(claims, "write_json", fail)
    with pytest.raises(ZooError, match="cannot be written"), claim(tmp_path / "cell"):
        pass
