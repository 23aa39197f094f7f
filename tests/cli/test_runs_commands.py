"""`zoo runs`, as a person types it."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import zoo
from helpers.workplace import run, workplace, write_noise
from zoo.runs.folders import checkpoints, find_run, is_training, lock_run, name_run
from zoo.runs.listing import list_runs, summarize
from zoo_cli.main import zoo as command
from zoo_core import UsageError

SMALL = ["--size", "16", "--batch", "8", "--device", "cpu", "--precision", "fp32"]
SMALL += ["--set", "generator.width=4", "--set", "discriminator.width=4", "--set", "training.log_every=1"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with two runs, one of which was measured, and one of another budget."""
    folder = tmp_path_factory.mktemp("runs of mine")
    write_noise(folder / "pictures", 24)
    with workplace(folder):
        assert train("--images", 32, "--evaluate-every", 16).exit_code == 0
        assert train("--epochs", 1, "--out", "runs/old").exit_code == 0
        yield folder


@pytest.fixture
def made(home: Path) -> Path:
    """The run whose name the zoo chose."""
    return next(path for path in Path("runs").iterdir() if path.name.startswith("dcgan-pictures-16-"))


@pytest.fixture
def copied(home: Path, made: Path, tmp_path: Path) -> Path:
    """A folder with copies of both runs, to do anything with."""
    shutil.copytree("runs", tmp_path / "runs")
    return tmp_path / "runs"


def train(*arguments: object) -> Result:
    return run("train", "dcgan", "--dataset", "folder", "--data", "pictures", *SMALL, *arguments)


def test_what_is_listed(home: Path, made: Path) -> None:
    result = run("runs")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    heads = ["run", "recipe", "dataset", "size", "state", "images", "budget", "best", "disk", "age"]
    assert lines[0].split() == heads
    assert lines[1].split()[:5] == ["runs/old", "dcgan", "folder", "16", "finished"]
    assert "24      100% of 1 epoch " in lines[1]
    assert lines[2].startswith(f"{made}  dcgan")
    assert re.search(r"32 +100% of 32 images +[\d.]+ frechet_scattering +[\d.]+ kB +\d", lines[2])
    assert re.fullmatch(r"2 runs, [\d.]+ [kM]B; best frechet_scattering", lines[3])


def test_one_json_list(home: Path, made: Path) -> None:
    said = json.loads(run("runs", "--json").stdout)
    assert [row["path"] for row in said] == ["runs/old", str(made)]
    row = said[1]
    assert (row["state"], row["images"], row["budget"], row["done"]) == ("finished", 32, "32 images", 1.0)
    assert (row["recipe"], row["dataset"], row["size"]) == ("dcgan", "folder", 16)
    assert row["data"] == str(home / "pictures")
    assert row["measure"] == "frechet_scattering"
    logged = [json.loads(line) for line in (made / "metrics.jsonl").read_text().splitlines()]
    assert row["best"] == pytest.approx(
        min(line["frechet_scattering"] for line in logged if row["measure"] in line), rel=1e-5
    )
    files = [path for path in made.rglob("*") if path.is_file() and path.name != ".lock"]
    assert row["bytes"] == sum(path.stat().st_size for path in files)
    assert row["modified"] == max(path.stat().st_mtime for path in files)


def test_what_watches_a_training_reads_the_same_pack(home: Path) -> None:
    zoo.evaluate("runs/old", metrics=["frechet"], features="scattering", samples=16, write=False)
    assert [pack.info["count"] for pack in zoo.list_packs()] == [24]


def test_order(home: Path, made: Path) -> None:
    orders = {"age": ["old", made.name], "name": [made.name, "old"], "images": [made.name, "old"]}
    orders |= {"distance": [made.name, "old"]}
    for order, names in orders.items():
        assert [row["path"].rpartition("/")[2] for row in json.loads(run("runs", "--sort", order, "--json").stdout)] == names
    with pytest.raises(UsageError, match=r"sorted by 'beauty'(.|\n)*age, name"):
        list_runs(sort="beauty")  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [60, 80, 160])
