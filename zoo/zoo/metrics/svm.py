"""A linear classifier: one-vs-rest support vector machines with squared hinge loss and L2 regularization.

For each class, with y = ±1, the mean m of the training vectors, one number s for all, and 1 appended for the bias b:

    ½ (‖w‖² + b²) + C Σ max(0, 1 − y (w · s (x − m) + b))²

This is the objective of scikit-learn's `LinearSVC` (liblinear: Fan et al. 2008), which solves it where the data are few.
Features that are never negative lie far to one side of 0, and without m most of w would be spent on that.
Else L-BFGS does, to the same optimum: how far the objective may lie above its minimum is told by its dual, which is never
above it (α ≥ 0, one number for each image, y = ±1, u = Σ α y (s (x − m), 1)),

    Σ α − ½ ‖u‖² − Σ α² / 4C

and that is driven below `GAP` of the objective. The losses give α: α = 2 C t max(0, …) with the best t.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from typing import Any, Literal

import torch
from torch import Tensor

from zoo_core import DataError, ZooError

from ..devices import CPU, arithmetic_device, exact_float32, free_bytes, move_to, rows_that_fit
from .matrices import CHUNK, CHUNK_ON_DEVICE, Gram, Streamed

Solver = Literal["auto", "sklearn", "torch"]
GAP = 1e-4  # share of the objective that it may lie above its minimum
GRAM = 8000  # most images whose Gram matrix is made; more are read from disk again for every step
SMALL = 2_000_000  # most numbers that "auto" gives to scikit-learn
STEPS = 1000  # most evaluations of the objective for one solution


@dataclass(frozen=True)
class Classifier:
    """Scores of K classes: x · weights + bias."""

    weights: Tensor  # float32 [K, d]; for features as they are, the scale included
    bias: Tensor  # float32 [K]
    c: float  # that it was fitted with
    objective: float  # the sum of all classes'
    gap: float  # how far that is above its minimum at most, relative
    steps: int  # evaluations of the objective that it took; 0 where scikit-learn does not tell

    def scores(self, features: Tensor) -> Tensor:
        """[n, d] of any precision, on a memory map perhaps → [n, K], where the weights are."""
        where = self.weights.device
        parts = (move_to(part, where).float() for part in torch.split(features, _chunk(features, where)))
        with exact_float32():
            return torch.cat([part @ self.weights.T + self.bias for part in parts])

    def accuracy(self, features: Tensor, labels: Tensor) -> float:
        """Share of images [n, d] whose label [n] has the highest score."""
        best = self.scores(features).argmax(1)
        return float((best == labels.to(best.device)).float().mean())


class Problem:
    """Training images and labels, prepared once and solved for any C.

    Args:
        features: [n, d], half or single precision, on a memory map perhaps. Their mean is subtracted, and they are scaled to
            a mean squared length of 1, so that a C means the same for all features.
        labels: int64 [n], each class from 0 to `classes` − 1 among those of `rows`.
        rows: numbers of the images to train on, sorted; all by default.
        device: where torch solves; "auto" takes scikit-learn on a CPU only.

    Raises:
        DataError: a class has no image.
        ZooError: scikit-learn is asked for and not installed; all images have the same features.
    """

    def __init__(
        self,
        features: Tensor,
        labels: Tensor,
        classes: int,
        *,
        rows: Tensor | None = None,
        solver: Solver = "auto",
        device: torch.device = CPU,
    ) -> None:
        check_solver(solver)
        self.device = arithmetic_device(device)
        self.features = features
        self.rows = torch.arange(len(features)) if rows is None else rows
        self.labels = labels[self.rows]
        if missing := (torch.bincount(self.labels, minlength=classes) == 0).nonzero()[:5, 0].tolist():
            raise DataError(f"there is no training image of class {', '.join(map(str, missing))}")
        squares = torch.zeros((), dtype=torch.float64, device=self.device)
        mean = torch.zeros(features.shape[1], dtype=torch.float64, device=self.device)
        for part in torch.split(self.rows, _chunk(features, self.device)):
            some = move_to(features[part], self.device).float()
            mean += some.sum(0, dtype=torch.float64)
            squares += some.flatten() @ some.flatten()
        mean /= len(self.rows)
        length, shared = float(squares) / len(self.rows), float(mean @ mean)
        if length - shared <= 1e-6 * length:
            raise ZooError("all images have the same features: nothing can be learned from them")
        self.mean, self.scale = mean.float(), (length - shared) ** -0.5
        few = len(self.rows) * features.shape[1] <= SMALL and self.device.type == "cpu" and find_spec("sklearn")
        self.solver: Solver = ("sklearn" if few else "torch") if solver == "auto" else solver
        self.signs = torch.where(torch.nn.functional.one_hot(self.labels, classes).bool(), 1.0, -1.0)  # [n, K]
        self._solution: Tensor | None = None

    @cached_property
    def matrix(self) -> Gram | Streamed:
        """The images in the coordinates in which torch solves."""
        n, d = len(self.rows), self.features.shape[1]
        few, device = n <= min(GRAM, d), self.device
        if few and device.type != "cpu" and 4 * n * d + 4 * 8 * n * n > free_bytes(device) // 2:
            device = CPU
        return (Gram if few else Streamed)(self.features, self.rows, self.mean, self.scale, device)

    def solve(
        self,
        c: float,
        *,
        gap: float = GAP,
        start: Classifier | None = None,
        heard: Callable[[int, float], None] = lambda steps, gap: None,
    ) -> Classifier:
        """Return the classifier for one C, within `gap` of the optimum. Begins where the last solution ended.

        `heard` is told the evaluations so far and the gap. Raises `ZooError` where the optimum is not reached.

        Args:
            start: a classifier to begin with instead, of other images or another C: the optimum is the same, and nearer.
        """
        if self.solver == "sklearn":
            return self._by_sklearn(c)
        matrix = self.matrix
        if start is not None:
            self._solution = matrix.begin(start.weights.to(matrix.device), start.bias.to(matrix.device)).to(matrix.dtype)
        elif self._solution is None:
            self._solution = torch.zeros(self.signs.shape[1], matrix.size, dtype=matrix.dtype, device=matrix.device)
        signs = self.signs.to(matrix.device, matrix.dtype)
        with exact_float32():
            self._solution, objective, reached, steps = minimize(matrix, signs, c, self._solution, gap, heard)
            return Classifier(*matrix.finish(self._solution), c, objective, reached, steps)

    def _by_sklearn(self, c: float) -> Classifier:
        from sklearn.svm import LinearSVC

        x = self.features[self.rows].double().sub_(self.mean).mul_(self.scale).numpy()
        found: Any = LinearSVC(C=c, tol=1e-5, max_iter=20_000, random_state=0).fit(x, self.labels.numpy())
        weights, bias = torch.from_numpy(found.coef_), torch.from_numpy(found.intercept_)
        if len(weights) == 1:  # two classes have one boundary
            weights, bias = torch.cat([-weights, weights]), torch.cat([-bias, bias])
        objective = compute_objective(torch.from_numpy(x), self.signs.double(), weights, bias, c)
        weights = weights * self.scale
        return Classifier(weights.float(), (bias - weights @ self.mean.double()).float(), c, objective, float("nan"), 0)


def _chunk(features: Tensor, device: torch.device) -> int:
    """Return how many vectors are turned into single precision together."""
    return CHUNK if device.type == "cpu" else rows_that_fit(device, 4 * features.shape[1], CHUNK_ON_DEVICE)


def check_solver(solver: Solver) -> None:
    """Raise `ZooError` where scikit-learn is asked for and not installed."""
    if solver == "sklearn" and not find_spec("sklearn"):
        hint = 'install it with: pip install "dcgan-zoo[eval]"; or give --solver torch, which finds the same optimum'
        raise ZooError("the solver sklearn needs scikit-learn, which is not installed", hint=hint)


def compute_objective(x: Tensor, signs: Tensor, weights: Tensor, bias: Tensor, c: float) -> float:
    """Return the sum of all classes' objectives for scaled features [n, d], signs [n, K], weights [K, d] and bias [K]."""
    slack = (1 - signs * (x @ weights.T + bias)).clamp(min=0)
    return float(0.5 * (weights.square().sum() + bias.square().sum()) + c * slack.square().sum())


