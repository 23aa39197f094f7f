"""`zoo leaderboard`, as a person types it: tiny boards of two recipes, filled by one process and by two."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from torch import Tensor

from helpers.workplace import run, workplace, write_noise
from zoo.leaderboard.planning import enter_board, resolve_board
from zoo_core import Loss, Plugin, Recipe, registry

SMALL = ["--size", "16", "--batch", "8", "--device", "cpu", "--precision", "fp32", "--samples", "32", "--real", "32"]
SMALL += ["--set", "generator.width=4", "--set", "discriminator.width=4"]
SMALL += ["--features", "scattering", "--metrics", "frechet,precision", "--images", "64"]
ONE = ["--datasets", "folder:data=pictures", *SMALL, "--seeds", "1"]
BOARD = ["--recipes", "dcgan,mlp-gan", "--datasets", "folder:data=pictures", *SMALL, "--seeds", "2"]
BOARD += ["--set", "mlp-gan*/generator.width=8"]
ROW = "dcgan/folder:data=pictures"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with pictures, and a finished board."""
    folder = tmp_path_factory.mktemp("eine Rangliste")
    write_noise(folder / "pictures", 40)
    with workplace(folder):
        result = run("leaderboard", "build", "board", *BOARD)
        assert result.exit_code == 0, result.output
        (folder / "said").write_text(result.stdout)
        (folder / "told").write_text(result.stderr)
        yield folder


def results(board: Path) -> dict[str, dict[str, object]]:
    """Return what decides of every result: name → weights and metrics."""
    found = {path.stem: json.loads(path.read_text()) for path in sorted(board.glob("*--seed-*.json"))}
    return {name: {key: one[key] for key in ("hash", "state", "weights", "metrics")} for name, one in found.items()}


