"""Directions of the first weights, of activations and of attributes, where it is known what they must be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors import safe_open

import zoo
from zoo.analysis.attribute_classifier import AttributeClassifier
from zoo.analysis.attribute_directions import _facts_of
from zoo.models.model import Model
from zoo_core import UsageError

SMALL = {"generator.width": 4, "discriminator.width": 4, "generator.latent_dim": 6}


def _first_weights(model: Model) -> torch.Tensor:
    """Return [outputs, latent_dim] of the first linear layer, read where these networks keep it."""
    first = next(m for m in model.generator.modules() if isinstance(m, torch.nn.Linear | torch.nn.ConvTranspose2d))
    weight = first.weight.detach().flatten(1)
    return (weight if isinstance(first, torch.nn.Linear) else weight.T)[:, : model.generator.latent_dim]


@pytest.mark.parametrize("recipe", ["dcgan", "dcgan-paper", "cdcgan", "mlp-gan", "bigan"])
def test_sefa_finds_the_largest_singular_vectors_of_the_first_weights(recipe: str) -> None:
    classes = 3 if recipe == "cdcgan" else 0
    model = zoo.create(recipe, size=16, num_classes=classes, options=SMALL)
    found = zoo.find_directions(model, count=4, steps=3)
    expected = torch.linalg.svd(_first_weights(model)).Vh[:4]
    agreement = (found.vectors * expected).sum(1).abs()
    assert torch.allclose(agreement, torch.ones(4), atol=1e-3)
    assert found.images.shape == (4, 3, 3, 16, 16)
    assert found.names == ("sefa 1", "sefa 2", "sefa 3", "sefa 4")
    expected_scale = 3**-0.5 if model.generator.latent == "uniform" else 1.0
    assert found.scales == pytest.approx([expected_scale] * 4, abs=0.05)


def test_a_layer_that_is_given_a_part_of_the_latent_moves_that_part_alone() -> None:
    model = zoo.create("lapgan", size=16, options={"generator.latent_dim": 6, "generator.width": 4, "generator.hidden": 16})
    found = zoo.find_directions(model, count=9, steps=3)
    assert found.vectors.shape == (6, model.generator.latent_dim)  # no more than the layer has inputs
    assert found.vectors[:, 6:].abs().max() == 0


def test_the_middle_is_the_sample_itself_and_a_run_repeats(tmp_path: Path) -> None:
    model = zoo.create("dcgan", size=16, options=SMALL)
    found = zoo.find_directions(model, method="pca", seed=3, out=tmp_path / "d.png", vectors=tmp_path / "d.safetensors")
    assert torch.allclose(found.images[0, 3], model.sample(1, seed=3)[0], atol=1e-5)
    assert found.positions == (-3, -2, -1, 0, 1, 2, 3)
    again = zoo.find_directions(model, method="pca", seed=3)
    assert torch.equal(found.vectors, again.vectors)
    with Image.open(tmp_path / "d.png") as picture:
        assert picture.height > 100
    with safe_open(tmp_path / "d.safetensors", "pt") as file:
        assert torch.equal(file.get_tensor("vectors"), found.vectors)
        assert file.get_tensor("scales").tolist() == pytest.approx(found.scales)
        assert json.loads(file.metadata()["names"]) == [f"pca {i}" for i in range(1, 7)]  # a latent has six numbers
    assert len(json.dumps(found.to_json())) > 100
    assert "pca 1" in repr(found)


def test_components_of_a_stage_are_what_it_draws_most_of(model: Model, pack: zoo.Pack) -> None:
    found = zoo.find_directions(model, method="pca", count=3, stage="8x8", steps=3)
    # latent 1 moves two whole maps, latent 0 a square of one, latent 2 a line
    assert found.vectors.abs().argmax(1).tolist() == [1, 0, 2]
    assert (found.vectors.abs().amax(1) > 0.99).all()
    assert found.change[0] > found.random_change


def test_attributes_lead_to_what_they_name(model: Model, pack: zoo.Pack, classifier: AttributeClassifier) -> None:
    found = zoo.find_directions(model, method="attributes", images=pack, searched=512)
    assert set(found.names) == {"square", "background=green", "line"}
    vectors = dict(zip(found.names, found.vectors, strict=True))
    assert [int(vectors[name].argmax()) for name in ("square", "background=green", "line")] == [0, 1, 2]
    assert found.verdicts == ("good",) * 3
    one = zoo.find_directions(model, method="attributes", attributes=["line"], images=pack, searched=512)
    assert one.names == ("line",)
    assert torch.allclose(one.vectors[0], vectors["line"])
    assert one.to_json()["directions"][0]["verdict"] == "good"


def test_facts_that_directions_can_lead_to() -> None:
    named = {
        "hat": ("none", "cap", "hood"),
        "beard": ("no", "yes"),
        "sky": ("day", "night"),
        "hair": ("a", "b", "c", "hidden"),
    }
    words = [fact.word for fact in _facts_of(named)]
    assert words == ["hat", "hat=cap", "hat=hood", "beard", "sky=night", "hair=a", "hair=b", "hair=c"]


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"method": "pca2"}, "valid: sefa, pca, attributes"),
        ({"method": "sefa"}, "reach no layer of this generator unchanged"),
        ({"method": "pca", "stage": "9x9"}, "unknown stage '9x9'"),
        ({"stage": "8x8"}, "belongs to the method pca"),
        ({"attributes": ["square"]}, "belong to the method attributes"),
        ({"count": 0}, "number of directions"),
        ({"reach": 0.0}, "the reach must be above 0"),
        ({"vectors": "d.png"}, "does not end in .safetensors"),
        ({"out": "d.safetensors"}, "does not end like a picture"),
        ({"method": "attributes", "attributes": ["sqare"]}, "did you mean square"),
        ({"method": "attributes", "attributes": ["no-square"]}, "say: square"),
    ],
)
def test_bad_input(model: Model, pack: zoo.Pack, choices: dict[str, Any], message: str) -> None:
    if choices.get("method") == "attributes":
        choices = {"images": pack, **choices}
    with pytest.raises(UsageError, match=message):
        zoo.find_directions(model, **choices)


def test_a_rare_word_says_how_rare(model: Model, pack: zoo.Pack, classifier: AttributeClassifier) -> None:
    with pytest.raises(UsageError, match=r"of 20 samples show square; a direction needs 10"):
        zoo.find_directions(model, method="attributes", attributes=["square"], images=pack, searched=20, seed=1)
