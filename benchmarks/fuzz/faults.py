"""Run every command under every fault of a machine: an exit code, one message, nothing half-written, no traceback, no hang.

    python benchmarks/fuzz/faults.py [--commands train,sample] [--faults full-stdout,storm] [--json]

A full standard output, one that nobody reads, no HOME and one that cannot be written, an ASCII locale, files that may not
grow, few files at once, little memory, long, deep and strange paths, a data folder whose name begins with a dot,
a closed terminal, a storm of Ctrl-C, a clock that is set back, two processes in one place; and, where this process may mount
them, a disk of 1 MB, one that can be read only, one that takes only few files. Whatever a signal or a limit has stopped is
then called once more without it, and has to succeed. `--out` adds the pairs to those that a file holds already. With
`--forked` commands are children of this process, which has imported torch and the zoo already, wherever the fault is not one
that must be there when Python begins: a fifth of the time. The last line of standard output is one JSON object: how many
pairs were tried, which did not keep the promise and why, and which could not be tried here.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from zoo_cli import main as RUN

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

PATIENCE = 600.0  # seconds by the clock, for the machine may be busy
TINY = [
    *("--size", "16", "--batch", "8", "--images", "64", "--device", "cpu", "--precision", "fp32", "--threads", "1"),
    *("--set", "generator.width=4", "--set", "discriminator.width=4", "--set", "generator.latent_dim=4"),
]
CONTEST = ["--seeds", "1", "--samples", "16", "--points", "1"]
FOLDER = ["--dataset", "folder", "--data"]
MEASURED = ["--metrics", "frechet", "--features", "scattering", "--samples", "16", "--real", "16", "--resamples", "0"]
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii", "PYTHONCOERCECLOCALE": "0"}


@dataclass
class Place:
    """Where a pair is tried: paths of what is there already, and the folder that it may write into."""

    root: Path
    work: Path
    data: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def model(self) -> Path:
        return self.root / "run" / "model"


Started = tuple[Any, Any]  # a process, and the file that it says its errors into
COMMANDS: dict[str, Callable[[Place], list[str]]] = {
    "train": lambda p: ["train", "dcgan", *FOLDER, str(p.data), *TINY, "--no-watch", "--out", f"{p.work}/run"],
    "build": lambda p: ["data", "build", *FOLDER, str(p.data), "--size", "12"],
    "export": lambda p: ["export", str(p.run), f"{p.work}/exported"],
    "push": lambda p: ["push", str(p.model), "ada/small"],
    "pull": lambda p: ["pull", "ada/there", "--out", f"{p.work}/pulled"],
    "sample": lambda p: ["sample", str(p.model), "-n", "4", "--out", f"{p.work}/samples.png", "--device", "cpu"],
    "evaluate": lambda p: ["evaluate", str(p.run), *FOLDER, str(p.data), *MEASURED, "--out", f"{p.work}/numbers.json"],
    "compare": lambda p: ["compare", str(p.run), f"{p.root}/other", "--out", f"{p.work}/compared"],
    "contest": lambda p: ["compare", "dcgan", *FOLDER, str(p.data), *TINY, *CONTEST, "--out", f"{p.work}/contest"],
    "list": lambda p: ["list", "recipes"],
    "demo": lambda p: ["demo", str(p.model)],
}
ENDLESS = ("demo",)
AGAIN = ("train", "build", "contest")  # what goes on where it was


@dataclass(frozen=True)
class Fault:
    """What is amiss; `codes` are the exit codes that are promised, `ok` whether the command may succeed all the same."""

    codes: tuple[int, ...] = (0, 1)
    environment: dict[str, str | None] = field(default_factory=dict)
    limit: Callable[[], None] | None = None  # called in the new process
    stdout: str = ""  # a file that standard output goes to; "closed": a pipe that nobody reads
    signals: tuple[tuple[signal.Signals, int], ...] = ()  # sent one after another, how often
    twice: bool = False
    data: str = "pictures"
    work: str = "work"
    mount: str = ""  # options of a disk in memory that is mounted there


def _files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


def _few() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))


def _memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))


def _little_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))


STRANGE = "a b'c\"d$(e);&|*?#\n\u202e\x1b[31m%s{0}ü漢\udcff/-rf"
CLOCK = """
import time
_real, _first = time.time, time.time()
time.time = lambda: _real() - (86_400 if _real() > _first + 3 else 0)
time.time_ns = lambda: int(time.time() * 1e9)
"""


FAULTS: dict[str, Fault] = {
    "none": Fault(codes=(0,)),
    "full-stdout": Fault(stdout="/dev/full"),
    "closed-stdout": Fault(stdout="closed"),
    "no-home": Fault(environment={"HOME": None, "ZOO_CACHE": None, "XDG_CACHE_HOME": None}),
    "unwritable-home": Fault(environment={"HOME": "/proc/1", "ZOO_CACHE": None, "XDG_CACHE_HOME": None, "HF_HOME": None}),
    "ascii": Fault(codes=(0,), environment=ASCII),
    "ascii-strange-path": Fault(environment=ASCII, work=STRANGE),
    "file-size": Fault(limit=_files),
    "few-files": Fault(limit=_few),
    "memory": Fault(limit=_memory),
    "little-memory": Fault(limit=_little_memory),
    "strange-path": Fault(codes=(0,), work=STRANGE),
    "deep-path": Fault(codes=(0,), work="/".join(["d"] * 400)),
    "clock-back": Fault(codes=(0,), environment={"PYTHONPATH": "CLOCK"}),
    "long-path": Fault(work="/".join(["x" * 200] * 12)),
    "longer-name": Fault(work="y" * 300, codes=(0, 1, 2)),
    "dot-data": Fault(codes=(0,), data=".pictures"),
    "hangup": Fault(codes=(0, 129, -1), signals=((signal.SIGHUP, 1),)),
    "storm": Fault(codes=(0, 130), signals=((signal.SIGINT, 50),)),
    "two": Fault(codes=(0, 1, 2), twice=True),
    "small-disk": Fault(mount="size=1m"),
    "no-inodes": Fault(mount="size=64m,nr_inodes=4"),
    "read-only": Fault(codes=(0, 1, 2), mount="ro"),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--commands", default=",".join(COMMANDS))
    parser.add_argument("--faults", default=",".join(FAULTS))
    parser.add_argument("--forked", action="store_true", help="import torch once")
    parser.add_argument("--out", type=Path, help="a JSON file whose pairs of these names are replaced")
    parser.add_argument("--json", action="store_true", help="print only the last line")
    given = parser.parse_args()
    chosen: dict[str, Any] = {"told": not given.json, "forked": given.forked, "out": given.out}
    found = try_all(given.commands.split(","), given.faults.split(","), **chosen)
    print(json.dumps({key: value for key, value in found.items() if key != "ends"}))
    return 1 if found["violations"] else 0


def try_all(
    commands: list[str], faults: list[str], *, told: bool = False, forked: bool = False, out: Path | None = None
) -> dict[str, Any]:
    """Try every pair; return what `main` prints."""
    from helpers.hub_server import HubServer
    from helpers.hub_server.fixtures import TOKEN, environment

    found: dict[str, Any] = {"pairs": 0, "as_promised": 0, "violations": {}, "untried": [], "ends": {}}
    with tempfile.TemporaryDirectory(prefix="zf-") as folder, HubServer(Path(folder, "hub"), {TOKEN: "ada"}) as hub:
        root = Path(folder)
        base = {**os.environ, "OMP_NUM_THREADS": "1", "ZOO_CACHE": f"{root}/cache", "HF_TOKEN": TOKEN, "COLUMNS": "100"}
        base.update(environment(hub, root / "hf"))
        prepare(root, base)
        if forked:
            import_all(base)
        for name in faults:
            for command in commands:
                place = Place(root, root / f"{command}-{name}" / FAULTS[name].work, root / FAULTS[name].data)
                why = try_one(place, command, FAULTS[name], base, forked)
                found["ends"][f"{name}/{command}"] = "could not be tried" if why is None else why or "as promised"
                write(out, found["ends"])
                if why is None:
                    found["untried"].append(f"{command}/{name}")
                    continue
                found["pairs"] += 1
                found["as_promised"] += not why
                if why:
                    found["violations"][f"{command}/{name}"] = why
                if told:
                    print(f"{command:9} {name:16} {why or 'as promised'}", flush=True)
    return found


def prepare(root: Path, environment: dict[str, str]) -> None:
    """Make pictures, a run, its model, and a model on the Hub."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    for folder in ("pictures", ".pictures"):
        (root / folder).mkdir()
        for i in range(24):
            Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)).save(root / folder / f"{i}.png")
    (root / "clock").mkdir()
    (root / "clock" / "sitecustomize.py").write_text(CLOCK)
    base = ["train", "dcgan", *FOLDER, f"{root}/pictures", *TINY, "--no-watch", "--out", f"{root}/run"]
    for words in (base, ["push", f"{root}/run/model", "ada/there"]):
        done = subprocess.run([sys.executable, "-m", "zoo_cli", *words], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    shutil.copytree(root / "run", root / "other")


def write(out: Path | None, ends: dict[str, str]) -> None:
    """Add what came of pairs to those that a file holds."""
    if out is not None:
        before = json.loads(out.read_text(encoding="utf-8")) if out.exists() else {}
        whole = dict(sorted({**before.get("faults", {}), **ends}.items()))
        out.write_text(json.dumps({**before, "faults": whole}, indent=1) + "\n", encoding="utf-8")


def import_all(environment: dict[str, str]) -> None:
    """Import what most commands import."""
    os.environ.update(environment)
    import torch

    from zoo_core import registry

    for name in ("compare", "data", "export", "measuring", "pull", "push", "sample", "train"):
        import_module(f"zoo_cli.{name}")
    for name in (
        "training.train",
        "comparing.running",
        "comparing.runs",
        "evaluating.evaluate",
        "hub.publishing",
        "packs.build",
    ):
        import_module(f"zoo.{name}")
    torch.set_num_threads(1)
    registry.names("recipes")


class Forked:
    """A command in a child of this process; does what is asked of `subprocess.Popen` here."""

    def __init__(
        self, words: list[str], environment: dict[str, str], stdout: int, errors: Any, begin: Callable[[], None]
    ) -> None:
        def act() -> None:
            os.dup2(stdout if stdout >= 0 else os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(errors.fileno(), 2)
            os.environ.clear()
            os.environ.update(environment)
            sys.argv = ["zoo", *words]
            begin()
            RUN()

        self.process = multiprocessing.get_context("fork").Process(target=act)
        self.process.start()

    def poll(self) -> int | None:
        return self.process.exitcode

    def wait(self, seconds: float | None = None) -> int | None:
        self.process.join(seconds)
        if self.process.exitcode is None:
            raise subprocess.TimeoutExpired("zoo", seconds or 0.0)
        return self.process.exitcode

    def send_signal(self, number: int) -> None:
        os.kill(self.process.pid or 0, number)

    def kill(self) -> None:
        self.process.kill()


def try_one(place: Place, command: str, fault: Fault, base: dict[str, str], forked: bool = False) -> str | None:
    """Return what is wrong with how a command takes a fault, "" for nothing, None where it cannot be tried here."""
    environment = {key: value for key, value in {**base, **fault.environment}.items() if value is not None}
    if environment.get("PYTHONPATH") == "CLOCK":
        environment["PYTHONPATH"] = f"{place.root}/clock"
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # a name that is too long is the command's own affair
            place.work.mkdir(parents=True, exist_ok=True)
        if fault.mount:
            try:
                stack.enter_context(small_disk(place.work, fault.mount))
            except (OSError, subprocess.CalledProcessError):
                return None
            environment["ZOO_CACHE"] = f"{place.work}/cache"
        forked = forked and not fault.environment and not fault.stdout and command != "demo"
        words = COMMANDS[command](place)
        processes = [start(words, environment, fault, stack, forked) for _ in range(1 + fault.twice)]
        ends = [finish(process, fault, endless=command in ENDLESS) for process in processes]
        problems = [judge(code, errors, fault) for code, errors in ends]
        if command in AGAIN and (fault.signals or fault.limit or fault.twice):
            if command == "train" and (place.work / "run" / "run.json").exists():
                words = ["train", "--resume", f"{place.work}/run"]
            code, errors = finish(start(words, environment, FAULTS["none"], stack, forked), FAULTS["none"], endless=False)
            why = "" if " is finished: " in errors else judge(code, errors, FAULTS["none"])
            problems += [f"called again: {why}"] if why else []
        left = [path.name for path in place.work.rglob(".unfinished-*")] if os.path.exists(place.work) else []
    if left and not fault.signals:
        problems.append(f"half-written: {left[0]}")
    return "; ".join(filter(None, problems))


def start(
    words: list[str], environment: dict[str, str], fault: Fault, stack: contextlib.ExitStack, forked: bool = False
) -> Started:
    stdout: Any = subprocess.DEVNULL
    if fault.stdout == "closed":
        reading, stdout = os.pipe()
        os.close(reading)
        stack.callback(os.close, stdout)
    elif fault.stdout:
        stdout = os.open(fault.stdout, os.O_WRONLY)
        stack.callback(os.close, stdout)

    def limit() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if fault.limit is not None:
            fault.limit()

    errors = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 (the stack closes it)
    if forked:
        return Forked(words, environment, stdout, errors, limit), errors
    command = [os.fsencode(word) for word in (sys.executable, "-m", "zoo_cli", *words)]
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=stdout, stderr=errors, preexec_fn=limit
    )
    return process, errors


def finish(started: Started, fault: Fault, *, endless: bool) -> tuple[int | None, str]:
    """Send the signals while it works; return the exit code, None where it hangs, and what it said."""
    process, errors = started
    if fault.signals or endless:
        deadline = time.monotonic() + (30 if endless else 6)
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        for number, times in fault.signals or ((signal.SIGTERM, 1),):
            for _ in range(times):
                if process.poll() is None:
                    process.send_signal(number)
                    time.sleep(0.01)
    try:
        code = process.wait(PATIENCE)
        errors.seek(0)
        return code, errors.read().decode("utf-8", "replace")
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None, ""


def judge(code: int | None, errors: str, fault: Fault) -> str:
    if code is None:
        return f"hangs for {PATIENCE:.0f} s"
    if "Traceback" in errors:
        return f"traceback: {errors.strip().splitlines()[-1][:160]}"
    if "unexpected" in errors:
        return f"unexpected: {errors.strip()[-200:]}"
    if code not in fault.codes and not (code == 143 and not fault.signals):
        return f"exit code {code}: {errors.strip()[-160:]}"
    if code in (1, 2) and "error: " not in errors and fault.stdout != "closed":
        return f"exit code {code} without a message"
    return ""


@contextlib.contextmanager
def small_disk(folder: Path, options: str) -> Iterator[None]:
    """A disk in the place of a folder; raises OSError or CalledProcessError where this process may not mount one."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=False, capture_output=True)


if __name__ == "__main__":
    sys.exit(main())
