"""The stages of a discriminator as features: Radford et al. 2015, arXiv:1511.06434, section 5.

The paper max-pools every convolutional stage to 4×4, flattens and concatenates them, for a linear classifier (`grid=4`). For
distances between distributions that is too many numbers; `grid=1` with averages gives one for each feature map.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, adaptive_max_pool2d, interpolate

from zoo_core import Discriminator, FeatureExtractor, ModelError, OptionError, UsageError

Pool = Literal["max", "average"]
GRAY = (0.299, 0.587, 0.114)
"""Luma of red, green and blue (ITU-R BT.601)."""


class StageFeatures(FeatureExtractor):
    """Every convolutional stage of a discriminator, pooled to grid × grid, flattened and concatenated, lowest first.

    Stages that are no feature maps count only where there are no others (a network of fully connected layers); a map that is
    smaller than the grid stays as it is. Images of another size or of other channels are resized, antialiased, and made gray
    or three equal channels. A conditional discriminator is told class 0 throughout.

    Args:
        discriminator: in evaluation mode from now on; its weights stay as they are.

    Raises:
        OptionError: a grid below 1.
        ModelError: the discriminator has no stage.
    """

    resizing: ClassVar[str] = "bilinear, antialiased, where the size differs from the discriminator's"

    def __init__(self, discriminator: Discriminator, *, grid: int = 4, pool: Pool = "max") -> None:
        super().__init__()
        if grid < 1:
            raise OptionError(f"grid must be at least 1, not {grid}")
        self.discriminator = discriminator.eval().requires_grad_(False)
        self.grid, self.pool = grid, adaptive_max_pool2d if pool == "max" else adaptive_avg_pool2d
        place = next(discriminator.parameters()).device
        with torch.no_grad():
            self.dim = int(self(torch.zeros(1, *discriminator.image.shape, device=place)).shape[1])

    def train(self, mode: bool = True) -> StageFeatures:
        """Stays in evaluation mode: features must not depend on batch mates."""
        super().train(False)
        return self

    def forward(self, x: Tensor) -> Tensor:
        image = self.discriminator.image
        if x.shape[1] != image.channels:
            weights = torch.tensor(GRAY, device=x.device, dtype=x.dtype)[:, None, None]
            x = x.expand(-1, image.channels, -1, -1) if x.shape[1] == 1 else (x * weights).sum(1, keepdim=True)
        if x.shape[-2:] != (image.size, image.size):
            x = interpolate(x, size=(image.size, image.size), mode="bilinear", antialias=True, align_corners=False)
        labels = torch.zeros(len(x), dtype=torch.int64, device=x.device) if image.num_classes else None
        stages = self.discriminator.features(x, labels)
        if not stages:
            raise ModelError("this discriminator names no stages, so it has no features")
        maps = [self.pool(stage, min(self.grid, *stage.shape[2:])) for stage in stages if stage.ndim == 4]
        return torch.cat([stage.flatten(1) for stage in maps or stages], dim=1)  # [N, dim]


def require_discriminator(discriminator: Discriminator | None, where: object) -> Discriminator:
    """Return the discriminator; raises `UsageError` for a model that has none."""
    if discriminator is None:
        hint = "choose other features: zoo list features shows them"
        raise UsageError(f"{where} was published without its discriminator", hint=hint)
    return discriminator
