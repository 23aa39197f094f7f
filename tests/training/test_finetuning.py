"""Trainings that begin with the weights of a model, and the lineage of what comes out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

import zoo
from helpers.packs import pictures
from helpers.training import TINY, Heard, differing, resume
from zoo.files import sha256
from zoo_core import OptionError, UnknownNameError, UsageError, ZooError

OFTEN = {"training.log_every": 1}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of pictures with two classes, a parent run of a tiny DCGAN, and a cache."""
    folder = tmp_path_factory.mktemp("parent")
    patch = pytest.MonkeyPatch()
    patch.setenv("ZOO_CACHE", str(folder / "cache"))
    for name in ("cat", "dog"):
        pictures(folder / "pictures" / name, 10, colored={0})
    begin(folder / "run", folder / "pictures", "dcgan", options=TINY, images=16)
    yield folder
    patch.undo()


def begin(out: Path, data: Path, recipe: str | None = None, *, stop_at: float | None = None, **choices: Any) -> zoo.Run:
    quiet: dict[str, Any] = {"device": "cpu", "precision": "fp32", "report": Heard(stop_at), "workers": 1}
    return zoo.train(recipe, dataset="folder", data=data, out=out, **{**quiet, "images": 16, "batch": 8, **choices})


def weights(run: Path, number: int = -1) -> dict[str, Tensor]:
    return load_file(sorted((run / "checkpoints").iterdir())[number] / "networks.safetensors")


def start(run: Path) -> dict[str, Tensor]:
    """The weights with which a run began."""
    folder = min((run / "checkpoints").iterdir())
    assert json.loads((folder / "state.json").read_text())["images"] == 0
    return load_file(folder / "networks.safetensors")


def test_it_begins_with_the_weights_of_the_model_and_its_recipe_and_size(made: Path, tmp_path: Path) -> None:
    run = begin(tmp_path / "run", made / "pictures", base=made / "run", images=8)
    began, parent = start(run.path), zoo.load(made / "run")
    assert run.config.recipe["name"] == "dcgan"
    assert run.config.parts["generator"]["options"]["width"] == 4
    assert run.config.training.size == 16
    for role, network in parent.networks.items():
        for name, value in network.state_dict().items():
            assert torch.equal(began[f"{role}.{name}"], value), (role, name)
    for name, value in parent.generator.named_parameters():
        assert torch.equal(began[f"average.generator.{name}"], value)
    assert not torch.equal(weights(run.path)["generator.to_image.0.weight"], began["generator.to_image.0.weight"])


def test_frozen_stages_stay_as_they_are_and_the_rest_learns(made: Path, tmp_path: Path) -> None:
    run = begin(tmp_path / "run", made / "pictures", base=made / "run", freeze=["discriminator.8x8"])
    began, ended = start(run.path), weights(run.path)
    same = {name for name, value in began.items() if name.endswith("weight") and torch.equal(value, ended[name])}
    assert same == {name for name in began if name.startswith("discriminator.blocks.8x8.") and name.endswith("weight")}
    assert same


def test_a_killed_run_goes_on_with_the_same_bits_though_the_model_is_gone(made: Path, tmp_path: Path) -> None:
    parent = shutil.copytree(made / "run" / "model", tmp_path / "parent")
    choices: dict[str, Any] = {"base": parent, "freeze": ["discriminator.8x8"], "images": 64, "options": OFTEN}
    whole = begin(tmp_path / "whole", made / "pictures", **choices)
    stopped = begin(tmp_path / "stopped", made / "pictures", stop_at=16, **choices)
    assert not stopped.finished
    shutil.rmtree(parent)
    assert resume(stopped.path).finished
    assert not differing(whole.path, stopped.path)


def test_a_run_that_was_killed_before_its_first_checkpoint_needs_the_same_model(made: Path, tmp_path: Path) -> None:
    parent = shutil.copytree(made / "run" / "model", tmp_path / "parent")
    run = begin(tmp_path / "run", made / "pictures", base=parent)
    whole = shutil.copytree(run.path, tmp_path / "whole")
    for name in ("checkpoints", "model"):
        shutil.rmtree(run.path / name)
    again = shutil.copytree(run.path, tmp_path / "again")
    assert resume(again).finished
    assert not differing(whole, again)
    shutil.rmtree(parent)
    with pytest.raises(ZooError, match="cannot be read any more"):
        resume(run.path)


