"""A dataset of the Hub, over HTTP: its files come one after the other, and nothing that came once comes again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from helpers.hub_streaming_process import CUT, FILES, ROWS

pytestmark = pytest.mark.slow

pytest.importorskip("datasets")
NAMES = [f"data/train-{i:05d}-of-{FILES:05d}.parquet" for i in range(FILES)]
DONE = 60  # the first chunk of 64 records, in files of ten images


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = str(tmp_path_factory.mktemp("hub"))
    done = subprocess.run(
        [sys.executable, "-m", "helpers.hub_streaming_process", folder],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return {**json.loads(done.stdout.splitlines()[-1]), "stderr": done.stderr}


def test_a_server_that_fails_is_an_error_in_words(found: Any) -> None:
    kind, words = found["unlisted"]
    assert kind == "DataError"
    assert words.startswith("ada/pets on the Hub cannot be loaded: ")


def test_a_broken_download_ends_the_build_and_skips_nothing(found: Any) -> None:
    assert found["broken"][0] == "DataError"
    assert "finished files are kept" in found["kept"]


def test_a_network_that_goes_away_ends_the_build_in_one_message(found: Any) -> None:
    kind, words, hint = found["gone"]
    assert (kind, words) == ("DataError", "ada/pets on the Hub cannot be loaded: the Hub cannot be reached")
    assert "run the same command again" in hint


def test_libraries_write_nothing_about_what_goes_wrong(found: Any) -> None:
    written = [line for line in found["stderr"].replace("\r", "\n").splitlines() if line.strip()]
    assert [line for line in written if not line.startswith("Creating parquet")] == []  # a bar of what makes the files


def test_files_come_one_after_the_other(found: Any) -> None:
    """Both files before the broken one were there whole; of the last only its contents, its labels and a beginning came."""
    sizes = found["sizes"]
    assert all(found["first"][name] >= sizes[name] for name in NAMES[:-1])
    assert found["first"][NAMES[-1]] < sizes[NAMES[-1]]


def test_a_later_build_goes_on(found: Any) -> None:
    """Of the first files only contents and labels were asked for again."""
    told = f"going on after {DONE} of {ROWS * FILES} records, which an interrupted build had finished"
    assert told in found["lines"]
    sizes = found["sizes"]
    assert all(found["second"].get(name, 0) < sizes[name] / 3 for name in NAMES[:-1])
    assert found["second"][NAMES[-1]] >= sizes[NAMES[-1]] - CUT


def test_the_pack_is_the_one_of_an_undisturbed_build(found: Any) -> None:
    assert found["same"]
    assert (found["count"], found["license"]) == (ROWS * FILES, "cc0-1.0")
    assert found["labels"] == [i % 3 for i in range(ROWS)] * FILES
