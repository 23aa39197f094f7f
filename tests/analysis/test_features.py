from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

import zoo
from helpers.painting import SIZE, Critic, painted_model, paintings
from zoo.analysis.features import first_filters, selectivities
from zoo.models.model import Model
from zoo_core import ImageSpec, UsageError


def test_selectivity_is_that_of_the_auc() -> None:
    responses = torch.tensor([[1.0, 4, 0], [2, 3, 0], [3, 2, 0], [4, 1, 0], [9, 9, 9]])
    values = {"a": torch.tensor([0, 0, 1, 1, -1]), "b": torch.tensor([0, 1, 0, 1, -1])}
    found = selectivities(responses, values)
    assert found[0].tolist() == [1, 1, 0]  # perfect, perfectly reversed, ties only; the unknown one does not count
    assert found[1].tolist() == pytest.approx([0.5, 0.5, 0])


def test_trained_beside_random(model: Model, pack: zoo.Pack, tmp_path: Path) -> None:
    found = zoo.features(model, images=pack, count=100, shown=3, each=4, out=tmp_path / "features.png")
    for responses in (found.trained, found.untrained):
        assert responses.stage == "4x4"
        assert responses.images.shape == responses.gradients.shape == (3, 4, 3, SIZE, SIZE)
        assert len(responses.selectivity) == 8
        assert responses.gradients.abs().max() > 0.5
        assert responses.shuffled is not None
        assert 0 < responses.shuffled < 0.5  # the best of several values tells something apart by chance
    assert found.filters is not None
    assert found.filters.shape == (8, 3, 4, 4)
    told = found.to_json()
    assert set(told["best_feature"]) == {"square", "background", "line"}
    assert told["selectivity"]["ratio"] > 0
    with Image.open(tmp_path / "features.png") as picture:
        assert picture.width > 2 * 4 * 64


def test_a_feature_that_tells_an_attribute_apart_is_found(model: Model, pack: zoo.Pack) -> None:
    critic = model.discriminator
    assert isinstance(critic, Critic)
    with torch.no_grad():  # feature 0 of the last stage sums what is red
        critic.first.weight.zero_()
        critic.first.bias.zero_()  # type: ignore[union-attr]
        critic.first.weight[0, 0] = 1
        critic.first.weight[0, 1:] = -1
        critic.second[0].weight.zero_()
        critic.second[0].weight[0, 0] = 1
    found = zoo.features(model, images=pack, count=200, shown=1)
    assert found.trained.by_attribute["square"] > 0.6
    assert "square=" in found.trained.best[0] or "line=" in found.trained.best[0]


def test_without_labels_there_are_pictures_only(model: Model) -> None:
    found = zoo.features(model, images=paintings(labeled=False, count=60), count=20, shown=2, each=3)
    assert "selectivity" not in found.to_json()
    assert found.trained.mean is None


def test_a_model_without_a_discriminator_is_refused() -> None:
    with pytest.raises(UsageError, match="without its discriminator"):
        zoo.features(painted_model(discriminator=False))


def test_filters_of_fully_connected_networks_are_pictures() -> None:
    mlp = zoo.registry.create("discriminators", "mlp", {"width": 6, "activation": "leaky-relu"}, image=ImageSpec(8, 1))
    found = first_filters(mlp)
    assert found is not None
    assert found.shape == (6, 1, 8, 8)
