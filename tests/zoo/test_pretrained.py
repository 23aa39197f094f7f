"""A model from elsewhere and to elsewhere, by the names of `huggingface_hub`'s own mixin."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelHubMixin

import zoo
from helpers.hub_server import HubServer
from helpers.hub_server.fixtures import make_model
from zoo_core import ModelError, UsageError


def test_there_and_back(hub: HubServer, small_model: Path) -> None:
    model = zoo.Model.from_pretrained(small_model)
    assert type(model) is zoo.Model
    url = model.push_to_hub("ada/small", commit_message="first", private=True, license="mit", tag="v1")
    state = hub.store.repo("ada/small")
    assert url == f"{hub.url}/ada/small/commit/{state['tags']['v1']}"
    assert state["private"]
    assert [commit["title"] for commit in state["commits"].values()] == ["initial commit", "first"]
    other = zoo.load(make_model(small_model.parent / "other", seed=5))
    assert other.push_to_hub("ada/small", branch="wide") != url
    for revision, wanted in ((None, model), ("v1", model), (state["tags"]["v1"], model), ("wide", other)):
        found = zoo.Model.from_pretrained("ada/small", revision=revision, device="cpu")
        assert torch.equal(found.sample(2), wanted.sample(2)), revision
    assert torch.equal(zoo.Model.from_pretrained("ada/small@wide").sample(2), other.sample(2))


def test_a_folder_of_ones_own(small_model: Path, tmp_path: Path) -> None:
    model = zoo.create("dcgan", size=16, options={"generator.width": 4, "discriminator.width": 4})
    assert model.save_pretrained(tmp_path / "mine") == tmp_path / "mine"
    assert torch.equal(zoo.Model.from_pretrained(str(tmp_path / "mine")).sample(2), model.sample(2))
    with pytest.raises(ModelError, match="exists already"):
        model.save_pretrained(tmp_path / "mine")


def test_a_name_of_the_catalog() -> None:
    assert torch.equal(zoo.Model.from_pretrained("dcgan-faces").sample(1), zoo.load("dcgan-faces").sample(1))


def test_mistakes(hub: HubServer, small_model: Path) -> None:
    with pytest.raises(UsageError, match="there is no model at 'nowhere'"):
        zoo.Model.from_pretrained("nowhere")
    with pytest.raises(UsageError, match="has no revisions"):
        zoo.Model.from_pretrained(small_model, revision="v1")
    with pytest.raises(zoo.ZooError, match="no repository ada/nothing"):
        zoo.Model.from_pretrained("ada/nothing")
    with pytest.raises(UsageError, match="no name of a repository"):
        zoo.load(small_model).push_to_hub("small")


@pytest.mark.parametrize("name", ["from_pretrained", "save_pretrained", "push_to_hub"])
def test_arguments_are_called_as_the_mixin_calls_them(name: str) -> None:
    own = {"device", "tag", "license"}  # what its models do not have
    taken, theirs = (inspect.signature(getattr(kind, name)).parameters for kind in (zoo.Model, ModelHubMixin))
    assert set(taken) - own <= set(theirs)
    for key in set(taken) & set(theirs):
        assert taken[key].kind == theirs[key].kind, key
