"""Vector arithmetic with latents (Radford et al. 2015, section 6.3.2): "glasses+smile - smile + neutral".

Each concept becomes the mean latent of a few exemplars (3 in the paper, where single ones were unstable). The number: over
many trials with fresh exemplars, how often the classifier finds in the result what the expression asks for; beside it how
often it is found in any sample, and in the same arithmetic with pixels.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from zoo_core import UsageError

from ..files import Place
from ..models.model import Model, ModelLike
from ..notebook import AUTOMATIC
from ..progress import Reporter
from ..randomness import generator_for, latents_for
from ..reports.displaying import Displayed
from ..reports.numbers import Verdict, judge
from ..reports.pictures import arrange, save_picture, sheet
from .attribute_classifier import confidence
from .classifiers import classifier_for
from .judging import Accuracy
from .labels import (
    ABSENT,
    HIDDEN,
    Concept,
    ImageSource,
    Term,
    find_images,
    parse_concepts,
    parse_expression,
    request_images,
    should_hold,
)
from .samples import ClassifiedSamples, Label, Proportion, block, check_count, draw, open_model, search

NOISE = 0.25  # the paper's: eight neighbors of the result, each number of the latent moved by up to this much
UNCLEAR = 0.05  # proportion of samples that are less clear than what counts as clear


@dataclass(frozen=True)
class Success:
    """How often the arithmetic gave what was asked for."""

    wanted: str  # in words
    latent: Proportion  # of the trials, in latent space
    pixel: Proportion  # of the same trials with pixels
    base: Proportion  # of all samples searched
    # Likewise, but only of clear pictures: the classifier is as sure of them on the whole as of all but the least clear
    # twentieth of samples. Averages of pictures show everything, and nothing clearly.
    latent_clear: Proportion
    pixel_clear: Proportion
    accuracy: Accuracy  # of the classifier, for the attributes that the expression names

    @property
    def verdict(self) -> Verdict:
        """Whether latents add up, beside any sample."""
        return judge(self.latent.rate, self.base.rate, 1.0, self.latent.interval)


@dataclass(frozen=True, repr=False)
class Arithmetic(Displayed):
    """The result of vector arithmetic."""

    expression: str  # as it was given
    terms: Sequence[Term]  # its concepts with their signs
    exemplars: Sequence[Sequence[int]]  # for each term, the numbers of its exemplars among the samples of `seed`
    exemplar_images: Sequence[Tensor]  # for each term, their images [k, C, S, S]
    latent: Tensor  # [latent_dim], the result
    images: Tensor  # [9, C, S, S]: the result in the middle (number 4), around it the neighbors
    pixels: Tensor  # [C, S, S]: the same arithmetic with the exemplars' pixels
    success: Success | None = None  # the numbers; None where exemplars were chosen by hand
    # how many of the nine images show what was asked for; None where exemplars were chosen by hand
    grid: Proportion | None = None

    def _describe(self) -> str:
        return f"{self.expression} = wanted in {self.grid.count} of {self.grid.of}" if self.grid else self.expression

    def picture(self) -> Image.Image:
        """Return the 3×3 grid, and beside it the exemplars and the pixel-space control."""
        rows = [block(str(term), images, len(images)) for term, images in zip(self.terms, self.exemplar_images, strict=True)]
        result = sheet([block(f"{self.expression}, around it with noise of {NOISE}", self.images, 3)])
        return arrange([result, sheet([*rows, block("the same with pixels", self.pixels[None])])], columns=2)

    def to_json(self) -> dict[str, Any]:
        """Return the numbers, as plain data."""
        exemplars = {str(term): list(ids) for term, ids in zip(self.terms, self.exemplars, strict=True)}
        found: dict[str, Any] = {"expression": self.expression, "exemplars": exemplars}
        if self.success is not None and self.grid is not None:
            numbers = {**vars(self.success), "grid": self.grid}
            found |= {"classifier_accuracy": dict(numbers.pop("accuracy").right), "wanted": numbers.pop("wanted")}
            found |= {name: proportion.to_json() for name, proportion in numbers.items()}
            found["verdict"] = self.success.verdict
        return found


def arithmetic(
    model: ModelLike,
    expression: str | None = None,
    *,
    images: ImageSource = None,
    dataset: str | None = None,
    data: Place | None = None,
    options: Mapping[str, Any] | None = None,
    chosen: Sequence[Sequence[int]] | None = None,
    a: Sequence[int] | None = None,
    b: Sequence[int] | None = None,
    c: Sequence[int] | None = None,
    exemplars: int = 3,
    trials: int = 100,
    searched: int = 2048,
    seed: int = 0,
    label: Label = None,
    device: str = "auto",
    out: Place | None = None,
    report: Reporter = AUTOMATIC,
) -> Arithmetic:
    """Add and subtract concepts.

    Args:
        expression: concepts with + or − between them; see `zoo.analysis.labels`. With `chosen` its concepts are mere names,
            and "A - B + C" where it is not given.
        images: the labeled images that the classifier learns from; by default those that the model was trained on.
        dataset, data, options: the same by name, in place of `images`, as the command line takes them.
        chosen: for each concept, numbers of samples chosen by hand.
        a, b, c: the same for the first, second and third concept.
        exemplars: how many latents make a concept's mean.
        trials: most trials; each takes exemplars that no other takes, so there may be fewer.
        searched: samples among which the classifier looks for exemplars.
        seed, label, device, out, report: as in `zoo.walk`.

    Raises:
        UsageError: the expression does not parse, a word is unknown, no exemplars were found, or the images have no labels.
    """
    images = request_images(images, dataset, data, options)
    by_hand = chosen or [ids for ids in (a, b, c) if ids is not None]
    if expression is None and not by_hand:
        raise _no_expression(model, images)
    expression = expression or "A - B + C"
    terms = parse_expression(expression)
    chosen = chosen or [ids for ids in (a, b, c) if ids is not None] or None
    loaded, file = open_model(model, device, out)
    if chosen is not None:
        if len(chosen) != len(terms):
            raise UsageError(
                f"the expression has {len(terms)} concepts, and exemplars are given for {len(chosen)}",
                hint='for example: zoo arithmetic MODEL "A - B + C" --a 3,17,40 --b 5,9,12 --c 1,2,8',
            )
        if any(not ids or min(ids) < 0 for ids in chosen):
            raise UsageError(
                "each concept needs the numbers of its exemplars", hint="zoo sample MODEL --numbered shows them"
            )
    else:
        check_count(exemplars, "the number of exemplars", 1, 1000)
        check_count(trials, "the number of trials", 1)
        check_count(searched, "the number of samples to search", exemplars)
        label = 0 if label is None and loaded.image.num_classes else label  # what is added should be of one class
        source = find_images(loaded, model, images)
        concepts = parse_concepts([term.concept for term in terms], source.vocabulary())
        if not concepts[0].facts:
            raise UsageError(
                "the expression names nothing that could be seen", hint='for example: "glasses - neutral + smile"'
            )
        classifier = classifier_for(loaded, source, device=loaded.device, report=report)
        pool = search(loaded, classifier, searched, seed=seed, label=label, report=report)
        groups = _choose_exemplars(concepts, pool, exemplars, trials, seed)
    used = chosen if chosen is not None else [ids.tolist() for ids in groups[0]]
    latents = [latents_for(loaded.generator, seed, ids) for ids in used]
    pictures = [draw(loaded, z, label, ids) for z, ids in zip(latents, used, strict=True)]
    z = _add(terms, latents)
    near = draw(loaded, neighborhood(z, seed), label)
    found = Arithmetic(expression, terms, used, pictures, z, near, _add(terms, pictures).clamp(-1, 1))
    if chosen is None:
        sums, pixels = (
            torch.stack([_add(terms, [members[ids] for ids in group]) for group in groups])
            for members in (pool.latents, pool.images)
        )
        success, grid = _measure_success(terms, concepts, pool, draw(loaded, sums, label), pixels.clamp(-1, 1), near)
        found = replace(found, success=success, grid=grid)
    if file is not None:
        save_picture(found.picture(), file)
    return found


def _no_expression(model: ModelLike, images: ImageSource) -> UsageError:
    """Return an error that shows an expression in words of the images' own labels."""
    loaded, _ = open_model(model, "cpu", None)
    vocabulary = find_images(loaded, model, images).vocabulary()
    words = [name for name, values in vocabulary.items() if set(values) & set(ABSENT)]  # which no other word need explain
    words += [f"{name}={value}" for name, values in vocabulary.items() for value in values if value not in (*ABSENT, HIDDEN)]
    words = sorted(words, key=lambda word: word != "mouth=smile")  # what every face can show, where there are faces
    other, first = words[0], next((word for word in words[1:] if word.partition("=")[0] != words[0].partition("=")[0]), "")
    example = f"{first}+{other} - {other} + neutral" if first else f"{' - neutral + '.join(words[:2])}"
    where = "MODEL" if isinstance(model, Model) else shlex.quote(os.fspath(model))
    wrong = "an expression is missing: what is added and subtracted"
    return UsageError(wrong, hint=f"for example: zoo arithmetic {where} {shlex.quote(example)}")


