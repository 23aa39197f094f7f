"""How samples are chosen: the interface of samplers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor

from .interfaces import Generator


@dataclass
class Sampling:
    """A model, as a sampler may ask it.

    Args:
        generator: for its attributes, such as `latent_dim` and `latent`.
        latents: (numbers of samples, turn) → latents [n, latent_dim]: in turn 0 those that the samples have without a
            sampler, in each other turn new ones. Numbers below 0 belong to no sample.
        logits: (latents, numbers of their samples) → what the discriminator says of their images, [n] in float32;
            differentiable where the latents require a gradient.
        random: number of a sample → a random generator of the CPU, for what else this sample draws.
        memory: what a sampler has found for all samples.
    """

    generator: Generator
    latents: Callable[[Sequence[int], int], Tensor]
    logits: Callable[[Tensor, Sequence[int]], Tensor]
    random: Callable[[int], torch.Generator]
    memory: dict[str, Any] = field(default_factory=dict)


class Sampler(ABC):
    """Chooses the latents of samples. Options are the constructor's keywords; an instance holds no tensors.

    Attributes:
        needs_discriminator: whether it asks for logits.
    """

    needs_discriminator: ClassVar[bool] = True
    tiny: ClassVar[Mapping[str, Any]] = {}

    @abstractmethod
    def __call__(self, sampling: Sampling, numbers: Sequence[int]) -> Tensor:
        """Return the latents [n, latent_dim] of samples by their numbers; that of each depends on its own number alone."""

    def draw(self, generator: Generator, z: Tensor, labels: Tensor | None) -> Tensor:
        """Draw the images [n, C, S, S] of what was chosen."""
        images: Tensor = generator(z, labels)
        return images
