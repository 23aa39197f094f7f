"""Drawing from latents that are not `zoo sample`'s own, and what all analyses check and write."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from zoo_core import UsageError

from ..loading import load
from ..models.model import CHUNK, Model
from ..models.sampling import FORMATS
from ..packs import to_uint8
from ..progress import SILENT, Reporter
from ..randomness import seeded
from ..reports.pictures import Block

Label = str | int | None
"""A class by name or number; None gives sample i the class i mod num_classes, as `Model.sample` does."""


def open_model(model: Model | str | Path, device: str = "cpu") -> Model:
    """Return the model itself, where it is, or the one that lies at a path or on the Hub, on a device; see `zoo.load`."""
    return model if isinstance(model, Model) else load(model, device=device)


def draw(
    model: Model,
    z: Tensor,
    label: Label = None,
    numbers: Sequence[int] | None = None,
    *,
    task: str = "drawing",
    report: Reporter = SILENT,
) -> Tensor:
    """Return images [n, C, S, S] in [−1, 1], on the CPU, of latents [n, latent_dim]; each depends on its own latent alone.

    Args:
        label: of a conditional model.
        numbers: those of the samples that the latents belong to, which say their classes where no label does; 0 by default.
        task: what the progress is called.
    """
    labels, parts = model.labels_of([0] * len(z) if numbers is None else numbers, label), []
    with report.task(task, len(z), "images") as progress:
        for part in draw_chunks(model, z, labels):
            parts.append(part)
            progress.update(min(len(z), len(parts) * CHUNK))
    return torch.cat(parts)


@torch.no_grad()
def draw_chunks(model: Model, z: Tensor, labels: Tensor | None) -> Iterator[Tensor]:
    """Yield what `draw` returns, in pieces of at most 32 images; `labels` are classes [n] for a conditional model."""
    dtype = next(model.generator.parameters()).dtype
    for start in range(0, len(z), CHUNK):
        part = z[start : start + CHUNK].to(model.device, dtype)
        given = labels[start : start + CHUNK] if labels is not None else None
        if fill := CHUNK - len(part):  # see CHUNK
            part = torch.cat([part, part.new_zeros(fill, part.shape[1])])
            given = torch.cat([given, given.new_zeros(fill)]) if given is not None else None
        with seeded(0, "inside", model.device):  # for what a network draws by itself
            images = model.generator(part, given)
        yield images[: CHUNK - fill].float().cpu()


def block(heading: str, images: Tensor, columns: int | None = None) -> Block:
    """Return images [N, C, S, S] in [−1, 1] under a heading, for `reports.pictures.sheet`."""
    return Block(heading, to_uint8(images).cpu(), columns)


def check_picture_name(out: str | Path | None) -> Path | None:
    """Return the path if its ending is one that a picture can have; raise `UsageError` otherwise, before any work."""
    path = Path(out) if out is not None else None
    if path is not None and path.suffix.lower() not in FORMATS:
        raise UsageError(
            f"{path.name!r} does not end like a picture; valid: {', '.join(FORMATS)}", hint="for example: --out picture.png"
        )
    if path is not None and path.is_dir():
        raise UsageError(f"{path} is a folder", hint="choose another file name")
    return path


def check_count(value: int, what: str, least: int = 1, most: int | None = None) -> None:
    """Raise `UsageError` naming `what` unless `value` lies in the range."""
    if value < least or (most is not None and value > most):
        valid = f"at least {least}" if most is None else f"from {least} to {most}"
        raise UsageError(f"{what} must be {valid}, not {value}")
