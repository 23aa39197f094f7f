"""A pyramid of adversarial games, one for each level: Denton et al. 2015, arXiv:1506.05751, section 3.

Every level is trained by itself: its generator draws the high band of a real picture's level from the low band of the same
picture, and its discriminator judges pairs of bands. No level meets what another one draws before samples are drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor

from zoo_core import Algorithm, OptionError, Phase, Step

from ..lapgan.networks import LAPGANDiscriminator, LAPGANGenerator, double, halve
from .gan import check_plain_loss


class LAPGAN(Algorithm):
    """One game for each level of a Laplacian pyramid, all in each step. Wants the networks `lapgan`."""

    augmentable = False  # bands are judged, not images
    tiny: ClassVar[Mapping[str, Any]] = {
        "parts": {"generator": "lapgan", "discriminator": "lapgan", "loss": "non-saturating"}
    }

    def __init__(self, *, conditional: Annotated[bool, "whether the networks are told the labels"] = False) -> None:
        self.conditional = conditional

    def phases(self, parts: Mapping[str, Any]) -> Sequence[Phase]:
        for role, kind in (("generator", LAPGANGenerator), ("discriminator", LAPGANDiscriminator)):
            if not isinstance(parts[role], kind):
                raise OptionError(
                    f"algorithm lapgan wants a {role} that knows levels, and {type(parts[role]).__name__} does not",
                    hint="take the networks lapgan, or another algorithm",
                )
        check_plain_loss(parts["loss"], "lapgan")
        return (Phase("discriminator", ("discriminator",)), Phase("generator", ("generator",)))

    def losses(self, phase: str, step: Step) -> Iterator[Tensor]:
        loss, found = step.parts["loss"], []
        for judge, real, draw in self._levels(step):
            if phase == "discriminator":
                with torch.no_grad():
                    fake = draw()
                value = loss.discriminator(judge(real).float(), judge(fake).float())
            else:
                value = loss.generator(judge(draw()).float())
            yield value
            found.append(value.detach())
        step.log(**{"d_loss" if phase == "discriminator" else "g_loss": torch.stack(found).mean()})

    @staticmethod
    def _levels(step: Step) -> Iterator[tuple[Callable[[Tensor], Tensor], Tensor, Callable[[], Tensor]]]:
        """For each level, fine to coarse: what judges its high band (or the top), the real one, and what draws one."""
        generator, discriminator, labels = step.parts["generator"], step.parts["discriminator"], step.labels
        top, *planes = generator.split(step.z)
        x = step.real
        for plane in reversed(planes):
            smaller = halve(x)
            low = double(smaller)
            judge = partial(discriminator.judge_band, low=low, labels=labels)
            yield judge, x - low, partial(generator.draw_band, low, plane, labels)
            x = smaller
        yield partial(discriminator.judge_top, labels=labels), x, partial(generator.draw_top, top, labels)
