"""Vector arithmetic with latents (Radford et al. 2015, section 6.3.2): "glasses+smile - smile + neutral".

Each concept becomes the mean latent of a few exemplars (3 in the paper, where single ones were unstable). The number: over
many trials with fresh exemplars, how often the judge finds in the result what the expression asks for; beside it how often
it is found in any sample, and in the same arithmetic with pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from zoo_core import UsageError

from ..analysis.labeled import Images, images_for
from ..models.model import Model
from ..progress import Reporter
from ..randomness import generator_for
from .concepts import Concept, fill_missing_facts, parse_concept
from .drawing import Label, check_count, draw, labels_of, one_class, opened, sample_latents
from .expressions import Term, parse_expression, wanted
from .judging import AttributeClassifier, classifier_of, clearness
from .proportions import Proportion
from .searching import Searched, search
from .sheets import Block, check_picture_name, save_picture, sheet

NOISE = 0.25
"""The paper's: eight neighbors of the result, each number of the latent moved by up to this much."""

UNCLEAR = 0.05
"""Proportion of samples that are less clear than what counts as clear."""

_SILENT = Reporter()


@dataclass(frozen=True)
class Success:
    """How often the arithmetic gave what was asked for.

    Args:
        wanted: in words.
        latent: of the trials, in latent space.
        pixel: of the same trials with pixels.
        base: of all samples searched.
        latent_clear, pixel_clear: likewise, but only of clear pictures: the judge is as sure of them on the whole as of all
            but the least clear twentieth of samples. Averages of pictures show everything, and nothing clearly.
        accuracy: attribute → accuracy of the judge on held-out images.
    """

    wanted: str
    latent: Proportion
    pixel: Proportion
    base: Proportion
    latent_clear: Proportion
    pixel_clear: Proportion
    accuracy: Mapping[str, float]


@dataclass(frozen=True)
class Arithmetic:
    """The result of vector arithmetic.

    Args:
        expression: as it was given.
        terms: its concepts with their signs.
        exemplars: for each term, the numbers of its exemplars among the samples of `seed`.
        shown: for each term, the exemplars' images [k, C, S, S].
        latent: [latent_dim], the result.
        images: [9, C, S, S]: the result in the middle (number 4), around it the neighbors.
        pixels: [C, S, S]: the same arithmetic with the exemplars' pixels.
        success: the numbers; None where exemplars were chosen by hand.
        judged: what the judge sees in the nine images, as a share that shows what was asked for; None without a judge.
    """

    expression: str
    terms: Sequence[Term]
    exemplars: Sequence[Sequence[int]]
    shown: Sequence[Tensor]
    latent: Tensor
    images: Tensor
    pixels: Tensor
    success: Success | None = None
    judged: Proportion | None = None

    def picture(self) -> Image.Image:
        """The exemplars, the 3×3 grid and the pixel-space control."""
        rows = [
            Block(f"{'+' if term.sign > 0 else '-'} {term.concept}", images, len(images))
            for term, images in zip(self.terms, self.shown, strict=True)
        ]
        left = sheet([*rows, Block("the same in pixel space", self.pixels[None])])
        right = sheet([Block(f"= {self.expression}, and around it noise of {NOISE}", self.images, 3)])
        canvas = Image.new("RGB", (left.width + right.width, max(left.height, right.height)), "white")
        canvas.paste(left, (0, 0))
        canvas.paste(right, (left.width, 0))
        return canvas

    def to_json(self) -> dict[str, Any]:
        """The numbers, as plain data."""
        found: dict[str, Any] = {
            "expression": self.expression,
            "exemplars": {
                f"{'+' if t.sign > 0 else '-'} {t.concept}": list(e) for t, e in zip(self.terms, self.exemplars, strict=True)
            },
        }
        if self.success is not None:
            s = self.success
            found |= {"wanted": s.wanted, "latent": s.latent.to_json(), "pixel": s.pixel.to_json(), "base": s.base.to_json()}
            found |= {"latent_clear": s.latent_clear.to_json(), "pixel_clear": s.pixel_clear.to_json()}
            found["judge_accuracy"] = dict(s.accuracy)
        if self.judged is not None:
            found["grid"] = self.judged.to_json()
        return found


def arithmetic(
    model: Model | str | Path,
    expression: str,
    *,
    images: Images = None,
    chosen: Sequence[Sequence[int]] | None = None,
    exemplars: int = 3,
    trials: int = 100,
    searched: int = 2048,
    seed: int = 0,
    label: Label = None,
    device: str = "cpu",
    out: str | Path | None = None,
    report: Reporter = _SILENT,
) -> Arithmetic:
    """Add and subtract concepts.

    Args:
        model: a model, or where one lies.
        expression: concepts with + or − between them; see `zoo.analysis.expressions` and `zoo.analysis.concepts`. With
            `chosen` its concepts are mere names ("A - B + C").
        images: the labeled images that the judge learns from; by default those that the model was trained on.
        chosen: for each concept, numbers of samples chosen by hand.
        exemplars: how many latents make a concept's mean.
        trials: most trials; each takes exemplars that no other takes, so there may be fewer.
        searched: samples among which the judge looks for exemplars.
        seed: of the samples.
        label: of a conditional model.
        device: where a model that is named by its place goes; see `zoo.load`.
        out: a picture to write.
        report: hears the progress.

    Raises:
        UsageError: the expression does not parse, a word is unknown, no exemplars were found, or the images have no labels.
    """
    terms = parse_expression(expression)
    file = check_picture_name(out) if out is not None else None
    loaded = opened(model, device)
    if chosen is not None:
        found = _by_hand(loaded, expression, terms, chosen, seed, label)
    else:
        check_count(exemplars, "the number of exemplars", 1, 1000)
        check_count(trials, "the number of trials", 1)
        check_count(searched, "the number of samples to search", exemplars)
        judge = classifier_of(images_for(loaded, model, images, report=report), report=report)
        concepts = fill_missing_facts([parse_concept(term.concept, judge.attributes) for term in terms])
        label = one_class(loaded, label)
        pool = search(loaded, judge, searched, seed=seed, label=label, report=report)
        found = _judged(loaded, judge, expression, terms, concepts, pool, exemplars, trials, seed, label)
    if file is not None:
        save_picture(found.picture(), file)
    return found


