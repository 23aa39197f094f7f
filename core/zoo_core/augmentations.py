"""Differentiable augmentations: the interface of what the engine applies to everything that a discriminator sees."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor


class Augmentation(ABC):
    """A random change of images that gradients pass through (Zhao et al. 2020, arXiv:2006.10738). Holds no tensors.

    The engine applies it, in training only, to real and generated images alike before any discriminator sees them, so that
    every network and every recipe has it: `--set training.augment=color,translation`.

    Attributes:
        tiny: options of an instance for the conformance checks.
    """

    tiny: ClassVar[Mapping[str, Any]] = {}

    @abstractmethod
    def __call__(self, images: Tensor) -> Tensor:
        """Change images [N, C, S, S] in [−1, 1], each by itself, at random from torch's global random state of their device.

        Returns:
            Images of the same shape, device and type, differentiable with respect to `images`. Never waits for the device.
        """