def test_a_narrow_terminal(
    width: int, home: Path, made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    command(["runs"], standalone_mode=False)
    lines = capsys.readouterr().out.splitlines()
    heads = ["run", "state", "images", "budget", "best", "disk", "age"]
    assert lines[0].split() == (heads if width <= 80 else [heads[0], "recipe", "dataset", "size", *heads[1:]])
    assert width == 60 or max(map(len, lines)) <= width
    assert ("frechet_scattering" in lines[2], "100% of" in lines[2]) == (width > 80, width > 80)


def test_states(copied: Path) -> None:
    made = next(copied.glob("dcgan-*"))
    assert summarize(made).state == "finished"
    lock = lock_run(made)
    assert is_training(made)
    assert summarize(made).state == "training"
    lock.release()
    (made / "model" / "config.json").unlink()
    assert summarize(made).state == "interrupted"
    log = made / "metrics.jsonl"
    for why, state in (("the loss is nan at step 4: the training diverged", "diverged"), ("out of memory", "failed")):
        log.write_text(f'{{"step": 4, "images": 32, "epoch": 1, "seconds": 1, "stopped": "{why}", "final": true}}\n{{"half')
        found = summarize(made)
        assert (found.state, found.problem) == (state, why)
    log.unlink()
    newest = checkpoints(made / "checkpoints")[-1]
    (newest / "state.json").write_text("{")
    assert (summarize(made).state, summarize(made).problem) == ("broken", f"{newest.name}/state.json is damaged")
    shutil.rmtree(made / "checkpoints")
    assert (summarize(made).state, summarize(made).images) == ("interrupted", 0)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '"x"', "{}", '{"budget": {}, "config": 3}', '{"config": {"recipe": 1}}', "\xff" * 9, "[" * 9999]
)
def test_what_cannot_be_read_is_a_row(text: str, copied: Path) -> None:
    (copied / "bad").mkdir()
    (copied / "bad" / "run.json").write_text(text, encoding="latin-1")
    (copied / "lost" / "checkpoints").mkdir(parents=True)
    (copied / "lost" / "metrics.jsonl").touch()
    (copied / "notes").mkdir()
    (copied / "notes.txt").touch()
    (copied / ".hidden").mkdir()
    result = run("runs", copied)
    assert result.exit_code == 0, result.output
    assert f"{copied}/bad: run.json is damaged: " in result.stdout
    assert f"{copied}/lost: run.json is missing" in result.stdout
    assert "4 runs" in result.stdout
    assert "notes" not in result.stdout


