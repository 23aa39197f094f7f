"""One hostile string through every surface: name of folders and files, label, credit, license, recipe, command, metric."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from click.testing import CliRunner
from markdown_it import MarkdownIt
from PIL import Image

import zoo
from helpers.boards import make_board, make_result
from zoo.leaderboard.results import write_result
from zoo.models.config import read_config
from zoo.models.folder import rewrite_card, write_config
from zoo_cli.main import zoo as commands
from zoo_core import ZooError

BAD = "=x\x1b[31m\u202e\nerror: forged\x9b\u2066'\"<b>`|*_[a](b){{7*7}}\r"
"""Steers a terminal, turns text around, forges a line, ends attributes and cells, is markup, a formula and a template."""

RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\r]")
SMALL: dict[str, Any] = {
    "dataset": "folder",
    "size": 16,
    "channels": 3,
    "images": 32,
    "device": "cpu",
    "precision": "fp32",
    "workers": 0,
    "threads": 1,
    "watch": False,
    "options": {
        "generator.width": 4,
        "discriminator.width": 4,
        "training.batch": 8,
        "training.log_every": 1,
        "training.samples_every": 8,
    },
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with pictures, a run and a model, all called badly, and a cache."""
    folder, before, threads = tmp_path_factory.mktemp("bad"), os.environ.get("ZOO_CACHE"), torch.get_num_threads()
    os.environ["ZOO_CACHE"] = str(folder / "cache")
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    for i in range(24):
        path = folder / f"data{BAD}" / f"{'ab'[i % 2]}{BAD}" / f"{i}{BAD}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)).save(path)
    path.with_name(f"broken{BAD}.png").write_text("no picture")
    run = zoo.train("dcgan", data=folder / f"data{BAD}", out=folder / "runs" / f"run{BAD}", **SMALL)
    model = folder / f"model{BAD}"
    shutil.copytree(run.path / "model", model)
    config = read_config(model)
    provenance = config["provenance"]
    facts = {key: f"{key}{BAD}" for key in ("name", "license", "credit")}
    provenance |= {"command": f"zoo train{BAD}", "license": f"mine{BAD}", "dataset": {**provenance["dataset"], **facts}}
    provenance["parent"] = {"model": f"parent{BAD}", "license": BAD, "dataset_credit": BAD}
    config["recipe"] = {"name": f"recipe{BAD}", "summary": BAD, "paper": BAD}
    write_config(config, model)
    metrics = {"metrics": {f"fid{BAD}": 1.5}, "protocol": {f"how{BAD}": BAD, "dataset": BAD}}
    (model / "metrics.json").write_text(json.dumps(metrics))
    rewrite_card(model)
    make_board(folder / f"board{BAD}", {"dcgan": [3.0, 3.1], "lsgan": [None, 2.9]}, options={f"generator.{BAD}": BAD})
    write_result(folder / f"board{BAD}", make_result("lsgan", 0, 0.0, state="failed", reason=BAD, metrics={}))
    yield folder
    torch.set_num_threads(threads)
    if before is not None:
        os.environ["ZOO_CACHE"] = before


