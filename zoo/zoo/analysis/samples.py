"""Samples of a model: drawn from latents, classified, and how often they show something."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zoo_core import UsageError
from zoo_core.intervals import mean_interval

from ..devices import bring_back, exact_float32, move_to
from ..files import Place
from ..loading import load
from ..models.model import CHUNK, Model, ModelLike
from ..models.sampling import FORMATS
from ..packs import to_uint8
from ..progress import SILENT, Reporter
from ..randomness import latents_for, seeded
from ..reports.pictures import Block
from .attribute_classifier import AttributeClassifier
from .labels import Concept

Label = str | int | None
"""A class by name or number; None gives sample i the class i mod num_classes, as `Model.sample` does."""

SURE = 0.8  # least probability of every fact in an exemplar
_Z = 1.959964  # standard deviations of a normal distribution that hold 95 % of it


def open_model(model: ModelLike, device: str, out: Place | None) -> tuple[Model, Path | None]:
    """Return the model itself, where it is, or what `zoo.load` finds; and the path of the picture to write, if any.

    Raises:
        UsageError: no picture can have the path's ending, or it is a folder; this comes before the model is loaded.
    """
    path = Path(out) if out is not None else None
    if path is not None and path.suffix.lower() not in FORMATS:
        raise UsageError(
            f"{path.name!r} does not end like a picture; valid: {', '.join(FORMATS)}", hint="for example: --out picture.png"
        )
    if path is not None and path.is_dir():
        raise UsageError(f"{path} is a folder", hint="choose another file name")
    return model if isinstance(model, Model) else load(model, device=device), path


def draw(
    model: Model,
    z: Tensor,
    label: Label = None,
    ids: Sequence[int] = (),
    task: str = "drawing",
    report: Reporter = SILENT,
    on_device: bool = False,
) -> Tensor:
    """Return images [n, C, S, S] in [−1, 1] of latents [n, latent_dim]; each depends on its own latent alone. They come on
    the CPU, or, `on_device`, where the generator is.

    Args:
        label: of a conditional model.
        ids: numbers of the samples that the latents belong to, which say their classes where no label does; 0 by default.
        task: what the progress is called.
    """
    labels, parts = model.labels_of(ids or [0] * len(z), label), []
    with report.task(task, len(z), "images") as progress:
        chunks = draw_chunks(model, z, labels)
        for part in chunks if on_device else bring_back(chunks):
            parts.append(part)
            progress.update(sum(map(len, parts)))
    return torch.cat(parts)


@torch.no_grad()
def draw_chunks(model: Model, z: Tensor, labels: Tensor | None) -> Iterator[Tensor]:
    """Yield images where the generator is, in pieces of at most 32; `labels` are classes [n] for a conditional model."""
    dtype = next(model.generator.parameters()).dtype
    for start in range(0, len(z), CHUNK):
        part = move_to(z[start : start + CHUNK].to(dtype), model.device)
        given = labels[start : start + CHUNK] if labels is not None else None
        if fill := CHUNK - len(part):  # see CHUNK
            part = torch.cat([part, part.new_zeros(fill, part.shape[1])])
            given = torch.cat([given, given.new_zeros(fill)]) if given is not None else None
        with seeded(0, "inside", model.device), exact_float32():  # for what a network draws by itself
            images = model.generator(part, given)
        yield images[: CHUNK - fill].float()


def block(heading: str, images: Tensor, columns: int | None = None) -> Block:
    """Return images [N, C, S, S] in [−1, 1] under a heading, for `reports.pictures.sheet`."""
    return Block(heading, to_uint8(images).cpu(), columns)


def check_count(value: int, what: str, least: int = 1, most: int | None = None) -> None:
    """Raise `UsageError` naming `what` unless `value` lies in the range."""
    if value < least or (most is not None and value > most):
        valid = f"at least {least}" if most is None else f"from {least} to {most}"
        raise UsageError(f"{what} must be {valid}, not {value}")


@dataclass(frozen=True)
class Proportion:
    """How often something happened: `count` times in `of` independent trials, at least 1."""

    count: int
    of: int

    @classmethod
    def count_true(cls, happened: Tensor) -> Proportion:
        """Return how often a bool tensor [N] is true."""
        return cls(int(happened.sum()), len(happened))

    @property
    def rate(self) -> float:
        """`count` / `of`."""
        return self.count / self.of

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval for the probability (Wilson 1927, J. Am. Stat. Assoc. 22:209)."""
        n, p = self.of, self.rate
        middle = (p + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
        half = _Z / (1 + _Z**2 / n) * math.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2))
        return (max(0.0, middle - half), min(1.0, middle + half))

    def to_json(self) -> Any:
        """Return the numbers, as plain data."""
        return round_values({"rate": self.rate, "count": self.count, "of": self.of, "interval95": self.interval})

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.rate:.1%} ({100 * low:.1f} to {high:.1%} at 95% confidence; {self.count} of {self.of})"


