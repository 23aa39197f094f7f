"""Metrics: the interface of numbers that compare generated with real images."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

Needs = Literal["features", "logits", "images"]


@dataclass(frozen=True)
class Measurement:
    """Numbers, with what belongs beside them."""

    values: Mapping[str, float]  # as `Metric.measure` returns them
    spread: Mapping[str, float] = field(default_factory=dict)  # standard errors, of those that have one
    protocol: Mapping[str, Any] = field(default_factory=dict)  # how, beyond what is the same for all metrics; plain data


class Metric(ABC):
    """A number (or several) that compares generated with real images. Holds no tensors."""

    needs: ClassVar[Needs] = "features"  # of an extractor; or "logits" of a classifier, or the "images" themselves
    uses_real: ClassVar[bool] = True  # where it is False, `real` is empty, and nothing is computed for it
    features: ClassVar[str] = ""  # the extractor that its definition names ("inception"); "" where any will do
    lower_is_better: ClassVar[bool] = True  # as it is for distances
    # what samples get that have nothing in common with real images, and what the best get, where both are known: then
    # `zoo evaluate` says in words how good the number is
    scale: ClassVar[tuple[float, float] | None] = None
    minimum: ClassVar[int] = 2  # fewest images of either kind for which the number means something
    reliable: ClassVar[int] = 1000  # images of either kind below which it spreads widely, so that a warning says so
    most: ClassVar[int] = 2000  # images of either kind that it is given where it needs "images", about evenly spread
    on_device: ClassVar[bool] = False  # whether it takes tensors of any device and computes there; else they are the CPU's
    requires: ClassVar[str] = ""  # the Python module that it needs
    extra: ClassVar[str] = ""  # what to install for it ("dcgan-zoo[eval]")
    protocol: ClassVar[Mapping[str, Any]] = {}  # what `evaluate` says of every measurement beside the number; plain data
    tiny: ClassVar[Mapping[str, Any]] = {}  # options of an instance for the conformance checks

    @abstractmethod
    def measure(self, real: Tensor, fake: Tensor) -> Mapping[str, float]:
        """Compare.

        Args:
            real, fake: as `needs` says: features [N, dim] or logits [N, classes], float32, or images [N, C, S, S] in
                [−1, 1]. Their numbers may differ. They may be memory maps: leave them as they are. They are on the CPU, or,
                for a metric that says so (`on_device`), both where the features were computed.

        Returns:
            Finite numbers by name. A registered name shows the number of that name, where there is one, else the first: so
            one class can be registered under several names. Comparisons and checkpoints go by the same number.
        """

    def evaluate(self, real: Tensor, fake: Tensor, *, resamples: int = 0, seed: int = 0) -> Measurement:
        """Compare once for good, as `zoo evaluate` does: with standard errors, and what the protocol must say.

        Args:
            real, fake: as of `measure`.
            resamples: how often a standard error may measure anew; below 2 for none.
            seed: of whatever is random.
        """
        enough = min(len(x) for x in (real, fake) if len(x)) >= 4 * self.minimum
        spread = estimate_spread(self.measure, real, fake, resamples if enough else 0, seed=seed)
        return Measurement(self.measure(real, fake), spread, self.protocol)

    def check(self, real: int, fake: int, dim: int) -> Sequence[str]:
        """Return warnings about a measurement of so many images and features to come, besides those of `reliable`.

        Raises:
            UsageError: it is out of reach.
        """
        return ()


def estimate_spread(
    measure: Callable[[Tensor, Tensor], Mapping[str, float]],
    real: Tensor,
    fake: Tensor,
    resamples: int,
    *,
    most: int = 2500,
    seed: int = 0,
) -> dict[str, float]:
    """Standard errors by resampling: the spread over random parts without replacement, {} below 2 resamples.

    A part of m among n images, drawn without replacement, gives a mean whose variance is (1 − m/n)/m of one image's; the
    mean of all n has 1/n of it. So the standard deviation over parts is scaled by √(m / (n − m)), which is 1 for halves.
    Nothing stands twice in a part, as it would in a bootstrap, where it would be its own nearest neighbor.

    Args:
        measure: called with parts of `real` and `fake`.
        most: largest part.
    """
    if resamples < 2:
        return {}
    import numpy as np

    rng = np.random.default_rng(seed)
    sets = (fake, real)
    sizes = [min(len(x), max(2, min(most, len(x) // 2))) for x in sets]
    found: dict[str, list[float]] = {}
    for _ in range(resamples):
        parts = []
        for x, m in zip(sets, sizes, strict=True):
            parts.append(x[torch.from_numpy(rng.permutation(len(x))[:m]).to(x.device)])
        for name, value in measure(parts[1], parts[0]).items():
            found.setdefault(name, []).append(value)
    scale = max((m / max(1, len(x) - m)) ** 0.5 for x, m in zip(sets, sizes, strict=True))
    return {name: float(np.std(values, ddof=1)) * scale for name, values in found.items()}
