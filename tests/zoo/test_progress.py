"""Progress: plain lines and the bar."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from zoo import progress as reporting
from zoo.progress import PlainReporter, Reporter, RichReporter, reporter_for_terminal


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    clock = [100.0]
    monkeypatch.setattr(reporting.time, "monotonic", lambda: clock[0])
    return clock


def test_nobody_hears() -> None:
    with Reporter().task("work", 10) as task:
        task.update(1, speed="2")
    Reporter().note("x")
    Reporter().warn("x")


def test_plain_lines_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    PlainReporter().note("a note")
    PlainReporter().warn("a warning")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "a note\nwarning: a warning\n"


def test_plain_progress_is_rare(now: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with PlainReporter(every=10).task("training", 2000, "images") as task:
        for done in range(0, 2001, 100):
            task.update(done, d_loss="1.2", images_per_s="50")
            now[0] += 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "training: 500 of 2,000 images, d loss 1.2, images per s 50, left 0:30"
    assert len(lines) == 4


def test_time_left_after_a_resumed_beginning(now: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with PlainReporter(every=10).task("training", 10_000, "images") as task:
        task.update(9000)  # of an earlier sitting
        now[0] += 10
        task.update(9100)
    assert capsys.readouterr().err == "training: 9,100 of 10,000 images, left 1:30\n"


def test_work_of_unknown_length(now: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with PlainReporter(every=1).task("looking") as task:
        now[0] += 4000
        task.update(5)
        now[0] += 4000
        task.update(6)
    assert capsys.readouterr().err == "looking: 5\nlooking: 6\n"


def test_a_long_time_left(now: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with PlainReporter(every=1).task("training", 100) as task:
        task.update(0)
        now[0] += 100
        task.update(1)
    assert capsys.readouterr().err == "training: 1 of 100, left 2:45:00\n"


def test_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    reporter = RichReporter()
    file = io.StringIO()
    reporter.console = Console(file=file, force_terminal=True, width=150, highlight=False)
    with reporter.task("training", 200, "images") as task:
        reporter.note("a [note] with 3:14")
        reporter.warn("a [red]warning")
        task.update(50, d_loss="1.234", images_per_s="40")
    shown = file.getvalue()
    for part in (
        "a [note] with 3:14",
        "warning: a [red]warning",
        "50/200 images",
        "d loss 1.234",
        "images per s 40",
        "left",
    ):
        assert part in shown


def test_which_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert isinstance(reporter_for_terminal(), PlainReporter)
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stderr", terminal)
    assert isinstance(reporter_for_terminal(), RichReporter)
