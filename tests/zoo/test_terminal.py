"""The bar in real terminals, whose screens pyte interprets: of several widths, resized, dumb, without color."""

from __future__ import annotations

import re
import subprocess
import sys
import time

import pytest

pytest.importorskip("pty", reason="needs a system with pseudo-terminals")
from helpers.terminal import Terminal

WORDS = [sys.executable, "-m", "helpers.progress_process"]


def begin(columns: int, *, reflowing: bool = False, environment: dict[str, str] | None = None) -> Terminal:
    path = {"PYTHONPATH": ":".join(sys.path)}
    return Terminal(WORDS, columns, reflowing=reflowing, environment={**path, **(environment or {})})


def bars(lines: list[str]) -> list[str]:
    return [line for line in lines if "━" in line or "─" in line or "/250,000" in line]


def is_whole(line: str) -> bool:
    """Whether bar, images and time left stand in a line."""
    return bool(re.fullmatch(r"(training  )?[━─]{6,40}  [\d,]+/250,000 images  left (-:--|\d+:\d\d(:\d\d)?)", line))


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
def test_what_matters_stands_at_any_width(columns: int) -> None:
    with begin(columns) as terminal:
        lines = terminal.wait_for(lambda lines: len(bars(lines)) == 1)
        assert is_whole(bars(lines)[0])
        for _ in range(8):
            time.sleep(0.2)  # less than a second tells nothing of the time that is left
            terminal.type("step\n")
        terminal.wait_for(lambda lines: any("11,152/" in line for line in lines))
        shown = lines = terminal.wait_for(
            lambda lines: re.search(r"left \d", lines[0]) is not None and len(lines) > 1 and "g loss" in lines[1]
        )
        assert is_whole(shown[0])
        assert shown[1].startswith("images per s 41  d loss 0.127  g loss 3.456")
        assert ("D(fake) 0.123" in shown[1]) == (columns >= 80)
        assert len(bars(lines)) == 1
        terminal.type("end\n")
        assert terminal.finish() == 0
        assert [line for line in terminal.lines if "the end" in line]
        assert re.search(r"11,152/250,000 images  in \d+:\d\d$", bars(terminal.lines)[0])


@pytest.mark.parametrize("reflowing", [False, True])
@pytest.mark.parametrize(("before", "after"), [(120, 60), (200, 80), (80, 43), (60, 200)])
def test_resizing_leaves_no_stale_bars(before: int, after: int, reflowing: bool) -> None:
    with begin(before, reflowing=reflowing) as terminal:
        terminal.type("note\n")
        terminal.wait_for(lambda lines: any("amiss" in line for line in lines) and "10,144/" in "".join(bars(lines)))
        for columns in (after, before, after):
            terminal.resize(columns)
            terminal.wait_for(lambda lines: True)
            terminal.type("step\n")
            lines = terminal.wait_for(lambda lines, columns=columns: len(bars(lines)) == 1 and is_whole(bars(lines)[0]))
            assert len(bars(lines)[0]) < columns
            assert [line for line in lines if line == "a note"] == ["a note"]
            assert [line for line in lines if line == "warning: amiss"] == ["warning: amiss"]


def test_what_others_print_appears_above() -> None:
    with begin(80) as terminal:
        terminal.wait_for(lambda lines: len(bars(lines)) == 1)
        terminal.type("print\n")
        terminal.wait_for(lambda lines: "complained" in lines and "10,144/" in "".join(bars(lines)))
        terminal.type("end\n")
        assert terminal.finish() == 0
        shown = [line for line in terminal.lines if line in ("printed", "complained", "the end") or line in bars([line])]
        assert shown[:2] == ["printed", "complained"]
        assert [shown[-1], len(shown)] == ["the end", 4]


def test_without_color_there_is_none() -> None:
    with begin(80, environment={"NO_COLOR": "1"}) as terminal:
        terminal.type("note\n")
        lines = terminal.wait_for(lambda lines: "warning: amiss" in lines and "10,144/" in "".join(bars(lines)))
        assert is_whole(bars(lines)[0])
        assert not re.search(rb"\x1b\[[\d;]*m", terminal.text)
    with begin(80) as terminal:
        terminal.wait_for(lambda lines: len(bars(lines)) == 1)
        assert re.search(rb"\x1b\[[\d;]*m", terminal.text)


def test_a_dumb_terminal_gets_plain_lines() -> None:
    with begin(80, environment={"TERM": "dumb"}) as terminal:
        terminal.type("note\nend\n")
        assert terminal.finish() == 0
        assert b"\x1b" not in terminal.text
        assert {"a note", "warning: amiss", "the end"} <= set(terminal.lines)


def test_no_terminal_gets_no_control_characters() -> None:
    done = subprocess.run(
        WORDS,
        input="note\nprint\nend\n",
        capture_output=True,
        text=True,
        timeout=120,
        env={"PYTHONPATH": ":".join(sys.path), "TERM": "xterm-256color", "FORCE_COLOR": "1"},
    )
    assert done.stdout == "printed\nthe end\n"
    assert done.stderr == "a note\nwarning: amiss\ncomplained\n"
