"""Record the first ten minutes with the zoo in a terminal of 80 columns, or check that they still go as recorded.

    python .ci/session.py --write   # records docs/first-ten-minutes.md, at the budgets that the page shows
    python .ci/session.py           # the same commands with small budgets: every kind of line shown must still be said

Runs in the environment of the interpreter that it is given, into which `zoo` was installed, and in an empty folder. A
command sees a real terminal; what stands on the page is what a person would have seen at its end, and while it trained.

How it compares: in the page's block of each command and in what the command says now, numbers with their units, times,
hashes and bars are masked and spaces collapsed (`mask`); each masked line of the page must then be among those of now. Of a
command that depends on how long was trained only so large a share of them (`Step.least`): a training of seconds is not
watched and ends with other verdicts. Lines that are only said now are no fault, and neither is their order. The view of a
running training is not compared.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path
from typing import NamedTuple

import pyte

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "first-ten-minutes.md"
COLUMNS, ROWS, LIMIT = 80, 50, 900


class Step(NamedTuple):
    """A command that a person types, with what stands before it on the page."""

    says: str
    command: str
    small: str = ""  # the command with a small budget; "": the same
    fails: bool = False
    peek: float = 0.0  # after how many seconds the screen is shown while it runs; 0: not at all
    least: float = 1.0  # share of the page's lines that must be said with a small budget


TRAIN = "zoo train dcgan --dataset faces --size 32"
STEPS = [
    Step("Without arguments, `zoo` says what to try.", "zoo"),
    Step("A model comes along, so faces come at once.", "zoo sample dcgan-faces --out faces.png"),
    Step(
        "A network of your own.",
        f"{TRAIN} --minutes 3",
        f"{TRAIN} --limit 256 --images 640 --set training.log_every=4",
        peek=100,
        least=0.4,
    ),
    Step("What was trained here:", "zoo runs", least=0.3),
    Step("The beginning of a name is enough.", "zoo sample runs/dcgan-faces --out samples.png", least=0.5),
    Step("How the training went, in words:", "zoo diagnose runs/dcgan-faces", least=0.2),
    Step(
        'More models come with `pip install "dcgan-zoo[models]"`. Smooth rows mean that one has learned.',
        "zoo walk dcgan-avataaars",
        "zoo walk dcgan-avataaars --latents 3 --steps 3",
        least=0.6,
    ),
    Step(
        "Calculate with faces.",
        'zoo arithmetic dcgan-avataaars "glasses+dark - dark + light"',
        'zoo arithmetic dcgan-avataaars "glasses+dark - dark + light" --searched 768',
        least=0.6,
    ),
    Step("Mistakes are answered by what to type next.", "zoo train dcgan --dataset faces --size 100", fails=True),
    Step("", "zoo sample runs/nope", fails=True),
    Step("Every command explains itself.", "zoo sample --help"),
    Step("Tab completes names, paths and options.", "zoo completion bash > zoo-completion.sh"),
]


class Shown(NamedTuple):
    code: int
    seconds: float
    lines: list[str]
    while_running: list[str]


def run(command: str, folder: Path, env: dict[str, str], peek: float) -> Shown:
    """Run a command on a terminal of its own; return all that it left there, and the screen after `peek` seconds."""
    screen = pyte.HistoryScreen(COLUMNS, ROWS, history=100_000, ratio=0.5)
    stream = pyte.ByteStream(screen)
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    start = time.monotonic()
    process = subprocess.Popen(
        ["bash", "-c", command],
        cwd=folder,
        env=env,
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    )
    os.close(follower)
    seen: list[str] = []
    while True:
        elapsed = time.monotonic() - start
        if elapsed > LIMIT:
            os.killpg(process.pid, signal.SIGKILL)
            sys.exit(f"{command} took longer than {LIMIT} seconds")
        if peek and not seen and elapsed > peek:
            seen = _text(screen)
        ready, _, _ = select.select([leader], [], [], 0.1)
        if ready:
            try:
                data = os.read(leader, 65536)
            except OSError:  # Linux says so when the other side is closed
                break
            if not data:
                break
            stream.feed(data)
        elif process.poll() is not None:
            break
    os.close(leader)
    return Shown(process.wait(), time.monotonic() - start, _text(screen), seen)


def _text(screen: pyte.HistoryScreen) -> list[str]:
    above = ["".join(line[i].data for i in range(COLUMNS)).rstrip() for line in screen.history.top]
    lines = [*above, *(line.rstrip() for line in screen.display)]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def mask(line: str) -> str:
    """Leave the kind of a line: without numbers, units of time and size, hashes, bars and the width of its spaces."""
    line = re.sub(r"\b(?=[0-9a-f]*\d)[0-9a-f]{6,}\b", "#", line)
    line = re.sub(r"[━╸╺─█▏▎▍▌▋▊▉▁▂▃▄▅▆▇]+", "=", line)
    line = re.sub(r"[-−+]?\d[\d,.:]*(e[-+]?\d+)?", "#", line)
    line = re.sub(r"# ?(seconds?|minutes?|hours?|min|ms|s|h|[kKMG]?i?B)\b", "#", line)
    return " ".join(re.sub(r"#( ?#)+", "#", line).split())


def unwrap(lines: list[str]) -> list[str]:
    """Join what the terminal broke: where a line breaks depends on how long its numbers are."""
    joined: list[str] = []
    whole = False
    for line in lines:
        joined = [*joined[:-1], joined[-1] + line] if whole else [*joined, line]
        whole = len(line) == COLUMNS
    return joined


def find_missing(shown: list[str], said: list[str]) -> list[str]:
    """The lines of the page whose kind is not among those said now."""
    kinds = {mask(line) for line in unwrap(said)}
    return [line for line in unwrap(shown) if mask(line) and mask(line) not in kinds]


def read_blocks(page: str) -> dict[str, list[str]]:
    """The lines below each `$ command` of a page, by command."""
    blocks = re.findall(r"^```text\n\$ (.*?)\n(.*?)^```", page, re.M | re.S)
    return {command: lines.splitlines() for command, lines in blocks}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true", help="record the page anew, at the budgets that it shows")
    writes = parser.parse_args().write
    if not writes and not PAGE.exists():
        sys.exit(f"there is no {PAGE.name} yet: python .ci/session.py --write")
    blocks = {} if writes else read_blocks(PAGE.read_text("utf-8"))
    faults: list[str] = []
    page = ["# The first ten minutes", "", "A terminal of 80 columns, in an empty folder.", ""]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "zoo-session")
        folder.mkdir()
        env = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES")}
        path = f"{Path(sys.executable).parent}:{env['PATH']}"
        env |= {"ZOO_CACHE": str(Path(name, "cache")), "TERM": "xterm-256color", "PYTHONUTF8": "1", "PATH": path}
        start, load = time.monotonic(), os.getloadavg()[0]
        for step in STEPS:
            shown = run(step.command if writes else step.small or step.command, folder, env, step.peek if writes else 0)
            print(f"{shown.seconds:6.1f} s  {step.command}", flush=True)
            if (shown.code != 0) != step.fails:
                faults.append(f"{step.command} ended with {shown.code}:\n" + "\n".join(shown.lines))
            lines = [line.replace(str(folder), "~/zoo-session").replace(name, "~") for line in shown.lines]
            if not writes:
                if step.command not in blocks:
                    faults.append(f"the page lacks: {step.command}")
                there = blocks.get(step.command, [])
                missing = find_missing(there, lines)
                if len(missing) > (1 - step.least) * sum(bool(mask(line)) for line in unwrap(there)):
                    faults += [f"{step.command} no longer says: {line}" for line in missing]
                continue
            page += [step.says, ""] if step.says else []
            page += ["```text", f"$ {step.command}", *lines, "```", ""]
            if shown.while_running:
                page += [f"The screen after {step.peek:.0f} seconds of it:", "", "```text", *shown.while_running, "```", ""]
            minutes, seconds = divmod(round(time.monotonic() - start), 60)
            page += [f"*{minutes} min {seconds:02d} s*", ""]
    if faults:
        sys.exit("\n".join(faults))
    if writes:
        page.append(
            f"Recorded on {os.cpu_count()} cores; the load was {load:.1f} before and {os.getloadavg()[0]:.1f} after."
        )
        PAGE.write_text("\n".join(page) + "\n", "utf-8")


if __name__ == "__main__":
    main()
