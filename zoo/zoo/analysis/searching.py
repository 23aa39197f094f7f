"""Exemplars: samples of a model that show a concept, found by the judge or named by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from zoo_core import UsageError

from ..models.model import CHUNK, Model
from ..progress import Reporter
from .concepts import Concept
from .drawing import Label, drawn, labels_of, sample_latents
from .judging import AttributeClassifier

SURE = 0.8
"""Least probability of every fact in an exemplar."""

_SILENT = Reporter()


@dataclass(frozen=True)
class Searched:
    """Samples 0 … n − 1 of a model, judged.

    Args:
        latents: [n, latent_dim].
        images: [n, C, S, S] in [−1, 1].
        judged: attribute → probabilities [n, values].
        labels: classes [n] of a conditional model.
    """

    latents: Tensor
    images: Tensor
    judged: Mapping[str, Tensor]
    labels: Tensor | None

    def __len__(self) -> int:
        return len(self.latents)

    def showing(self, concept: Concept, judge: AttributeClassifier, sure: float = SURE) -> Tensor:
        """Numbers of the samples in which every fact of a concept is at least so sure, in order: int64 [m]."""
        return (concept.probability(self.judged, judge) >= sure).nonzero().squeeze(1)

    def exemplars(self, concept: Concept, judge: AttributeClassifier, least: int) -> Tensor:
        """Like `showing`, for at least `least` exemplars.

        Raises:
            UsageError: there are fewer; says how many samples were searched, and the rate.
        """
        found = self.showing(concept, judge)
        if len(found) < least:
            raise UsageError(
                f"{len(found)} of {len(self):,} samples show {concept} ({len(found) / len(self):.2%}); {least} are needed",
                hint="search more of them (--search N), ask for fewer exemplars, or choose a more frequent concept",
            )
        return found


def search(
    model: Model, judge: AttributeClassifier, n: int, *, seed: int = 0, label: Label = None, report: Reporter = _SILENT
) -> Searched:
    """Draw and judge samples 0 … n − 1, as `zoo sample --seed SEED --numbered` numbers them."""
    latents = sample_latents(model, range(n), seed=seed)
    labels = labels_of(model, range(n), label)
    images: list[Tensor] = []
    with report.task("searching samples", n, "images") as task:
        for i, part in enumerate(drawn(model, latents, labels)):
            images.append(part)
            task.update(min(n, (i + 1) * CHUNK))
    pictures = torch.cat(images)
    return Searched(latents, pictures, judge.probabilities(pictures), labels)


def mean_latent(latents: Tensor, ids: Sequence[int] | Tensor) -> Tensor:
    """The mean [latent_dim] of some latents."""
    return latents[torch.as_tensor(ids, dtype=torch.int64)].mean(0)
