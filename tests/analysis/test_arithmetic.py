from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

import zoo
from helpers.painting import painted_model, paintings
from zoo.analysis.attribute_classifier import AttributeClassifier
from zoo.models.model import Model
from zoo.randomness import latents_for
from zoo_core import UsageError


def test_the_result_shows_what_was_asked_for(model: Model, pack: zoo.Pack, tmp_path: Path) -> None:
    found = zoo.arithmetic(
        model, "square+line - line + neutral", images=pack, searched=512, exemplars=6, out=tmp_path / "a.png"
    )
    assert found.success is not None
    assert found.success.wanted == "no line and square"
    assert found.success.latent.rate > 0.8
    assert 0.15 < found.success.base.rate < 0.35  # half of the samples, twice
    assert found.success.latent.interval[0] > found.success.base.interval[1]
    assert 10 <= found.success.latent.of <= 100
    assert found.success.latent_clear.count <= found.success.latent.count
    assert found.success.pixel_clear.of == found.success.latent.of
    assert found.images.shape == (9, 3, 16, 16)
    assert [len(ids) for ids in found.exemplars] == [6, 6, 6]
    with Image.open(tmp_path / "a.png") as picture:
        assert min(picture.size) > 100


def test_no_exemplar_serves_twice(model: Model, pack: zoo.Pack) -> None:
    found = zoo.arithmetic(model, "square - line + square", images=pack, searched=256, trials=1000, exemplars=2)
    assert found.success is not None
    first, _, third = found.exemplars
    assert not set(first) & set(third)
    assert found.success.latent.of <= 256 // 4


def test_the_middle_of_the_grid_is_the_sum_of_means(model: Model) -> None:
    chosen = [[1, 2], [3], [4, 5]]
    found = zoo.arithmetic(model, "A - B + C", chosen=chosen, seed=9)
    z = latents_for(model.generator, 9, range(6))
    total = (z[1] + z[2]) / 2 - z[3] + (z[4] + z[5]) / 2
    assert torch.allclose(found.latent, total, atol=1e-6)
    with torch.no_grad():
        middle = model.generator(total[None])[0]
    assert torch.allclose(found.images[4], middle, atol=1e-5)
    assert found.success is None
    assert found.to_json()["exemplars"] == {"+ A": [1, 2], "- B": [3], "+ C": [4, 5]}


@pytest.mark.parametrize(
    ("expression", "choices", "message"),
    [
        ("square - lime + neutral", {}, "nothing is called 'lime'; did you mean line"),
        ("square line", {}, "does not parse"),
        ("neutral - neutral + neutral", {}, "names nothing"),
        ("red+no-square - line + neutral", {}, "of 64 samples show .* 3 are needed"),
        ("A - B", {"chosen": [[1]]}, "2 concepts, and exemplars are given for 1"),
        ("A - B", {"chosen": [[1], []]}, "needs the numbers"),
        ("square - line", {"exemplars": 0}, "the number of exemplars"),
        ("square - line", {"searched": 2}, "samples to search"),
    ],
)
def test_bad_input(
    model: Model, pack: zoo.Pack, classifier: AttributeClassifier, expression: str, choices: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        zoo.arithmetic(model, expression, **{"images": pack, "searched": 64, **choices})  # type: ignore[arg-type]


def test_without_labels_nothing_can_be_classified(model: Model) -> None:
    with pytest.raises(UsageError, match="have no labels"):
        zoo.arithmetic(model, "square - line", images=paintings(labeled=False))


def test_the_images_are_those_of_the_training_unless_others_are_named(classifier: AttributeClassifier) -> None:
    model = painted_model()
    found = zoo.arithmetic(model, "green - blue + blue", searched=256, trials=3)  # its provenance names them
    assert found.success is not None
    model.config["provenance"]["dataset"]["count"] = 7
    with pytest.raises(UsageError, match="trained on 7 images of paintings, and without 'data' there are 400"):
        zoo.arithmetic(model, "green - blue + blue")
    model.config["provenance"] = {}
    with pytest.raises(UsageError, match="does not say what it was trained on") as error:
        zoo.arithmetic(model, "green - blue + blue")
    assert "--dataset" in error.value.hint
