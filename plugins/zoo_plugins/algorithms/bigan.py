"""Adversarial feature learning: Donahue, Krähenbühl and Darrell 2016, arXiv:1605.09782.

An encoder learns the generator's inverse: the discriminator judges pairs of an image and a latent, either a real image with
its code or a generated one with the latent that it was drawn from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor

from zoo_core import Algorithm, Phase, Step
from zoo_core.options import Range

from .gan import check_plain_loss, log_logits


class BiGAN(Algorithm):
    """Generator and encoder against a discriminator of pairs.

    The discriminator is called as (images, labels, latents). Generator and encoder learn together: the generator minimizes
    the loss's `generator` of its pairs' logits, the encoder that of its own pairs' negated ones, which swaps real and
    generated for every loss that is symmetric (non-saturating, hinge). Pairs alone say little about which picture a code
    draws: with `reconstruction` both learn that it be the encoded one (ALICE: Li et al. 2017, arXiv:1709.01215).
    """

    parts: ClassVar[Mapping[str, str]] = {
        "generator": "generators",
        "encoder": "networks",
        "discriminator": "discriminators",
        "loss": "losses",
    }
    averages = ("generator", "encoder")
    tiny: ClassVar[Mapping[str, Any]] = {
        "parts": {"generator": "dcgan", "encoder": "dcgan", "discriminator": "dcgan-joint", "loss": "non-saturating"},
    }

    def __init__(
        self,
        *,
        conditional: Annotated[bool, "whether the networks are told the labels"] = False,
        reconstruction: Annotated[
            float, "weight of the squared difference between a real image and what its code draws", Range(0, 1e6)
        ] = 0.0,
    ) -> None:
        self.conditional, self.reconstruction = conditional, reconstruction

    def phases(self, parts: Mapping[str, Any]) -> Sequence[Phase]:
        check_plain_loss(parts["loss"], "bigan")
        return (Phase("discriminator", ("discriminator",)), Phase("generator", ("generator", "encoder")))

    def losses(self, phase: str, step: Step) -> Iterator[Tensor]:
        return self._discriminator(step) if phase == "discriminator" else self._generator(step)

    def _discriminator(self, step: Step) -> Iterator[Tensor]:
        """The discriminator learns to tell the pairs apart; the other phase goes on with their graphs."""
        discriminator, loss = step.parts["discriminator"], step.parts["loss"]
        with torch.set_grad_enabled(step.pieces == 1):
            code, fake, rebuilt = self._draw(step)
        step.memory.update(code=code, fake=fake, rebuilt=rebuilt)
        real_logits = discriminator(step.real, step.labels, code.detach())  # [n]
        if loss.separable:
            yield loss.discriminator(real_logits, torch.zeros_like(real_logits))
            real_logits = real_logits.detach()
        fake_logits = discriminator(fake.detach(), step.labels, step.z)  # [n]
        d_loss = loss.discriminator(real_logits, fake_logits)
        yield d_loss
        step.log(d_loss=d_loss)
        log_logits(step, real_logits.detach(), fake_logits.detach())

    def _generator(self, step: Step) -> Iterator[Tensor]:
        """Each of the two learns to make its pairs look like the other's."""
        discriminator, loss = step.parts["discriminator"], step.parts["loss"]
        code, fake, rebuilt = (step.memory.pop(name) for name in ("code", "fake", "rebuilt"))
        if step.pieces > 1:
            code, fake, rebuilt = self._draw(step)
        g_loss = loss.generator(discriminator(fake, step.labels, step.z))
        if rebuilt is None:
            yield g_loss
        e_loss = loss.generator(-discriminator(step.real, step.labels, code))
        step.log(g_loss=g_loss, e_loss=e_loss)
        if rebuilt is None:
            yield e_loss
        else:
            difference = (rebuilt - step.real).square().mean()
            step.log(rebuilt=difference)
            yield g_loss + e_loss + self.reconstruction * difference

    def _draw(self, step: Step) -> tuple[Tensor, Tensor, Tensor | None]:
        """Codes [n, latent_dim] of the real images, images of the latents, and of the codes if wanted: drawn together, as
        batch normalization has the same statistics for both in evaluation."""
        code, generator = step.parts["encoder"](step.real, step.labels), step.parts["generator"]
        if not self.reconstruction:
            return code, generator(step.z, step.labels), None
        labels = None if step.labels is None else step.labels.repeat(2)
        fake, rebuilt = generator(torch.cat([step.z, code.to(step.z.dtype)]), labels).chunk(2)
        return code, fake, rebuilt
