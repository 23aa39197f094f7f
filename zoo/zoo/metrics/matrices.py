"""The images of a support vector machine as matrices, in coordinates in which its optimum is found in few steps.

Where there are fewer images than features, the solution is a combination of the images, and the problem is turned into one
of as many numbers as there are images: with K = L Lᵀ the Gram matrix, w = Xᵀ L⁻ᵀ v has the norm of v and the scores L v.

Where there are many, every evaluation reads them all from disk. Few are needed: the Hessian of a class is I + 2C Σ x xᵀ over
the images within its margin; some of the images tell which directions are steep (Nyström approximation: Williams and Seeger
2001), and L-BFGS works on w = T u, in which all directions are about equally steep.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from zoo_core import ZooError

from ..devices import CPU, free_bytes, move_to, rows_that_fit

SAMPLE, FEW = 4096, 1024  # most images by which the steepness is estimated; those of a Gram matrix
WITHIN = 0.1  # share of images that is taken to lie within the margin, in that estimate
ROWS = 512  # rows of a Gram matrix that are made together
CHUNK = 32  # vectors that are turned into single precision together: so few that they stay in the processor's cache
CHUNK_ON_DEVICE = 8192  # most of them on a GPU, which wants large products
_COLUMNS = 16  # vectors that processors multiply a matrix by at once; ten take longer than sixteen


class Matrix:
    """The images of a problem as vectors of `size` numbers.

    `sweep` computes scores [n, K] for weights [K, m], in pieces, and returns Σ slack(scores, which)ᵀ x, [K, m]; `finish`
    returns a solution in terms of features as they are: weights [K, d] and bias [K]. `begin` is its inverse, or what
    comes nearest: the solution of other images, to begin with.

    All of it computes where `sample` lies; `weights` and `slack`'s result must be there.

    Args:
        sample: [s, size], some of them, from which the steep directions of the objective are told.
        images: of how many they are.
    """

    def __init__(self, sample: Tensor, images: int) -> None:
        self.size, self.dtype, self.device = sample.shape[1], sample.dtype, sample.device
        self.sample, self.share = sample, len(sample) / images
        squares, directions = torch.linalg.eigh(sample @ sample.T)
        known = squares > 1e-5 * squares[-1]
        self.squares, self.directions = squares[known], directions[:, known]  # [r], [s, r]

    def precondition(self, vectors: Tensor, c: float) -> Tensor:
        """T v for vectors [K, m]; T is the symmetric root of the estimated Hessian's inverse, the same for all classes."""
        rho = 2 * c * WITHIN / self.share
        change = ((1 + rho * self.squares).rsqrt() - 1) / self.squares
        found: Tensor = vectors + ((vectors @ self.sample.T @ self.directions) * change) @ self.directions.T @ self.sample
        return found


