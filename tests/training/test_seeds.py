"""One training with several seeds: its table, and that the same call goes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest

import zoo
from helpers.packs import pictures
from helpers.training import Heard, samples
from zoo.runs.listing import summarize
from zoo.training.seeds import SeedRuns, plan_seeds


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    with samples():
        yield


def plans(tmp_path: Path, seeds: int = 2, **more: Any) -> list[zoo.Plan]:
    if not (data := tmp_path / "pictures").exists():
        pictures(data, 20)
    told = {"recipe": "linear", "dataset": "folder", "data": data, "images": 64, "out": tmp_path / "runs"}
    return plan_seeds(seeds, {**told, "device": "cpu", "precision": "fp32", "watch": False, **more})


def test_interrupted_the_same_call_goes_on(tmp_path: Path) -> None:
    cut = zoo.train_seeds(plans(tmp_path, 3, seed=4), workers=1, report=Heard(16))
    assert (cut.seeds, cut.signal, cut.finished) == ((4, 5, 6), "SIGINT", False)
    assert [run.state if run else None for run in cut.runs] == ["interrupted", None, None]
    assert [row[5] for row in cut.rows()[1:]] == ["interrupted", "not begun", "not begun"]
    whole = zoo.train_seeds(plans(tmp_path, 3, seed=4), workers=1, report=Heard())
    assert whole.finished
    assert [run.path.name for run in whole.runs if run] == ["seed-4", "seed-5", "seed-6"]
    heard, before = Heard(), [path.stat().st_mtime_ns for path in tmp_path.glob("runs/*/run.json")]
    assert zoo.train_seeds(plans(tmp_path, 3, seed=4), workers=1, report=heard).finished
    assert [path.stat().st_mtime_ns for path in tmp_path.glob("runs/*/run.json")] == before
    assert "seed 6 is finished" in heard.text


def test_mean_and_spread_are_of_finished_runs_of_one_measure(tmp_path: Path) -> None:
    one = replace(summarize(tmp_path), state="finished", measure="fid", best=2.0, images=64)
    runs = (one, replace(one, best=3.5), replace(one, state="diverged", best=90.0))
    found = SeedRuns((0, 1, 2), runs)
    assert (found.mean, found.spread) == (fmean([2.0, 3.5]), stdev([2.0, 3.5]))
    assert "2 of 3 finished; best fid 2.8 ± 1.1" in found.sentence
    assert found.to_json()["count"] == 2
    assert SeedRuns((0, 1), (one, replace(one, measure="kid"))).mean is None
    assert "nothing of the spread" in SeedRuns((0,), (one,)).sentence


def test_what_cannot_be(tmp_path: Path) -> None:
    for more, words in (({"seeds": 0}, "0 seeds are impossible"), ({"resume": "runs/x"}, "goes on with one run")):
        with pytest.raises(zoo.ZooError, match=words):
            plans(tmp_path, **more)
    with pytest.raises(zoo.ZooError, match="no plan"):
        zoo.train_seeds([])
    with pytest.raises(zoo.ZooError, match="same run folder"):
        zoo.train_seeds([*plans(tmp_path), *plans(tmp_path)])
    assert not (tmp_path / "runs").exists()


def test_another_configuration_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    zoo.train_seeds(plans(tmp_path, 1, images=8), workers=1, report=Heard())
    with pytest.raises(zoo.ZooError, match="with another configuration"):
        plans(tmp_path, 1, batch=4)
    assert zoo.train_seeds(plans(tmp_path, 1, images=16), workers=1, report=Heard()).finished
