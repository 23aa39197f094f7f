"""`zoo list` and `zoo show`: every kind, recipes with all that they train with, algorithms with their phases."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from helpers.shell import Shell
from zoo.runs.config import RunConfig
from zoo_cli.main import zoo
from zoo_core import Plugin, PretrainedModel, Recipe, registry
from zoo_core.options import write_value
from zoo_core.records import KINDS


def run(*arguments: str) -> Result:
    return CliRunner().invoke(zoo, arguments, prog_name="zoo")


def shown(name: str, kind: str) -> dict[str, Any]:
    (found,) = [thing for thing in json.loads(run("show", name, "--json").stdout) if thing["kind"] == kind]
    return found  # type: ignore[no-any-return]


def words(result: Result) -> list[str]:
    """Its lines, with one blank between words."""
    assert result.exit_code == 0, result.output
    return [" ".join(line.split()) for line in result.stdout.splitlines()]


MODEL = PretrainedModel(
    "acme:models/one", {"generator.safetensors": "0" * 64}, "dcgan", "faces", "CC0-1.0", "faces, small", 32
)


@pytest.fixture
def acme() -> Any:
    broken = "helpers.broken:Good"
    plugin = Plugin(
        algorithms={"acme": f"{broken}Algorithm"},
        networks={"good": f"{broken}Network"},
        augmentations={"acme": f"{broken}Augmentation"},
        metrics={"acme": f"{broken}Metric"},
        trackers={"acme": f"{broken}Tracker"},
        models={"acme-faces": MODEL},
        recipes=[
            Recipe("acme-gan", base="dcgan", options={"optimizer.lr": 1e-3, "optimizer.generator.beta2": 0.9}),
            Recipe("acme-broken", base="dcgan", generator="dcgn"),
        ],
    )
    with registry.add(plugin, distribution="acme"):
        yield


@pytest.mark.parametrize("kind", ["recipes", *KINDS])
@pytest.mark.usefixtures("acme")
def test_every_kind_is_listed_and_shown(kind: str) -> None:
    entries = json.loads(run("list", kind, "--json").stdout)
    assert entries
    assert {entry["kind"] for entry in entries} == {kind}
    lines = words(run("list", kind))
    name = entries[0]["name"]
    assert [line.split()[0] for line in lines] == [entry["name"] for entry in entries]
    assert all(entry in json.loads(run("list", "--json").stdout) for entry in entries)
    if name != "acme-broken":
        assert shown(f"{entries[0]['distribution']}:{name}", kind)["summary"] == entries[0]["summary"]


def test_an_algorithm_is_shown_with_phases_parts_and_options() -> None:
    lines = words(run("show", "gan"))
    assert lines[0].startswith("algorithm gan (dcgan-zoo")
    assert "discriminator updates discriminator in every step" in lines
    assert "penalty updates discriminator in every step, with the optimizer step of the phase before" in lines
    assert "generator generator averaged, and published" in lines
    assert any(line.startswith("algorithm.updates=both both | alternate: 'both': each") for line in lines)
    found = shown("gan", "algorithms")
    assert found["parts"] == {"generator": "generators", "discriminator": "discriminators", "loss": "losses"}
    assert [phase["name"] for phase in found["phases"]] == ["discriminator", "penalty", "generator", "generator-penalty"]


@pytest.mark.usefixtures("acme")
def test_how_often_a_phase_comes_is_said() -> None:
    assert "generator updates generator, encoder in 1 of 2 steps" in words(run("show", "acme"))


def test_a_recipe_is_shown_with_every_part_and_value() -> None:
    lines = words(run("show", "wgan-gp"))
    for line in (
        "base: dcgan",
        "algorithm: gan",
        "generator: dcgan",
        "discriminator: dcgan",
        "loss: wasserstein",
        "image sizes: 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, of those tried from 8 to 512",
        "* algorithm.discriminator_steps=5 int, at least 1, else 1: discriminator updates for each generator update",
        "algorithm.conditional=false bool: whether the networks are told the labels",
        "loss.gradient_penalty=10.0 float, at least 0: weight of the penalty; 0: none",
        "* training.batch=32 int, at least 1, else 128: real images in each minibatch, over all processes",
        "training.augment=[] list of str: differentiable augmentation of all that a discriminator sees",
        "* optimizer.lr=0.0001 float, more than 0, else 0.0002: learning rate",
        "optimizer.clip=0.0 float, at least 0: largest norm of the gradient over all weights of the role; 0: not clipped",
    ):
        assert any(found.startswith(line) for found in lines), line
    found = shown("wgan-gp", "recipes")
    assert (found["algorithm"], found["generator"]) == ("gan", "dcgan")
    assert found["parts"]["loss"] == {"kind": "losses", "name": "wasserstein"}
    assert found["settings"]["algorithm.discriminator_steps"] == 5
    assert found["values"]["generator.width"] == 64
    listed = {option["key"]: option for option in found["options"]}
    assert listed.keys() == found["values"].keys()
    steps = listed["algorithm.discriminator_steps"]
    assert (steps["value"], steps["default"], steps["set"], steps["type"]) == (5, 1, True, "int")
    assert listed["discriminator.norm"]["choices"] == ["batch", "none", "spectral"]
    assert listed["generator.width"]["help"].startswith("feature maps")
    assert shown("lapgan", "recipes")["sizes"] == [16, 32, 64, 128, 256, 512]  # its top of 8×8, doubled
    assert {28, 100} <= {*shown("mlp-gan", "recipes")["sizes"]}


@pytest.mark.usefixtures("acme")
def test_roles_that_learn_differently_are_shown_apart() -> None:
    lines = words(run("show", "acme-gan"))
    assert any(
        line.startswith("* optimizer.generator.beta2=0.9 float, at least 0 and less than 1, else 0.999:") for line in lines
    )
    assert any(line.startswith("optimizer.discriminator.beta2=0.999 float, at least 0 and less than 1:") for line in lines)
    assert any(line.startswith("* optimizer.discriminator.lr=0.001 float, more than 0, else 0.0002:") for line in lines)


@pytest.mark.usefixtures("acme")
def test_a_recipe_that_leads_nowhere_says_why() -> None:
    result = run("show", "acme-broken")
    assert result.exit_code == 2
    assert "unknown generator 'dcgn'; did you mean dcgan" in result.stderr


@pytest.mark.usefixtures("acme")
def test_a_model_says_where_it_is_from() -> None:
    lines = words(run("show", "acme-faces"))
    assert lines[0].startswith("model acme-faces (acme")
    assert {"recipe: dcgan", "dataset: faces", "license: CC0-1.0", "where: acme:models/one"} <= set(lines)
    assert shown("acme-faces", "models")["size"] == 32


RECIPES = [entry.name for entry in registry.entries("recipes")]


@pytest.mark.parametrize("recipe", RECIPES)
def test_what_a_recipe_shows_can_be_typed(recipe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoo.describing.SIZES", (64,))  # the others are tried elsewhere
    listed = {option["key"]: option["value"] for option in shown(recipe, "recipes")["options"]}
    texts = {key: write_value(value) for key, value in listed.items()}
    config = RunConfig.resolve(recipe, options=texts)
    assert config == RunConfig.resolve(recipe)
    said = words(run("show", recipe))
    for key, text in texts.items():
        assert any(line.removeprefix("* ").startswith(f"{key}={text} ") for line in said), key


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_options_fit_a_terminal(tmp_path: Path) -> None:
    command = shlex.join([sys.executable, "-m", "zoo_cli", "show", "wgan-gp"])
    screen = Shell(["sh"], ["stty -echo cols 80", "PS1=READY''\\>"], tmp_path, {**os.environ, "PATH": os.defpath})
    lines = screen.run(command).splitlines()
    screen.close()
    after = lines[next(i for i, line in enumerate(lines) if "options of --set" in line) :]
    assert len(after) > 60
    assert max(map(len, after)) <= 80


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("faces", "dataset.resolution=128 int, at least 16 and at most 1024:"),
        ("faces", "--data str | none:"),
        ("wasserstein", "loss.gradient_penalty=10.0 float, at least 0:"),
        ("pixels", "features.size=32 int, at least 1 and at most 8192:"),
        ("cutout", "share=0.5 float, more than 0 and at most 1:"),
        ("training", "training.batch=128 int, at least 1:"),
        ("optimizer", "optimizer.lr=0.0002 float, more than 0:"),
    ],
)
def test_an_option_is_shown_as_it_is_typed(name: str, line: str) -> None:
    assert any(found.startswith(line) for found in words(run("show", name)))