def minimize(
    matrix: Gram | Streamed, signs: Tensor, c: float, start: Tensor, gap: float, heard: Callable[[int, float], None]
) -> tuple[Tensor, float, float, int]:
    """L-BFGS from `start` [K, m] until the optimum is certainly near; returns weights, objective, relative gap, evaluations.

    Raises `ZooError` where it is not near after `STEPS` evaluations.
    """
    moved = torch.nn.Parameter(torch.zeros_like(start))
    best: dict[str, Any] = {"objective": float("inf")}
    least = torch.zeros(len(start), dtype=torch.float64, device=start.device)  # of every class, by the dual
    steps = 0

    def closure() -> Tensor:
        nonlocal steps
        steps += 1
        losses, squares = torch.zeros_like(least), torch.zeros_like(least)  # [K]

        def slack(scores: Tensor, where: slice) -> Tensor:
            wrong = (1 - signs[where] * scores).clamp_(min=0)
            losses.add_(wrong.sum(0, dtype=torch.float64))
            squares.add_(wrong.square().sum(0, dtype=torch.float64))
            return wrong.mul_(signs[where]).mul_(-2 * c)

        w = start + matrix.precondition(moved.detach(), c)
        minus_u = matrix.sweep(w, slack)
        objective = float(0.5 * w.square().sum(dtype=torch.float64) + c * squares.sum())
        spent = minus_u.square().sum(1, dtype=torch.float64) + 2 * c * squares
        least.clamp_(min=(2 * c * losses).square() / (2 * spent).clamp(min=1e-30))
        if objective < best["objective"]:
            best.update(objective=objective, weights=w)
        best["gap"] = (best["objective"] - float(least.sum())) / max(best["objective"], 1e-30)
        heard(steps, best["gap"])
        if best["gap"] <= gap or steps >= STEPS:
            raise _Enough
        moved.grad = matrix.precondition(minus_u.add_(w), c)
        return torch.tensor(objective, dtype=torch.float64)

    limits = {"max_iter": STEPS, "max_eval": STEPS, "tolerance_grad": 0.0, "tolerance_change": 0.0}
    optimizer: Any = torch.optim.LBFGS([moved], **limits, history_size=50, line_search_fn="strong_wolfe")  # type: ignore[arg-type]
    with contextlib.suppress(_Enough):
        optimizer.step(closure)  # ends by itself only where it cannot move: single precision is used up
    if best["gap"] > max(gap, 1e-2):
        raise ZooError(
            f"the classifier's objective is still up to {best['gap']:.1%} above its minimum after {steps} steps (C = {c})"
        )
    return best["weights"], best["objective"], best["gap"], steps


class _Enough(Exception):
    """The optimum is near, or it takes too long."""
