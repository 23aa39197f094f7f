"""The torch SVM reaches scikit-learn's optimum, from memory and from disk, by the Gram matrix and without."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from zoo.metrics import matrices, svm
from zoo.metrics.matrices import Gram, Streamed
from zoo.metrics.svm import Problem, compute_objective
from zoo_core import DataError, ZooError

CLASSES = 3


def data(n: int = 240, d: int = 320, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Half-precision features that are positive on the whole, as after LeakyReLU, and hard to tell apart; labels."""
    rng = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, CLASSES, (n,), generator=rng)
    centers = torch.randn(CLASSES, d, generator=torch.Generator().manual_seed(9)) * 0.06
    return (torch.randn(n, d, generator=rng) * 0.5 + 0.4 + centers[labels]).clamp(min=-0.2).half(), labels


def objective(problem: Problem, found: svm.Classifier, features: Tensor) -> float:
    mean = features.double().mean(0)
    x = (features.double() - mean) * problem.scale
    assert float(x.square().sum(1).mean()) == pytest.approx(1.0, rel=1e-4)
    weights, bias = found.weights.double() / problem.scale, found.bias.double() + found.weights.double() @ mean
    return compute_objective(x, problem.signs.double(), weights, bias, found.c)


@pytest.mark.parametrize("c", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("matrix", [Gram, Streamed])
def test_the_same_optimum_as_scikit_learn(matrix: type, c: float) -> None:
    pytest.importorskip("sklearn")
    features, labels = data()
    theirs = Problem(features, labels, CLASSES, solver="sklearn")
    expected = theirs.solve(c)
    ours = Problem(features, labels, CLASSES, solver="torch")
    ours.matrix = matrix(features, ours.rows, ours.mean, ours.scale)
    found = ours.solve(c)
    assert objective(ours, found, features) == pytest.approx(objective(theirs, expected, features), rel=1e-3)
    assert found.objective == pytest.approx(objective(ours, found, features), rel=1e-3)
    assert found.gap <= svm.GAP
    test, truth = data(600, seed=1)
    assert found.accuracy(test, truth) == pytest.approx(expected.accuracy(test, truth), abs=0.004)
    assert 0.45 < found.accuracy(test, truth) < 1


@pytest.mark.parametrize("matrix", [Gram, Streamed])
def test_the_optimum_lies_within_the_gap(matrix: type) -> None:
    features, labels = data()
    optimum = Problem(features, labels, CLASSES, solver="torch").solve(10.0, gap=1e-6).objective
    for gap in (0.3, 0.03, 0.003):
        problem = Problem(features, labels, CLASSES, solver="torch")
        problem.matrix = matrix(features, problem.rows, problem.mean, problem.scale)
        found = problem.solve(10.0, gap=gap)
        assert found.gap <= gap
        assert optimum * (1 - 1e-5) <= found.objective <= optimum / (1 - found.gap) * (1 + 1e-5)


def test_scikit_learn_asked_for_and_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(svm, "find_spec", lambda name: None)
    with pytest.raises(ZooError, match="needs scikit-learn, which is not installed") as caught:
        Problem(*data(), CLASSES, solver="sklearn")
    assert 'pip install "dcgan-zoo[eval]"' in caught.value.hint
    assert Problem(*data(), CLASSES).solver == "torch"


def test_some_rows_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    features, labels = data()
    rows = torch.arange(240)[torch.arange(240) % 3 != 1]
    whole = Problem(features[rows], labels[rows], CLASSES, solver="torch").solve(1.0)
    monkeypatch.setattr(matrices, "CHUNK", 50)
    monkeypatch.setattr(svm, "CHUNK", 50)
    monkeypatch.setattr(svm, "GRAM", 0)
    problem = Problem(features, labels, CLASSES, rows=rows, solver="torch")
    assert isinstance(problem.matrix, Streamed)
    found = problem.solve(1.0)
    assert found.objective == pytest.approx(whole.objective, rel=1e-3)
    assert torch.allclose(found.scores(features), whole.scores(features), atol=0.03)


def test_one_solution_is_the_start_of_the_next() -> None:
    features, labels = data()
    problem = Problem(features, labels, CLASSES, solver="torch")
    first = problem.solve(1.0)
    again = problem.solve(1.0)
    assert again.steps == 1 < first.steps
    assert again.objective == pytest.approx(first.objective, rel=1e-3)


@pytest.mark.parametrize("matrix", [Gram, Streamed])
def test_a_classifier_is_the_start_of_another_problem(matrix: type) -> None:
    features, labels = data()
    first = Problem(features[:200], labels[:200], CLASSES, solver="torch").solve(1.0)
    steps, found = {}, first
    for name in ("nothing", "its own", "others"):
        start = {"nothing": None, "its own": found, "others": first}[name]
        problem = Problem(features, labels, CLASSES, solver="torch")
        problem.matrix = matrix(features, problem.rows, problem.mean, problem.scale)
        found = problem.solve(1.0, start=start)
        assert found.gap <= svm.GAP
        steps[name] = found.steps
    assert steps["its own"] < steps["nothing"]
    assert steps["others"] <= steps["nothing"] + 2


def test_images_that_stand_twice_do_no_harm() -> None:
    features, labels = data(60)
    twice = Problem(torch.cat([features, features]), torch.cat([labels, labels]), CLASSES, solver="torch")
    assert isinstance(twice.matrix, Gram)
    assert twice.solve(0.5).objective == pytest.approx(
        Problem(features, labels, CLASSES, solver="torch").solve(1.0).objective, rel=1e-3
    )


def test_two_classes_have_one_boundary_in_scikit_learn() -> None:
    pytest.importorskip("sklearn")
    features, labels = data()
    kept = labels < 2
    found = Problem(features[kept], labels[kept], 2, solver="sklearn").solve(1.0)
    ours = Problem(features[kept], labels[kept], 2, solver="torch").solve(1.0)
    assert torch.allclose(found.scores(features), ours.scores(features), atol=0.05)


def test_what_cannot_be_learned() -> None:
    features, labels = data()
    with pytest.raises(DataError, match="no training image of class 1"):
        Problem(features[labels != 1], labels[labels != 1], CLASSES)
    with pytest.raises(ZooError, match="all images have the same features"):
        Problem(torch.zeros_like(features), labels, CLASSES)
    with pytest.raises(ZooError, match="all images have the same features"):
        Problem(features[:1].expand(len(labels), -1) + 3, labels, CLASSES)


@pytest.mark.parametrize("matrix", [Gram, Streamed])
def test_a_mean_that_all_features_have_changes_nothing(matrix: type) -> None:
    features, labels = data()
    test, _ = data(300, seed=1)
    scores = []
    for shift in (0.0, 8.0):
        moved = features.float() + shift
        problem = Problem(moved, labels, CLASSES, solver="torch")
        problem.matrix = matrix(moved, problem.rows, problem.mean, problem.scale)
        scores.append(problem.solve(1.0, gap=1e-5).scores(test.float() + shift))
    assert torch.allclose(*scores, atol=5e-3)


def test_an_optimum_out_of_reach_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(svm, "STEPS", 3)
    features, labels = data()
    with pytest.raises(ZooError, match="still up to"):
        Problem(features, labels, CLASSES, solver="torch").solve(100.0)
