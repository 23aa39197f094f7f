from __future__ import annotations

from pathlib import Path

import pytest
import torch

import zoo
from helpers.painting import Paintings, paintings
from zoo.analysis.judging import AttributeClassifier, augment, classifier_of, clearness
from zoo.models.model import Model
from zoo.packs import to_images
from zoo.progress import Reporter
from zoo_core import UsageError


class Heard(Reporter):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)

    def warn(self, text: str) -> None:
        self.lines.append(f"warning: {text}")


def test_it_is_right_on_what_it_has_not_seen(judge: AttributeClassifier) -> None:
    assert judge.held_out == 40
    assert set(judge.accuracy) == {"square", "background", "line"}
    assert min(judge.accuracy.values()) > 0.95
    assert max(judge.majority.values()) < 0.75
    assert judge.overlap["square"] > 0.5


def test_it_judges_generated_images(judge: AttributeClassifier, model: Model) -> None:
    z = torch.tensor([[2.0, 2, -2, 0, 0, 0], [-2, -2, 2, 0, 0, 0]])
    with torch.no_grad():
        judged = judge.probabilities(model.generator(z))
    assert judged["square"].argmax(1).tolist() == [1, 0]
    assert judged["background"].argmax(1).tolist() == [1, 0]
    assert judged["line"].argmax(1).tolist() == [0, 1]
    assert torch.allclose(judged["square"].sum(1), torch.ones(2))


def test_it_finds_the_square(judge: AttributeClassifier, model: Model) -> None:
    with torch.no_grad():
        cells = judge.cells(model.generator(torch.tensor([[2.0, 2, -2, 0, 0, 0]])), "square")[0]
    rows, columns = (cells > 0.5).nonzero().unbind(1)
    assert rows.tolist()
    assert {*rows.tolist(), *columns.tolist()} <= {1, 2}
    with pytest.raises(UsageError, match="no boxes of 'line'"):
        judge.cells(torch.zeros(1, 3, 16, 16), "line")


def test_the_second_time_it_comes_from_the_cache(pack: zoo.Pack, judge: AttributeClassifier, cache: Path) -> None:
    heard = Heard()
    again = classifier_of(pack, report=heard)
    assert heard.lines == []
    images = to_images(pack.gather(torch.arange(8)))
    assert torch.equal(again.probabilities(images)["square"], judge.probabilities(images)["square"])
    assert again.accuracy == judge.accuracy
    files = {path.name for path in (cache / "judges").glob("paintings-16-*/*")}
    assert files == {"judge.json", "judge.safetensors"}


def test_a_damaged_one_is_trained_again(cache: Path) -> None:
    small = paintings(count=30)
    classifier_of(small)
    for file in (cache / "judges").rglob("judge.json"):
        if len(file.read_text()) and '"held_out": 3\n' in file.read_text():
            file.write_text("{")
    heard = Heard()
    assert classifier_of(small, report=heard).held_out == 3
    assert "is damaged" in heard.lines[0]


def test_blends_are_less_clear_than_what_they_are_blended_of(judge: AttributeClassifier, pack: zoo.Pack) -> None:
    images = to_images(pack.gather(torch.arange(64)))
    whole, blended = (clearness(judge.probabilities(i)).mean() for i in (images, (images + images.flip(0)) / 2))
    assert blended < whole


def test_images_without_labels_are_refused() -> None:
    with pytest.raises(UsageError, match="'paintings' have no labels") as error:
        classifier_of(paintings(labeled=False))
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
