"""Trainings that are told by a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

import zoo
from zoo.training.config_files import merge_config
from zoo_cli.main import zoo as command_line
from zoo_core import UsageError

OPTIONS = {"generator.width": 8, "optimizer.generator.lr": 1e-3, "training.ema": 0.9, "dataset.count": 50}
CHOICES = {"dataset": "faces", "size": 32, "images": 400, "seed": 3, "batch": 16, "device": "cpu"}


def plan(**choices: object) -> zoo.Plan:  # type: ignore[name-defined]
    return zoo.plan(**choices)  # type: ignore[arg-type]


def test_what_dry_run_prints_gives_the_same_plan(tmp_path: Path) -> None:
    first = plan(recipe="dcgan", options=OPTIONS, **CHOICES)
    for name, write in (("a.json", json.dumps), ("b.yaml", yaml.safe_dump)):
        file = tmp_path / name
        file.write_text(write(json.loads(json.dumps(first.to_json()))))
        again = plan(**zoo.read_config(file))
        assert again.config.identity() == first.config.identity()
        assert again.budget == first.budget


def test_keys_as_they_are_typed(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "recipe: dcgan\ndataset: faces\nsize: 32\nimages: 400\nset:\n  generator.width: 8\n  optimizer.lr: 1e-3\n"
    )
    found = plan(**zoo.read_config(file))
    assert found.config.training.size == 32
    assert found.config.parts["generator"]["options"]["width"] == 8
    assert {settings["lr"] for settings in found.config.optimizer.values()} == {1e-3}
    assert found.budget.amount == 400


def test_what_is_typed_wins(tmp_path: Path) -> None:
    file = tmp_path / "first.json"
    file.write_text(json.dumps(plan(recipe="dcgan", options=OPTIONS, **CHOICES).to_json()))
    command = ["train", "--config", str(file), "--minutes", "2", "--size", "64", "--set", "optimizer.lr=5e-4"]
    said = CliRunner().invoke(command_line, [*command, "--set", "generator.width=16", "--dry-run"])
    assert said.exit_code == 0, said.output
    found = json.loads(said.stdout)
    assert found["budget"] == {"minutes": 2}
    assert found["training"]["size"] == 64
    assert found["training"]["ema"] == 0.9
    assert found["seed"] == 3
    assert found["parts"]["generator"]["options"]["width"] == 16
    assert {settings["lr"] for settings in found["optimizer"].values()} == {5e-4}


def test_a_run_is_such_a_file(tmp_path: Path) -> None:
    options = {"generator.width": 4, "discriminator.width": 4, "dataset.count": 16}
    quiet = {"device": "cpu", "precision": "fp32", "workers": 1}
    run = zoo.train("dcgan", dataset="faces", size=16, batch=8, images=8, options=options, out=tmp_path / "run", **quiet)
    for place in (run.path, run.path / "run.json"):
        again = plan(**{**zoo.read_config(place), "device": "cpu"})
        assert {**again.config.identity(), "channels": 3} == run.config.identity()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("recipe: dcgan\nsiez: 32\nfoo: 1\n", r"keys that mean nothing: siez \(did you mean size\?\), foo"),
        ("recipe: [", "neither YAML nor JSON at line"),
        ("{", "neither YAML nor JSON"),
        ("just words", "holds no configuration"),
        ('{"recipe": {"name": "dcgan"}, "training": {}}', "is no whole configuration"),
        ("!!python/object/apply:os.system ['false']", "neither YAML nor JSON"),
    ],
)
def test_bad_files(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text(text)
    with pytest.raises(UsageError, match=says):
        zoo.read_config(tmp_path / "file")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        zoo.read_config(tmp_path / "nothing.yaml")


def test_merging_keeps_one_budget() -> None:
    assert merge_config({"images": 5, "options": {"a": 1}}, {"epochs": 2, "options": {"b": 2}}) == {
        "epochs": 2,
        "options": {"a": 1, "b": 2},
    }
