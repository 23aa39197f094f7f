"""The recorded session is compared by kinds of lines."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

SPEC = importlib.util.spec_from_file_location("session", Path(__file__).parents[2] / ".ci" / "session.py")
assert SPEC is not None
assert SPEC.loader is not None
session = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(session)


@pytest.mark.parametrize(
    ("page", "now"),
    [
        ("10,144 images, d loss 0.127", "640 images, d loss 1.5e-05"),
        ("runs/dcgan-faces-32-a1b2c3", "runs/dcgan-faces-32-99f0e1"),
        ("training ━━━━━━ 2:59", "training ━━ 0:03"),
        ("for 3 minutes", "for 9 seconds"),
    ],
)
def test_numbers_times_hashes_and_bars_are_no_difference(page: str, now: str) -> None:
    assert session.find_missing([page], [now]) == []


def test_a_kind_of_line_that_is_no_longer_said_is_found() -> None:
    assert session.find_missing(["wrote faces.png", "", "3 runs"], ["2 runs", "saved faces.png"]) == ["wrote faces.png"]


def test_lines_that_the_terminal_broke_elsewhere_are_no_difference() -> None:
    now, page = f"{'x' * 78} 640 images", f"{'x' * 78} 1,920,000 images"
    assert session.find_missing([page[:80], page[80:]], [now[:80], now[80:]]) == []


def test_blocks_are_read_by_command() -> None:
    page = "Words.\n\n```text\n$ zoo runs\na\n\nb\n```\n\n```text\na screen\n```\n\n```text\n$ zoo x > y\n```\n"
    assert session.read_blocks(page) == {"zoo runs": ["a", "", "b"], "zoo x > y": []}
