"""How C is chosen: upwards on few images, then around the best of these on all."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from zoo.metrics import choosing
from zoo.metrics.choosing import choose_c, choose_some
from zoo.progress import SILENT, Reporter

from .test_svm import CLASSES, data


def script(monkeypatch: pytest.MonkeyPatch, accuracies: Mapping[tuple[int, float], float]) -> list[tuple[int, float]]:
    """Let classifiers of so many images and a C be right so often; returns what is asked for."""
    asked: list[tuple[int, float]] = []

    class Scripted:
        def __init__(self, *args: object, rows: Tensor, **choices: object) -> None:
            self.images = len(rows)

        def solve(self, c: float, **choices: object) -> SimpleNamespace:
            asked.append((self.images, c))
            accuracy = accuracies[self.images, c]
            return SimpleNamespace(c=c, accuracy=lambda features, labels: accuracy)

    monkeypatch.setattr(choosing, "Problem", Scripted)
    return asked


def choose(count: int, held: int, report: Reporter = SILENT) -> float:
    labels = torch.zeros(count + held, dtype=torch.int64)
    numbers = torch.arange(count + held)
    return choose_c(torch.zeros(count + held, 2), labels, 2, numbers[:count], numbers[count:], report=report).c


@pytest.mark.parametrize(
    ("held", "tried", "best"),
    [(100, 7, 0.3), (choosing.MANY, 3, 0.03)],  # of few held-out images one worse value is not believed
)
def test_c_is_raised_until_it_gets_worse(monkeypatch: pytest.MonkeyPatch, held: int, tried: int, best: float) -> None:
    accuracies = (0.4, 0.5, 0.45, 0.6, 0.6, 0.59, 0.58, 1.0)
    asked = script(monkeypatch, {(100, c): a for c, a in zip(choosing.CS, accuracies, strict=False)})
    assert choose(100, held) == best
    assert asked == [(100, c) for c in choosing.CS[:tried]]


@pytest.mark.parametrize(
    ("accuracies", "said"),
    [
        ((0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9), ["C = 100 is the best, and no larger one is tried"]),
        ((0.9, 0.8, 0.7), ["C = 0.01 is the best, and no smaller one is tried"]),
        ((0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.6, 0.5), []),
    ],
)
def test_a_best_value_at_the_end_of_those_that_are_tried_is_told(
    monkeypatch: pytest.MonkeyPatch, accuracies: tuple[float, ...], said: list[str]
) -> None:
    class Listening(Reporter):
        def __init__(self) -> None:
            super().__init__()
            self.warned: list[str] = []

        def warn(self, text: str) -> None:
            self.warned.append(text)

    script(monkeypatch, {(100, c): a for c, a in zip(choosing.CS, accuracies, strict=False)})
    report = Listening()
    choose(100, 100, report)
    assert [text.partition(":")[0] for text in report.warned] == said


@pytest.mark.parametrize(
    ("whole", "then", "best"),
    [
        ((0.5, 0.6, 0.7, 0.65), (0.1, 0.3, 1.0), 0.3),  # larger ones while they are better
        ((0.5, 0.6, 0.6, 0.7), (0.1, 0.3, 0.03), 0.1),  # of equals the smaller one
        ((0.7, 0.65, 0.6, 0.7), (0.1, 0.3, 0.03, 0.01), 0.03),  # smaller ones where the larger one is worse
    ],
)
def test_of_many_images_some_say_where_to_look(
    monkeypatch: pytest.MonkeyPatch, whole: tuple[float, ...], then: tuple[float, ...], best: float
) -> None:
    monkeypatch.setattr(choosing, "GRAM", 50)
    some = {(50, c): a for c, a in zip(choosing.CS, (0.4, 0.5, 0.6, 0.5, 0.4), strict=False)}
    of_all = {(200, 0.01): 0.1, **{(200, c): a for c, a in zip((0.03, 0.1, 0.3, 1.0), whole, strict=True)}}
    asked = script(monkeypatch, some | of_all)
    assert choose(200, choosing.MANY) == best
    assert asked == [(50, c) for c in choosing.CS[:4]] + [(200, c) for c in then]


def test_some_images_are_of_every_class() -> None:
    labels = torch.tensor([0] * 900 + [1] * 95 + [2] * 5)
    rows = torch.arange(1000) * 2
    some = choose_some(rows, labels, 100)
    assert torch.bincount(labels[some // 2]).tolist() == [90, 9, 1]
    assert torch.equal(some, some.unique())
    assert torch.equal(choose_some(rows, labels, 1000), rows)


def test_the_classifier_of_some_images_shortens_the_way_to_that_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    features, labels = data(600)
    monkeypatch.setattr(choosing, "GRAM", 200)
    fit, held = torch.arange(600)[torch.arange(600) % 5 > 0], torch.arange(0, 600, 5)
    best = choose_c(features, labels, CLASSES, fit, held, solver="torch")
    assert best.c in choosing.CS
    assert best.gap <= choosing.WIDE
    test, truth = data(600, seed=1)
    assert best.accuracy(test, truth) > 0.5