def start(*words: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "zoo_cli", "leaderboard", *map(str, words)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished_cells(text: str) -> list[str]:
    return re.findall(r"^(\S+ on \S+, seed \d): frechet", text, re.MULTILINE)


def test_the_plan_comes_first_then_each_cell_then_the_board(home: Path) -> None:
    told = (home / "told").read_text()
    assert told.splitlines()[:3] == [
        "board board: 2 recipes × 1 dataset × 2 seeds, 4 cells here",
        "  each: 64 images at 16×16, fp32 on cpu",
        "  recipes: dcgan, mlp-gan",
    ]
    assert "0 of 4 are there" in told
    assert finished_cells(told) == [
        f"{r} on folder:data=pictures, seed {seed}" for seed in (0, 1) for r in ("dcgan", "mlp-gan")
    ]
    assert "none is left" in told
    said = (home / "said").read_text()
    assert said.splitlines()[0] == "folder:data=pictures, scattering features"
    assert re.search(r"^(≈ )?\S*dcgan +.* ± ", said, re.MULTILINE)
    assert "2 recipes × 1 dataset × 2 seeds: 4 of 4 cells are done." in said


def test_results_stay_and_runs_go(home: Path) -> None:
    found = results(home / "board")
    assert len(found) == 4
    assert {one["state"] for one in found.values()} == {"done"}
    assert len({json.dumps(one["weights"]) for one in found.values()}) == 4
    assert not (home / "board" / "cells").exists()
    assert sorted(p.name for p in (home / "board" / "samples").iterdir()) == sorted(
        name.replace("--seed-1", "--seed-0") + ".png" for name in found if name.endswith("0")
    )


def test_again_does_nothing_and_other_settings_are_refused(home: Path) -> None:
    before = {path: path.read_bytes() for path in (home / "board").glob("*.json")}
    again = run("leaderboard", "build", "board")
    assert again.exit_code == 0, again.output
    assert "4 of 4 are there" in again.stderr
    assert finished_cells(again.stderr) == []
    other = run("leaderboard", "build", "board", "--images", 99, "--set", "generator.width=8", "--seeds", 1)
    assert other.exit_code == 2
    for words in (
        "images: 64 in the board, 99 now",
        "seeds: 2 in the board, 1 now",
        "generator.width: '4' in the board, '8' now",
    ):
        assert words in other.stderr
    assert {path: path.read_bytes() for path in (home / "board").glob("*.json")} == before


def test_shown(home: Path, tmp_path: Path) -> None:
    said = json.loads(run("leaderboard", "show", "board", "--json").stdout)
    assert (said["finished"], said["done"], said["columns"][0]) == (True, 4, "frechet:scattering")
    values = said["rows"][0]["values"]["frechet:scattering"]
    assert len(values["values"]) == 2
    assert values["interval"][0] < values["mean"] < values["interval"][1]
    printed = run("leaderboard", "show", "board", "--markdown", "-")
    written = run("leaderboard", "show", "board", "--markdown", tmp_path / "b.md", "--html", tmp_path / "b.html")
    assert (printed.exit_code, written.exit_code) == (0, 0)
    assert (tmp_path / "b.md").read_text() == printed.stdout
    assert "data:image/png" in (tmp_path / "b.html").read_text()
    assert run("leaderboard", "show", "board", "--sort", "precision").exit_code == 0


def test_a_copy_of_the_json_files_is_a_board(home: Path, tmp_path: Path) -> None:
    for file in (home / "board").glob("*.json"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    copied, there = (run("leaderboard", "show", where, "--markdown", "-").stdout for where in (tmp_path, "board"))
    assert copied == there != ""


def test_a_row_is_run_again(home: Path) -> None:
    result = run("leaderboard", "check", "board", ROW, "--seeds", 1, "--json")
    said = json.loads(result.stdout)
    assert said["same_weights"] is True, said
    assert (said["seeds"], said["repeated"], said["column"]) == ([2], 0, "frechet:scattering")
    assert result.exit_code == (0 if said["inside"] else 1)
    assert said["columns"]["frechet:scattering"]["board"] == pytest.approx(
        json.loads(run("leaderboard", "show", "board", "--json").stdout)["rows"][0]["values"]["frechet:scattering"]["mean"]
    )
    assert said["sentence"] in run("leaderboard", "show", "board", "--markdown", "-").stdout
    assert len(results(home / "board")) == 4  # the board's own stay as they are


def test_two_processes_fill_one_board(home: Path) -> None:
    both = [start("build", "two", *BOARD) for _ in range(2)]
    told = []
    for process in both:
        _, err = process.communicate(timeout=280)
        assert process.returncode == 0, err
        told.append(finished_cells(err))
    assert sorted(told[0] + told[1]) == sorted(finished_cells((home / "told").read_text()))  # each cell once
    assert results(home / "two") == results(home / "board")


def test_what_a_killed_process_leaves_is_taken_over(home: Path) -> None:
    words = [*BOARD, "--set", "training.checkpoint_minutes=1e-9"]
    process = start("build", "killed", *words, "--keep-runs")
    deadline = time.monotonic() + 250
    while time.monotonic() < deadline and process.poll() is None:
        if list((home / "killed" / "cells").glob("mlp-gan*/run-*/checkpoints/step-*")):  # the second cell is at work
            break
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    done = {path: path.stat().st_mtime_ns for path in (home / "killed").glob("*--seed-*.json")}
    assert len(done) in (1, 2)  # the first cell, and the second where it was quicker than the signal
    result = run("leaderboard", "build", "killed")
    assert result.exit_code == 0, result.output
    assert len(finished_cells(result.stderr)) == 4 - len(done)
    assert {path: path.stat().st_mtime_ns for path in done} == done
    one, other = results(home / "killed"), results(home / "board")
    assert [(n, r["weights"], r["metrics"]) for n, r in one.items()] == [
        (n, r["weights"], r["metrics"]) for n, r in other.items()
    ]
    assert not list((home / "killed").rglob(".unfinished*"))


def test_a_recipe_that_breaks_is_a_row(home: Path) -> None:
    plugin = Plugin(recipes=[Recipe("breaks", base="dcgan", loss="breaks")], losses={"breaks": f"{__name__}:Breaking"})
    with registry.add(plugin):
        result = run("leaderboard", "build", "broken", "--recipes", "breaks,cdcgan,dcgan", *ONE)
        assert result.exit_code == 0, result.output
        assert "breaks/folder:data=pictures failed: RuntimeError: no loss today" in result.stdout
        assert "cdcgan/folder:data=pictures cannot be: recipe 'cdcgan' wants labels" in result.stdout
        assert "2 of 2 cells are done" in result.stdout
        assert finished_cells(run("leaderboard", "build", "broken").stderr) == []
        again = run("leaderboard", "build", "broken", "--renew", "--only", "breaks")
        assert "seed 0: failed: RuntimeError: no loss today" in again.stderr


class Breaking(Loss):
    """A loss that raises what no part of the zoo expects."""

    separable = True

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        raise RuntimeError("no loss today")

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        raise RuntimeError("no loss today")


def test_dry_run_writes_nothing(home: Path) -> None:
    result = run("leaderboard", "build", "dry", *BOARD, "--dry-run")
    assert result.exit_code == 0, result.output
    assert "0 of 4 are there" in result.stderr
    assert not (home / "dry").exists()


def test_only_and_limit(home: Path) -> None:
    result = run("leaderboard", "build", "part", *BOARD, "--only", "dcgan/*/1")
    assert result.exit_code == 0, result.output
    assert finished_cells(result.stderr) == ["dcgan on folder:data=pictures, seed 1"]
    assert "1 of 4 cells is done" in result.stdout
    assert "1 missing" in result.stdout
    result = run("leaderboard", "build", "part", "--limit-minutes", 1e-9)
    assert "no other cell would be done within --limit-minutes" in result.stderr
    assert finished_cells(result.stderr) == []


def test_a_recipe_that_is_new_brings_settings_of_its_own(home: Path) -> None:
    shutil.copytree(home / "board", home / "grown")
    before = results(home / "grown")
    own = ["--set", "dcgan-gap/generator.width=2", "--set", "dcgan-gap/discriminator.width=2"]
    wrong = run("leaderboard", "build", "grown", "--recipes", "dcgan-gap", "--set", "dcgan/generator.width=2")
    assert wrong.exit_code == 2
    assert "dcgan/generator.width: nothing in the board, '2' now" in wrong.stderr  # dcgan has been measured as it was
    more = run("leaderboard", "build", "grown", "--recipes", "dcgan-gap", *own)
    assert more.exit_code == 0, more.output
    found = results(home / "grown")
    assert {name: found[name] for name in before} == before
    rows = json.loads((home / "grown" / "board.json").read_text())["rows"]
    assert [rows[f"{name}/folder:data=pictures"]["configuration"]["generator.width"] for name in ("dcgan-gap", "dcgan")] == [
        2,
        4,
    ]
    assert "4 of 4" not in more.stderr
    again = run("leaderboard", "build", "grown", *own[:2])
    assert again.exit_code == 0, again.output
    assert finished_cells(again.stderr) == []
    changed = run("leaderboard", "build", "grown", "--set", "dcgan-gap/generator.width=8")
    assert "dcgan-gap/generator.width: '2' in the board, '8' now" in changed.stderr


def test_settings_of_another_who_was_faster_are_planned_anew(home: Path) -> None:
    """Two find a board as it was, and enter one after the other: what the second trains is what the board's file says."""
    shutil.copytree(home / "board", home / "raced")
    asked = {"recipes": ("dcgan-gap",)}
    own = {**asked, "options": {"dcgan-gap/generator.width": "2", "dcgan-gap/discriminator.width": "2"}}
    place, how = home / "raced", {"device": "cpu", "renew": False}
    first, second = resolve_board(place, own, **how), resolve_board(place, asked, **how)
    enter_board(place, own, *first, **how)
    board, rows = enter_board(place, asked, *second, **how)
    row = rows["dcgan-gap/folder:data=pictures"]
    assert board.options["dcgan-gap/generator.width"] == "2"
    assert row.plan is not None
    assert row.plan.config.parts["generator"]["options"]["width"] == 2


def test_a_changed_recipe_is_refused_until_it_is_renewed(home: Path) -> None:
    lr = 1e-3

    def recipe() -> Plugin:
        return Plugin(recipes=[Recipe("mine", base="dcgan", options={"optimizer.lr": lr})])

    words = ["--recipes", "mine", *ONE]
    with registry.add(recipe()):
        assert run("leaderboard", "build", "changing", *words).exit_code == 0
    lr = 2e-3
    with registry.add(recipe()):
        refused = run("leaderboard", "build", "changing")
        assert refused.exit_code == 2
        assert "mine/folder:data=pictures: optimizer.generator.lr: 0.001 in the board, 0.002 now" in refused.stderr
        assert "--renew" in refused.stderr
        checked = run("leaderboard", "check", "changing", "mine/folder:data=pictures")
        assert (checked.exit_code, "no spread to compare with" in checked.stderr) == (2, True)
        renewed = run("leaderboard", "build", "changing", "--renew")
        assert len(finished_cells(renewed.stderr)) == 1
        assert finished_cells(run("leaderboard", "build", "changing").stderr) == []


def test_settings_that_came_later_change_nothing_at_their_defaults(home: Path) -> None:
    later = ("optimizer.generator.clip", "training.mirror", "generator.hidden")  # as if the board were older than they are

    def recipe(**options: object) -> Plugin:
        return Plugin(recipes=[Recipe("mine", base="dcgan", options={"generator.kernel": 4, **options})])

    with registry.add(recipe()):
        assert run("leaderboard", "build", "older", "--recipes", "mine", *ONE).exit_code == 0
        told = json.loads((home / "older" / "board.json").read_text("utf-8"))
        for configuration in (told["shared"], *(row["configuration"] for row in told["rows"].values())):
            for key in later:
                configuration.pop(key, None)
        (home / "older" / "board.json").write_text(json.dumps(told), "utf-8")
        again = run("leaderboard", "build", "older", "--seeds", "2")
        assert again.exit_code == 0, again.output
        assert len(finished_cells(again.stderr)) == 1  # the new seed
        checked = run("leaderboard", "check", "older", "mine/folder:data=pictures", "--seeds", "1")
        assert "the same weights again" in checked.stdout, checked.output
    with registry.add(recipe(**{"training.mirror": True})):
        refused = run("leaderboard", "build", "older")
        assert (refused.exit_code, "training.mirror: nothing in the board, True now" in refused.stderr) == (2, True)


FACES = ["--recipes", "dcgan", "--datasets", "faces", "--images", "9"]
BAD: list[tuple[list[str], list[str]]] = [
    (["build", "new"], ["a new board needs --recipes", "--recipes dcgan,mlp-gan"]),
    (["build", "new", "--recipes", "dcgan", "--datasets", "faces"], ["a new board needs --images"]),
    (["build", "new", "--recipes", "dcgn", "--datasets", "faces", "--images", "9"], ["did you mean dcgan"]),
    (["build", "new", "--recipes", "dcgan", "--datasets", "facs", "--images", "9"], ["did you mean faces"]),
    (["build", "new", "--recipes", "dcgan", "--datasets", "faces:cont=3", "--images", "9"], ["dataset.count"]),
    (["build", "new", "--recipes", "dcgan,dcgan", "--datasets", "faces", "--images", "9"], ["named twice"]),
    (["build", "new", "--recipes", "dcgan", "--datasets", "faces", "--images", "0"], ["--images must be at least 1, not 0"]),
    (["build", "new", *FACES, "--seeds", "0"], ["--seeds must be at least 1, not 0"]),
    (["build", "new", *FACES, "--samples", "2"], ["--samples must be at least 16, not 2"]),
    (["build", "new", *BOARD, "--set", "generator.widht=3"], ["unknown option of generator 'widht'", "mean width"]),
    (["build", "new", *BOARD, "--set", "sngan/generator.width=3"], ["unknown recipe of a setting 'sngan'"]),
    (["build", "new", *FACES, "--features", "scatering"], ["did you mean scattering"]),
    (["build", "new", *FACES, "--metrics", "fide"], ["unknown metric 'fide'"]),
    (["build", "new", *BOARD, "--only", "lsgan"], ["no cell of the board is lsgan", "RECIPE/DATASET"]),
    (["build", "new", *BOARD, "--limit-minutes", "0"], ["--limit-minutes must be more than 0"]),
    (["build", "new", *FACES, "--size", "17"], ["no row of the board can be", "17"]),
    (["build", "new", *BOARD, "--threads", "many"], ["--threads"]),
    (["build", "pictures", *BOARD], ["pictures exists and holds no board"]),
    (["show", "pictures"], ["pictures holds no board", "zoo leaderboard build"]),
    (["show", "board", "--sort", "beauty"], ["unknown column 'beauty'", "frechet:scattering"]),
    (["check", "board", "dcgan"], ["names no row", "RECIPE/DATASET"]),
    (["check", "board", "lsgan/faces"], ["unknown row 'lsgan/faces'"]),
    (["check", "board", ROW, "--seeds", "0"], ["--seeds must be at least 1"]),
    (["check", "board", ROW, "--metric", "beauty"], ["unknown column 'beauty'"]),
]


@pytest.mark.parametrize(("arguments", "words"), BAD, ids=lambda value: None)
def test_bad_input(arguments: list[str], words: list[str], home: Path) -> None:
    before = sorted(path for path in home.rglob("*") if "cache" not in path.parts)
    result: Result = run("leaderboard", *arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    for word in words:
        assert word in result.stderr
    assert "Traceback" not in result.stderr
    assert sorted(path for path in home.rglob("*") if "cache" not in path.parts) == before
