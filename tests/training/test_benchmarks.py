"""The training benchmarks run, on tiny sizes, and say what they promise."""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import zoo
from helpers.datasets import colored_cifar10
from helpers.packs import pictures
from helpers.reporters import Heard
from zoo.training import callbacks

pytestmark = pytest.mark.slow

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def start(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, BENCHMARKS / name, *arguments, "--json"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run([str(word) for word in command], env=environment, capture_output=True, text=True, timeout=600)


def run(name: str, *arguments: object) -> dict[str, Any]:
    done = start(name, *arguments)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.parametrize(("runs", "flags"), [(2, ()), (1, ("--finetuned",))])
def test_killed_and_resumed(runs: int, flags: tuple[str, ...]) -> None:
    found = run("kill_resume.py", "--runs", runs, *flags)
    assert (found["identical"], found["runs"], found["stray"], found["wrong"]) == (runs, runs, 0, [])
    assert sum(found["killed_in"].values()) == runs


def test_a_training_that_is_interrupted_is_not_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.setattr(callbacks, "TICK", 0.0)  # progress at every step
    from whole import train_whole

    tiny = {"generator.width": 4, "discriminator.width": 4, "dataset.count": 24}
    own: dict[str, Any] = {"size": 16, "batch": 8, "options": tiny, "out": tmp_path / "run"}
    quiet: dict[str, Any] = {"images": 64, "device": "cpu", "precision": "fp32", "watch": False}
    with pytest.raises(SystemExit) as stopped:
        train_whole("dcgan", dataset="faces", **own, **quiet, report=Heard(24, signal.SIGTERM))
    assert stopped.value.code == 130
    assert train_whole(resume=tmp_path / "run", **quiet, report=Heard()).images == 64


def test_first_minutes() -> None:
    small = ("generator.width=4", "discriminator.width=4", "training.checkpoint_minutes=0.05")
    tiny = [word for setting in small for word in ("--set", setting)]
    found = run("first_minutes.py", "--recipes", "dcgan", "--size", 16, "--count", 64, *tiny)
    row = found["recipes"]["dcgan"]
    assert 0 < row["begun"] <= row["grid"]
    assert row["checkpoint"] > 0
    assert row["images"] > 0


def test_finetuning(tmp_path: Path) -> None:
    tiny = {"generator.width": 4, "discriminator.width": 4}
    quiet: dict[str, Any] = {"device": "cpu", "precision": "fp32", "watch": False}
    pictures(tmp_path / "pictures", 40, colored={0})
    data = {"dataset": "folder", "data": tmp_path / "pictures", "channels": 3}
    model = zoo.train("dcgan", **data, size=16, batch=8, images=64, options=tiny, out=tmp_path / "run", **quiet).model
    choices = ("--images", 512, "--every", 128, "--seeds", 2, "--pictures", 40, "--device", "cpu")
    found = run("finetune.py", "--data", tmp_path / "pictures", "--model", model, *choices)
    assert [len(curve["scratch"]) for curve in found["curves"]] == [4, 4]
    assert all(share is None or 0 < share <= 4 for share in found["shares"])
    assert found["scratch"]["mean"] > 0


def test_speed() -> None:
    found = run("train_speed.py", "--size", 16, "--batch", 8, "--rounds", 1, "--steps", 1, "--precision", "fp32")
    assert {"ratio", "peak_share", "whole_share", "others", "images_per_s"} <= set(found)
    assert found["ratio"] == pytest.approx(found["seconds"]["plain"][0] / found["seconds"]["ours"][0], rel=0.01)


def test_what_a_step_costs_the_host() -> None:
    found = run("host_time.py", "--images", 3200, "--rounds", 1)
    assert found["us_per_step"] == pytest.approx(found["small_operations"] * found["us_per_operation"], rel=0.05)


TINY = ("--device", "cpu", "--size", 16, "--batch", 8, "--steps", 1, "--rounds", 1)


def test_everything_about_a_gpu_but_compilers(tmp_path: Path) -> None:
    parts = "table,job,exactness,evaluate,recipes,processes"
    found = run("gpu.py", *TINY, "--parts", parts, "--recipes", "wgan-gp,mlp-gan", "--out", tmp_path / "gpu.json")
    assert (found["failed"], list(found["left_out"])) == ({}, ["processes"])
    assert [row["way"] for row in found["table"]] == ["tutorials", "eager"]
    assert all(row["images_per_s"] > 0 for row in found["table"])
    assert found["job"]["images"] == 16
    assert found["exactness"]["eager"] == found["exactness"]["resumed"] == {"equal": True, "different": 0, "such_as": []}
    assert found["exactness"]["tensors"] > 20
    assert found["evaluate"]["metrics"]["frechet"] > 0
    assert set(found["recipes"]) == {"wgan-gp", "mlp-gan"}
    assert {goal["reached"] for goal in found["goals"].values()} == {None}  # nothing of this is a GPU's
    assert json.loads((tmp_path / "gpu.json").read_text()) == found


def test_what_fails_is_told_and_the_rest_is_measured() -> None:
    found = run("gpu.py", *TINY, "--parts", "evaluate,whole,table,recipes", "--recipes", "nothing,mlp-gan")
    assert found["failed"]["evaluate"] == "RuntimeError: there is no model: the job was left out or failed"
    assert "unknown recipe 'nothing'" in found["failed"]["recipe nothing"]
    assert set(found["recipes"]) == {"mlp-gan"}
    assert found["whole"]["images"] == 16
    left = run("gpu.py", *TINY, "--parts", "compiled", "--seconds", 5)
    assert left["left_out"] == {"compiled": "5 s were left, and it needs about 30"}


def test_goals_of_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import gpu

    given = argparse.Namespace(device="cuda", batch=None)
    rows: list[dict[str, Any]] = []
    for batch, plain, bare in ((32, 3000.0, 20000.0), (128, 13000.0, 60000.0)):
        rows.append({"batch": batch, "way": "tutorials", "images_per_s": plain})
        rows.append({"batch": batch, "way": "eager", "images_per_s": 1.0, "peak_memory_mb": 500.0})
        rows.append({"batch": batch, "way": "captured", "images_per_s": bare, "peak_memory_mb": 700.0})
    result: dict[str, Any] = {"table": rows}
    result["job"] = {"batch": 32, "images": 250_016, "seconds": 25.0, "median_images_per_s": 19000.0}
    result["whole"] = {"batch": 128, "images": 500_000, "seconds": 20.0, "median_images_per_s": 39000.0}
    result["exactness"] = {"captured": True, "eager": {"equal": True}, "resumed": {"equal": False}}
    found = {name: goal["reached"] for name, goal in gpu.judge(gpu.Bench(given, Path(), result=result)).items()}
    assert found == {
        "whole against tutorials, batch 32": "least",
        "whole against tutorials, batch 128": "no",
        "whole against bare, batch 32": "goal",
        "whole against bare, batch 128": "no",
        "job, seconds": "least",
        "captured equals eager": "goal",
        "resumed equals undisturbed": "no",
        "peak memory against eager": "least",
    }
    result["exactness"]["captured"] = False  # two eager trainings prove nothing
    assert gpu.judge(gpu.Bench(given, Path(), result=result))["captured equals eager"]["reached"] is None


def test_a_part_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import gpu

    with gpu.at_most(0.05), pytest.raises(TimeoutError, match="longer than"):
        time.sleep(10)
    with gpu.at_most(0.05):
        pass
    time.sleep(0.1)  # no alarm is left


def test_threads(tmp_path: Path) -> None:
    given = ("--seconds", 1, "--rounds", 1, "--sides", "quiet", "--size", 16, "--batch", 8, "--precision", "fp32")
    portions = ("--state", tmp_path / "readings.json", "--readings", 1)
    assert "quiet_ratio" not in run("threads.py", *given, *portions)
    found = run("threads.py", *given, *portions)
    assert [reading["way"] for reading in found["readings"]] == ["auto", "1"]
    speeds = found["images_per_s"]["quiet"]
    assert found["quiet_ratio"] == pytest.approx(speeds["auto"] / speeds["1"], abs=0.001)


def test_the_roadmap(tmp_path: Path) -> None:
    """A stage of each recipe's training after the other, measured alike; a second call trains nothing."""
    pictures(tmp_path / "pictures", 40, colored={0})
    tiny: tuple[object, ...] = ("--size", 16, "--width", 8, "--images", 512, "--seeds", 1, "--samples", 24, "--real", 24)
    where = ("--dataset", "folder", "--data", tmp_path / "pictures", "--out", tmp_path / "out", "--precision", "fp32")
    chosen = ("roadmap-3-r2", "r3gan-small", *where, *tiny, "--markdown", tmp_path / "page.md")
    found = run("roadmap.py", *chosen)
    row = found["recipes"]["r3gan-small"]
    assert row["images"] == [[32, 64, 128, 256, 512]]
    assert all(0 < first < last for first, *_, last in row["seconds"])
    limit = min(each[-1] for one in found["recipes"].values() for each in one["seconds"])
    assert row["limit"] == pytest.approx(limit, abs=0.02)
    mean = statistics.fmean(values[-1] for values in row["frechet"])
    assert f"| {mean:.3g} |" in (tmp_path / "page.md").read_text(encoding="utf-8")
    before = (tmp_path / "page.md").read_text(encoding="utf-8")
    (tmp_path / "page.md").write_text(f"{before}\n## another\n\nstays\n", encoding="utf-8")
    assert run("roadmap.py", *chosen) == found  # the section is written again, what is beside it stays
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == f"{before}\n## another\n\nstays\n"
    pixels = ("roadmap.py", "r3gan-small", *where, *tiny, "--again", "pixels:size=4")
    few = start(*pixels)
    assert (few.returncode, "take --samples and --real of at least 96" in few.stderr) == (1, True)
    few = start(*pixels, "--samples", 96, "--real", 96)
    assert (few.returncode, "there are only 40 pictures" in few.stderr) == (1, True)
    pictures(tmp_path / "many", 100)
    (again,) = run(*pixels, "--samples", 96, "--real", 96, "--data", tmp_path / "many")["again"]["r3gan-small"]
    assert set(again) == {"frechet", "kid", "precision", "recall"}
    assert again["frechet"] > 0
    costs = ("--costs", "--size", 16, "--width", 8, "--rounds", 1, "--markdown", tmp_path / "page.md")
    ratio = run("roadmap.py", "r3gan-small", *costs)["costs"]["r3gan-small"]
    assert ratio["ratio"] == pytest.approx(ratio["with"] / ratio["without"], rel=0.05)
    assert f"| {ratio['ratio']:.2f} |" in (tmp_path / "page.md").read_text(encoding="utf-8")


def test_what_brings_features_nearer_to_the_paper(tmp_path: Path) -> None:
    """Trained once, read in one way and then in another; the page has what is there and the commands of what is not."""
    data = colored_cifar10(tmp_path / "cifar", train=40, test=4)
    page = tmp_path / "page.md"
    page.write_text("before\n\n<!-- trials -->\nold\n<!-- end of trials -->\n\nbehind\n", encoding="utf-8")
    name = "both updated, minibatches of 16"
    chosen = ("probe_gap.py", "--tiny", "--data", data, "--trial", name, "--threads", 1, "--out", tmp_path / "out")
    found = run(*chosen, "--read", "mirrored", "--markdown", page)
    assert [row["name"] for row in found["trials"]] == [name, "random"]
    assert all("plain" not in row and row["mirrored"]["accuracy"] > 0.3 for row in found["trials"])
    log = tmp_path / "out" / "gap-both-updated-minibatches-of-16-8-0.02-0" / "metrics.jsonl"
    trained = log.read_text(encoding="utf-8")
    found = run(*chosen, "--read", "mirrored", "--read", "layers", "--markdown", page)
    assert log.read_text(encoding="utf-8") == trained
    row = found["trials"][0]
    assert [stage["stage"] for stage in row["layers"]["layers"]][-1] == "4x4"
    assert row["mirror_gain"] == pytest.approx(100 * (row["mirrored"]["accuracy"] - row["plain"]["accuracy"]), abs=0.01)
    text = page.read_text(encoding="utf-8")
    mirrored, plain = (f"{row[reading]['accuracy']:.2%}" for reading in ("mirrored", "plain"))
    assert f"| {name} | 0.02 | 8 | 300 | 40 | {plain} | – | {mirrored} |" in text
    assert "Stages of “random” (width 8, 300 labeled images): " in text
    assert "--trial 'both updated'" in text
    assert (text.startswith("before\n"), text.endswith("\nbehind\n"), "old" in text) == (True, True, False)


def test_numbers_and_sections_of_the_roadmap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import roadmap

    numbers = ((0.12345, 3), (99.7, 2), (999.6, 3), (1377.2, 3), (97.84, 3))
    assert [roadmap.shorten(*number) for number in numbers] == ["0.123", "100", "1,000", "1,377", "97.8"]
    page = "head\n\n## a\n\none\n\n## b\n\ntwo\n"
    assert roadmap.insert("## b\n\nthree\n", page) == page.replace("two", "three")
    assert roadmap.insert("## c\n\nthree\n", page) == f"{page}\n## c\n\nthree\n"
    again = "## a, by other features\n\nthree\n"
    assert roadmap.insert(again, page) == page.replace("## b", f"{again}\n## b")
    assert roadmap.insert(again, roadmap.insert(again, page)) == roadmap.insert(again, page)


def test_trials_are_beside_the_recipe_that_was_trained_and_read_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import probe_gap

    same: dict[str, Any] = {"width": 128, "labels": "all", "test_images": 10_000, "epochs": 100.0, "seed": 0}
    recipe = {**same, "name": "as it is", "plain": {"accuracy": 0.7}, "mirrored": {"accuracy": 0.74}}
    turned = {**same, "name": "turns", "plain": {"accuracy": 0.72}}
    others = [{**turned, **change} for change in ({"epochs": 2.0}, {"seed": 1}, {"labels": "400"}, {"test_images": 200})]
    found = probe_gap.compare([recipe, turned, *others])
    assert found["trials"][1]["gain"] == pytest.approx(2)
    assert not any("gain" in row for row in found["trials"][2:])
    assert found["trials"][0]["mirror_gain"] == pytest.approx(4)
    assert found["best"] == 0.74
    assert set(probe_gap.TRIALS) - set(found["not_run_in_full"]) == {"as it is"}  # turns were not read with mirror images


def test_projecting_by_an_encoder_and_by_steps(tmp_path: Path) -> None:
    tiny: tuple[object, ...] = ("--size", 16, "--width", 4, "--images", 64, "--pictures", 2, "--steps", 3, "--samples", 24)
    data = ("--count", 40, "--out", tmp_path / "out", "--markdown", tmp_path / "page.md")
    found = run("projecting.py", "--reconstruction", 20, *tiny, *data)
    (name, row), *others = found["models"].items()
    assert (name, others) == ("bigan-16-4-64-20", [])
    assert row["worse"] == pytest.approx(row["encoder"] / row["steps"], abs=0.01)
    assert row["faster"] == pytest.approx(row["steps_seconds"] / row["encoder_seconds"], rel=0.05)
    assert row["steps"] <= row["nearest"] + 0.01
    assert f"| `{name}` | {row['encoder']} |" in (tmp_path / "page.md").read_text(encoding="utf-8")
    assert (tmp_path / "out" / f"{name}.png").is_file()


def test_recipes_before_and_after(tmp_path: Path) -> None:
    pictures(tmp_path / "pictures", 40)
    tiny: tuple[object, ...] = ("--size", 16, "--width", 4, "--images", 32, "--seeds", 1, "--samples", 24, "--real", 24)
    chosen = ("sngan", "dcgan-sn", "--data", tmp_path / "pictures", "--out", tmp_path / "out", "--precision", "fp32")
    found = run("recipes.py", *chosen, *tiny, "--markdown", tmp_path / "page.md")
    assert {name: list(sides) for name, sides in found["recipes"].items()} == {
        "sngan": ["before", "after"],
        "dcgan-sn": ["as it is"],
    }
    before, after = (found["recipes"]["sngan"][side]["scattering"]["frechet"]["mean"] for side in ("before", "after"))
    assert found["gain"]["sngan"] == pytest.approx(before / after, abs=0.006)
    assert set(found["gain"]) == {"sngan", "dcgan-sn"}
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert f"| `sngan` | after | 32 | {after:.3g} |" in page
    assert run("recipes.py", *chosen, *tiny)["recipes"] == found["recipes"]  # nothing is trained again