@pytest.fixture(autouse=True)
def _here(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_CACHE", str(place / "cache"))
    monkeypatch.chdir(place)


RUN, MODEL, DATA, NEW = f"runs/run{BAD}", f"model{BAD}", f"data{BAD}", f"new{BAD}"
EVALUATED = ["--metrics", "swd", "--features", "pixels", "--samples", "16", "--real", "16"]
MISTAKES = {
    *("no such label", "export to what is there", "export a file", "resume", "resume nothing", "no such recipe"),
    *("no such option", "no such value", "no such dataset", "no such data", "no such flag", "no such command"),
    *("no such name", "no such model", "no such plugin", "push to a bad name"),
}
COMMANDS: dict[str, list[str]] = {
    "runs": ["runs"],
    "diagnose": ["diagnose", RUN],
    "lineage": ["lineage", RUN],
    "lineage of a model": ["lineage", MODEL],
    "sample": ["sample", MODEL, "-n", "2", "--out", f"{NEW}.png", "--device", "cpu"],
    "samples": ["sample", RUN, "-n", "2", "--out", f"{NEW}/", "--device", "cpu"],
    "no such label": ["sample", MODEL, "-n", "2", "--label", BAD],
    "export": ["export", RUN, f"exported{NEW}"],
    "export to what is there": ["export", RUN, MODEL],
    "export a file": ["export", RUN, f"{NEW}.pt"],
    "compare runs": ["compare", RUN, "--out", f"compared{NEW}"],
    "resume": ["train", "--resume", RUN, "--images", "32"],
    "resume nothing": ["train", "--resume", f"runs/none{BAD}"],
    "dry run": ["train", "dcgan", "--data", DATA, "--size", "16", "--dry-run"],
    "no such recipe": ["train", BAD],
    "no such option": ["train", "dcgan", "--dataset", "faces", "--set", f"generator.{BAD}=1"],
    "no such value": ["train", "dcgan", "--dataset", "faces", "--size", BAD],
    "no such dataset": ["train", "dcgan", "--dataset", BAD],
    "no such data": ["train", "dcgan", "--dataset", "folder", "--data", f"none{BAD}"],
    "no such flag": ["sample", MODEL, f"--{BAD}"],
    "no such command": [BAD],
    "no such name": ["show", BAD],
    "no such model": ["sample", f"none{BAD}"],
    "no such plugin": ["plugins", "check", BAD],
    "build": ["data", "build", "folder", "--data", DATA, "--size", "16", "--workers", "1"],
    "packs": ["data", "list"],
    "cache": ["cache", "list"],
    "inspect": ["data", "inspect", "PACK", "--out", f"seen{NEW}"],
    "pull": ["pull", MODEL],
    "push": ["push", MODEL, "ada/small", "--dry-run"],
    "push with a Space": ["push", MODEL, "ada/small", "--dry-run", "--space", "--out", f"app{NEW}"],
    "push to a bad name": ["push", MODEL, BAD],
    "evaluate": ["evaluate", MODEL, "--dataset", "folder", "--data", DATA, *EVALUATED, "--device", "cpu"],
    "walk": ["walk", MODEL, "--latents", "2", "--steps", "3", "--out", f"walk{NEW}.png", "--device", "cpu"],
    "board": ["leaderboard", "show", f"board{BAD}"],
    "board as Markdown": ["leaderboard", "show", f"board{BAD}", "--markdown", "-"],
    "timelapse": ["timelapse", RUN, "--out", f"film{NEW}.gif"],
}  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("machine", [False, True], ids=["text", "json"])
def test_on_the_terminal(name: str, machine: bool, place: Path) -> None:
    pack = next(path for path in (place / "cache" / "packs").iterdir() if not path.name.startswith("."))
    words = [str(pack) if word == "PACK" else word for word in COMMANDS[name]]
    found = CliRunner().invoke(commands, [*words, "--json"] if machine else words, prog_name="zoo", color=True)
    shown = re.sub("\x1b\\[\\d*m", "", found.output)  # our own colors
    assert RAW.findall(shown) == []
    assert [line for line in shown.splitlines() if line.startswith("error: forged")] == []
    assert "Traceback" not in shown
    assert (found.exit_code == 0) == (name not in MISTAKES), shown
    if machine and found.exit_code == 0 and "--markdown" not in words:
        json.loads(found.stdout)
    for path in [path for path in place.iterdir() if NEW in path.name]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def test_in_python(place: Path) -> None:
    model = zoo.load(MODEL)
    run = zoo.train(resume=RUN, images=40)
    for shown in (repr(model), repr(run), model._repr_html_(), run._repr_html_(), repr(zoo.diagnose(RUN))):
        assert RAW.findall(shown) == []
        assert "\n" not in re.sub("<img .*?>", "", shown, flags=re.DOTALL)
        assert "<b>" not in shown or not shown.startswith("<div>")
    wrong: list[Any] = [
        lambda: zoo.load(f"none{BAD}"),
        lambda: zoo.export(RUN, MODEL),
        lambda: zoo.create(BAD),
        lambda: zoo.train("dcgan", dataset="folder", data=f"none{BAD}"),
    ]
    for call in wrong:
        with pytest.raises(ZooError) as caught:
            call()
        assert RAW.findall(str(caught.value)) == []


def test_in_a_card(place: Path) -> None:
    text = (place / MODEL / "README.md").read_text(encoding="utf-8")
    assert RAW.findall(text) == []
    header, body = text.split("---", 2)[1:]
    assert isinstance(yaml.safe_load(header), dict)
    page = MarkdownIt("commonmark", {"html": True}).enable("table").render(body)
    assert "<b>" not in page
    assert re.findall(r'(?:src|href)="([^"]*)"', page) == ["samples.png"]
    assert "49" not in re.findall(r"\{\{|49", page)


def test_in_tables_for_machines(place: Path) -> None:
    zoo.compare_runs([RUN], out=f"compared{NEW}")
    file = place / f"compared{NEW}" / "comparison.csv"
    text = file.read_text(encoding="utf-8")
    assert RAW.findall(text.replace("\r\n", "\n")) == []
    rows = list(csv.reader(text.splitlines()))
    assert len({len(row) for row in rows}) == 1
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "@"))]


def test_in_names_of_files(place: Path) -> None:
    """What the zoo names itself is called plainly, whatever the labels are called."""
    zoo.save_grid(zoo.load(MODEL).sample(2), "plain.png")
    made = [path for folder in ("cache", "dry-run", RUN, MODEL) for path in (place / folder).rglob("*")]
    own = [path.name for path in made]
    assert own
    assert [name for name in own if not name.isprintable()] == []