def _by_hand(
    model: Model, expression: str, terms: list[Term], chosen: Sequence[Sequence[int]], seed: int, label: Label
) -> Arithmetic:
    if len(chosen) != len(terms):
        raise UsageError(
            f"the expression has {len(terms)} concepts, and exemplars are given for {len(chosen)}",
            hint='for example: zoo arithmetic MODEL "A - B + C" --a 3,17,40 --b 5,9,12 --c 1,2,8',
        )
    for ids in chosen:
        if not ids or min(ids) < 0:
            raise UsageError(
                "each concept needs the numbers of its exemplars", hint="zoo sample MODEL --numbered shows them"
            )
    latents = [sample_latents(model, ids, seed=seed) for ids in chosen]
    shown = [draw(model, z, labels_of(model, ids, label)) for z, ids in zip(latents, chosen, strict=True)]
    return _result(model, expression, terms, chosen, latents, shown, seed, label)


def _judged(
    model: Model,
    judge: AttributeClassifier,
    expression: str,
    terms: list[Term],
    concepts: list[Concept],
    pool: Searched,
    k: int,
    trials: int,
    seed: int,
    label: Label,
) -> Arithmetic:
    facts = [fact for fact, _ in concepts[0].facts]
    if not facts:
        raise UsageError("the expression names nothing that could be seen", hint='for example: "glasses - neutral + smile"')
    goal = Concept(tuple((fact, wanted(terms, [dict(concept.facts)[fact] for concept in concepts])) for fact in facts))
    groups = _disjoint(terms, concepts, pool, judge, k, trials, seed)  # [trials][terms] of int64 [k]
    z = torch.stack([_sum(terms, [pool.latents[ids] for ids in group]) for group in groups])
    pixels = torch.stack([_sum(terms, [pool.images[ids] for ids in group]).clamp(-1, 1) for group in groups])
    images = draw(model, z, labels_of(model, [0] * len(z), label))
    least = float(clearness(pool.judged).quantile(UNCLEAR))
    success = Success(
        str(goal),
        _share(images, goal, judge),
        _share(pixels, goal, judge),
        Proportion(int((goal.probability(pool.judged, judge) > 0.5).sum()), len(pool)),
        _share(images, goal, judge, least),
        _share(pixels, goal, judge, least),
        {fact.attribute: judge.accuracy[fact.attribute] for fact in facts if fact.attribute in judge.accuracy},
    )
    first = groups[0]
    found = _result(
        model,
        expression,
        terms,
        [ids.tolist() for ids in first],
        [pool.latents[ids] for ids in first],
        [pool.images[ids] for ids in first],
        seed,
        label,
    )
    return Arithmetic(**{**vars(found), "success": success, "judged": _share(found.images, goal, judge)})


def _disjoint(
    terms: list[Term], concepts: list[Concept], pool: Searched, judge: AttributeClassifier, k: int, trials: int, seed: int
) -> list[list[Tensor]]:
    """For each trial and term, k exemplars that no other trial or term uses; at least one trial, at most `trials`."""
    using = {concept: concepts.count(concept) for concept in concepts}
    found = {concept: pool.exemplars(concept, judge, k * count) for concept, count in using.items()}
    most = min(trials, *(len(ids) // (k * using[concept]) for concept, ids in found.items()))
    shuffled = {
        concept: ids[torch.randperm(len(ids), generator=generator_for(seed, f"exemplars {i}"))]
        for i, (concept, ids) in enumerate(found.items())
    }
    groups: list[list[Tensor]] = []
    taken = dict.fromkeys(shuffled, 0)
    for _ in range(most):
        group = []
        for concept in concepts:
            start = taken[concept]
            group.append(shuffled[concept][start : start + k])
            taken[concept] = start + k
        groups.append(group)
    return groups


def _sum(terms: list[Term], members: Sequence[Tensor]) -> Tensor:
    """Σ sign · mean over the exemplars [k, …] of each term."""
    parts = [term.sign * exemplars.mean(0) for term, exemplars in zip(terms, members, strict=True)]
    return torch.stack(parts).sum(0)


def _share(images: Tensor, goal: Concept, judge: AttributeClassifier, least_clear: float = 0.0) -> Proportion:
    judged = judge.probabilities(images)
    right = (goal.probability(judged, judge) > 0.5) & (clearness(judged) >= least_clear)
    return Proportion(int(right.sum()), len(images))


def _result(
    model: Model,
    expression: str,
    terms: list[Term],
    ids: Sequence[Sequence[int]],
    latents: Sequence[Tensor],
    shown: Sequence[Tensor],
    seed: int,
    label: Label,
) -> Arithmetic:
    z = _sum(terms, latents)
    noise = (torch.rand(9, len(z), generator=generator_for(seed, "arithmetic")) * 2 - 1) * NOISE
    noise[4] = 0
    images = draw(model, z + noise, labels_of(model, [0] * 9, label))
    return Arithmetic(expression, terms, ids, shown, z, images, _sum(terms, shown).clamp(-1, 1))
