"""The training benchmarks run, on tiny sizes, and say what they promise."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def run(name: str, *arguments: object) -> dict[str, Any]:
    command = [sys.executable, BENCHMARKS / name, *arguments, "--json"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([str(word) for word in command], env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_killed_and_resumed() -> None:
    found = run("kill_resume.py", "--runs", 3)
    assert (found["identical"], found["runs"], found["stray"], found["wrong"]) == (3, 3, 0, [])
    assert sum(found["killed_in"].values()) == 3


def test_speed() -> None:
    found = run("train_speed.py", "--size", 16, "--batch", 8, "--rounds", 1, "--steps", 1, "--precision", "fp32")
    assert {"ratio", "peak_share", "whole_share", "others", "images_per_s"} <= set(found)
    assert found["ratio"] == pytest.approx(found["seconds"]["plain"][0] / found["seconds"]["ours"][0], rel=0.01)


def test_what_a_step_costs_the_host() -> None:
    found = run("host_time.py", "--images", 3200, "--rounds", 1)
    assert found["us_per_step"] == pytest.approx(found["small_operations"] * found["us_per_operation"], rel=0.05)
