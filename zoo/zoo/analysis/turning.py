"""A direction that turns what a picture shows (Radford et al. 2015, section 6.3.2, Figure 8).

The direction is the difference of two mean latents: of samples that show the one concept and of samples that show the other.
Added to random latents in steps, it should move the one attribute, step by step, and leave the rest as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from ..analysis.labeled import Images, images_for
from ..models.model import Model
from ..progress import Reporter
from ..randomness import generator_for
from .concepts import Concept, fill_missing_facts, parse_concept
from .drawing import Label, check_count, draw, labels_of, one_class, opened, sample_latents, unflatten
from .judging import AttributeClassifier, classifier_of
from .proportions import mean_of
from .searching import Searched, search
from .sheets import Block, check_picture_name, save_picture, sheet

_SILENT = Reporter()
_SHOWN = 8
_FALL = 1e-3  # smaller falls of a mean probability are none


@dataclass(frozen=True)
class Turning:
    """What a direction does to random samples.

    Args:
        direction: [latent_dim], from the mean of the one concept to that of the other.
        positions: where along the direction, in multiples of it; 0 is the sample itself.
        images: [N, steps, C, S, S] in [−1, 1].
        probability: mean probability of the second concept at each position.
        start: mean probability of the first concept at each position.
        monotone: share of steps at which `probability` does not fall.
        kept: other attribute → share of samples whose judged value is the same at both ends as in the middle.
        kept_random: the same along random directions of the same length: what moving that far costs anyhow.
        identity: mean distance of the ends from the middle in the judge's embedding, over that of unrelated samples.
        identity_random: the same along random directions.
        exemplars: how many made each mean.
        accuracy: attribute → accuracy of the judge on held-out images.
    """

    direction: Tensor
    positions: Sequence[float]
    images: Tensor
    probability: Sequence[float]
    start: Sequence[float]
    monotone: float
    kept: Mapping[str, float]
    kept_random: Mapping[str, float]
    identity: float
    identity_random: float
    exemplars: tuple[int, int]
    accuracy: Mapping[str, float]

    def picture(self) -> Image.Image:
        """A row for each of the first samples."""
        shown = self.images[:_SHOWN]
        return sheet([Block("", shown.flatten(0, 1), shown.shape[1])])

    def to_json(self) -> dict[str, Any]:
        """The numbers, as plain data."""

        def rounded(values: Mapping[str, float]) -> dict[str, float]:
            return {name: round(value, 4) for name, value in values.items()}

        return {
            "positions": [round(p, 4) for p in self.positions],
            "probability": [round(p, 4) for p in self.probability],
            "start": [round(p, 4) for p in self.start],
            "monotone": round(self.monotone, 4),
            "kept": rounded(self.kept),
            "kept_mean": mean_of(self.kept),
            "kept_random": rounded(self.kept_random),
            "kept_random_mean": mean_of(self.kept_random),
            "identity": round(self.identity, 4),
            "identity_random": round(self.identity_random, 4),
            "exemplars": list(self.exemplars),
            "judge_accuracy": dict(self.accuracy),
        }


def turn(
    model: Model | str | Path,
    start: str,
    end: str,
    *,
    images: Images = None,
    exemplars: int = 256,
    reach: float = 1.0,
    steps: int = 9,
    samples: int = 64,
    searched: int = 2048,
    seed: int = 0,
    label: Label = None,
    device: str = "cpu",
    out: str | Path | None = None,
    report: Reporter = _SILENT,
) -> Turning:
    """Move random samples along the direction from one concept to another.

    Args:
        model: a model, or where one lies.
        start, end: concepts ("turn=left", "no-glasses"); see `zoo.analysis.concepts`.
        images: the labeled images that the judge learns from; by default those that the model was trained on.
        exemplars: most samples in each mean. The paper has 4; of more, what is theirs by chance averages out.
        reach: how far to go to either side, in multiples of the direction.
        steps: positions from −reach to reach.
        samples: how many random samples are turned; they are no exemplars.
        searched: samples among which the judge looks for exemplars.
        seed, label, device, out, report: as in `zoo.arithmetic`.

    Raises:
        UsageError: as `zoo.arithmetic`.
    """
    check_count(steps, "the number of steps", 3, 101)
    check_count(samples, "the number of samples", 2)
    check_count(exemplars, "the number of exemplars", 1)
    check_count(searched, "the number of samples to search", 2)
    file = check_picture_name(out) if out is not None else None
    loaded = opened(model, device)
    label = one_class(loaded, label)
    judge = classifier_of(images_for(loaded, model, images, report=report), report=report)
    concepts = [parse_concept(text, judge.attributes) for text in (start, end)]
    concepts = fill_missing_facts(concepts)
    pool = search(loaded, judge, searched, seed=seed, label=label, report=report)
    means, counts = zip(*(_mean(pool, concept, judge, exemplars) for concept in concepts), strict=True)
    direction = means[1] - means[0]
    z = sample_latents(loaded, range(searched, searched + samples), seed=seed)
    positions = torch.linspace(-reach, reach, steps)
    turned = _along(loaded, z, direction, positions, label)  # [N, steps, C, S, S]
    other = torch.randn(z.shape, generator=generator_for(seed, "directions"))
    other = other / other.norm(dim=1, keepdim=True) * direction.norm()
    control = _along(loaded, z, other, positions, label)
    named = {fact.attribute for concept in concepts for fact, _ in concept.facts}
    judged = judge.probabilities(turned.flatten(0, 1))
    probability, begin = (
        unflatten(concept.probability(judged, judge), samples, steps).mean(0) for concept in (concepts[1], concepts[0])
    )
    kept, identity = _staying(judge, turned, named)
    kept_random, identity_random = _staying(judge, control, named)
    rises = probability[1:] >= probability[:-1] - _FALL
    found = Turning(
        direction=direction,
        positions=positions.tolist(),
        images=turned,
        probability=probability.tolist(),
        start=begin.tolist(),
        monotone=float(rises.float().mean()),
        kept=kept,
        kept_random=kept_random,
        identity=identity,
        identity_random=identity_random,
        exemplars=(counts[0], counts[1]),
        accuracy={name: judge.accuracy[name] for name in sorted(named) if name in judge.accuracy},
    )
    if file is not None:
        save_picture(found.picture(), file)
    return found


def _mean(pool: Searched, concept: Concept, judge: AttributeClassifier, most: int) -> tuple[Tensor, int]:
    ids = pool.exemplars(concept, judge, 1)[:most]
    return pool.latents[ids].mean(0), len(ids)


def _along(model: Model, z: Tensor, direction: Tensor, positions: Tensor, label: Label) -> Tensor:
    """z [N, D] + position · direction ([D] or [N, D]) → [N, steps, C, S, S]."""
    moved = z[:, None] + positions[None, :, None] * direction.expand_as(z)[:, None]
    flat = moved.flatten(0, 1)
    images = draw(model, flat, labels_of(model, [0] * len(flat), label))
    return unflatten(images, len(z), len(positions))


def _staying(judge: AttributeClassifier, images: Tensor, moved: set[str]) -> tuple[dict[str, float], float]:
    """How often the other attributes stay as they are in the middle, and how far the ends go from it."""
    n, steps = images.shape[:2]
    middle, ends = steps // 2, [0, steps - 1]
    kept = {}
    for name, p in judge.probabilities(images.flatten(0, 1)).items():
        if name not in moved:
            values = unflatten(p.argmax(1), n, steps)
            kept[name] = float((values[:, ends] == values[:, middle : middle + 1]).float().mean())
    seen = unflatten(judge.embeddings(images.flatten(0, 1)), n, steps)
    away = (seen[:, ends] - seen[:, middle : middle + 1]).norm(dim=2).mean()
    unrelated = (seen[:, middle] - seen[:, middle].roll(1, 0)).norm(dim=1).mean()
    return kept, float(away / unrelated.clamp(min=1e-12))