def test_another_size_takes_the_stages_that_both_have(made: Path, tmp_path: Path) -> None:
    run = begin(tmp_path / "run", made / "pictures", base=made / "run", size=32, images=8)
    began, parent = start(run.path), zoo.load(made / "run").generator.state_dict()
    assert run.config.parts["generator"]["options"]["width"] == 2  # as wide at 8×8 as the model is
    for name in ("blocks.4x4.linear.weight", "blocks.8x8.0.weight"):
        assert torch.equal(began[f"generator.{name}"], parent[name])
    assert began["generator.to_image.0.weight"].shape != parent["to_image.0.weight"].shape


def test_labels_are_added_to_what_the_model_knows(made: Path, tmp_path: Path) -> None:
    run = begin(tmp_path / "run", made / "pictures", "cdcgan", base=made / "run", images=8)
    began, parent = start(run.path), zoo.load(made / "run").generator.state_dict()
    wider = began["generator.blocks.8x8.0.weight"]
    assert wider.shape[0] == parent["blocks.8x8.0.weight"].shape[0] + 2
    assert torch.equal(wider[:-2], parent["blocks.8x8.0.weight"])
    assert wider[-2:].abs().sum() > 0


def test_what_was_taken_is_said(made: Path, tmp_path: Path) -> None:
    heard = Heard()
    begin(tmp_path / "run", made / "pictures", base=made / "run", size=32, images=8, report=heard)
    said = heard.text
    assert "begins with run\n  generator: " in said
    assert "blocks.16x16.0.weight, which the model has not" in said
    assert "blocks.8x8.0.weight, which is [4, 3, 4, 4] there and [4, 2, 4, 4] here" in said


def test_model_card_and_lineage_name_the_parents(made: Path, tmp_path: Path) -> None:
    child = begin(tmp_path / "child", made / "pictures", base="dcgan-faces", images=4, batch=4).path
    grandchild = begin(tmp_path / "grandchild", made / "pictures", base=child, images=4, batch=4).path
    found = zoo.lineage(grandchild / "model")
    assert [(a.model, a.verdict) for a in found] == [
        (str(grandchild / "model"), "the same"),
        ("child", "not at hand"),
        ("dcgan-faces", "the same"),
    ]
    assert found[1].sha256["generator.safetensors"] == sha256(child / "model" / "generator.safetensors")
    assert found[2].licenses[0] == "apache-2.0"
    card = (grandchild / "model" / "README.md").read_text()
    assert "| Began with | child, dcgan |" in card
    assert "\nlicense: apache-2.0\n" in card
    assert str(tmp_path) not in (grandchild / "model" / "config.json").read_text()


def test_weights_that_changed_since_are_found_out(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(made / "run" / "model", tmp_path / "parent")
    child = begin(tmp_path / "child", made / "pictures", base="parent", images=8).path
    assert zoo.lineage(child)[1].verdict == "the same"
    shutil.copy(child / "model" / "generator.safetensors", tmp_path / "parent" / "generator.safetensors")
    assert zoo.lineage(child)[1].verdict == "differs"


@pytest.mark.parametrize(
    ("choices", "error", "says"),
    [
        ({"base": "run", "channels": 1}, UsageError, "run draws pictures of 3 channels, not 1"),
        ({"base": "run", "freeze": ["discriminator.9x9"]}, UnknownNameError, "discriminator.8x8"),
        (
            {"base": "run", "freeze": ["discriminator.8x8", "discriminator.4x4", "discriminator.to_logit"]},
            OptionError,
            "all",
        ),
        ({"freeze": ["discriminator.8x8"]}, UsageError, "there is none"),
        ({"base": "nope"}, UsageError, "there is no model at 'nope'"),
        ({"base": "run", "recipe": "mlp-gan"}, UsageError, "no weights of the model fit"),
    ],
)
def test_bad_input(
    choices: dict[str, Any], error: type[Exception], says: str, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(made)
    choices = {"recipe": "dcgan" if "base" not in choices else None, **choices}
    with pytest.raises(error, match=says):
        begin(tmp_path / "new", made / "pictures", **choices)
    assert not (tmp_path / "new").exists()


def test_a_resumed_run_keeps_its_beginning(made: Path, tmp_path: Path) -> None:
    run = begin(tmp_path / "run", made / "pictures", base=made / "run", images=8)
    for choices in ({"base": made / "run"}, {"freeze": ["discriminator.8x8"]}):
        with pytest.raises(UsageError, match="belongs to a new one"):
            zoo.train(resume=run.path, **choices)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"from: 'run' in the run, nothing now"):
        begin(tmp_path / "run", made / "pictures", "dcgan", options=TINY)
