"""What each stage of a discriminator is worth to a linear classifier: alone, and together with all below it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..devices import CPU
from ..metrics.choosing import choose_c, choose_some
from ..metrics.svm import GRAM, Problem, Solver
from ..progress import SILENT, Reporter


def probe_layers(
    sizes: Mapping[str, int],
    train: tuple[Tensor, Tensor],
    test: tuple[Tensor, Tensor],
    classes: int,
    fit: Tensor,
    held: Tensor,
    *,
    solver: Solver = "auto",
    device: torch.device = CPU,
    report: Reporter = SILENT,
) -> list[dict[str, Any]]:
    """Return for each stage, lowest first, its name, its features, and how often a classifier of them is right on test
    images: "alone", and "up_to", together with all stages below. C is chosen anew each time.

    Args:
        sizes: stage → how many features are its own, in the order of the features.
        train, test: features [n, d] and labels [n].
        fit, held: training images to choose C with, and on, sorted; of many, as many as the solver likes are taken.
    """
    features, labels = train
    fit, held = (choose_some(part, labels[part], most) for part, most in ((fit, GRAM * 9 // 10), (held, GRAM // 10)))
    rows = torch.cat([fit, held]).sort().values
    parts = [torch.searchsorted(rows, part) for part in (fit, held)]
    few, its = features[rows], labels[rows]

    def measure(columns: slice) -> float:
        part = few[:, columns].contiguous()
        best = choose_c(part, its, classes, *parts, solver=solver, device=device)
        final = Problem(part, its, classes, solver=solver, device=device).solve(best.c, start=best)
        return final.accuracy(test[0][:, columns], test[1])

    found, end = [], 0
    with report.task("stages", len(sizes), "stages") as task:
        for number, (name, size) in enumerate(sizes.items()):
            start, end = end, end + size
            alone = measure(slice(start, end))
            up_to = measure(slice(0, end)) if start else alone
            found.append({"stage": name, "features": size, "alone": alone, "up_to": up_to})
            task.update(number + 1)
    return found
