"""SS-GAN: a discriminator that also says by how much a picture is turned, which makes its features worth more.

Chen, Zhai, Ritter, Lucic and Houlsby, "Self-Supervised GANs via Auxiliary Rotation Loss", 2019, arXiv:1811.11212. The
networks are those with which DCGAN's paper learns features (section 4.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from zoo_core import Discriminator, ImageSpec, Step
from zoo_core.options import Range

from ..dcgan.networks import FullWidth, MaxWidth, PairsDiscriminator
from .acgan import Reading, ReadingDiscriminator, Weight

TURNS = 4  # by 0, 90, 180 and 270 degrees


class SSGANDiscriminator(ReadingDiscriminator):
    """The stages of `dcgan-pairs`; what it reads is the turn."""

    tiny: ClassVar[Mapping[str, Any]] = {"image": ImageSpec(16), "width": 4}

    def __init__(self, *, image: ImageSpec, width: FullWidth = 128, max_width: MaxWidth = 1024) -> None:
        super().__init__(image=image)
        body = PairsDiscriminator(image=replace(image, num_classes=0), width=width, max_width=max_width)
        self.blocks = body.blocks
        self.finish(body.to_logit.in_features, TURNS)


class SSGAN(Reading):
    """The discriminator learns to read turns of real images, the generator to have them read in its own.

    A share of the images is shown in all turns, apart from those that are judged. Logs `turn_real` and `turn_fake`, how
    often they are read rightly.
    """

    tiny: ClassVar[Mapping[str, Any]] = {"parts": {"generator": "dcgan", "discriminator": "ssgan", "loss": "non-saturating"}}

    def __init__(
        self,
        *,
        discriminator_weight: Weight = 1.0,
        generator_weight: Weight = 0.2,
        share: Annotated[float, "of the images that are turned", Range(most=1, above=0)] = 0.25,
    ) -> None:
        super().__init__()
        self.discriminator_weight, self.generator_weight, self.share = discriminator_weight, generator_weight, share

    def read(self, discriminator: Discriminator, images: Tensor, aside: bool = False) -> tuple[Tensor, Tensor]:
        """Return logits [n] of the images as they are, and scores [4 m, 4] of m of them in all turns, by turn."""
        logits = discriminator(images)  # by themselves: batch statistics with turned ones would tell who came with them
        if aside:
            return logits, images.new_empty(0, TURNS)
        some = images[: max(1, round(self.share * len(images)))]
        turned = torch.cat([some.rot90(turn, (2, 3)) for turn in range(TURNS)])
        return logits, discriminator(turned, None, True)[:, 1:]

    def misread(self, step: Step, fake: Tensor, real: Tensor | None = None) -> Tensor:
        scores = fake if real is None else real
        turns = torch.arange(TURNS, device=scores.device).repeat_interleave(len(scores) // TURNS)
        right = (scores.argmax(1) == turns).float().mean()
        step.log(**{"turn_fake" if real is None else "turn_real": right})
        return (self.generator_weight if real is None else self.discriminator_weight) * cross_entropy(scores, turns)