@dataclass(frozen=True)
class GroupedProportion(Proportion):
    """How often something happened in groups of equally many trials, of which only the groups are independent."""

    groups: tuple[int, ...]  # times in each group, at least two

    @classmethod
    def count_groups(cls, happened: Tensor, groups: int) -> GroupedProportion:
        """Return how often a bool tensor [groups · N], one group after another, is true."""
        counts = happened.reshape(groups, -1).sum(1).tolist()
        return cls(sum(counts), happened.numel(), tuple(counts))

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of Student's t over the groups, within 0 and 1."""
        each = self.of / len(self.groups)
        low, high = mean_interval([count / each for count in self.groups]) or (0.0, 1.0)
        return max(0.0, low), min(1.0, high)

    def to_json(self) -> Any:
        """Return the numbers, as plain data."""
        return {**super().to_json(), "groups": list(self.groups)}


@dataclass(frozen=True)
class ClassifiedSamples:
    """Samples 0 … n − 1 of a model, and what the classifier sees in them."""

    classifier: AttributeClassifier  # what has seen them
    latents: Tensor  # [n, latent_dim]
    images: Tensor  # [n, C, S, S] in [−1, 1]
    probabilities: Mapping[str, Tensor]  # attribute → probabilities [n, values]

    def exemplars(self, concept: Concept, least: int = 1) -> Tensor:
        """Return the numbers [m] of the samples in which every fact of a concept has a probability of at least `SURE`.

        Raises:
            UsageError: there are fewer than `least`; says how many samples were searched, and the rate.
        """
        found = (concept.probability(self.probabilities, self.classifier.attributes) >= SURE).nonzero().squeeze(1)
        if len(found) < least:
            n = len(self.latents)
            raise UsageError(
                f"{len(found)} of {n:,} samples show {concept} ({len(found) / n:.2%}); {least} are needed",
                hint="search more of them (--searched N), ask for fewer exemplars, or choose a more frequent concept",
            )
        return found


def search(
    model: Model, classifier: AttributeClassifier, n: int, *, seed: int = 0, label: Label = None, report: Reporter = SILENT
) -> ClassifiedSamples:
    """Draw and classify samples 0 … n − 1, as `zoo sample --seed SEED --numbered` numbers them."""
    latents = latents_for(model.generator, seed, range(n))
    images = draw(model, latents, label, range(n), task="searching samples", report=report)
    return ClassifiedSamples(classifier, latents, images, classifier.probabilities(images))


def mean_of(proportions: Mapping[str, float]) -> float | None:
    """Return the mean, rounded; None of none."""
    return round(sum(proportions.values()) / len(proportions), 4) if proportions else None


def round_values(value: Any) -> Any:
    """Return plain data with every float in it rounded to four decimals."""
    if isinstance(value, Mapping):
        return {name: round_values(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [round_values(each) for each in value]
    return round(value, 4) if isinstance(value, float) else value
