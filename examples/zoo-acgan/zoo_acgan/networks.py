"""The two halves of AC-GAN's discriminator, as networks of their own: what judges images, and what names their class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from torch import Tensor, nn

from zoo_core import Discriminator, ImageSpec, Network, OptionError

Width = Annotated[int, "feature maps of the first convolution, doubled by each other"]
Depth = Annotated[int, "convolutions, each of which halves the size"]
TINY: Mapping[str, Any] = {"image": ImageSpec(16, num_classes=2), "width": 8, "depth": 2}


def strided(image: ImageSpec, width: int, depth: int) -> tuple[nn.ModuleDict, int]:
    """Strided convolutions by the size of what they give, and their last number of feature maps."""
    if width < 1 or not 1 <= depth <= image.size.bit_length() - 1:
        raise OptionError(f"width {width} must be at least 1, and depth {depth} from 1 to {image.size.bit_length() - 1}")
    blocks, maps, side = nn.ModuleDict(), image.channels, image.size
    for level in range(depth):
        side //= 2
        outputs = width * 2**level
        blocks[f"{side}x{side}"] = nn.Sequential(nn.Conv2d(maps, outputs, 4, stride=2, padding=1), nn.LeakyReLU(0.2))
        maps = outputs
    return blocks, maps


class Judge(Discriminator):
    """Strided convolutions, averaged over positions, to one logit. Whatever labels there are, it does not look at them."""

    tiny: ClassVar[Mapping[str, Any]] = TINY

    def __init__(self, *, image: ImageSpec, width: Width = 64, depth: Depth = 4) -> None:
        super().__init__(image=image)
        self.blocks, maps = strided(image, width, depth)
        self.to_logit = nn.Linear(maps, 1)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        for block in self.blocks.values():
            x = block(x)  # [N, maps, side, side]
        logits: Tensor = self.to_logit(x.mean((2, 3))).squeeze(1)
        return logits  # [N]

    def stages(self) -> Mapping[str, nn.Module]:
        return dict(self.blocks.items())


class Classifier(Network):
    """The same to one logit for each class. Raises `OptionError` without classes."""

    tiny: ClassVar[Mapping[str, Any]] = TINY

    def __init__(self, *, image: ImageSpec, width: Width = 32, depth: Depth = 4) -> None:
        super().__init__(image=image)
        if not image.num_classes:
            raise OptionError("a classifier needs labeled images", hint="choose a dataset with labels")
        self.blocks, maps = strided(image, width, depth)
        self.to_logits = nn.Linear(maps, image.num_classes)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks.values():
            x = block(x)  # [N, maps, side, side]
        logits: Tensor = self.to_logits(x.mean((2, 3)))
        return logits  # [N, classes]
