from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

import zoo
from zoo.analysis.attribute_classifier import AttributeClassifier
from zoo.models.model import Model
from zoo_core import UsageError


def test_one_attribute_moves_and_the_rest_stays(model: Model, pack: zoo.Pack, tmp_path: Path) -> None:
    found = zoo.turn(
        model,
        "no-square",
        "square",
        images=pack,
        searched=512,
        samples=32,
        exemplars=150,
        reach=2,
        out=tmp_path / "turn.png",
    )
    assert found.images.shape == (32, 9, 3, 16, 16)
    assert abs(int(found.direction.abs().argmax())) == 0  # latent 0 paints the square
    assert found.probability[0] < 0.2
    assert found.probability[-1] > 0.8
    assert found.start[0] > 0.8
    assert found.monotone > 0.8
    assert set(found.preservation.kept) == {"background", "line"}
    assert sum(found.preservation.kept.values()) / 2 > sum(found.preservation.random.values()) / 2
    assert found.positions[4] == 0
    with Image.open(tmp_path / "turn.png") as picture:
        assert picture.width > picture.height


def test_the_middle_is_the_sample_itself(model: Model, pack: zoo.Pack, classifier: AttributeClassifier) -> None:
    found = zoo.turn(model, "blue", "green", images=pack, searched=64, samples=4, steps=3)
    with torch.no_grad():
        own = model.sample(68)[64:]
    assert torch.allclose(found.images[:, 1], own, atol=1e-5)
    assert found.to_json()["exemplars"] == list(found.exemplars)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"start": "squares"}, "did you mean square"),
        ({"steps": 2}, "number of steps"),
        ({"end": "red+no-square"}, "0 of 64 samples show"),
    ],
)
def test_bad_input(
    model: Model, pack: zoo.Pack, classifier: AttributeClassifier, choices: dict[str, object], message: str
) -> None:
    given = {"start": "blue", "end": "green", "images": pack, "searched": 64, **choices}
    with pytest.raises(UsageError, match=message):
        zoo.turn(model, **given)  # type: ignore[arg-type]
