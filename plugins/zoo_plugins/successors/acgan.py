"""AC-GAN: a discriminator that is told no label, and says which one a picture has.

Odena, Olah and Shlens, "Conditional Image Synthesis with Auxiliary Classifier GANs", 2017, arXiv:1610.09585. Both networks
learn to have pictures classified rightly: the discriminator real and generated ones, the generator its own. The former is
that of the appendix: six 3×3 convolutions of which every other halves height and width, with dropout. The recipe's generator
is DCGAN's, which is told the label at every layer, where the paper's is told it at its input alone.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from zoo_core import Algorithm, Discriminator, ImageSpec, OptionError, Phase, Step
from zoo_core.options import Range

from ..algorithms.gan import check_plain_loss, log_logits
from ..dcgan.networks import check_channels, down, initialize, same, stage, stage_widths

Weight = Annotated[float, "of what the discriminator reads wrongly, beside the loss", Range(0, 1e6)]


class ReadingDiscriminator(Discriminator):
    """Stages, and one linear layer of the last one's units to a logit and to scores of what it reads in a picture."""

    blocks: nn.ModuleDict
    to_outputs: nn.Linear

    def forward(self, x: Tensor, labels: Tensor | None = None, read: bool = False) -> Tensor:
        """Judge images [N, C, S, S]; returns logits [N], or where it should `read` logits and scores, [N, 1 + scores]."""
        for block in self.blocks.values():
            x = block(x)  # [N, maps, side, side]
        outputs: Tensor = self.to_outputs(x.flatten(1))
        return outputs if read else outputs[:, 0]

    def stages(self) -> Mapping[str, nn.Module]:
        return dict(self.blocks.items())


def make_outputs(units: int, scores: int) -> nn.Linear:
    """Return the layer to a logit and scores: weights from N(0, 0.02), biases 0."""
    layer = nn.Linear(units, 1 + scores)
    initialize(layer)
    nn.init.zeros_(layer.bias)
    return layer


class ACGANDiscriminator(ReadingDiscriminator):
    """Six 3×3 convolutions with dropout, each of twice the maps, down to an eighth of the images' size."""

    tiny: ClassVar[Mapping[str, Any]] = {"image": ImageSpec(16), "width": 4}

    def __init__(
        self,
        *,
        image: ImageSpec,
        width: Annotated[
            int, "feature maps of the first convolution, doubled with each that follows", Range(1, 65_536)
        ] = 16,
        dropout: Annotated[float, "share of each stage's units that are left out in training", Range(0, below=1)] = 0.5,
    ) -> None:
        super().__init__(image=image)
        check_channels(image)
        stage_widths(image.size, width, width)  # checks both
        self.blocks = nn.ModuleDict()
        side, inputs = image.size, image.channels
        for number in range(6):
            maps, halves = width << number, number % 2 == 0
            layers = down(inputs, maps, 3) if halves else [same(inputs, maps, 3)]
            side, inputs = side // (1 + halves), maps
            block = stage(layers, maps, 1e-5 if number else None, 0.2)
            self.blocks[f"{side}x{side}" if halves else f"{side}x{side}-plain"] = block.append(nn.Dropout(dropout))
        self.blocks.apply(initialize)
        self.to_outputs = make_outputs(inputs * side**2, image.num_classes)


class Reading(Algorithm):
    """A generator against a discriminator that also reads something in a picture; both learn to have it read rightly."""

    def __init__(self, *, weight: Weight = 1.0) -> None:
        self.weight = weight

    @abstractmethod
    def misread(self, step: Step, scores: Tensor, *, real: bool) -> Tensor | float:
        """Return how wrong scores [n, S] of real or of generated images are, a scalar."""

    def phases(self, parts: Mapping[str, Any]) -> Sequence[Phase]:
        who = type(self).__name__.lower()
        if not isinstance(parts["discriminator"], ReadingDiscriminator):
            raise OptionError(f"algorithm {who} wants a discriminator with more outputs than a logit", hint=f"take {who}'s")
        check_plain_loss(parts["loss"], who)
        return (Phase("discriminator", ("discriminator",)), Phase("generator", ("generator",)))

    def losses(self, phase: str, step: Step) -> Iterator[Tensor]:
        return self._discriminator(step) if phase == "discriminator" else self._generator(step)

    def _discriminator(self, step: Step) -> Iterator[Tensor]:
        """The other phase goes on with the graph of what is drawn here."""
        discriminator = step.parts["discriminator"]
        with torch.set_grad_enabled(step.pieces == 1):
            fake = step.memory["fake"] = step.parts["generator"](step.z, step.labels)
        real, drawn = (discriminator(images, None, True) for images in (step.real, fake.detach()))  # [n, 1 + S]
        d_loss = step.parts["loss"].discriminator(real[:, 0], drawn[:, 0])
        wrong = self.misread(step, real[:, 1:], real=True) + self.misread(step, drawn[:, 1:], real=False)
        yield d_loss + self.weight * wrong
        step.log(d_loss=d_loss)
        log_logits(step, real[:, 0].detach(), drawn[:, 0].detach())

    def _generator(self, step: Step) -> Iterator[Tensor]:
        fake = step.memory.pop("fake")
        if step.pieces > 1:
            fake = step.parts["generator"](step.z, step.labels)
        drawn = step.parts["discriminator"](fake, None, True)
        g_loss, wrong = step.parts["loss"].generator(drawn[:, 0]), self.misread(step, drawn[:, 1:], real=False)
        yield g_loss + self.weight * wrong
        step.log(g_loss=g_loss)


class ACGAN(Reading):
    """The discriminator reads the label, in real images too; logs `read_real` and `read_fake`, how often it is right."""

    conditional = True
    tiny: ClassVar[Mapping[str, Any]] = {"parts": {"generator": "dcgan", "discriminator": "acgan", "loss": "non-saturating"}}

    def misread(self, step: Step, scores: Tensor, *, real: bool) -> Tensor:
        assert step.labels is not None
        right = (scores.detach().argmax(1) == step.labels).float().mean()
        step.log(**{"read_real" if real else "read_fake": right})
        return cross_entropy(scores, step.labels)
