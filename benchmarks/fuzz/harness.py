"""What all fuzzers share: tries that can be had again, limits of time, memory and words, and one JSON object at the end.

A target prepares a folder once and makes one try after another in a process of its own, which a try may end. Try number N of
seed S draws from `random.Random("S/N")` alone: `--only N` repeats it.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Any

from zoo_core import ZooError

SECONDS, MEMORY, LETTERS = 20.0, 2 << 30, 300
"""Seconds of a processor that a try may take, bytes beyond what was there, characters of a message."""

WAITING, MOST_WAITING = 6, 60  # times as long by the clock, for others may be busy; the latter while it would compute

KEEPING = 20.0  # seconds between two times that what came so far is kept

NOBODY = 65534


class Difference(Exception):
    """The same call gave something else than before, and nothing was said."""


class Endless(BaseException):
    """A try took longer than `SECONDS`."""


@dataclass(frozen=True)
class Try:
    """What is done: in words for who repeats it, and the call; it raises `ZooError`, `Difference`, or returns."""

    how: str
    act: Callable[[], object]


@dataclass(frozen=True)
class Target:
    """Something to be fuzzed.

    Args:
        name: of the target.
        prepare: makes in an empty folder what the tries need; called once, before the process of the tries begins.
        attempt: changes something in a folder that it may spoil, and says what to call; the folder is put back afterwards.
        raises: errors beside `ZooError` that are promised too.
        fresh: the name of the folder below that of `prepare` that every try gets a copy of; "" for none.
    """

    name: str
    prepare: Callable[[Path], object]
    attempt: Callable[[Path, random.Random, Any], Try]
    raises: tuple[type[BaseException], ...] = ()
    fresh: str = ""


@dataclass
class Summary:
    """What became of all tries: `outcomes` as promised (returned, refused), `violations` by kind, some of each in words."""

    target: str
    seed: int
    tries: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    violations: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    longest_seconds: float = 0.0
    longest_message: int = 0

    def add(self, number: int, how: str, kind: str, words: str, seconds: float, letters: int) -> None:
        self.tries += 1
        self.longest_seconds = max(self.longest_seconds, round(seconds, 2))
        self.longest_message = max(self.longest_message, letters)
        if kind in ("returned", "refused"):
            self.outcomes[kind] += 1
            return
        self.violations[kind] += 1
        if len(self.examples.setdefault(kind, [])) < 20:
            self.examples[kind].append(f"try {number}: {how}: {words}"[:400])

    def to_json(self) -> dict[str, Any]:
        promised = sum(self.outcomes.values())
        return {**vars(self), "outcomes": dict(self.outcomes), "violations": dict(self.violations), "as_promised": promised}

    @staticmethod
    def from_json(found: dict[str, Any]) -> Summary:
        values = {key: value for key, value in found.items() if key != "as_promised"}
        counts = {key: Counter(values[key]) for key in ("outcomes", "violations")}
        return Summary(**{**values, **counts})


def fuzz(
    target: Target,
    tries: int,
    seed: int,
    *,
    only: int | None = None,
    seconds: float = SECONDS,
    before: Summary | None = None,
    keep: Callable[[Summary], object] = lambda summary: None,
) -> Summary:
    """Make the tries; those that end the process are counted, and the next one begins in another.

    `before` is what came of the first ones of them; `keep` is told what came so far, every now and then.
    """
    summary = before or Summary(target.name, seed)
    context = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory(prefix="zf-") as place, quiet() if not os.environ.get("FUZZ_LOUD") else nullcontext():
        folder = Path(place)
        folder.chmod(0o755)
        known = target.prepare(folder)
        following, end = (summary.tries, tries) if only is None else (only, only + 1)
        kept = time.monotonic()
        while following < end:
            ours, theirs = context.Pipe()
            child = context.Process(target=_make_tries, args=(theirs, target, folder, known, seed, following, end, seconds))
            child.start()
            theirs.close()
            doing, began = "", time.monotonic()
            while True:
                try:
                    if not ours.poll(WAITING * seconds):
                        if _is_starved(child.pid or 0, seconds) and time.monotonic() - began < MOST_WAITING * seconds:
                            continue
                        os.kill(child.pid or 0, signal.SIGUSR1)  # so that it says where it is
                        if not ours.poll(2 * seconds):
                            child.kill()
                            summary.add(following, doing, "endless", "answers no signal", WAITING * seconds, 0)
                            following += 1
                            break
                    told = ours.recv()
                except (EOFError, OSError):
                    child.join()
                    if following < end:
                        code = child.exitcode or 0
                        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
                        summary.add(following, doing, "ended the process", how, time.monotonic() - began, 0)
                        following += 1
                    break
                if isinstance(told, str):
                    doing, began = told, time.monotonic()
                    _STARTED[child.pid or 0] = _processor_time(child.pid or 0)[0]
                else:
                    summary.add(following, doing, *told)
                    following, doing = following + 1, "before it began"
                if time.monotonic() > kept + KEEPING:
                    keep(summary)
                    kept = time.monotonic()
            ours.close()
            child.join()
    return summary


_STARTED: dict[int, float] = {}
"""Process → the seconds of a processor that it had taken when its try began."""


def _is_starved(process: int, seconds: float) -> bool:
    """Return whether a process would compute, and others keep it from it."""
    taken, state = _processor_time(process)
    return state == "R" and taken - _STARTED.get(process, 0.0) < seconds


def _processor_time(process: int) -> tuple[float, str]:
    """Return the seconds of a processor that a process has taken, and its state, as Linux tells them; 0 and "" elsewhere."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), fields[0]
    except (OSError, IndexError, ValueError):
        return 0.0, ""


