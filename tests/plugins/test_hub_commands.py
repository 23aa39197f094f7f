"""`zoo train … --dataset hub --data user/name`, `data build`, `compare` and Python, with a stand-in of the Hub."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

pytest.importorskip("datasets")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "helpers.hub_training_process", str(tmp_path_factory.mktemp("hub"))],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_plan_names_the_dataset_and_reads_nothing(found: Any) -> None:
    assert found["dry"]["code"] == 0
    planned = json.loads(found["dry"]["out"])
    assert planned["dataset"]["data"] == "ada/pets"
    assert "--data ada/pets" in planned["command"]
    assert "packed" not in found["dry"]["err"]


def test_training_and_going_on(found: Any) -> None:
    assert found["train"]["code"] == 0, found["train"]["err"]
    assert "trained on 8 images" in found["train"]["out"]
    assert "packed 18 images of hub at 16×16" in found["train"]["err"]
    assert found["resume"]["code"] == 0, found["resume"]["err"]
    assert "trained on 16 images" in found["resume"]["out"]
    assert found["run"]["config"]["dataset"]["data"] == "ada/pets"
    assert found["run"]["config"]["facts"]["classes"] == ["cat", "dog", "newt"]


def test_the_other_commands_take_the_same_pack(found: Any) -> None:
    built = json.loads(found["build"]["out"])
    assert (built["count"], built["classes"], built["dataset"]["data"]) == (18, ["cat", "dog", "newt"], "ada/pets")
    assert "from the cache" in found["build"]["err"]
    assert found["compare"]["code"] == 0, found["compare"]["err"]
    assert "18 images of hub at 16×16" in found["compare"]["err"]


def test_python_with_some_of_the_classes(found: Any) -> None:
    assert found["python"] == 8
    assert (found["labels"]["count"], found["labels"]["classes"]) == (5, ["newt", "cat"])


def test_what_is_not_there_is_one_message_before_anything_is_read(found: Any) -> None:
    assert (found["missing"]["code"], found["wrong"]["code"]) == (1, 2)
    assert found["missing"]["err"].startswith("error: ./nowhere does not exist\n--data says where")
    assert found["wrong"]["err"].startswith("error: 'pets' is neither a folder nor a dataset 'user/name' on the Hub")
