"""Networks of fully connected layers, which do not know where a pixel lies.

Goodfellow et al., "Generative Adversarial Nets", 2014, arXiv:1406.2661: a generator of rectified linear units that is given
noise at its lowest layer only, against a discriminator of maxout units (Goodfellow et al. 2013, arXiv:1302.4389) with
dropout. The image's range is [−1, 1] here, so the output is Tanh where the original has a sigmoid on [0, 1]. Default widths
are the original's for MNIST. With `image.num_classes` the one-hot label is concatenated to the input of every layer, after
Mirza and Osindero 2014, arXiv:1411.1784.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from math import prod
from typing import Annotated, Any, ClassVar, Literal

from torch import Tensor, nn

from zoo_core import ImageSpec, OptionError
from zoo_core.options import Range

from ..conditioning import StagedDiscriminator, StagedGenerator, check_at_least


class Maxout(nn.Module):
    """The largest of `pieces` linear functions, for each unit."""

    def __init__(self, inputs: int, units: int, pieces: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, units * pieces)
        self.pieces = pieces

    def forward(self, x: Tensor) -> Tensor:
        """x [N, inputs] → [N, units]."""
        out: Tensor = self.linear(x)
        return out.reshape(len(x), -1, self.pieces).amax(2)


class MLPGenerator(StagedGenerator):
    """Linear layers with ReLU, then one with Tanh. Raises `OptionError` for a width, depth or latent length below 1."""

    tiny: ClassVar[Mapping[str, Any]] = {"image": ImageSpec(8), "width": 16, "latent_dim": 8}

    def __init__(
        self,
        *,
        image: ImageSpec,
        latent_dim: Annotated[int, "length of a latent", Range(1, 65_536)] = 100,
        width: Annotated[int, "units of a hidden layer", Range(1, 65_536)] = 1200,
        layers: Annotated[int, "hidden layers", Range(1, 1000)] = 2,
    ) -> None:
        super().__init__(image=image, latent_dim=latent_dim)
        check_at_least(1, latent_dim=latent_dim, width=width, layers=layers)
        sizes, classes = [latent_dim, *[width] * layers], image.num_classes
        self.hidden = nn.ModuleDict()
        for i, (inputs, outputs) in enumerate(pairwise(sizes), 1):
            self.hidden[f"layer{i}"] = nn.Sequential(nn.Linear(inputs + classes, outputs), nn.ReLU(inplace=True))
        self.to_image = nn.Sequential(nn.Linear(width + classes, prod(image.shape)), nn.Tanh())

    def stages(self) -> Mapping[str, nn.Module]:
        return dict(self.hidden.items())


class MLPDiscriminator(StagedDiscriminator):
    """Hidden layers of maxout (or LeakyReLU) units with dropout on what each is given, then one linear unit.

    Raises `OptionError` for a width, depth or number of pieces below 1, a dropout outside of [0, 1).
    """

    tiny: ClassVar[Mapping[str, Any]] = {"image": ImageSpec(8), "width": 16}

    def __init__(
        self,
        *,
        image: ImageSpec,
        width: Annotated[int, "units of a hidden layer", Range(1, 65_536)] = 240,
        layers: Annotated[int, "hidden layers", Range(1, 1000)] = 2,
        activation: Annotated[Literal["maxout", "leaky-relu"], "of the hidden layers"] = "maxout",
        pieces: Annotated[int, "linear functions of a maxout unit", Range(1, 1000)] = 5,
        slope: Annotated[float, "of LeakyReLU below zero", Range(0, 1)] = 0.2,
        input_dropout: Annotated[float, "share of pixels set to zero in training", Range(0, below=1)] = 0.2,
        dropout: Annotated[float, "share of hidden units set to zero in training", Range(0, below=1)] = 0.5,
    ) -> None:
        super().__init__(image=image)
        check_at_least(1, width=width, layers=layers, pieces=pieces)
        for name, share in (("input_dropout", input_dropout), ("dropout", dropout)):
            if not 0 <= share < 1:
                raise OptionError(f"{name} must be at least 0 and less than 1, not {share}")
        sizes, classes = [prod(image.shape), *[width] * layers], image.num_classes
        self.hidden = nn.ModuleDict()
        for i, (inputs, outputs) in enumerate(pairwise(sizes), 1):
            units: list[nn.Module]
            if activation == "maxout":
                units = [Maxout(inputs + classes, outputs, pieces)]
            else:
                units = [nn.Linear(inputs + classes, outputs), nn.LeakyReLU(slope, inplace=True)]
            self.hidden[f"layer{i}"] = nn.Sequential(nn.Dropout(input_dropout if i == 1 else dropout), *units)
        self.to_logit = nn.Sequential(nn.Dropout(dropout), nn.Linear(width + classes, 1))

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        return super().forward(x.flatten(1), labels)

    def stages(self) -> Mapping[str, nn.Module]:
        return dict(self.hidden.items())