def _make_tries(
    pipe: Connection, target: Target, folder: Path, known: object, seed: int, first: int, end: int, seconds: float
) -> None:
    signal.signal(signal.SIGUSR1, _stop)
    for number in range(first, end):
        draw = random.Random(f"{seed}/{number}")
        place = folder
        if target.fresh:
            place = folder / "try"
            restore_rights(place)
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(folder / target.fresh, place, symlinks=True)
        try:
            attempt = target.attempt(place, draw, known)
        except Exception:  # the fuzzer itself is at fault
            pipe.send(("not made", traceback.format_exc()[-300:], 0.0, 0))
            continue
        pipe.send(attempt.how)
        pipe.send(judge(attempt, target.raises, seconds, str(folder)))
    restore_rights(folder / "try")
    pipe.close()


def judge(attempt: Try, raises: tuple[type[BaseException], ...], seconds: float, folder: str) -> tuple[str, str, float, int]:
    """Make one try; return its kind, words about it, the seconds that it took, and the length of its message."""
    before, letters = _forget_peak(), 0
    computed = time.process_time()
    try:
        with as_nobody() if "forbidden" in attempt.how else nullcontext():
            attempt.act()
        kind, words = "returned", ""
    except (ZooError, *raises) as error:
        text = str(error).replace(folder, "DIR")
        letters = len(text)
        kind, words = ("refused", "") if letters <= LETTERS else ("long message", text[:200])
    except Difference as error:
        kind, words = "silent difference", str(error)
    except Endless as error:
        kind, words = "endless", f"at {_say_places(error)}"
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        kind, words = f"other exception ({type(error).__name__})", f"{str(error)[:160]} at {_say_places(error)}"
    took = time.process_time() - computed
    if took > seconds and kind in ("returned", "refused"):
        kind, words = "endless", f"{took:.0f} s"
    grown = _peak() - before
    if grown > MEMORY and kind in ("returned", "refused"):
        kind, words = "memory", f"{grown / 1e9:.1f} GB"
    return kind, words, took, letters


def _say_places(error: BaseException) -> str:
    """Return the innermost three places of an exception, without folders: "adam.py:192 < adam.py:238"."""
    where = traceback.extract_tb(error.__traceback__)[-3:]
    return " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(where))


def _stop(number: int, frame: FrameType | None) -> None:
    raise Endless


@contextmanager
def as_nobody() -> Iterator[None]:
    """Be a user for whom rights count: root reads everything."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


def give_away(folder: Path) -> None:
    """Let a folder and all below belong to who makes the tries."""
    if os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


def restore_rights(folder: Path) -> None:
    """Let everything below a folder be deleted again."""
    for path in (folder, *folder.rglob("*")) if folder.exists() else ():
        if not path.is_symlink():
            with suppress(OSError):
                path.chmod(0o755 if path.is_dir() else 0o644)


def _forget_peak() -> int:
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # Linux: the peak begins anew
    return _peak()


def _peak() -> int:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@contextmanager
def quiet() -> Iterator[None]:
    """Print nothing that the zoo has to say."""
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        yield


def main(target: Target, *, tries: int) -> int:
    """Run one target as a script."""
    parser = argparse.ArgumentParser(description=f"Fuzz {target.name}.")
    parser.add_argument("--tries", type=int, default=tries)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="make this one try alone")
    parser.add_argument("--json", action="store_true", help="print only the last line")
    given = parser.parse_args()
    found = fuzz(target, given.tries, given.seed, only=given.only).to_json()
    if not given.json:
        for kind, examples in found["examples"].items():
            print(f"{kind}: {found['violations'][kind]}", *examples, sep="\n  ")
    print(json.dumps(found))
    return 1 if found["violations"] else 0


def set_up() -> None:
    """Let torch compute in one thread, and keep what is cached to this process. Call it before anything else."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.setrecursionlimit(1000)
    import torch

    torch.set_num_threads(1)