def _choose_exemplars(
    concepts: list[Concept], pool: ClassifiedSamples, k: int, trials: int, seed: int
) -> list[list[Tensor]]:
    """Return for each trial and term k exemplars that no other trial or term uses; at least one trial, at most `trials`."""
    ids, needed = {}, {concept: k * concepts.count(concept) for concept in concepts}  # in each trial
    for i, concept in enumerate(needed):
        found = pool.exemplars(concept, needed[concept])
        trials = min(trials, len(found) // needed[concept])
        order = torch.randperm(len(found), generator=generator_for(seed, f"exemplars {i}"))
        ids[concept] = iter(torch.split(found[order], k))
    return [[next(ids[concept]) for concept in concepts] for _ in range(trials)]


def _measure_success(
    terms: list[Term], concepts: list[Concept], pool: ClassifiedSamples, images: Tensor, pixels: Tensor, near: Tensor
) -> tuple[Success, Proportion]:
    """Count what shows the goal: of the trials' images, of the same in pixels, of any samples, and of `near`."""
    truths = [dict(concept.facts) for concept in concepts]  # all of the same facts
    named = [fact.attribute for fact in truths[0]]
    goal = Concept(tuple((fact, should_hold(terms, [each[fact] for each in truths])) for fact in truths[0]))
    classifier = pool.classifier
    in_images, in_pixels, in_near = map(classifier.probabilities, (images, pixels, near))
    least = float(confidence(pool.probabilities).quantile(UNCLEAR))

    def count(probabilities: Mapping[str, Tensor], confident: float = 0.0) -> Proportion:
        shows = goal.probability(probabilities, classifier.attributes) > 0.5
        return Proportion.count_true(shows & (confidence(probabilities) >= confident))

    success = Success(
        wanted=str(goal),
        latent=count(in_images),
        pixel=count(in_pixels),
        base=count(pool.probabilities),
        latent_clear=count(in_images, least),
        pixel_clear=count(in_pixels, least),
        accuracy=Accuracy.of(classifier, named),
    )
    return success, count(in_near)


def neighborhood(z: Tensor, seed: int) -> Tensor:
    """Return a latent [latent_dim] in the middle of eight neighbors, each number moved by up to `NOISE`: [9, latent_dim]."""
    noise = (torch.rand(9, len(z), generator=generator_for(seed, "arithmetic")) * 2 - 1) * NOISE
    noise[4] = 0
    return z + noise


def _add(terms: list[Term], members: Sequence[Tensor]) -> Tensor:
    """Return Σ sign · mean over the exemplars [k, …] of each term."""
    return torch.stack([term.sign * exemplars.mean(0) for term, exemplars in zip(terms, members, strict=True)]).sum(0)
