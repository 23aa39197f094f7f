"""Means and covariances of features, added up in pieces, and the FID from them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..comparing.distance import Gaussian, frechet_distance
from ..files import atomic_file
from ..progress import Reporter
from ..randomness import generator_for
from .store import Features

GROUPS = 10
"""Random parts of the images whose sums are kept apart, so that halves can be put together from them."""

_FILE = "moments.safetensors"
_SILENT = Reporter()


class Moments(NamedTuple):
    """Sums over images in each of `GROUPS` random parts, float64: numbers [G], vectors [G, d], products [G, d, d]."""

    counts: Tensor
    total: Tensor
    products: Tensor

    def gaussian(self, groups: Iterable[int] = range(GROUPS)) -> Gaussian:
        """Mean and covariance (over n − 1) of the images in some of the parts."""
        chosen = list(groups)
        n = self.counts[chosen].sum()
        mean = self.total[chosen].sum(0) / n
        covariance = (self.products[chosen].sum(0) - n * torch.outer(mean, mean)) / (n - 1)
        return Gaussian(mean, covariance)


def moments_of(features: Features, *, report: Reporter = _SILENT) -> Moments:
    """The moments of features, kept beside them for the next time."""
    file = features.path / _FILE
    try:
        kept = load_file(file)
        return Moments(kept["counts"], kept["total"], kept["products"])
    except (OSError, SafetensorError, KeyError):
        pass
    found = _added_up(features, report)
    with atomic_file(file) as temporary:
        save_file(found._asdict(), temporary)
    return found


def _added_up(features: Features, report: Reporter) -> Moments:
    dim = features.dim
    part = torch.randperm(features.count, generator=generator_for(0, "parts")) % GROUPS  # [N]
    counts = torch.bincount(part, minlength=GROUPS).double()
    total = torch.zeros(GROUPS, dim, dtype=torch.float64)
    products = torch.zeros(GROUPS, dim, dim, dtype=torch.float64)
    start = 0
    with report.task("covariance", features.count, "images") as task:
        for block in features.blocks():
            block = block.double()
            numbers = part[start : start + len(block)]
            for group in range(GROUPS):
                rows = block[numbers == group]
                total[group] += rows.sum(0)
                products[group].addmm_(rows.T, rows)
            start += len(block)
            task.update(start)
    return Moments(counts, total, products)


def fid(generated: Moments, real: Moments) -> float:
    """The Fréchet Inception Distance (Heusel et al. 2017, arXiv:1706.08500) by torch-fidelity, from moments."""
    from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_statistics_to_metric

    found = fid_statistics_to_metric(_statistics(generated), _statistics(real), verbose=False)
    return float(found[KEY_METRIC_FID])


def fid_spread(generated: Moments, real: Moments, resamples: int, *, seed: int = 0) -> float:
    """Standard error of the FID: the standard deviation over random halves of both sets, see `zoo.metrics.resampling`."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(resamples):
        halves = [rng.permutation(GROUPS)[: GROUPS // 2].tolist() for _ in range(2)]
        found.append(frechet_distance(generated.gaussian(halves[0]), real.gaussian(halves[1])))
    return float(np.std(found, ddof=1))


def _statistics(moments: Moments) -> dict[str, NDArray[np.float64]]:
    mean, covariance = moments.gaussian()
    return {"mu": mean.numpy(), "sigma": covariance.numpy()}
