"""Names with options: what is read, and how it is written again."""

from __future__ import annotations

import pytest

from zoo.leaderboard.spelling import Choice, read_choice, read_choices
from zoo_core import UsageError


@pytest.mark.parametrize(
    ("text", "name", "options"),
    [
        ("faces", "faces", {}),
        ("faces:style=notionists", "faces", {"style": "notionists"}),
        ("dcgan-zoo:faces:style=micah:count=300", "dcgan-zoo:faces", {"style": "micah", "count": "300"}),
        (r"folder:data=C\:\\cats\, dogs", "folder", {"data": r"C:\cats, dogs"}),
        ("drawings:classes=a=b", "drawings", {"classes": "a=b"}),
    ],
)
def test_reading_and_writing(text: str, name: str, options: dict[str, str]) -> None:
    found = read_choice(text)
    assert (found.name, found.options) == (name, options)
    assert str(found) == text
    assert read_choice(str(found)) == found


def test_several() -> None:
    assert read_choices("faces, faces:style=micah,,mnist") == [
        Choice("faces"),
        Choice("faces", {"style": "micah"}),
        Choice("mnist"),
    ]
    assert read_choices(["faces,mnist", r"drawings:classes=cat\,dog"]) == [
        Choice("faces"),
        Choice("mnist"),
        Choice("drawings", {"classes": "cat,dog"}),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("faces:style=micah:notionists", "'notionists' is not KEY=VALUE"),
        ("faces:style=a:style=b", "sets style twice"),
        ("style=micah", "names nothing"),
        ("faces:", "names nothing"),
        ("faces:=3", "is not KEY=VALUE"),
        ("faces,mnist,faces", "faces is named twice"),
    ],
)
def test_what_is_no_name(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read_choices(text)
