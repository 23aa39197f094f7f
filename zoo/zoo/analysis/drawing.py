"""Drawing from latents that are not `zoo sample`'s own, and telling which latents those are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from zoo_core import UsageError
from zoo_core.errors import unknown

from ..loading import load
from ..models.model import CHUNK, Model
from ..randomness import latents_for, seeded

Label = str | int | None
"""A class by name or number; None gives sample i the class i mod num_classes, as `Model.sample` does."""


def opened(model: Model | str | Path, device: str = "cpu") -> Model:
    """The model itself, where it is, or the one that lies at a path or on the Hub, on a device; see `zoo.load`."""
    return model if isinstance(model, Model) else load(model, device=device)


def sample_latents(model: Model, ids: Iterable[int], *, seed: int = 0) -> Tensor:
    """The latents [n, latent_dim], on the CPU, of the samples that `zoo sample --seed SEED --numbered` numbers `ids`."""
    return latents_for(model.generator, seed, ids)


def labels_of(model: Model, ids: Sequence[int], label: Label = None) -> Tensor | None:
    """The classes [n] of samples number `ids`; None for an unconditional model.

    Raises:
        UsageError: a label that does not exist or that the model knows nothing of.
    """
    count = model.image.num_classes
    if label is not None and not count:
        raise UsageError("this model is unconditional: it knows no labels", hint="leave --label out")
    if not count:
        return None
    if label is None:
        return torch.tensor([i % count for i in ids], device=model.device)
    names = model.classes or tuple(map(str, range(count)))
    if label in names:
        chosen = names.index(str(label))
    elif str(label).isdigit() and int(label) < count:
        chosen = int(label)
    else:
        raise unknown("label", str(label), names)
    return torch.full((len(ids),), chosen, device=model.device)


def one_class(model: Model, label: Label) -> Label:
    """The label, or class 0 of a conditional model: what is added and compared should be of one class."""
    return 0 if label is None and model.image.num_classes else label


@torch.no_grad()
def draw(model: Model, z: Tensor, labels: Tensor | None = None) -> Tensor:
    """Images [n, C, S, S] in [−1, 1], on the CPU, of latents [n, latent_dim]; an image depends on its own latent alone.

    Args:
        model: what draws.
        z: latents on any device.
        labels: classes [n] for a conditional model; 0 for all where nothing is said.
    """
    return torch.cat(list(drawn(model, z, labels)))


@torch.no_grad()
def drawn(model: Model, z: Tensor, labels: Tensor | None = None) -> Iterator[Tensor]:
    """What `draw` returns, in pieces of at most 32 images."""
    dtype = next(model.generator.parameters()).dtype
    for start in range(0, len(z), CHUNK):
        part = z[start : start + CHUNK].to(model.device, dtype)
        n = len(part)
        given = None
        if model.image.num_classes:
            given = torch.zeros(CHUNK, dtype=torch.int64, device=model.device)
            if labels is not None:
                given[:n] = labels[start : start + n]
        whole = torch.cat([part, part.new_zeros(CHUNK - n, part.shape[1])]) if n < CHUNK else part  # see CHUNK
        with seeded(0, "inside", model.device):  # for what a network draws by itself
            images = model.generator(whole, given)
        yield images[:n].float().cpu()


def unflatten(frames: Tensor, rows: int, columns: int) -> Tensor:
    """[rows · columns, …] → [rows, columns, …]."""
    return frames.reshape(rows, columns, *frames.shape[1:])


def check_count(value: int, what: str, least: int = 1, most: int | None = None) -> int:
    """Return `value` if it lies in the range; raise `UsageError` naming `what` otherwise."""
    if value < least or (most is not None and value > most):
        valid = f"at least {least}" if most is None else f"from {least} to {most}"
        raise UsageError(f"{what} must be {valid}, not {value}")
    return value