class Streamed(Matrix):
    """Vectors of d + 1 numbers: feature vectors [n, d] on disk, read in pieces; from a device's memory where it holds them
    easily, as they are.
    """

    def __init__(self, features: Tensor, rows: Tensor, mean: Tensor, scale: float, device: torch.device = CPU) -> None:
        self.features, self.rows, self.mean, self.scale = features, rows, mean.to(device), scale
        some = rows[_spread(len(rows), sample_size(len(rows), features.shape[1]))]
        x = move_to(features[some], device).float().sub_(self.mean).mul_(scale)
        super().__init__(torch.cat([x, x.new_ones(len(x), 1)], dim=1), len(rows))
        self.chunk = CHUNK if device.type == "cpu" else rows_that_fit(device, 4 * features.shape[1], CHUNK_ON_DEVICE)
        size = len(rows) * features.shape[1] * features.element_size()
        if device.type != "cpu" and size <= free_bytes(device) // 2:
            self.features = features.new_empty(len(rows), features.shape[1], device=device)
            for start in range(0, len(rows), self.chunk):
                part = rows[start : start + self.chunk]
                self.features[start : start + len(part)] = move_to(features[part], device)
            self.rows = torch.arange(len(rows))

    def sweep(self, weights: Tensor, slack: Callable[[Tensor, slice], Tensor]) -> Tensor:
        k, d = len(weights), self.features.shape[1]
        columns = -(-k // _COLUMNS) * _COLUMNS
        w, gradient = weights.new_zeros(d, columns), weights.new_zeros(columns, d)
        w[:, :k] = weights[:, :-1].T * self.scale
        bias = weights.new_zeros(k)
        out, buffer = weights.new_zeros(self.chunk, columns), weights.new_empty(self.chunk, d)
        for start in range(0, len(self.rows), self.chunk):
            part = self.rows[start : start + self.chunk]
            first, last = int(part[0]), int(part[-1])
            together = last - first + 1 == len(part)  # a run of rows is not copied first
            some = self.features[first : last + 1] if together else self.features[part]
            x = buffer[: len(part)].copy_(move_to(some, self.device)).sub_(self.mean)
            some = out[: len(x)]
            some[:, :k] = slack((x @ w)[:, :k] + weights[:, -1], slice(start, start + len(part)))  # [c, K]
            gradient.addmm_(some.T, x)
            bias += some[:, :k].sum(0)
        return torch.cat([gradient[:k] * self.scale, bias[:, None]], dim=1)

    def finish(self, weights: Tensor) -> tuple[Tensor, Tensor]:
        found = weights[:, :-1] * self.scale
        return found, weights[:, -1] - found @ self.mean

    def begin(self, weights: Tensor, bias: Tensor) -> Tensor:
        return torch.cat([weights / self.scale, (bias + weights @ self.mean)[:, None]], dim=1)


class Gram(Matrix):
    """Vectors of as many numbers as there are images: the Cholesky factor of their Gram matrix, in double precision."""

    def __init__(self, features: Tensor, rows: Tensor, mean: Tensor, scale: float, device: torch.device = CPU) -> None:
        self.mean = mean.to(device)
        x = move_to(features[rows], device).float().sub_(self.mean).mul_(scale)  # [n, d]
        kernel = x.new_ones(len(x), len(x), dtype=torch.float64)  # of the appended ones; only its lower half is read
        for part in torch.split(x, 4096, dim=1):
            for end in range(ROWS, len(x) + ROWS, ROWS):
                kernel[end - ROWS : end, :end] += part[end - ROWS : end] @ part[:end].T
        self.features, self.scale, self.factor = x, scale, _cholesky(kernel)
        super().__init__(self.factor[_spread(len(x), FEW).to(device)], len(x))

    def sweep(self, weights: Tensor, slack: Callable[[Tensor, slice], Tensor]) -> Tensor:
        gradient: Tensor = slack(self.factor @ weights.T, slice(0, self.size)).T @ self.factor
        return gradient

    def finish(self, weights: Tensor) -> tuple[Tensor, Tensor]:
        images = torch.linalg.solve_triangular(self.factor.T, weights.T, upper=True)  # [n, K]
        found = (images.T.float() @ self.features) * self.scale
        return found, images.sum(0).float() - found @ self.mean

    def begin(self, weights: Tensor, bias: Tensor) -> Tensor:
        """The nearest to weights that are no combination of these images; L⁻¹ X w."""
        scores = self.features @ (weights / self.scale).T + (bias + weights @ self.mean)
        found: Tensor = torch.linalg.solve_triangular(self.factor, scores.double(), upper=False)
        return found.T.contiguous()


def sample_size(images: int, features: int) -> int:
    """Return of how many images the steep directions are told: of more, they would cost more than the steps they save.

    The eigenvectors of s images take about 10 s³ operations, as many as ten evaluations of the objective.
    """
    pays: float = (4 * _COLUMNS * images * features) ** (1 / 3)
    return min(SAMPLE, round(pays))


def _spread(count: int, wanted: int) -> Tensor:
    """So many numbers below `count`, evenly spread, or all of them."""
    return torch.linspace(0, count - 1, min(wanted, count), dtype=torch.float64).round().long()


def _cholesky(kernel: Tensor) -> Tensor:
    """Return the factor of a Gram matrix that rounding, or images that stand twice, may have left without full rank."""
    jitter = 1e-7 * kernel.diagonal().mean()
    for _ in range(6):
        factor, wrong = torch.linalg.cholesky_ex(kernel + jitter * torch.eye(len(kernel)).to(kernel))
        if not bool(wrong):
            found: Tensor = factor.contiguous()  # by rows; thin products with one by columns take ten times as long
            return found
        jitter = jitter * 10
    raise ZooError("the Gram matrix of the features has no Cholesky factor: they hold numbers that cannot be")
