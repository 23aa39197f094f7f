"""EfficientNet-Lite0 (Tan and Le 2019, arXiv:1905.11946) as a feature extractor."""

from __future__ import annotations

from typing import Annotated

import torch
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor
from torch.nn.functional import interpolate

from zoo_core import FeatureExtractor, OptionError

from .weights import load_weights

NAME = "efficientnet-lite0"
SIDE = 224
"""Height and width that the network was trained on."""

STRIDE = 32
"""Pixels that come to one place of the last feature map; whole multiples of them are padded as `SIDE` is."""


class EfficientNetLite0(FeatureExtractor):
    """The last feature map, averaged over its positions.

    Pictures are resized to `side` × `side`, antialiased, and shifted as in training: (p - 127) / 128 for p from 0 to 255.
    Gray ones become three equal channels. Gradients pass to the pictures and not to the weights.

    Args:
        chunk: bounds memory, and does not change the features beyond rounding.
        side: 224 as in training; 96 costs a fifth, and such features compare with each other alone.

    Raises:
        OptionError: `chunk` below 1, or a side that is no multiple of 32.
    """

    dim = 1280
    resizing = "bilinear to 224×224, antialiased"

    def __init__(
        self,
        *,
        chunk: Annotated[int, "images that are looked at together"] = 64,
        side: Annotated[int, "height and width to which pictures are resized, a multiple of 32"] = SIDE,
    ) -> None:
        super().__init__()
        if chunk < 1:
            raise OptionError(f"chunk must be at least 1, not {chunk}")
        if side < STRIDE or side % STRIDE:
            raise OptionError(f"side must be a multiple of {STRIDE}, not {side}", hint="for example: side=96")
        self.chunk, self.side = chunk, side
        if side != SIDE:
            self.resizing = f"bilinear to {side}×{side}, antialiased"  # type: ignore[misc]
        with torch.device("meta"):  # random initial weights would cost time, and numbers of the global generator
            self.network = EfficientNet.from_name(NAME)
        self.network.load_state_dict(load_weights(), assign=True)
        self.requires_grad_(False).eval()
        self.network.to(memory_format=torch.channels_last)

    def train(self, mode: bool = True) -> EfficientNetLite0:
        """Stays in evaluation mode: its statistics are part of the weights."""
        super().train(False)
        return self

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self._features(part) for part in x.split(self.chunk)])

    def _features(self, x: Tensor) -> Tensor:
        x = x.expand(-1, 3, -1, -1)  # [N, 3, S, S]
        if x.shape[-2:] != (self.side, self.side):
            x = interpolate(x, size=(self.side, self.side), mode="bilinear", antialias=True, align_corners=False)
        x = (x * 127.5 + 0.5) / 128  # from p / 127.5 - 1 to (p - 127) / 128
        features: Tensor = self.network.extract_features(x).mean(dim=(2, 3))
        return features  # [N, 1280]
