"""AC-GAN: a discriminator that is told no label, and says which one a picture has.

Odena, Olah and Shlens, "Conditional Image Synthesis with Auxiliary Classifier GANs", 2017, arXiv:1610.09585. The
discriminator is the appendix's, the generator DCGAN's, which is told the label at every layer, not at its input alone.
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

    def finish(self, units: int, scores: int) -> None:
        """Make the last layer, and draw all weights from N(0, 0.02)."""
        self.to_outputs = nn.Linear(units, 1 + scores)
        nn.init.zeros_(self.to_outputs.bias)
        self.apply(initialize)

    def forward(self, x: Tensor, labels: Tensor | None = None, read: bool = False) -> Tensor:
        """Judge images [N, C, S, S]; returns logits [N], or to `read` logits and scores, [N, 1 + scores]."""
        for block in self.blocks.values():
            x = block(x)  # [N, maps, side, side]
        outputs: Tensor = self.to_outputs(x.flatten(1))
        return outputs if read else outputs[:, 0]

    def stages(self) -> Mapping[str, nn.Module]:
        return dict(self.blocks.items())


class ACGANDiscriminator(ReadingDiscriminator):
    """Six 3×3 convolutions, each of twice the maps, every other of which halves height and width; dropout after each."""

    tiny: ClassVar[Mapping[str, Any]] = {"image": ImageSpec(16), "width": 4}

    def __init__(
        self,
        *,
        image: ImageSpec,
        width: Annotated[int, "feature maps of the first convolution", Range(1, 65_536)] = 16,
        dropout: Annotated[float, "share of units that are left out in training", Range(0, below=1)] = 0.5,
    ) -> None:
        super().__init__(image=image)
        check_channels(image)
        stage_widths(image.size, width, width)  # checks both
        self.blocks = nn.ModuleDict()
        side, inputs = image.size, image.channels
        for number in range(6):
            maps, halves = width << number, number % 2 == 0
            layers: list[nn.Module] = down(inputs, maps, 3) if halves else [same(inputs, maps, 3)]
            side, inputs = side // (1 + halves), maps
            block = stage(layers, maps, 1e-5 if number else None, 0.2)
            self.blocks[f"{side}x{side}" if halves else f"{side}x{side}-plain"] = block.append(nn.Dropout(dropout))
        self.finish(inputs * side**2, image.num_classes)


class Reading(Algorithm):
    """A generator against a discriminator that also reads something in pictures; both learn to have it read rightly."""

    def __init__(self, *, weight: Weight = 1.0) -> None:
        self.weight = weight

    def read(self, discriminator: Discriminator, images: Tensor, aside: bool = False) -> tuple[Tensor, Tensor]:
        """Return logits [n] and scores of images; `aside`: of generated ones in the discriminator's phase."""
        outputs = discriminator(images, None, True)  # [n, 1 + S]
        return outputs[:, 0], outputs[:, 1:]

    @abstractmethod
    def misread(self, step: Step, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """Return how wrong scores [n, S] of generated images are, and those of real ones in the discriminator's phase."""

    def phases(self, parts: Mapping[str, Any]) -> Sequence[Phase]:
        who = type(self).__name__.lower()
        if not isinstance(parts["discriminator"], ReadingDiscriminator):
            raise OptionError(f"algorithm {who} wants a discriminator that reads", hint=f"take the discriminator {who}")
        check_plain_loss(parts["loss"], who)
        return (Phase("discriminator", ("discriminator",)), Phase("generator", ("generator",)))

    def losses(self, phase: str, step: Step) -> Iterator[Tensor]:
        discriminator, loss, fake = step.parts["discriminator"], step.parts["loss"], step.memory.pop("fake", None)
        if fake is None or step.pieces > 1:
            with torch.set_grad_enabled(phase == "generator" or step.pieces == 1):
                fake = step.parts["generator"](step.z, step.labels)
        if phase == "generator":
            logits, scores = self.read(discriminator, fake)
            g_loss = loss.generator(logits)
            yield g_loss + self.weight * self.misread(step, scores)
            step.log(g_loss=g_loss)
            return
        step.memory["fake"] = fake  # the generator's phase goes on with its graph
        real_logits, real_scores = self.read(discriminator, step.real)
        fake_logits, fake_scores = self.read(discriminator, fake.detach(), aside=True)
        d_loss = loss.discriminator(real_logits, fake_logits)
        yield d_loss + self.weight * self.misread(step, fake_scores, real_scores)
        step.log(d_loss=d_loss)
        log_logits(step, real_logits.detach(), fake_logits.detach())


class ACGAN(Reading):
    """The discriminator reads the label; logs `read_real` and `read_fake`, how often it is right."""

    conditional = True
    tiny: ClassVar[Mapping[str, Any]] = {"parts": {"generator": "dcgan", "discriminator": "acgan", "loss": "non-saturating"}}

    def misread(self, step: Step, fake: Tensor, real: Tensor | None = None) -> Tensor:
        wrong = torch.zeros((), device=fake.device)
        for name, scores in (("read_fake", fake), ("read_real", real)):
            if scores is not None and step.labels is not None:
                wrong = wrong + cross_entropy(scores, step.labels)
                step.log(**{name: (scores.argmax(1) == step.labels).float().mean()})
        return wrong
