"""Distances of features without the assumption of normal distributions: KID by torch-fidelity, sliced Wasserstein by POT."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from zoo_core import Measurement, Metric

KID_SUBSET, KID_SUBSETS = 1000, 100
PROJECTIONS = 256
_SEED = 2020  # torch-fidelity's own


class Kid(Metric):
    """Kernel Inception Distance: the squared maximum mean discrepancy under a polynomial kernel; may be below 0.

    Bińkowski et al. 2018, arXiv:1801.01401. Mean and standard deviation over random subsets.
    """

    minimum = 10
    requires, extra = "torch_fidelity", "dcgan-zoo[eval]"

    def measure(self, real: Tensor, fake: Tensor) -> Mapping[str, float]:
        return self.evaluate(real, fake).values

    def evaluate(self, real: Tensor, fake: Tensor, *, resamples: int = 0, seed: int = 0) -> Measurement:
        from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, KEY_METRIC_KID_STD, kid_features_to_metric

        chosen = {"kid_subset_size": min(KID_SUBSET, len(fake), len(real)), "kid_subsets": KID_SUBSETS}
        found = kid_features_to_metric(fake, real, **chosen, rng_seed=_SEED, verbose=False)
        protocol = {**chosen, "kid_spread": "over subsets"}
        return Measurement({"kid": found[KEY_METRIC_KID_MEAN]}, {"kid": found[KEY_METRIC_KID_STD]}, protocol)


class SlicedWasserstein(Metric):
    """The 2-Wasserstein distance along random directions, root of its mean square: Bonneel et al. 2015."""

    requires, extra = "ot", "dcgan-zoo[eval]"
    protocol: ClassVar[Mapping[str, Any]] = {"swd_projections": PROJECTIONS}

    def measure(self, real: Tensor, fake: Tensor) -> Mapping[str, float]:
        return self.evaluate(real, fake).values

    def evaluate(self, real: Tensor, fake: Tensor, *, resamples: int = 0, seed: int = 0) -> Measurement:
        from ot.sliced import sliced_wasserstein_distance

        found = sliced_wasserstein_distance(fake.numpy(), real.numpy(), n_projections=PROJECTIONS, seed=seed)
        return Measurement({"swd": float(found)}, protocol=self.protocol)
