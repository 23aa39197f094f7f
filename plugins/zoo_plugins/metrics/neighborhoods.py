"""Metrics of neighborhoods: which images lie among the others, within the distance to the k-th neighbor."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from zoo_core import Metric

NEIGHBORS, DENSE_NEIGHBORS = 3, 5
"""k of precision and recall, and of density and coverage."""

DENSE_MOST = 10_000
"""Most images of each kind that density and coverage look at, the first ones."""

_BLOCK = 2000


class PrecisionRecall(Metric):
    """Improved precision and recall (Kynkäänniemi et al. 2019, arXiv:1904.06991), by torch-fidelity, in blocks."""

    lower_is_better = False
    minimum = 2 * NEIGHBORS
    protocol: ClassVar[Mapping[str, Any]] = {"precision_neighbors": NEIGHBORS}
    requires, extra = "torch_fidelity", "dcgan-zoo[eval]"

    def measure(self, real: Tensor, fake: Tensor) -> Mapping[str, float]:
        from torch_fidelity.metric_prc import KEY_METRIC_PRECISION, KEY_METRIC_RECALL, prc_features_to_metric

        chosen = {"prc_neighborhood": NEIGHBORS, "prc_batch_size": _BLOCK}
        found = prc_features_to_metric(fake, real, **chosen, save_cpu_ram=True, verbose=False)
        return {"precision": found[KEY_METRIC_PRECISION], "recall": found[KEY_METRIC_RECALL]}


class DensityCoverage(Metric):
    """Density and coverage (Naeem et al. 2020, arXiv:2002.09797), by prdc."""

    lower_is_better = False
    minimum = 2 * DENSE_NEIGHBORS
    protocol: ClassVar[Mapping[str, Any]] = {"density_neighbors": DENSE_NEIGHBORS}
    requires, extra = "prdc", "dcgan-zoo[eval]"

    def measure(self, real: Tensor, fake: Tensor) -> Mapping[str, float]:
        from prdc import compute_prdc

        with contextlib.redirect_stdout(io.StringIO()):  # it prints how many there are
            found = compute_prdc(real[:DENSE_MOST].numpy(), fake[:DENSE_MOST].numpy(), nearest_k=DENSE_NEIGHBORS)
        return {"density": float(found["density"]), "coverage": float(found["coverage"])}
