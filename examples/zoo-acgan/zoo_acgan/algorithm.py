"""The auxiliary classifier: Odena, Olah and Shlens 2017, arXiv:1610.09585, section 3."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from zoo_core import Algorithm, OptionError, Phase, Step


class ACGAN(Algorithm):
    """Two games in each step: the loss's own between discriminator and generator, without labels, and one in which a
    classifier learns the classes of real and of generated images, and the generator learns to be recognized.

    Raises `OptionError` for a negative weight.
    """

    parts: ClassVar[Mapping[str, str]] = {**Algorithm.parts, "classifier": "networks"}
    tiny: ClassVar[Mapping[str, Any]] = {
        "parts": {"discriminator": "zoo-acgan:acgan-apart", "classifier": "zoo-acgan:acgan-apart"}
    }
    conditional = True

    def __init__(self, *, weight: Annotated[float, "of the classifier's loss in that of the generator"] = 1.0) -> None:
        if weight < 0:
            raise OptionError(f"algorithm.weight is {weight}; it must be at least 0")
        self.weight = weight

    def phases(self, parts: Mapping[str, Any]) -> Sequence[Phase]:
        return [Phase("discriminator", ("discriminator", "classifier")), Phase("generator", ("generator",))]

    def losses(self, phase: str, step: Step) -> Iterator[Tensor]:
        return self._discriminator(step) if phase == "discriminator" else self._generator(step)

    def _discriminator(self, step: Step) -> Iterator[Tensor]:
        """Discriminator and classifier learn, from real and from generated images."""
        roles = ("generator", "discriminator", "classifier", "loss")
        generator, discriminator, classifier, loss = (step.parts[role] for role in roles)
        with torch.no_grad():
            fake = generator(step.z, step.labels)  # [n, C, S, S]
        d_loss = loss.discriminator(discriminator(step.real), discriminator(fake))
        yield d_loss
        logits = classifier(step.real)  # [n, classes]
        c_loss = cross_entropy(logits.float(), step.labels)
        yield c_loss
        yield cross_entropy(classifier(fake).float(), step.labels)
        right = (logits.argmax(1) == step.labels).float().mean()
        step.log(d_loss=d_loss, c_loss=c_loss, c_right=right)

    def _generator(self, step: Step) -> Iterator[Tensor]:
        """The generator learns to pass as real, and to be recognized as what it was told to draw."""
        roles = ("generator", "discriminator", "classifier", "loss")
        generator, discriminator, classifier, loss = (step.parts[role] for role in roles)
        fake = generator(step.z, step.labels)
        g_loss = loss.generator(discriminator(fake))
        recognized = cross_entropy(classifier(fake).float(), step.labels)
        yield g_loss + self.weight * recognized
        step.log(g_loss=g_loss, g_class=recognized)
