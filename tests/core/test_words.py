"""Numbers with their nouns, and control characters made visible."""

from __future__ import annotations

import pytest

from zoo_core import ZooError
from zoo_core.words import are, duration, plural, printable, printable_message, were


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, Ümläut, 写真, 👩\u200d🚀, a\u00a0b", "plain, Ümläut, 写真, 👩\u200d🚀, a\u00a0b"),
        ("\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("x\u202ecod.exe\u2066\u200f\u061c", "x\\u202ecod.exe\\u2066\\u200f\\u061c"),
        ("a\u2028b\u2029\x85", "a\\u2028b\\u2029\\x85"),
        ("\udcff\udc80", "\\xff\\x80"),
        ("\ud800", "\\ud800"),
        ("\x7f\0", "\\x7f\\x00"),
    ],
)
def test_control_characters_become_visible(text: str, shown: str) -> None:
    assert printable(text) == shown
    shown.encode()  # whoever prints it will not fail


def test_line_breaks_and_tabs_may_stay() -> None:
    assert printable("a\n\tb\r\x1b", lines=True) == "a\n\tb\\r\\x1b"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0.0 s"),
        (1.26, "1.3 s"),
        (9.96, "10 s"),
        (59.6, "1 min"),
        (200, "3 min 20 s"),
        (599.6, "10 min"),
        (1500, "25 min"),
        (3599, "1 h"),
        (6000, "1 h 40 min"),
        (172_799, "2 days"),
        (200_000, "2 days 8 h"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_numbers_and_nouns() -> None:
    assert [plural(n, "file") for n in (0, 1, 2, 2000)] == ["0 files", "1 file", "2 files", "2,000 files"]
    assert [plural(n, "class", "classes") for n in (1, 3)] == ["1 class", "3 classes"]
    assert [(are(n), were(n)) for n in (0, 1, 2)] == [("are", "were"), ("is", "was"), ("are", "were")]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("one line", "one line"),
        ("settings differ:\n  a: 1\n   b\tc", "settings differ:\n  a: 1\n   b\tc"),
        ("runs/x\nerror: forged", "runs/x\\nerror: forged"),
        ("a\n b", "a\\n b"),
        ("a\n\n  b\n", "a\\n\n  b\\n"),
        ("a\r\n\x1bb\u202e", "a\\r\\n\\x1bb\\u202e"),
    ],
)
def test_no_name_begins_a_line_of_a_message(text: str, shown: str) -> None:
    assert printable_message(text) == shown
    assert str(ZooError(text, hint=text)) == f"{shown}\n{shown}"
