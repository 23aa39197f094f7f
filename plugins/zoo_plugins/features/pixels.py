"""Pixels as features."""

from __future__ import annotations

from typing import Annotated, ClassVar

from torch import Tensor
from torch.nn.functional import interpolate

from zoo_core import FeatureExtractor, OptionError
from zoo_core.options import Range


class Pixels(FeatureExtractor):
    """All pixels of the picture at one size, in color, in [−1, 1]. Gray becomes three equal channels.

    Resizing is bilinear and antialiased; pictures of that very size stay as they are.

    Raises:
        OptionError: a size below 1.
    """

    resizing: ClassVar[str] = "bilinear, antialiased, where the size differs"

    def __init__(self, *, size: Annotated[int, "side to which pictures are resized", Range(1, 8192)] = 32) -> None:
        super().__init__()
        if size < 1:
            raise OptionError(f"size must be at least 1, not {size}")
        self.size = size
        self.dim = 3 * size * size

    def forward(self, x: Tensor) -> Tensor:
        x = x.expand(-1, 3, -1, -1)
        if x.shape[-2:] != (self.size, self.size):
            x = interpolate(x, size=(self.size, self.size), mode="bilinear", antialias=True, align_corners=False)
        return x.flatten(1)  # [N, 3 · size²]
