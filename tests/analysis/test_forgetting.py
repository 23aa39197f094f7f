from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import zoo
from helpers.painting import painted_model
from zoo.analysis.attribute_classifier import AttributeClassifier
from zoo.analysis.samples import GroupedProportion
from zoo.models.model import Model
from zoo_core import UsageError

QUICK = {"searched": 128, "tested": 64}


def test_the_square_is_forgotten_and_the_rest_is_not(model: Model, pack: zoo.Pack, tmp_path: Path) -> None:
    found = zoo.forget(model, "square", images=pack, most=1, out=tmp_path / "forget.png", **QUICK)  # type: ignore[arg-type]
    assert found.stage == "8x8"
    assert found.maps == [0]
    assert found.of == 4
    assert found.fit > 0.9
    assert found.rates is not None
    assert found.rates.before.rate > 0.3
    assert found.rates.after.rate < 0.1
    assert found.rates.random.rate > found.rates.after.rate + 0.15
    assert len(found.rates.random.groups) == 10
    assert found.rates.random.of == 640
    assert min(found.rates.preservation.kept.values()) > 0.9
    assert found.inside is not None
    assert found.inside > 10 * found.outside
    with Image.open(tmp_path / "forget.png") as picture:
        assert picture.width > 300


def test_what_is_not_independent_counts_by_groups() -> None:
    happened = torch.tensor([1, 1, 1, 0, 0, 0, 1, 0, 1, 1, 0, 0]).bool()  # of three groups: 3, 1 and 2 of 4
    found = GroupedProportion.count_groups(happened, 3)
    assert (found.count, found.of, found.groups) == (6, 12, (3, 1, 2))
    half = 4.302653 * 0.25 / 3**0.5  # Student's t of 2 degrees, the deviation of 0.75, 0.25 and 0.5
    assert found.interval == pytest.approx((max(0.0, 0.5 - half), min(1.0, 0.5 + half)), abs=1e-6)
    assert found.to_json()["groups"] == [3, 1, 2]
    alike = GroupedProportion.count_groups(torch.tensor([1, 0] * 4).bool(), 4)
    assert alike.interval == (0.5, 0.5)


def test_the_edited_generator_is_a_model_like_any(model: Model, pack: zoo.Pack, tmp_path: Path) -> None:
    found = zoo.forget(model, "square", images=pack, most=1, save=tmp_path / "without", **QUICK)  # type: ignore[arg-type]
    assert found.saved == tmp_path / "without"
    without = zoo.load(tmp_path / "without")
    images = without.sample(128 + 64)[128:]
    assert torch.allclose(images, found.after, atol=1e-4)
    assert "1 of 4 maps of stage 8x8 silenced to forget square" in without.config["weights"]
    assert torch.allclose(painted_model().sample(4), model.sample(4))  # the model itself is as it was


def test_boxes_that_a_person_drew(model: Model, pack: zoo.Pack, tmp_path: Path) -> None:
    having = [i for i, image in enumerate(model.sample(40)) if image[0, 8, 8] > 0.5]
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps({str(i): [[4, 4, 12, 12]] for i in having}))
    found = zoo.forget(model, boxes=boxes, most=1, tested=8)
    assert found.maps == [0]
    assert found.rates is None
    assert "before" not in found.to_json()
    measured = zoo.forget(model, "square", images=pack, boxes=boxes, most=1, tested=32)
    assert measured.rates is not None
    assert measured.rates.after.count < measured.rates.before.count


def test_a_mask_for_all_samples(model: Model, tmp_path: Path) -> None:
    mask = np.zeros((16, 16), np.uint8)
    mask[14:] = 255  # the line
    Image.fromarray(mask).save(tmp_path / "mask.png")
    assert zoo.forget(model, boxes=tmp_path / "mask.png", most=1, tested=4, samples=40).maps == [3]


@pytest.mark.parametrize(
    ("attribute", "choices", "message"),
    [
        (None, {}, "say what to forget"),
        ("no-square", {}, "only what is drawn"),
        ("sqare", {}, "did you mean square"),
        ("square", {"tested": 1}, "number of tested samples"),
    ],
)
def test_bad_input(
    model: Model,
    pack: zoo.Pack,
    classifier: AttributeClassifier,
    attribute: str | None,
    choices: dict[str, object],
    message: str,
) -> None:
    with pytest.raises(UsageError, match=message):
        zoo.forget(model, attribute, **{"images": pack, **QUICK, **choices})  # type: ignore[arg-type]


def test_a_generator_with_one_stage_is_refused() -> None:
    with pytest.raises(UsageError, match="has 1 stages of feature maps"):
        zoo.forget(painted_model(stages=1), "square")
