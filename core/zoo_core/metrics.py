"""Metrics: the interface of numbers that compare generated with real images."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from torch import Tensor

Needs = Literal["features", "logits", "images"]


class Metric(ABC):
    """A number (or several) that compares generated with real images, from features of both. Holds no tensors.

    Attributes:
        needs: what `measure` is given: "features" of the extractor, "logits" of a classifier, or the "images" themselves.
        lower_is_better: whether the best value is the least, as it is for distances.
        minimum: fewest images of either kind for which the number means something.
        tiny: options of an instance for the conformance checks.
    """

    needs: ClassVar[Needs] = "features"
    lower_is_better: ClassVar[bool] = True
    minimum: ClassVar[int] = 2
    tiny: ClassVar[Mapping[str, Any]] = {}

    @abstractmethod
    def measure(self, real: Tensor, fake: Tensor) -> Mapping[str, float]:
        """Compare.

        Args:
            real, fake: as `needs` says: features [N, dim] or logits [N, classes], float32, or images [N, C, S, S] in
                [−1, 1]. Their numbers may differ.

        Returns:
            Finite numbers by name; the first is the one that a comparison or a checkpoint is chosen by.
        """