def test_where_there_is_nothing(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("runs")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "no runs in runs; to make one: zoo train dcgan --dataset faces" in result.stderr
    assert json.loads(run("runs", "--json").stdout) == []
    result = run("runs", "nowhere")
    assert result.exit_code == 2
    assert "there is no folder 'nowhere'\nzoo train makes run folders in runs/" in result.stderr


def test_a_comparison_and_a_run_are_folders_of_runs_too(copied: Path, tmp_path: Path) -> None:
    made = next(copied.glob("dcgan-*"))
    assert [row.path for row in list_runs(tmp_path)] == [row.path for row in list_runs(copied)]
    assert [row.path for row in list_runs(made)] == [made]
    assert [row.path for row in list_runs(str(made)[:-3])] == [made]


def test_delete(copied: Path) -> None:
    made = next(copied.glob("dcgan-*"))
    asked = CliRunner().invoke(command, ["runs", "delete", str(made)], input="n\n")
    assert (asked.exit_code, made.is_dir()) == (1, True)
    assert f"{made}: dcgan on folder at 16×16, 32 images shown, finished, " in asked.stderr
    assert "nothing was deleted; --yes deletes without asking" in asked.stderr
    nobody = CliRunner().invoke(command, ["runs", "delete", str(made)], input="")
    assert (nobody.exit_code, made.is_dir()) == (1, True)
    said = CliRunner().invoke(command, ["runs", "delete", str(made), str(made), "--json"], input="y\n")
    assert said.exit_code == 0, said.output
    assert json.loads(said.stdout)["deleted"] == [str(made)]
    assert json.loads(said.stdout)["bytes"] > 100_000
    assert [path.name for path in copied.iterdir()] == ["old"]
    assert run("runs", "delete", copied / "old", "--yes").stdout.startswith("1 run deleted, ")
    assert list(copied.iterdir()) == []


def test_what_is_not_deleted(copied: Path) -> None:
    made = next(copied.glob("dcgan-*"))
    (copied / "notes").mkdir()
    (copied / "link").symlink_to(made)
    shutil.copytree(made, copied / "nested")
    shutil.copytree(made, copied / "nested" / "runs" / "inner")
    refused = {
        copied / "notes": "is no run folder",
        copied / "nowhere": "is no run folder",
        copied: "is no run folder",
        copied / "link": "is a link",
        copied / "nested": f"holds other runs, such as {copied}/nested/runs/inner",
        Path(str(made)[:-2]): f"did you mean {made}?",
    }
    for path, words in refused.items():
        result = run("runs", "delete", made, path, "--yes")  # nothing of what is named beside it goes either
        assert (result.exit_code, words in result.stderr) == (2, True), result.output
    lock = lock_run(made)
    result = run("runs", "delete", copied / "old", made, "--yes")
    lock.release()
    assert result.exit_code == 2
    assert f"a process is training in {made}" in result.stderr
    assert sorted(path.name for path in copied.iterdir()) == sorted(["link", made.name, "nested", "notes", "old"])
    with pytest.raises(UsageError, match="is no run folder"):
        zoo.delete_run(copied / "notes")


@pytest.mark.skipif(os.name == "nt", reason="names with such characters")
def test_control_characters_in_names(home: Path, copied: Path) -> None:
    (copied / "a\x1b[31mb").mkdir()
    (copied / "a\x1b[31mb" / "run.json").write_text("{")
    result = run("runs", copied)
    assert "\x1b" not in result.stdout
    assert "\\x1b[31mb" in result.stdout


def test_names() -> None:
    named = [name_run("dcgan", "faces", None, 64, {"seed": seed}) for seed in (0, 1, 0)]
    assert named[0] == named[2] != named[1]
    assert re.fullmatch(r"dcgan-faces-64-[0-9a-f]{6}", named[0])
    told = {
        "/a/my pictures": "my-pictures",
        "/a/cats.tar.gz": "cats",
        "ada/flowers": "flowers",
        "/": "folder",
        "/a/Löwen": "Löwen",
    }
    for data, word in told.items():
        assert name_run("dcgan", "folder", data, 32, {}).startswith(f"dcgan-{word}-32-")
    assert name_run("dcgan", "celeba", "/data/img", 32, {}).startswith("dcgan-celeba-32-")


def test_a_run_by_the_beginning_of_its_name(tmp_path: Path) -> None:
    for name in ("dcgan-faces-64-0a1b2c", "dcgan-faces-64-0a9999", "dcgan-faces-32-aaaaaa", "dcgan-faces-mine", "dcgan"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").touch()
    assert find_run(tmp_path / "dcgan") == tmp_path / "dcgan"
    assert find_run(tmp_path / "dcgan-faces-3") == tmp_path / "dcgan-faces-32-aaaaaa"
    assert find_run(tmp_path / "dcgan-faces-64-0a1") == tmp_path / "dcgan-faces-64-0a1b2c"
    assert find_run(tmp_path / "lsgan") == tmp_path / "lsgan"
    assert find_run(tmp_path / "dcgan-faces-m") == tmp_path / "dcgan-faces-m"
    assert find_run("x" * 999) == Path("x" * 999)
    with pytest.raises(UsageError, match=r"begins the names of 3 runs: (.|\n)*type more of it"):
        find_run(tmp_path / "dcgan-faces")
