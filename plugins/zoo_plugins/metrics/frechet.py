"""The Fréchet distance of two sets of features, and the FID.

Dowson and Landau 1982; for GANs Heusel et al. 2017, arXiv:1706.08500.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from zoo_core import Measurement, Metric, UsageError
from zoo_core.words import plural

PARTS = 10  # random parts of the images whose sums are kept apart, so that halves can be put together from them
LARGEST = 4096  # most features whose covariance is taken
ENOUGH = 10_000  # images below which the bias of a FID is warned of
_BLOCK = 1024
_SEED = 4471345887517983196  # of the random parts


class Gaussian(NamedTuple):
    """Mean [d] and covariance [d, d] of feature vectors, float64."""

    mean: Tensor
    covariance: Tensor


class Moments:
    """Running sums of feature vectors in each of some parts, float64: counts [P], totals [P, d], products [P, d, d].

    They are kept, and added to, on a device, the CPU by default.
    """

    def __init__(self, dim: int, parts: int = 1, device: torch.device | None = None) -> None:
        self.counts = torch.zeros(parts, dtype=torch.float64, device=device)
        self.total = torch.zeros(parts, dim, dtype=torch.float64, device=device)
        self.products = torch.zeros(parts, dim, dim, dtype=torch.float64, device=device)

    @classmethod
    def of(cls, features: Tensor, parts: int = 1) -> Moments:
        """Add up vectors [n, d], on a memory map perhaps, in `parts` random parts that depend on n alone, where they are."""
        moments = cls(features.shape[1], parts, features.device)
        part = torch.randperm(len(features), generator=torch.Generator().manual_seed(_SEED)) % parts
        for block, numbers in zip(torch.split(features, _BLOCK), torch.split(part, _BLOCK), strict=True):
            moments.add(block, numbers)
        return moments

    def add(self, features: Tensor, part: Tensor | None = None) -> None:
        """Add vectors [n, d]; `part` [n] says into which part each goes, by default the first."""
        features = features.detach().to(self.total.device).double()
        part = torch.zeros(len(features)) if part is None else part
        for k in range(len(self.counts)):
            rows = features[(part == k).nonzero().squeeze(1).to(features.device)]  # as many as the CPU knows: nothing waits
            self.counts[k] += len(rows)
            self.total[k] += rows.sum(0)
            self.products[k].addmm_(rows.T, rows)

    def gaussian(self, parts: Sequence[int] | None = None) -> Gaussian:
        """Mean and covariance (over n − 1) of at least two vectors, those of some of the parts or all."""
        chosen = torch.tensor(list(parts or range(len(self.counts)))).to(self.counts.device)
        n = self.counts[chosen].sum()
        mean = self.total[chosen].sum(0) / n
        return Gaussian(mean, (self.products[chosen].sum(0) - n * torch.outer(mean, mean)) / (n - 1))


def frechet_distance(one: Gaussian, other: Gaussian) -> float:
    """Return the squared 2-Wasserstein distance of two normal distributions.

    The trace of the root of a product is that of a symmetric matrix, so that it is real and covariances without full rank
    do no harm.
    """
    values, vectors = torch.linalg.eigh(one.covariance)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    overlap = torch.linalg.eigvalsh(root @ other.covariance @ root).clamp(min=0).sqrt().sum()
    between = (one.mean - other.mean).square().sum()
    return max(0.0, float(between + one.covariance.trace() + other.covariance.trace() - 2 * overlap))


class Frechet(Metric):
    """The Fréchet distance between normal distributions that are fitted to features of samples and of real images."""

    name = "frechet"
    on_device = True
    reliable = 0  # `check` says more

    def measure(self, real: Tensor, fake: Tensor) -> Mapping[str, float]:
        return {self.name: self.distance(Moments.of(fake).gaussian(), Moments.of(real).gaussian())}

    def evaluate(self, real: Tensor, fake: Tensor, *, resamples: int = 0, seed: int = 0) -> Measurement:
        """Return the standard error is the spread over halves of both sets, put together from `PARTS` random parts."""
        moments = [Moments.of(x, PARTS) for x in (fake, real)]
        values = {self.name: self.distance(*(m.gaussian() for m in moments))}
        if resamples < 2 or min(len(real), len(fake)) < 4 * PARTS:
            return Measurement(values)
        import numpy as np

        rng = np.random.default_rng(seed)
        found = []
        for _ in range(resamples):
            halves = [rng.permutation(PARTS)[: PARTS // 2].tolist() for _ in range(2)]
            found.append(frechet_distance(*(m.gaussian(half) for m, half in zip(moments, halves, strict=True))))
        return Measurement(values, {self.name: float(np.std(found, ddof=1))})

    def distance(self, fake: Gaussian, real: Gaussian) -> float:
        return frechet_distance(fake, real)

    def check(self, real: int, fake: int, dim: int) -> Sequence[str]:
        if dim > LARGEST:
            raise UsageError(
                f"{self.name} of {dim:,} features is out of reach: their covariance has as many rows and columns",
                hint=f"the most is {LARGEST:,}; pool them (--set features.grid=1), or choose other features or metrics",
            )
        fewest, warnings = min(real, fake), []
        if fewest < ENOUGH:
            few = f"{self.name} from {plural(fewest, 'image')} (below {ENOUGH:,})"
            warnings.append(f"{few} is biased upward: compare only at equal numbers")
        if fewest <= dim:
            singular = f"the covariance of {dim:,} features from {plural(fewest, 'image')} is singular"
            warnings.append(f"{singular}: the bias of {self.name} is large")
        return warnings


class Fid(Frechet):
    """The Fréchet Inception Distance, to torch-fidelity's last digit."""

    name = "fid"
    features = "inception"
    requires, extra = "torch_fidelity", "dcgan-zoo[eval]"

    def distance(self, fake: Gaussian, real: Gaussian) -> float:
        from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_statistics_to_metric

        both = [{"mu": mean.cpu().numpy(), "sigma": covariance.cpu().numpy()} for mean, covariance in (fake, real)]
        return float(fid_statistics_to_metric(*both, verbose=False)[KEY_METRIC_FID])
