"""The records that plugins hand over."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from zoo_core import Component, ImageSpec, OptionError, Plugin, PluginError, PretrainedModel, Recipe, Score, ZooError
from zoo_core.errors import near, unknown


@pytest.mark.parametrize("name", ["dcgan", "sn-dcgan", "a", "3d", "x2.y_z", "efficientnet-lite0"])
def test_names_that_are_fine(name: str) -> None:
    assert Recipe(name).name == name
    assert name in Plugin(losses={name: "a:B"}).losses


@pytest.mark.parametrize("name", ["", "DCGAN", "a b", "-a", "a-", "a--b", "a/b", "../a", "é", "a:b", 3, None, "a\n"])
def test_names_that_are_refused(name: Any) -> None:
    with pytest.raises(PluginError, match="lower-case letters and digits"):
        Recipe(name)
    with pytest.raises(PluginError, match="is no name for a"):
        Plugin(generators={name: "a:B"})


@pytest.mark.parametrize("target", ["a:B", "a.b.c:D.E", "_a:_b"])
def test_import_strings(target: str) -> None:
    assert Component(target).target == target


@pytest.mark.parametrize("target", ["", "a", "a.B", "a:", ":B", "a:B()", "a b:C", "a:b:c", "os;x:y", 3, None, ImageSpec])
def test_what_is_no_import_string(target: Any) -> None:
    with pytest.raises(PluginError, match="is no import string"):
        Component(target)
    with pytest.raises(PluginError):
        Plugin(losses={"x": target})


def test_strings_become_components() -> None:
    plugin = Plugin(losses={"a": "m:A", "b": Component("m:B", "about b")})
    assert plugin.losses["a"] == Component("m:A")
    assert plugin.losses["b"].summary == "about b"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"losses": ["m:A"]}, "losses must be a mapping from names to import strings, not list"),
        ({"generators": None}, "generators must be a mapping"),
        ({"recipes": ["dcgan"]}, "must hold zoo_core.Recipe records, not str"),
        ({"recipes": [Recipe("a"), Recipe("b"), Recipe("a")]}, "recipe a stands twice"),
        ({"contract": "1"}, "contract must be a whole number such as 2, not '1'"),
        ({"contract": None}, "contract must be a whole number"),
        ({"contract": True}, "contract must be a whole number"),
        ({"recipes": Recipe("a")}, "recipes must be a list of zoo_core.Recipe records, not Recipe"),
        ({"summary": None}, "summary must be a text, not None"),
        ({"models": {"a": "m:A"}}, "models must be a mapping from names to zoo_core.PretrainedModel"),
        ({"trackers": ["m:A"]}, "trackers must be a mapping"),
    ],
)
def test_a_plugin_record_of_the_wrong_shape(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(PluginError, match=words):
        Plugin(**fields)


def test_texts_are_texts() -> None:
    with pytest.raises(PluginError, match="Component: summary must be a text, not None"):
        Component("m:A", summary=None)  # type: ignore[arg-type]
    with pytest.raises(PluginError, match="Recipe: loss must be a text"):
        Recipe("a", loss=object)  # type: ignore[arg-type]


def test_records_are_frozen() -> None:
    plugin, recipe = Plugin(losses={"a": "m:A"}), Recipe("a", options={"loss.margin": 1})
    with pytest.raises(FrozenInstanceError):
        plugin.summary = "x"  # type: ignore[misc]
    with pytest.raises(TypeError):
        plugin.losses["b"] = "m:B"  # type: ignore[index]
    with pytest.raises(TypeError):
        recipe.options["loss.margin"] = 2  # type: ignore[index]


def test_a_record_does_not_change_with_what_it_was_made_from() -> None:
    options: dict[str, Any] = {"loss.margin": 1}
    recipe = Recipe("a", options=options)
    options["loss.margin"] = 2
    assert recipe.options["loss.margin"] == 1


@pytest.mark.parametrize(
    "key",
    [
        "generator.width",
        "optimizer.lr",
        "optimizer.generator.lr",
        "training.batch",
        "dataset.count",
        "loss.a_b2",
        "encoder.width",
        "optimizer.encoder.lr",
        "algorithm.updates",
    ],
)
def test_option_keys(key: str) -> None:
    assert Recipe("a", options={key: 1}).options == {key: 1}


@pytest.mark.parametrize("key", ["width", "generator", "generator.", "Generator.width", "training.loss.lr", "a.B", 3, ""])
def test_what_is_no_option_key(key: Any) -> None:
    with pytest.raises(PluginError, match="is no option key"):
        Recipe("a", options={key: 1})


def test_roles() -> None:
    recipe = Recipe("a", generator="g", loss="l", parts={"encoder": "e"})
    assert recipe.roles == {"generator": "g", "loss": "l", "encoder": "e"}
    with pytest.raises(PluginError, match="discriminator has a keyword of its own; write discriminator=…"):
        Recipe("a", parts={"discriminator": "d"})
    with pytest.raises(PluginError, match=r"parts must map roles to names, such as \{'encoder': 'dcgan'\}"):
        Recipe("a", parts=["encoder"])  # type: ignore[arg-type]
    with pytest.raises(PluginError, match="parts must map roles to names"):
        Recipe("a", parts={"encoder": None})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    "role", ["training", "optimizer", "dataset", "algorithm", "average", "Encoder", "a.b", "../a", "", 3]
)
def test_what_is_no_role(role: Any) -> None:
    with pytest.raises(PluginError, match="is no role: lower-case letters, digits and '_'"):
        Recipe("a", parts={role: "x"})


def test_a_part_that_a_variant_replaces_takes_its_options_with_it() -> None:
    base = Recipe(
        "a", algorithm="three", generator="g", parts={"encoder": "e"}, options={"encoder.width": 1, "algorithm.weight": 2}
    )
    assert dict(Recipe("b", parts={"encoder": "e"}).over(base).options) == dict(base.options)
    assert dict(Recipe("b", parts={"encoder": "other"}).over(base).options) == {"algorithm.weight": 2}
    assert dict(Recipe("b", algorithm="other").over(base).options) == {"encoder.width": 1}
    assert Recipe("b", loss="l").over(base).roles == {"generator": "g", "loss": "l", "encoder": "e"}


def test_options_that_are_no_mapping() -> None:
    with pytest.raises(PluginError, match="options must be a mapping"):
        Recipe("a", options=[("generator.width", 1)])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"parts": ["encoder"]}, "parts must map roles to names"),
        ({"parts": {"encoder": 3}}, "parts must map roles to names"),
        ({"parts": {"loss": "hinge"}}, "loss has a keyword of its own; write loss="),
        ({"parts": {"The Role": "x"}}, "is no role"),
        ({"parts": {"optimizer": "x"}}, "is no role: .* none of algorithm, dataset, training, optimizer"),
        ({"algorithm": object}, "Recipe: algorithm must be a text"),
    ],
)
def test_parts_of_a_recipe_of_the_wrong_shape(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(PluginError, match=words):
        Recipe("a", **fields)


def test_the_roles_of_a_recipe() -> None:
    recipe = Recipe("a", generator="g", parts={"encoder": "e"})
    assert recipe.roles == {"generator": "g", "encoder": "e"}
    with pytest.raises(TypeError):
        recipe.parts["critic"] = "d"  # type: ignore[index]


@pytest.mark.parametrize("where", ["package:folder", "a.b:models/faces-64", "user/name", "user/name@v1.0"])
def test_places_of_models(where: str) -> None:
    record = PretrainedModel(where, {"config.json": "0" * 64}, "dcgan", "faces", "CC0-1.0")
    assert Plugin(models={"mine": record}).models["mine"].sha256["config.json"] == "0" * 64


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"where": "https://example.org/x"}, "is no place of a model"),
        ({"where": "/models"}, "is no place of a model"),
        ({"sha256": {"a": "123"}}, "64 hexadecimal digits"),
        ({"sha256": ["a"]}, "64 hexadecimal digits"),
        ({"license": None}, "license must be a text"),
        ({"dataset_options": "style"}, "dataset_options must be a mapping"),
        ({"scores": [1.5]}, "scores must be a sequence of zoo_core.Score"),
        ({"parent": 1}, "parent must be a text"),
    ],
)
def test_a_model_of_the_wrong_shape(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(PluginError, match=words):
        PretrainedModel(**{"where": "a:b", "sha256": {}, "recipe": "r", "dataset": "d", "license": "l", **fields})


@pytest.mark.parametrize("given", [("kid", float("nan")), ("kid", "1"), ("kid", True), ("kid", 1.0, float("inf"))])
def test_a_score_is_a_number(given: Any) -> None:
    with pytest.raises(PluginError, match="must be a finite number"):
        Score(*given)
    assert Score("recall", 0).spread is None


def test_records_cross_to_another_process() -> None:
    recipe = Recipe("a", base="b", parts={"encoder": "e"}, options={"loss.margin": 1}, summary="s")
    assert pickle.loads(pickle.dumps(recipe)) == recipe


@pytest.mark.parametrize(
    "values", [{"size": 0}, {"size": -1}, {"size": 6.5}, {"size": "64"}, {"size": True}, {"size": 8, "channels": 0}]
)
def test_an_image_must_be_possible(values: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="must be a whole number of at least"):
        ImageSpec(**values)


def test_the_shape_of_an_image() -> None:
    assert ImageSpec(64, 1).shape == (1, 64, 64)
    assert ImageSpec(64).channels == 3


def test_an_error_says_what_to_type_and_keeps_it_across_processes() -> None:
    error = OptionError("wrong", hint="type this")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), type(again), again.exit_code) == ("wrong\ntype this", OptionError, 2)
    assert str(ZooError("wrong")) == "wrong"


def test_near_matches() -> None:
    assert near("dcgn", ["mlp", "dcgan", "dcgan-paper"])[0] == "dcgan"
    assert near("zzz", ["mlp", "dcgan"]) == []
    assert near("paper", ["mlp", "dcgan-paper"]) == ["dcgan-paper"]


@pytest.mark.parametrize(
    ("valid", "words"),
    [
        (["mlp", "dcgan"], "unknown loss 'zzz'; valid: dcgan, mlp"),
        ([], "unknown loss 'zzz'; there is none"),
        ([f"a{i}" for i in range(30)], "unknown loss 'zzz'; 30 exist, for example a0, a1"),
    ],
)
def test_an_unknown_name_without_near_matches(valid: list[str], words: str) -> None:
    assert str(unknown("loss", "zzz", valid)).startswith(words)


def test_naming_the_default_algorithm_keeps_its_options() -> None:
    base = Recipe("a", generator="g", options={"algorithm.updates": "alternate"})
    assert Recipe("b", base="a", algorithm="gan").over(base).options == {"algorithm.updates": "alternate"}
    assert Recipe("c", base="a", algorithm="other").over(base).options == {}
