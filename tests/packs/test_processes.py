"""Packs and processes: scripts without a guard, two builds at once, Ctrl-C, and builds that are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from helpers.packs import pictures

pytestmark = pytest.mark.slow

TESTS = Path(__file__).parents[1]
COUNTED = "helpers.pack_samples:Counted"
UNGUARDED = """
import sys
with open({marks!r}, "a") as file:
    file.write("started\\n")
from zoo_core import FileDataset, Plugin, registry
import zoo
from zoo.progress import PlainReporter
{more}
registry.add(Plugin(datasets=dict(sample={target!r})))
request = zoo.PackRequest("sample", data={data!r}, size=8, options={options!r})
pack = zoo.build_pack(request, workers=2, report=PlainReporter(every=0.2))
print(len(pack), "packed")
"""


class Script:
    """A script as a user writes it, in a process of its own."""

    def __init__(self, folder: Path, data: Path, *, target: str = COUNTED, more: str = "", **options: object):
        self.marks, self.log = folder / "marks", folder / "log"
        if target == COUNTED:
            options["log"] = str(self.log)
        self.text = UNGUARDED.format(marks=str(self.marks), more=more, target=target, data=str(data), options=options)
        self.path = folder / "script.py"
        self.path.write_text(self.text)

    def start(self, *, stdin: bool = False) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-"] if stdin else [sys.executable, str(self.path)],
            env={**os.environ, "PYTHONPATH": str(TESTS)},
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        if stdin:
            assert process.stdin is not None
            process.stdin.write(self.text)
            process.stdin.close()
            process.stdin = None
        return process

    def decoded(self) -> list[str]:
        """Keys of what was decoded so far, by any process."""
        return [line.split()[1] for line in self.log.read_text().splitlines()] if self.log.exists() else []

    def processes(self) -> set[int]:
        return {int(line.split()[0]) for line in self.log.read_text().splitlines()}

    def until_decoding(self, process: subprocess.Popen[str], count: int) -> None:
        end = time.monotonic() + 240  # a machine that is busy with other things starts processes slowly
        while len(self.decoded()) < count:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end
            time.sleep(0.02)


def finished(process: subprocess.Popen[str]) -> tuple[str, str]:
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    return out, err


def alive(process: int) -> bool:
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("stdin", [False, True], ids=["file", "stdin"])
def test_a_script_without_a_guard(stdin: bool, tmp_path: Path) -> None:
    script = Script(tmp_path, pictures(tmp_path / "data", 300), sleep=0.01)  # time for both workers to begin
    out, err = finished(script.start(stdin=stdin))
    assert out == "300 packed\n"
    assert script.marks.read_text() == "started\n"
    assert sorted(script.decoded()) == sorted(set(script.decoded()))
    assert len(script.processes()) == 2
    assert "Traceback" not in err


def test_a_dataset_defined_in_the_script(tmp_path: Path) -> None:
    more = "class Mine(FileDataset):\n    pass\n"
    script = Script(tmp_path, pictures(tmp_path / "data", 300), target="__main__:Mine", more=more)
    out, err = finished(script.start())
    assert out == "300 packed\n"
    assert script.marks.read_text() == "started\n"
    assert "Traceback" not in err


def test_two_builds_at_once_decode_everything_once(tmp_path: Path) -> None:
    script = Script(tmp_path, pictures(tmp_path / "data", 300), sleep=0.005)
    both = [script.start(), script.start()]
    results = [finished(process) for process in both]
    assert [out for out, _ in results] == ["300 packed\n"] * 2
    assert len(script.decoded()) == 300
    assert sorted("from the cache" in err for _, err in results) == [False, True]


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_ctrl_c_ends_it_at_once_and_leaves_nothing(tmp_path: Path, cache: Path) -> None:
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"  # background jobs inherit a deaf ear
    script = Script(tmp_path, pictures(tmp_path / "data", 400), more=heard, sleep=0.05)
    process = script.start()
    script.until_decoding(process, 30)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the whole group, workers included
    before = len(script.decoded())
    _, err = process.communicate(timeout=240)
    assert len(script.decoded()) - before < 100  # chunks of 64 that both workers are at end before they are done
    assert process.returncode != 0
    assert err.count("Traceback") == 1
    assert err.strip().endswith("KeyboardInterrupt")
    assert [path for path in (cache / "packs").iterdir() if path.is_dir()] == []


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="needs /proc")
def test_workers_end_with_a_parent_that_is_killed_and_the_next_build_cleans_up(tmp_path: Path, cache: Path) -> None:
    script = Script(tmp_path, pictures(tmp_path / "data", 400), sleep=0.008)
    process = script.start()
    script.until_decoding(process, 30)
    workers = script.processes()
    process.kill()
    process.communicate()
    end = time.monotonic() + 60
    while any(alive(worker) for worker in workers):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert len([path for path in (cache / "packs").iterdir() if path.is_dir()]) == 1
    finished(script.start())
    (folder,) = [path for path in (cache / "packs").iterdir() if path.is_dir()]
    assert folder.name.startswith("sample-8-")
