"""Trainings that are told by a file."""

from __future__ import annotations

import inspect
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


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("recipe: [dcgan]", r"recipe must be a text or null, not \['dcgan'\]"),
        ("size: wide", "size must be a whole number or null, not 'wide'"),
        ("images: [1]", r"images must be a number, not \[1\]"),
        ("set: 5", "set must be an object, not 5"),
        ("from: 3", "from must be a text or null"),
        (f"recipe: {'x' * 101}", "x…?'?… has 101 characters; the most is 100"),
        (f"data: {'x' * 1001}", "has 1,001 characters; the most is 1000"),
        (f"set: {{{'x' * 200}: 1}}", "has 200 characters; the most is 100"),
        (f"track: [{'x' * 200}]", "has 200 characters; the most is 100"),
        ("freeze: [1]", "freeze.0 must be a text, not 1"),
        ("seed: 2020-01-01", "it holds what no JSON can"),
        ("seed: .nan", "a number that is not finite"),
        (f"seed: 1{'0' * 400}", "a number of more than 300 digits"),
        ("seed: !!timestamp x", "neither YAML nor JSON"),
        ("seed: !!bool x", "neither YAML nor JSON"),
        ("seed: !!int ''", "neither YAML nor JSON"),
        ("a: &a {b: *a}", "more than 100,000 values"),
        (f"a: &a {'x' * 900_000}\nb: [*a, *a, *a]", "more than 100,000 values"),
        ("[" * 900 + "]" * 900, "neither YAML nor JSON|holds no configuration"),
        ('{"recipe": "dcgan", "recipe": "mlp-gan"}', "a key stands twice"),
        ("\n".join(f"{'k' * 50}{i}: 1" for i in range(50)), "keys that mean nothing: k"),
        (json.dumps({"recipe": {"name": "x"}, "track": {"wandb": 5}}), "track.wandb must be an object"),
        (json.dumps({"config": {"recipe": {}, "x" * 5000: 1}}), "a key that means nothing|no run.json"),
        (json.dumps({"recipe": {"name": "x"}, "budget": {"images": "y" * 5000}}), "is no whole configuration|budget"),
    ],
)
def test_values_of_a_wrong_type(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text(text)
    with pytest.raises(UsageError, match=says) as caught:
        zoo.read_config(tmp_path / "file")
    assert str(tmp_path / "file")[-100:] in caught.value.message
    assert len(str(caught.value)) <= 300


def test_arguments_of_a_file_are_those_of_a_training() -> None:
    from zoo.training.config_files import _ARGUMENTS

    assert {*_ARGUMENTS} == {*inspect.signature(zoo.plan).parameters} - {"resume"}


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        zoo.read_config(tmp_path / "nothing.yaml")


def test_merging_keeps_one_budget() -> None:
    assert merge_config({"images": 5, "options": {"a": 1}}, {"epochs": 2, "options": {"b": 2}}) == {
        "epochs": 2,
        "options": {"a": 1, "b": 2},
    }
