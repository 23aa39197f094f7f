"""How far generated pictures are from real ones, and how different from each other, in the space of some features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

PAIRS = 512
"""Pictures among which pairs are looked at, the first ones."""


class Gaussian(NamedTuple):
    """Mean [d] and covariance [d, d] of feature vectors, float64."""

    mean: Tensor
    covariance: Tensor


@dataclass
class Moments:
    """Adds up feature vectors as they come, so that no number of pictures needs much memory; keeps the first `PAIRS`."""

    count: int
    total: Tensor
    products: Tensor
    first: Tensor

    @classmethod
    def of_length(cls, dim: int) -> Moments:
        """None so far."""
        return cls(0, torch.zeros(dim).double(), torch.zeros(dim, dim).double(), torch.empty(0, dim).double())

    def add(self, features: Tensor) -> None:
        """Add vectors [n, d]."""
        features = features.detach().double().cpu()
        self.count += len(features)
        self.total += features.sum(0)
        self.products += features.T @ features
        if len(self.first) < PAIRS:
            self.first = torch.cat([self.first, features[: PAIRS - len(self.first)]])

    def gaussian(self) -> Gaussian:
        """Mean and covariance (over n − 1) of at least two vectors."""
        mean = self.total / self.count
        covariance = (self.products - self.count * torch.outer(mean, mean)) / (self.count - 1)
        return Gaussian(mean, covariance)


def frechet_distance(one: Gaussian, other: Gaussian) -> float:
    """The squared 2-Wasserstein distance of two normal distributions: Dowson and Landau 1982, as in Heusel et al. 2017,
    arXiv:1706.08500. The trace of the root of a product is that of a symmetric matrix, so that it is real and covariances
    without full rank do no harm."""
    values, vectors = torch.linalg.eigh(one.covariance)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    overlap = torch.linalg.eigvalsh(root @ other.covariance @ root).clamp(min=0).sqrt().sum()
    between = (one.mean - other.mean).square().sum()
    distance = between + one.covariance.trace() + other.covariance.trace() - 2 * overlap
    return max(0.0, float(distance))


def mean_distance(features: Tensor) -> float:
    """Mean Euclidean distance of all pairs among vectors [n, d], n at least 2."""
    return float(torch.pdist(features).mean())


def nearest_distance(features: Tensor) -> float:
    """Median Euclidean distance from a vector to the nearest other one among vectors [n, d], n at least 2."""
    distances = torch.cdist(features, features, compute_mode="donot_use_mm_for_euclid_dist")
    return float(distances.fill_diagonal_(float("inf")).amin(1).median())
