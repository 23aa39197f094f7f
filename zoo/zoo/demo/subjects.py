"""The models of a page, and latents that sessions keep."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from zoo_core import UsageError, ZooError

from ..analysis.directions import Directions
from ..analysis.samples import draw
from ..loading import find_folder, load
from ..models.model import Model, ModelLike
from ..randomness import latents_for
from ..runs.run import is_run
from .limits import MODELS

Space = tuple[int, str]
"""Length and distribution of latents; models of the same one are given the same latents."""


@dataclass(frozen=True)
class Kept:
    """A picture that a session keeps: its latent, and which class it is of."""

    owner: str  # name of the model that it was drawn by
    latent: bytes  # float32
    space: Space
    label: int  # 0 for a model without classes
    name: str

    @classmethod
    def of(cls, latent: Tensor, subject: Subject, label: int, name: str) -> Kept:
        """Keep a latent [latent_dim] of a model."""
        return cls(subject.name, latent.float().contiguous().numpy().tobytes(), subject.space, label, name)

    @property
    def z(self) -> Tensor:
        """The latent [latent_dim]."""
        return torch.frombuffer(bytearray(self.latent), dtype=torch.float32)


@dataclass
class Subject:
    """One of the models of a page."""

    name: str
    where: ModelLike
    model: Model
    run: Path | None  # where it lies, if that is a run folder
    directions: dict[tuple[str, str], Directions] = field(default_factory=dict)  # method and stage → what was found

    @property
    def space(self) -> Space:
        return self.model.generator.latent_dim, self.model.generator.latent

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, () for a model without."""
        count = self.model.image.num_classes
        return (self.model.classes or tuple(map(str, range(count)))) if count else ()

    @property
    def facts(self) -> str:
        """What it is, in a line."""
        config = self.model.config
        license = (config.get("provenance") or {}).get("license") or config.get("license")
        return repr(self.model).strip("<>").removeprefix("Model ") + (f", {license}" if license else "")

    def fits(self, kept: Kept) -> bool:
        """Whether a kept latent is one of this model's."""
        return kept.space == self.space

    def draw(self, z: Tensor, labels: Sequence[int]) -> Tensor:
        """Return images [n, C, S, S] of latents [n, latent_dim], each of its class."""
        count = self.model.image.num_classes
        return draw(self.model, z, ids=[label % count for label in labels] if count else [0] * len(z))

    def first(self, seed: int = 0) -> Kept:
        """Return sample 0, which stands where nothing was chosen."""
        return Kept.of(latents_for(self.model.generator, seed, [0])[0], self, 0, f"seed {seed}, number 0")


def stack(kept: Sequence[Kept]) -> Tensor:
    """Return the latents [n, latent_dim] of kept pictures."""
    return torch.stack([each.z for each in kept])


def open_subjects(models: ModelLike | Sequence[ModelLike], device: str) -> tuple[Subject, ...]:
    """Load models.

    Raises:
        UsageError: there is none, or there are too many.
        ZooError: as `zoo.load`, of the first that cannot be loaded; names it.
    """
    places: list[ModelLike] = [models] if isinstance(models, str | os.PathLike | Model) else list(models)  # type: ignore[arg-type]
    if not 1 <= len(places) <= MODELS:
        raise UsageError(
            f"a demo shows from 1 to {MODELS} models, not {len(places)}", hint="for example: zoo demo dcgan-faces"
        )
    found: list[Subject] = []
    for number, place in enumerate(places, 1):
        name, run = f"model {number}", None
        if not isinstance(place, Model):
            name = (
                Path(os.fspath(place)).expanduser().resolve().name if Path(os.fspath(place)).exists() else os.fspath(place)
            )
        try:
            model = load(place, device=device)
            if not isinstance(place, Model):
                folder = find_folder(place)
                run = folder if is_run(folder) else None
        except ZooError as error:
            if len(places) > 1 and name not in error.message:
                error.message = f"{name}: {error.message}"
            raise
        if name in [subject.name for subject in found]:
            name = f"{name} ({number})"
        found.append(Subject(name, place, model, run))
    return tuple(found)
