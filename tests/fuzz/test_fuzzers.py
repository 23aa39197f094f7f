"""A few tries of every fuzzer of `benchmarks/fuzz`, and a few pairs of commands and faults: all end as promised."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FUZZERS = Path(__file__).parents[2] / "benchmarks" / "fuzz"

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")]


def run(name: str, *arguments: str) -> Any:
    """Run a script; return the object that it prints."""
    command = [sys.executable, str(FUZZERS / name), *arguments, "--json"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1500)
    assert done.stdout, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_few_tries_of_each() -> None:
    found = run("every.py", "--share", "0.005", "--seed", "7")
    assert set(found) == {
        *("model_folders", "run_folders", "image_packs", "picture_archives", "hub_conversations"),
        *("plugin_metadata", "names", "other_files"),
    }
    assert {name: summary["examples"] for name, summary in found.items() if summary["violations"]} == {}
    assert all(summary["as_promised"] == summary["tries"] > 0 for summary in found.values())


def test_a_short_soak() -> None:
    found = run("../soak.py", "--trainings", "5", "--samples", "64", "--minutes", "0.1")
    assert found["grown"] == {}
    assert {part: found[part]["times"] for part in ("trainings", "samples")} == {"trainings": 5, "samples": 4}


def test_a_few_faults() -> None:
    found = run("faults.py", "--commands", "train", "--faults", "full-stdout,hangup")
    assert found["violations"] == {}
    assert found["as_promised"] == found["pairs"] == 2


def test_the_page_has_the_numbers_of_the_file() -> None:
    done = subprocess.run([sys.executable, str(FUZZERS / "page.py"), "--check"], check=False)
    assert done.returncode == 0, "python benchmarks/fuzz/page.py writes it"
