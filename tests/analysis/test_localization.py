from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from zoo.analysis.attribute_classifier import AttributeClassifier
from zoo.analysis.labels import parse_fact
from zoo.analysis.localization import Detector, read_masks, resize_masks
from zoo.models.model import Model
from zoo_core import DataError


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "holds no boxes"),
        ("[1]", "holds no boxes"),
        ("{}", "holds no boxes"),
        ('{"3": [[0, 0, 99, 4]]}', "sample 3 has the box"),
        ('{"3": [[0, 0, 4]]}', "sample 3 has the box"),
    ],
)
def test_bad_boxes(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "boxes.json").write_text(content)
    with pytest.raises(DataError, match=message):
        read_masks(tmp_path / "boxes.json", 16)


def test_bad_masks(tmp_path: Path) -> None:
    (tmp_path / "mask.png").write_text("no picture")
    with pytest.raises(DataError, match="boxes nor a picture"):
        read_masks(tmp_path / "mask.png", 16)
    Image.new("L", (8, 8)).save(tmp_path / "mask.png")
    with pytest.raises(DataError, match="all black"):
        read_masks(tmp_path / "mask.png", 16)
    with pytest.raises(DataError, match="does not exist"):
        read_masks(tmp_path / "none.png", 16)


def test_without_boxes_the_classifiers_own_attention_is_taken(classifier: AttributeClassifier, model: Model) -> None:
    fact, _ = parse_fact("line", classifier.attributes)
    with torch.no_grad():
        image = model.generator(torch.tensor([[-2.0, 2, 2, 0, 0, 0]]))
    places = resize_masks(Detector(classifier, fact).locate(image), 16, 16)[0]
    assert places[12:].float().mean() > places[:8].float().mean()


def test_a_box_at_the_edge_covers_a_pixel(tmp_path: Path) -> None:
    (tmp_path / "boxes.json").write_text('{"7": [[15.6, 15.6, 16, 16]], "3": [[0, 0, 4, 2]], "5": []}')
    ids, masks = read_masks(tmp_path / "boxes.json", 16)
    assert ids == [3, 7]
    assert masks.flatten(1).sum(1).tolist() == [8, 1]
    assert bool(masks[1, 15, 15])
