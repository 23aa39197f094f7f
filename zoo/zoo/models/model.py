"""A model in memory: networks, what they are, and sampling from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from zoo_core import Discriminator, Generator, ImageSpec, UsageError
from zoo_core.errors import unknown

from ..randomness import generator_for, latents_for

CHUNK = 32
"""Images that are always drawn together. Kernels round differently for different batch sizes; with a fixed one, an image is
the same whatever is drawn beside it."""

STATISTICS = 1024
"""Fixed latents from which batch-norm statistics are estimated."""


@dataclass
class Model:
    """A generator, its discriminator, and the model folder's configuration.

    Args:
        generator: in evaluation mode.
        discriminator: in evaluation mode, or None for a model that was published without one.
        config: what `config.json` holds.
    """

    generator: Generator
    discriminator: Discriminator | None
    config: dict[str, Any] = field(default_factory=dict)

    @property
    def image(self) -> ImageSpec:
        """Size, channels and number of classes of what it draws."""
        return self.generator.image

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the labels, for a conditional model."""
        return tuple(self.config.get("classes", ()))

    @property
    def device(self) -> torch.device:
        """Where the generator is."""
        return next(self.generator.parameters()).device

    def to(self, *args: Any, **kwargs: Any) -> Model:
        """Move both networks, as `torch.nn.Module.to` does; returns self."""
        self.generator.to(*args, **kwargs)
        if self.discriminator is not None:
            self.discriminator.to(*args, **kwargs)
        return self

    def sample(self, n: int, *, seed: int = 0, label: str | int | None = None) -> Tensor:
        """Draw `n` images [n, C, S, S], float32 in [−1, 1], on the CPU. Image i depends on `seed` and i alone.

        Args:
            n: how many, at least 1.
            seed: any whole number.
            label: name or index of a class, for a conditional model; by default image i has class i mod num_classes.

        Raises:
            UsageError: `n` below 1, a label that does not exist or that the model knows nothing of.
        """
        return torch.cat(list(self.batches(n, seed=seed, label=label)))

    @torch.no_grad()
    def batches(self, n: int, *, seed: int = 0, label: str | int | None = None) -> Iterator[Tensor]:
        """What `sample` returns, in pieces of at most 32 images, so that any number fits in memory."""
        if n < 1:
            raise UsageError(f"cannot draw {n} images; the least is 1", hint="for example: -n 64")
        chosen = self._label(label)
        dtype = next(self.generator.parameters()).dtype
        for start in range(0, n, CHUNK):
            numbers = range(start, start + CHUNK)  # always whole chunks, see CHUNK
            z = latents_for(self.generator, seed, numbers).to(self.device, dtype)
            labels = self._labels(numbers, chosen)
            images = self.generator(z, labels)
            yield images[: n - start].float().cpu()

    def _label(self, label: str | int | None) -> int | None:
        if label is None:
            return None
        if not self.image.num_classes:
            raise UsageError("this model is unconditional: it knows no labels", hint="leave --label out")
        names = self.classes or tuple(str(i) for i in range(self.image.num_classes))
        if isinstance(label, str) and label in names:
            return names.index(label)
        if str(label).isdigit() and int(label) < self.image.num_classes:
            return int(label)
        raise unknown("label", str(label), names)

    def _labels(self, numbers: range, chosen: int | None) -> Tensor | None:
        if not self.image.num_classes:
            return None
        values = [chosen if chosen is not None else i % self.image.num_classes for i in numbers]
        return torch.tensor(values, device=self.device)


def estimate_statistics(generator: Generator, *, batch: int = 128) -> None:
    """Set the generator's batch-norm statistics from 1,024 fixed latents (classes in turn), in float32.

    The paper samples with batch statistics, so that an image depends on its batch mates; statistics that are estimated once
    and stored do away with that. Global random states are left as they were. Uses torch's `update_bn`.
    """
    from torch.optim.swa_utils import update_bn

    device = next(generator.parameters()).device
    batches = []
    for start in range(0, STATISTICS, batch):
        n = min(batch, STATISTICS - start)
        z = generator.sample_latent(n, generator_for(0, "statistics", start)).to(device)
        classes = generator.image.num_classes
        labels = torch.arange(start, start + n, device=device) % classes if classes else None
        batches.append((z, labels))
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices), torch.no_grad():
        update_bn(range(len(batches)), _Numbered(generator, batches))
    generator.eval()


class _Numbered(torch.nn.Module):
    """A generator that is called with the number of a batch: `update_bn` hands a network one argument only."""

    def __init__(self, generator: Generator, batches: list[tuple[Tensor, Tensor | None]]) -> None:
        super().__init__()
        self.generator = generator
        self.batches = batches

    def forward(self, number: int) -> Tensor:
        z, labels = self.batches[number]
        out: Tensor = self.generator(z, labels)
        return out
