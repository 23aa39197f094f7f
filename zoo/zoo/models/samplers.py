"""Samplers at work: plugins of the kind `samplers`, which choose the latents of samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from zoo_core import Sampling, UsageError, registry
from zoo_core.options import complete
from zoo_core.words import plural

from ..devices import exact_float32, move_to
from ..randomness import generator_for, seeded

CHUNK = 32  # images that are judged together


class Choosing:
    """A sampler that chooses for a `Model`, and what that has cost.

    Attributes:
        judged: images that were drawn for the discriminator, besides those that were kept.
        differentiated: of these, those whose logit was differentiated.
    """

    def __init__(self, model: Any, name: str, options: Mapping[str, Any]) -> None:
        target = registry.load("samplers", name)
        self.name, self.model = name, model
        self.options = complete(target, options, where="sampler", hint=f"to see them: zoo show {name}", texts=True)
        self.sampler = target(**self.options)
        if self.sampler.needs_discriminator and model.discriminator is None:
            raise UsageError(f"sampler {name} asks a discriminator, and this model has none", hint="leave --sampler out")
        self.judged = self.differentiated = 0
        self.memory: dict[Any, dict[str, Any]] = {}

    def __call__(self, numbers: Sequence[int], seed: int, label: str | int | None) -> Tensor:
        """Return the latents [n, latent_dim] of samples."""
        model = self.model

        def draw(numbers: Sequence[int], turn: int) -> Tensor:
            purposes = [("sample" if turn == 0 else f"sample, turn {turn}", number) for number in numbers]
            drawn = [model.generator.sample_latent(1, generator_for(seed, *purpose)) for purpose in purposes]
            return move_to(torch.cat(drawn).to(next(model.generator.parameters()).dtype), model.device)

        def judge(z: Tensor, numbers: Sequence[int]) -> Tensor:
            self.judged += len(z)
            self.differentiated += len(z) * z.requires_grad
            logits = []
            with torch.set_grad_enabled(z.requires_grad):
                for start in range(0, len(z), CHUNK):
                    labels = model.labels_of(numbers[start : start + CHUNK], label)
                    images = model.generator(z[start : start + CHUNK], labels)
                    logits.append(model.discriminator(images, labels).float())
            return torch.cat(logits)

        memory = self.memory.setdefault((seed, label), {})
        asked = Sampling(model.generator, draw, judge, lambda number: generator_for(seed, self.name, number), memory)
        with seeded(seed, f"{self.name} {numbers[0]}", model.device), exact_float32():
            chosen: Tensor = self.sampler(asked, numbers)
        return chosen.detach()

    def draw(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """Draw the images [n, C, S, S] of what was chosen."""
        images: Tensor = self.sampler.draw(self.model.generator, z, labels)
        return images

    def tell_cost(self, n: int) -> str:
        """Return what `n` samples have cost, in words."""
        more = f", {self.differentiated:,} of them with their gradient" if self.differentiated else ""
        return f"{self.name}: {plural(self.judged, 'image')} judged{more}, for {plural(n, 'sample')}"

    def to_json(self) -> dict[str, Any]:
        """Return what it is and has cost, as plain data."""
        return {key: getattr(self, key) for key in ("name", "options", "judged", "differentiated")}

    def describe(self) -> str:
        """Return name and options in one line."""
        return " ".join([self.name, *(f"{key}={value}" for key, value in self.options.items())])
