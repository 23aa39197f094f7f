"""The board in the docs is what the command prints of the results beside it."""

from __future__ import annotations

from pathlib import Path

from zoo.leaderboard.pages import write_markdown
from zoo.leaderboard.summary import read_leaderboard

RESULTS = Path(__file__).parents[2] / "docs" / "results"


def test_the_board_is_what_the_command_prints() -> None:
    page, folder = RESULTS / "leaderboard.md", RESULTS / "leaderboard"
    assert page.exists() == folder.exists()  # neither without the other
    if folder.exists():
        board = read_leaderboard(folder)
        assert board.done > 0
        hint = "to make it: zoo leaderboard show docs/results/leaderboard --markdown docs/results/leaderboard.md"
        assert page.read_text(encoding="utf-8") == write_markdown(board), hint
