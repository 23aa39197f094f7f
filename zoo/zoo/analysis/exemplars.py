"""Samples of a model that show a concept, found by the attribute classifier, and how often things are shown."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from zoo_core import UsageError

from ..models.model import Model
from ..progress import SILENT, Reporter
from ..randomness import latents_for
from .attribute_classifier import AttributeClassifier
from .concepts import Concept
from .drawing import Label, draw

SURE = 0.8
"""Least probability of every fact in an exemplar."""

_Z = 1.959964
"""Standard deviations of a normal distribution that hold 95 % of it."""


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
        """The numbers, as plain data."""
        return round_values({"rate": self.rate, "count": self.count, "of": self.of, "interval95": self.interval})

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.rate:.1%} (95 %: {low:.1%} to {high:.1%}; {self.count} of {self.of})"


@dataclass(frozen=True)
class ClassifiedSamples:
    """Samples 0 … n − 1 of a model, and what the classifier sees in them.

    Args:
        classifier: what has seen them.
        latents: [n, latent_dim].
        images: [n, C, S, S] in [−1, 1].
        probabilities: attribute → probabilities [n, values].
    """

    classifier: AttributeClassifier
    latents: Tensor
    images: Tensor
    probabilities: Mapping[str, Tensor]

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
                hint="search more of them (--search N), ask for fewer exemplars, or choose a more frequent concept",
            )
        return found


def search(
    model: Model, classifier: AttributeClassifier, n: int, *, seed: int = 0, label: Label = None, report: Reporter = SILENT
) -> ClassifiedSamples:
    """Draw and classify samples 0 … n − 1, as `zoo sample --seed SEED --numbered` numbers them."""
    latents = latents_for(model.generator, seed, range(n))
    images = draw(model, latents, label, range(n), task="searching samples", report=report)
    return ClassifiedSamples(classifier, latents, images, classifier.probabilities(images))


def measure_preservation(before: Mapping[str, Tensor], after: Mapping[str, Tensor], changed: set[str]) -> dict[str, float]:
    """Return attribute → proportion of images whose most probable value stays, for all but the attributes in `changed`.

    `before` holds probabilities [N, values], `after` those of the same images changed once or more in turn: [k · N, values].
    """
    values = {name: (before[name].argmax(1), after[name].argmax(1)) for name in before if name not in changed}
    return {name: float((new == old.repeat(len(new) // len(old))).float().mean()) for name, (old, new) in values.items()}


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


def describe_preservation(kept: Mapping[str, float], random: Mapping[str, float], what: str) -> str:
    """Return in words how many of the other attributes stayed; `random` is the same of random maps or directions."""
    if not kept or not random:
        return "the labels name no other attribute"
    return f"{mean_of(kept):.1%} (random {what}: {mean_of(random):.1%})"
