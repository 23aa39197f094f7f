"""The functions of `zoo` take what the commands take, by the same names and with the same defaults; types are complete."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints

import click
import pytest

import zoo
from zoo import launching
from zoo.runs.config import RunConfig
from zoo.training.planning import plan
from zoo_cli.main import zoo as commands

ROOT = Path(__file__).parents[2]
NAMES = [name for name in zoo.__all__ if name != "__version__"]
FUNCTIONS = {name: getattr(zoo, name) for name in NAMES if inspect.isfunction(getattr(zoo, name))}

ELSEWHERE: dict[str, set[str]] = {  # command → what its function does not take, and why
    "train": {"dry_run", "file", "no_watch", "seeds"},  # zoo.plan, zoo.read_config, watch=False, zoo.train_seeds
    "probe": {"one_nn", "samples"},  # which is zoo.one_nn
    "evaluate": {"options"},  # feature_options
    "neighbors": {"options"},
    "diagnose": {"out"},  # a picture, which the record's own representation shows
    "compare": {"names"},  # recipes; of runs: zoo.compare_runs
    "export": {"directory", "out"},  # folder
    "push": {"model"},  # where
    "pull": {"html"},  # zoo.save_catalog
    "reproduce": {"dry_run"},  # zoo.reproducing.planning.plan_reproduction
}


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(function).parameters)


def _options(name: str) -> dict[str, click.Parameter]:
    command = commands.get_command(click.Context(commands), name)
    assert command is not None
    return {str(param.name): param for param in command.params if param.name not in ("as_json", "help")}


COMMANDS = [
    name for name in FUNCTIONS if name in commands.list_commands(click.Context(commands)) and name != "show"
]  # of pictures
CALLED = {"directions": "find_directions"}  # command → its function, where that has another name


def test_commands_are_compared() -> None:
    assert set(COMMANDS) >= {"train", "evaluate", "compare", "walk", "forget", "probe", "push", "pull", "bench"}


@pytest.mark.parametrize("name", [*COMMANDS, *CALLED])
def test_a_function_takes_what_its_command_takes(name: str) -> None:
    taken, options = _parameters(FUNCTIONS[CALLED.get(name, name)]), _options(name)
    missing = set(options) - set(taken) - ELSEWHERE.get(name, set())
    assert not missing, f"zoo.{name} takes no {missing}, zoo {name} does"
    for key in set(options) & set(taken):
        default, there = taken[key].default, options[key].default
        if isinstance(there, bool | int | float | str) and default not in (inspect.Parameter.empty, None):
            if isinstance(default, tuple):
                default = ",".join(default)
            assert default == there, f"zoo.{name}({key}={default!r}), and zoo {name} has {there!r}"


@pytest.mark.parametrize("name", ["build", "check", "show"])
def test_leaderboards_take_what_their_commands_take(name: str) -> None:
    group = commands.get_command(click.Context(commands), "leaderboard")
    assert isinstance(group, click.Group)
    options = {str(param.name): param for param in group.commands[name].params if param.name not in ("as_json", "help")}
    taken = _parameters(getattr(zoo, f"{name}_leaderboard"))
    assert set(options) <= set(taken)
    for key in set(options) & set(taken):
        default, there = taken[key].default, options[key].default
        if isinstance(there, bool | int | float | str) and default not in (inspect.Parameter.empty, None):
            assert default == there, f"zoo.{name}_leaderboard({key}={default!r}), and zoo leaderboard {name} has {there!r}"


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_signatures_are_explicit_typed_and_told(name: str) -> None:
    function = FUNCTIONS[name]
    for parameter in _parameters(function).values():
        assert parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL), f"zoo.{name}: {parameter}"
        assert parameter.annotation is not parameter.empty, f"zoo.{name}: {parameter}"
        assert parameter.annotation != "Any"
    assert inspect.signature(function).return_annotation not in (inspect.Signature.empty, "Any")
    assert function.__doc__
    assert len(function.__doc__.split()) >= 5
    with pytest.raises(TypeError, match="unexpected keyword argument 'no_such_option'"):
        function(**{"no_such_option": 1})


def test_the_configuration_and_the_plan_are_what_train_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    resolved, planned, trained = map(_parameters, (RunConfig.resolve, plan, zoo.train))
    assert set(resolved) - set(planned) == {"split"}  # a training takes the split "train"
    assert {key: value.default for key, value in planned.items()} == {key: trained[key].default for key in planned}
    assert {key: value.annotation for key, value in planned.items()} == {key: trained[key].annotation for key in planned}

    class Heard(Exception):
        pass

    def hear(recipe: object, **choices: object) -> None:
        raise Heard({"recipe": recipe, **choices})

    monkeypatch.setattr(launching, "plan", hear)
    values = {name: object() for name in planned}
    with pytest.raises(Heard) as caught:
        zoo.train(**values)  # type: ignore[arg-type]
    assert caught.value.args[0] == values  # each goes where it belongs


def test_compare_takes_what_a_training_takes() -> None:
    shared = {
        "dataset",
        "data",
        "download",
        "limit",
        "size",
        "channels",
        "batch",
        "options",
        "precision",
        "device",
        "threads",
    }
    compared, trained = _parameters(zoo.compare), _parameters(zoo.train)
    assert {key: compared[key].annotation for key in shared} == {key: trained[key].annotation for key in shared}
    with pytest.raises(zoo.ZooError, match="name a budget that every recipe gets\nfor example: images=20000"):
        zoo.compare("dcgan", dataset="faces", out="x")


def test_help_tells_of_every_argument(capsys: pytest.CaptureFixture[str]) -> None:
    help(zoo.train)
    told = capsys.readouterr().out
    assert "Train a recipe on a dataset, or go on with a run." in told
    for name in _parameters(zoo.train):
        assert name in (zoo.train.__doc__ or "")


def test_what_is_wrong_names_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for choices, words in (
        ({}, 'name a recipe\nfor example: zoo.train("dcgan", dataset="faces")'),
        ({"recipe": "dcgan", "dataset": "faces", "size": 100}, "try: size=96 or size=128"),
        ({"recipe": "dcgan", "dataset": "faces", "epochs": 1, "images": 8}, "'epochs' and 'images' are budgets; give one"),
        ({"recipe": "dcgan", "dataset": "faces", "limit": 3, "options": {"dataset.limit": 4}}, "the same option twice"),
        ({"recipe": "dcgan", "dataset": "cifar10"}, "download=True"),
    ):
        with pytest.raises(zoo.ZooError) as caught:
            zoo.train(**choices)  # type: ignore[arg-type]
        assert words in str(caught.value)
        assert "--" not in str(caught.value)


def test_a_script_of_all_names_is_typed(tmp_path: Path) -> None:
    """What mypy, strict, says of a small script: every public name has a type, none of them `Any`."""
    pytest.importorskip("mypy.api", reason="the extra [dev] has mypy")
    lines = ["from pathlib import Path", "from PIL import Image", "from torch import Tensor", "import zoo", ""]
    lines += [f"reveal_type(zoo.{name})" for name in NAMES]
    lines += [
        "run: zoo.Run = zoo.train('dcgan', dataset='faces', images=60_000, options={'generator.width': 32})",
        "model: zoo.Model = zoo.load(run)",
        "images: Tensor = model.sample(64, seed=1)",
        "picture: Image.Image = zoo.show(images)",
        "written: Path = zoo.save_grid(images, 'faces.png')",
        "results: zoo.Results = zoo.evaluate(run, metrics='fid', features='scattering')",
        "results = zoo.evaluate(model, dataset='faces', metrics=['fid', 'kid'])",
        "fid: float = results.metrics['fid']",
        "compared: zoo.Comparison = zoo.compare(['dcgan', 'mlp-gan'], dataset='faces', out='c', images=1000)",
        "zoo.walk(model, latents=4).picture().save('walk.png')",
        "zoo.train(resume=run, minutes=3, show_samples=True)",
        "zoo.train('dcgan', datset='faces')  # type: ignore[call-arg]",
        "zoo.train('dcgan', images='many')  # type: ignore[arg-type]",
    ]
    script = tmp_path / "script.py"
    script.write_text("\n".join(lines) + "\n", encoding="utf-8")
    settings = ["--strict", "--warn-unused-ignores", "--follow-imports=silent", "--explicit-package-bases"]
    cache = ["--cache-dir", str(tmp_path / "cache"), "--config-file", os.devnull, "--ignore-missing-imports"]
    path = os.pathsep.join(str(ROOT / folder) for folder in ("core", "plugins", "zoo", "cli"))
    command = [sys.executable, "-m", "mypy", *settings, *cache, str(script)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "MYPYPATH": path}, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("Revealed type is") == len(NAMES)
    assert 'Revealed type is "Any"' not in done.stdout


def test_types_can_be_read_at_run_time() -> None:
    hints = get_type_hints(zoo.load)
    assert hints["return"] is zoo.Model
