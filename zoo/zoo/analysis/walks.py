"""Pictures along paths through latent space: walks between random latents, and directions that turn what samples show.

A walk (Radford et al. 2015, section 6.1): if the model has learned something, there are no jumps. The number: for each path
between two latents, its largest step over its mean step, and its largest step over the mean difference of unrelated frames
(the same frames shuffled). A model that only repeats training images stands still and jumps: its largest step is as long as
the difference of unrelated images.

A direction (section 6.3.2, Figure 8) is the difference of two mean latents: of samples that show the one concept and of
samples that show the other. Added to random latents in steps, it should move the one attribute, step by step, and leave the
rest as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from zoo_core import UsageError

from ..files import Place
from ..models.grids import to_pictures
from ..models.model import ModelLike
from ..notebook import AUTOMATIC
from ..progress import Reporter
from ..randomness import generator_for, latents_for
from ..reports.displaying import Displayed
from ..reports.numbers import Verdict, judge
from ..reports.pictures import save_gif, save_picture, sheet
from .attribute_classifier import AttributeClassifier
from .classifiers import classifier_for
from .feature_maps import batches_for
from .judging import Accuracy, Preservation, compare_preservation
from .labels import ImageSource, find_images, parse_concepts, request_images
from .samples import Label, block, check_count, draw, open_model, round_values, search

_SHOWN = 8
_FALL = 1e-3  # smaller falls of a mean probability are none


@dataclass(frozen=True)
class Smoothness:
    """How evenly paths go, in one space."""

    path: float  # largest step over mean step, mean over the paths; 1 is perfectly even
    shuffled: float  # the same of the same frames in random order
    jump: float  # largest step of a path over the mean difference of unrelated frames, mean over the paths; near 1 is a jump
    worst: float  # the largest `jump` of any path

    def verdict(self, steps: int) -> Verdict:
        """Whether paths of so many frames are even: a jump is as long as unrelated frames are apart, an even step a part."""
        return judge(self.jump, 1.0, 1 / (steps - 1))


@dataclass(frozen=True, repr=False)
class Walk(Displayed):
    """Paths through a series of latents."""

    latents: Tensor  # [P, steps, latent_dim], path p from latent p to latent p + 1
    images: Tensor  # [P, steps, C, S, S] in [−1, 1]
    smoothness: Mapping[str, Smoothness]  # space ("pixels", "features" where the model has a discriminator) → numbers
    how: str  # "linear", "spherical", or "along 0-9"

    def _describe(self) -> str:
        return f"of {self.images.shape[0]} paths of {self.images.shape[1]} pictures, {self.how}"

    def picture(self) -> Image.Image:
        """Return a row for each path."""
        return sheet([block("", self.images.flatten(0, 1), self.images.shape[1])])

    def to_json(self) -> dict[str, Any]:
        """Return the numbers, as plain data."""
        paths, steps = self.images.shape[:2]
        smoothness = {
            space: {**round_values(vars(numbers)), "verdict": numbers.verdict(steps)}
            for space, numbers in self.smoothness.items()
        }
        return {"paths": paths, "steps": steps, "interpolation": self.how, "smoothness": smoothness}


def walk(
    model: ModelLike,
    *,
    latents: int = 9,
    steps: int = 10,
    how: Literal["linear", "spherical"] = "spherical",
    along: str | None = None,
    seed: int = 0,
    label: Label = None,
    device: str = "auto",
    out: Place | None = None,
    report: Reporter = AUTOMATIC,
) -> Walk:
    """Interpolate between a series of random latents, or move each of them along one of its numbers.

    Args:
        model: a model, or where one lies.
        latents: how many; the paper has 9. The paths go from each to the next.
        steps: frames of a path, both ends included.
        how: "linear" is the paper's; "spherical" keeps to the lengths that latents have (White 2016, arXiv:1609.04468).
        along: "12" moves number 12 of each latent (the first is 0) from −1 to 1 where latents are uniform, else from −2 to
            2; "0-9" makes each of these ten the largest in turn, for codes that are one of several values (`infogan`).
        seed: the latents are those of samples 0, 1, … of `zoo sample --seed SEED`.
        label: of a conditional model; class 0 by default.
        device: where a model that is named by its place goes; see `zoo.load`.
        out: a picture to write; a name that ends in .gif makes an animation.
        report: hears the progress.

    Raises:
        UsageError: a number is impossible, or `out` cannot be a picture.
    """
    check_count(latents, "the number of latents", 2, 1000)
    check_count(steps, "the number of steps", 3, 1000)
    if how not in ("linear", "spherical"):
        raise UsageError(f"unknown interpolation {how!r}; valid: linear, spherical")
    loaded, file = open_model(model, device, out)
    ends = latents_for(loaded.generator, seed, range(latents))
    if along is None:
        between, name = interpolate(ends[:-1], ends[1:], steps, how), str(how)  # [P, steps, D]
    else:
        reach = 1.0 if loaded.generator.latent == "uniform" else 2.0
        between, name = _move_along(along, ends, steps, reach), f"along {along}"
    images = draw(loaded, between.flatten(0, 1), label, report=report, on_device=True)
    steps, values = between.shape[1], along is not None and "-" in along  # which have no order
    frames = {} if values else {"pixels": images.flatten(1)}
    if loaded.discriminator is not None and not values:
        batches, last = batches_for(loaded.discriminator, images, loaded.labels_of([0] * len(images), label)), []
        with torch.no_grad():
            for batch in batches:
                stage = loaded.discriminator.features(*batch)[-1]
                if stage.ndim == 4:  # averaged over 4×4 cells at most
                    stage = F.adaptive_avg_pool2d(stage, (min(4, stage.shape[2]), min(4, stage.shape[3])))
                last.append(stage.flatten(1).float())
        frames["features"] = torch.cat(last)  # [N, F]
    smoothness = {space: _measure_smoothness(f.view(-1, steps, f.shape[1]), seed) for space, f in frames.items()}
    images = images.cpu()
    found = Walk(between, images.view(-1, steps, *images.shape[1:]), smoothness, name)
    if file is not None and file.suffix.lower() == ".gif":
        side = -(-128 // images.shape[-1]) * images.shape[-1]  # whole pixels, at least 128
        pictures = [p.resize((side, side), Image.Resampling.NEAREST) for p in to_pictures(images)]
        save_gif(pictures, file)
    elif file is not None:
        save_picture(found.picture(), file)
    return found


def interpolate(a: Tensor, b: Tensor, steps: int, how: str = "spherical") -> Tensor:
    """Return latents from a to b [P, D], both included: [P, steps, D]."""
    t = torch.linspace(0, 1, steps, dtype=a.dtype)[None, :, None]
    a, b = a[:, None], b[:, None]
    straight = a + t * (b - a)
    if how == "linear":
        return straight
    angle = torch.arccos(F.cosine_similarity(a, b, dim=2).clamp(-1, 1))[..., None]
    curved = (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)
    return torch.where(torch.sin(angle).abs() < 1e-4, straight, curved)  # (anti)parallel: there is no one arc


def _move_along(along: str, z: Tensor, steps: int, reach: float) -> Tensor:
    """Return latents [P, steps, D] of z [P, D] with one number from end to end, or each of several in turn the largest;
    raises `UsageError` where there are no such numbers.
    """
    found = re.fullmatch(r"([0-9]{1,9})(?:-([0-9]{1,9}))?", along)
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
    if not first <= last < z.shape[1] or (found and found[2] == found[1]):
        raise UsageError(
            f"{along!r} are no numbers of this latent, which are 0 to {z.shape[1] - 1}",
            hint="for example: --along 12, or --along 0-9 for the largest of ten in turn",
        )
    count = last + 1 - first
    ends = torch.linspace(-reach, reach, steps)[:, None] if count == 1 else reach * (2 * torch.eye(count) - 1)
    moved = z[:, None].repeat(1, len(ends), 1)
    moved[:, :, first : last + 1] = ends
    return moved


def _measure_smoothness(frames: Tensor, seed: int) -> Smoothness:
    """Return how evenly paths go: frames [P, steps, F] → numbers."""
    order = torch.randperm(frames.shape[0] * frames.shape[1], generator=generator_for(seed, "shuffled"))
    shuffled = frames.flatten(0, 1)[order.to(frames.device)].view_as(frames)
    step, other = (torch.linalg.vector_norm(f.diff(dim=1), dim=2) for f in (frames, shuffled))  # [P, steps − 1]
    uneven, uneven_shuffled = (float((s.amax(1) / s.mean(1).clamp(min=1e-12)).mean()) for s in (step, other))
    jump = step.amax(1) / other.mean().clamp(min=1e-12)
    return Smoothness(uneven, uneven_shuffled, float(jump.mean()), float(jump.max()))


@dataclass(frozen=True, repr=False)
class Turning(Displayed):
    """What a direction does to random samples."""

    direction: Tensor  # [latent_dim], from the mean of the one concept to that of the other
    positions: Sequence[float]  # where along the direction, in multiples of it; 0 is the sample itself
    images: Tensor  # [N, steps, C, S, S] in [−1, 1]
    probability: Sequence[float]  # mean probability of the second concept at each position
    start: Sequence[float]  # and of the first
    monotone: float  # proportion of steps at which `probability` does not fall
    # other attributes at both ends, beside the middle, and along random directions of the same length
    preservation: Preservation
    # mean distance of the ends from the middle in the classifier's embedding, over that of unrelated samples
    identity: float
    identity_random: float  # the same along random directions
    exemplars: tuple[int, int]  # how many made each mean
    accuracy: Accuracy  # of the classifier, for the attributes that should change

    @property
    def verdict(self) -> Verdict:
        """Whether the direction turns what it should: by chance the probability at its end is that at its beginning."""
        return judge(self.probability[-1] - self.probability[0], 0.0, 1.0)

    def _describe(self) -> str:
        first, last = self.probability[0], self.probability[-1]
        return f"of {len(self.images)} samples, probability of the concept from {first:.2f} to {last:.2f}"

    def picture(self) -> Image.Image:
        """Return a row for each of the first samples."""
        return sheet([block("", self.images[:_SHOWN].flatten(0, 1), self.images.shape[1])])

    def to_json(self) -> dict[str, Any]:
        """Return the numbers, as plain data."""
        left_out = ("direction", "images", "accuracy", "preservation")
        numbers = {name: value for name, value in vars(self).items() if name not in left_out}
        verdicts = {"verdict": self.verdict, "verdict_kept": self.preservation.verdict}
        told = {"classifier_accuracy": dict(self.accuracy.right), **verdicts}
        return {**round_values(numbers), **self.preservation.to_json(), **told}


def turn(
    model: ModelLike,
    start: str,
    end: str,
    *,
    images: ImageSource = None,
    dataset: str | None = None,
    data: Place | None = None,
    options: Mapping[str, Any] | None = None,
    exemplars: int = 256,
    reach: float = 1.0,
    steps: int = 9,
    samples: int = 64,
    searched: int = 2048,
    seed: int = 0,
    label: Label = None,
    device: str = "auto",
    out: Place | None = None,
    report: Reporter = AUTOMATIC,
) -> Turning:
    """Move random samples along the direction from one concept to another.

    Args:
        start, end: concepts ("turn=left", "no-glasses"); see `zoo.analysis.labels`.
        images: the labeled images that the classifier learns from; by default those that the model was trained on.
        dataset, data, options: the same by name, in place of `images`, as the command line takes them.
        exemplars: most samples in each mean. The paper has 4; of more, what is theirs by chance averages out.
        reach: how far to go to either side, in multiples of the direction.
        steps: positions from −reach to reach.
        samples: how many random samples are turned; they are no exemplars.
        searched: samples among which the classifier looks for exemplars.
        seed, label, device, out, report: as in `zoo.walk`.

    Raises:
        UsageError: as `zoo.arithmetic`.
    """
    images = request_images(images, dataset, data, options)
    check_count(steps, "the number of steps", 3, 101)
    check_count(samples, "the number of samples", 2)
    check_count(exemplars, "the number of exemplars", 1)
    check_count(searched, "the number of samples to search", 2)
    loaded, file = open_model(model, device, out)
    label = 0 if label is None and loaded.image.num_classes else label  # what is compared should be of one class
    source = find_images(loaded, model, images)
    first, second = parse_concepts([start, end], source.vocabulary())
    classifier = classifier_for(loaded, source, device=loaded.device, report=report)
    pool = search(loaded, classifier, searched, seed=seed, label=label, report=report)
    ids = [pool.exemplars(concept)[:exemplars] for concept in (first, second)]
    direction = pool.latents[ids[1]].mean(0) - pool.latents[ids[0]].mean(0)
    z = latents_for(loaded.generator, seed, range(searched, searched + samples))
    other = torch.randn(z.shape, generator=generator_for(seed, "directions"))
    other = other / other.norm(dim=1, keepdim=True) * direction.norm()
    positions = torch.linspace(-reach, reach, steps)

    def move(along: Tensor) -> Tensor:
        """Draw the samples at each position along a direction [D] or [N, D]: [N, steps, C, S, S]."""
        moved = z[:, None] + positions[None, :, None] * along.expand_as(z)[:, None]
        return draw(loaded, moved.flatten(0, 1), label).view(samples, steps, *loaded.image.shape)

    turned, changed = move(direction), {fact.attribute for fact, _ in first.facts}
    probabilities = classifier.probabilities(turned.flatten(0, 1))
    probability, begin = (
        concept.probability(probabilities, classifier.attributes).view(samples, steps).mean(0) for concept in (second, first)
    )
    elsewhere = move(other)
    middle, here, there = (
        classifier.probabilities(part) for part in (turned[:, steps // 2], _ends_of(turned), _ends_of(elsewhere))
    )
    found = Turning(
        direction=direction,
        positions=positions.tolist(),
        images=turned,
        probability=probability.tolist(),
        start=begin.tolist(),
        monotone=float((probability.diff() >= -_FALL).float().mean()),
        preservation=compare_preservation(middle, here, there, changed),
        identity=_measure_identity(classifier, turned),
        identity_random=_measure_identity(classifier, elsewhere),
        exemplars=(len(ids[0]), len(ids[1])),
        accuracy=Accuracy.of(classifier, sorted(changed)),
    )
    if file is not None:
        save_picture(found.picture(), file)
    return found


def _ends_of(images: Tensor) -> Tensor:
    """Return the first and the last pictures of [N, steps, …]: [2 · N, …]."""
    return torch.cat([images[:, 0], images[:, -1]])


def _measure_identity(classifier: AttributeClassifier, images: Tensor) -> float:
    """Return how far the ends are from the middle in the classifier's embedding, over unrelated samples."""
    here, there = (classifier.embeddings(part) for part in (images[:, images.shape[1] // 2], _ends_of(images)))
    away = (there - here.repeat(2, 1)).norm(dim=1).mean()
    unrelated = (here - here.roll(1, 0)).norm(dim=1).mean()
    return float(away / unrelated.clamp(min=1e-12))
