from __future__ import annotations

from pathlib import Path

import pytest
import torch

import zoo
from helpers.painting import Paintings, paintings
from zoo.analysis.attribute_classifier import AttributeClassifier, augment, confidence, load_classifier
from zoo.models.model import Model
from zoo.packs import to_images
from zoo.progress import Reporter
from zoo_core import UsageError

pytestmark = pytest.mark.slow


class Heard(Reporter):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)

    def warn(self, text: str) -> None:
        self.lines.append(f"warning: {text}")


def test_it_is_right_on_what_it_has_not_seen(classifier: AttributeClassifier) -> None:
    assert classifier.held_out == 40
    assert set(classifier.accuracy) == {"square", "background", "line"}
    assert min(classifier.accuracy.values()) > 0.95
    assert max(classifier.majority.values()) < 0.75
    assert classifier.overlap["square"] > 0.5


def test_it_classifies_generated_images(classifier: AttributeClassifier, model: Model) -> None:
    z = torch.tensor([[2.0, 2, -2, 0, 0, 0], [-2, -2, 2, 0, 0, 0]])
    with torch.no_grad():
        seen = classifier.probabilities(model.generator(z))
    assert seen["square"].argmax(1).tolist() == [1, 0]
    assert seen["background"].argmax(1).tolist() == [1, 0]
    assert seen["line"].argmax(1).tolist() == [0, 1]
    assert torch.allclose(seen["square"].sum(1), torch.ones(2))


def test_it_finds_the_square(classifier: AttributeClassifier, model: Model) -> None:
    with torch.no_grad():
        cells = classifier.cells(model.generator(torch.tensor([[2.0, 2, -2, 0, 0, 0]])), "square")[0]
    rows, columns = (cells > 0.5).nonzero().unbind(1)
    assert rows.tolist()
    assert {*rows.tolist(), *columns.tolist()} <= {1, 2}
    with pytest.raises(UsageError, match="no boxes of 'line'"):
        classifier.cells(torch.zeros(1, 3, 16, 16), "line")


def test_the_second_time_it_comes_from_the_cache(pack: zoo.Pack, classifier: AttributeClassifier, cache: Path) -> None:
    heard = Heard()
    again = load_classifier(pack, report=heard)
    assert heard.lines == []
    images = to_images(pack.gather(torch.arange(8)))
    assert torch.equal(again.probabilities(images)["square"], classifier.probabilities(images)["square"])
    assert again.accuracy == classifier.accuracy
    files = {path.name for path in (cache / "classifiers").glob("paintings-16-*/*")}
    assert files == {"classifier.json", "classifier.safetensors"}


def test_a_damaged_one_is_trained_again(cache: Path) -> None:
    small = paintings(count=30)
    load_classifier(small)
    for file in (cache / "classifiers").rglob("classifier.json"):
        if len(file.read_text()) and '"held_out": 3,\n' in file.read_text():
            file.write_text("{")
    heard = Heard()
    assert load_classifier(small, report=heard).held_out == 3
    assert "is damaged" in heard.lines[0]


def test_blends_are_less_clear_than_what_they_are_blended_of(classifier: AttributeClassifier, pack: zoo.Pack) -> None:
    images = to_images(pack.gather(torch.arange(64)))
    whole, blended = (confidence(classifier.probabilities(i)).mean() for i in (images, (images + images.flip(0)) / 2))
    assert blended < whole


def test_images_without_labels_are_refused() -> None:
    with pytest.raises(UsageError, match="'paintings' have no labels") as error:
        load_classifier(paintings(labeled=False))
    assert "--dataset faces" in error.value.hint


def test_alterations_move_pictures_by_what_they_say() -> None:
    image = torch.zeros(4, 1, 64, 64)
    image[:, :, 30, 40] = 10
    moved_images, moves = augment(image, torch.Generator().manual_seed(1))
    for moved, (x, y) in zip(moved_images, moves.int().tolist(), strict=True):
        assert divmod(int(moved[0].argmax()), 64) == (30 + y, 40 + x)
    assert moves.abs().max() <= 2


def test_the_pictures_are_what_they_are_labeled() -> None:
    dataset = Paintings()
    record = dataset.listing().records[0]
    assert dataset.decode(record).image.size == (16, 16)
