"""Choosing C, by how many held-out images a classifier is right about.

Where the training images are many, all values are tried on some of them, whose Gram matrix makes a try cheap, and the
best of these and its neighbors on all. Each try begins with the solution of the one before and ends within a wider gap
than a classifier that is reported: it must only be told from its neighbors.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..devices import CPU
from ..progress import SILENT, Reporter
from ..randomness import generator_for
from .svm import GRAM, Classifier, Problem, Solver

CS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)  # that are tried, for features whose mean squared length is 1
CHOOSING, WIDE = 1e-2, 3e-2  # shares of its objective that a classifier may lie above its minimum; the second on all of many
MANY = 2000  # held-out images of which one worse value of C is believed


def choose_c(
    features: Tensor,
    labels: Tensor,
    classes: int,
    fit: Tensor,
    held: Tensor,
    *,
    solver: Solver = "auto",
    device: torch.device = CPU,
    report: Reporter = SILENT,
) -> Classifier:
    """Return the classifier whose C is right most often on held-out images; the smallest of equals.

    Warns where that is the first or the last of `CS`.

    Args:
        features: [n, d], on a memory map perhaps.
        labels: int64 [n].
        fit, held: numbers of the images to train on, and of those held out, sorted.
        solver, device, report: as of `Problem` and `zoo.evaluate`.
    """
    shown, truth = features[held], labels[held]
    many = solver != "sklearn" and len(fit) > 2 * GRAM
    some = choose_some(fit, labels[fit], GRAM) if many else fit
    best = _climb(Problem(features, labels, classes, rows=some, solver=solver, device=device), shown, truth, report)
    if len(some) < len(fit):
        report.note(f"C = {best.c:g} is the best with {len(some):,} images; now with all {len(fit):,}")
        problem = Problem(features, labels, classes, rows=fit, solver=solver, device=device)
        best = _look_around(problem, best, shown, truth, report)
    if best.c in (CS[0], CS[-1]):
        report.warn(
            f"C = {best.c:g} is the best, and no {'smaller' if best.c == CS[0] else 'larger'} one is tried: "
            "these features may be worth more than is found here"
        )
    return best


def choose_some(rows: Tensor, labels: Tensor, most: int) -> Tensor:
    """Return about `most` of the numbers of images, the same share of each class [n], at least one, sorted."""
    if len(rows) <= most:
        return rows
    order = torch.randperm(len(rows), generator=generator_for(0, "some images"))
    found = []
    for k in sorted(set(labels.tolist())):
        of_class = order[labels[order] == k]
        found.append(of_class[: max(1, len(of_class) * most // len(rows))])
    return rows[torch.cat(found)].sort().values


def _climb(problem: Problem, shown: Tensor, truth: Tensor, report: Reporter) -> Classifier:
    """Try upwards, until two values in a row are worse than the best; where many images are held out, until one is."""
    last = 1 if len(truth) >= MANY else 2
    best, scored = None, []
    for c in CS:
        found, accuracy = _try(problem, c, CHOOSING, None, shown, truth, report)
        if best is None or accuracy > max(scored):
            best = found
        scored.append(accuracy)
        if len(scored) > last and max(scored[-last:]) < max(scored):
            break
    assert best is not None
    return best


def _look_around(problem: Problem, first: Classifier, shown: Tensor, truth: Tensor, report: Reporter) -> Classifier:
    """Try the C of a classifier of fewer images, the larger ones while they are better, and if none is, the smaller ones."""
    best, most = _try(problem, first.c, WIDE, first, shown, truth, report)
    middle = CS.index(first.c)
    for others, smaller in ((CS[middle + 1 :], False), (CS[:middle][::-1], True)):
        for c in others:
            found, accuracy = _try(problem, c, WIDE, best, shown, truth, report)
            if accuracy < most or (accuracy == most and not smaller):
                break
            best, most = found, accuracy
        if best.c != first.c:
            break
    return best


def _try(
    problem: Problem, c: float, gap: float, start: Classifier | None, shown: Tensor, truth: Tensor, report: Reporter
) -> tuple[Classifier, float]:
    """Return the classifier of one C, and how often it is right."""
    with report.task(f"trying C = {c:g}") as task:
        found = problem.solve(c, gap=gap, start=start, heard=lambda steps, gap: task.update(steps, gap=f"{gap:.1e}"))
    accuracy = found.accuracy(shown, truth)
    report.note(f"C = {c:g}: {accuracy:.2%} of {len(truth):,} held-out images are right")
    return found, accuracy
