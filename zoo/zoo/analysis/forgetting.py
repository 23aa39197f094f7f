"""Forgetting to draw an object (Radford et al. 2015, section 6.3.1, Figure 6).

On the generator's second-highest convolutional stage, logistic regression tells activations inside the object's boxes from
others of the same images; every feature map with a positive weight is ablated. The number: how often the classifier still
finds the object on the same latents, beside ablating as many maps at random, and how much the rest of the picture changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from PIL import Image
from torch import Tensor

from zoo_core import UsageError

from ..files import Place
from ..models.folder import write_model
from ..models.model import ModelLike
from ..notebook import AUTOMATIC
from ..progress import Reporter
from ..randomness import generator_for, latents_for
from ..reports.displaying import Displayed
from ..reports.numbers import Verdict, judge
from ..reports.pictures import save_picture, sheet
from .classifiers import classifier_for
from .feature_maps import ablate_units, bake_ablation, second_highest_stage, stage_activations
from .judging import Accuracy, Preservation, compare_preservation
from .labels import Concept, ImageSource, find_images, parse_fact, request_images
from .localization import Detector, read_masks, resize_masks, weigh_maps
from .samples import GroupedProportion, Label, Proportion, block, check_count, draw, open_model, search

SAMPLES = 150  # the paper's number of samples with boxes drawn on them
_CONTROLS = 10  # choices of maps at random, each on the same latents
SHARE = 6  # one in so many maps of the stage is silenced where nobody says how many; see docs/inside.md for the reason
_SHOWN = 8


@dataclass(frozen=True)
class Rates:
    """What the classifier sees before and after, on the same latents."""

    before: Proportion  # how often the object is seen
    after: Proportion
    random: GroupedProportion  # the same after ablating as many maps at random, a group for each choice
    preservation: Preservation  # of the other attributes
    accuracy: Accuracy  # of the classifier for the attribute

    @property
    def verdict(self) -> Verdict:
        """Whether it is forgotten, beside random maps."""
        return judge(self.after.rate, self.random.rate, 0.0, self.after.interval)


@dataclass(frozen=True, repr=False)
class Ablation(Displayed):
    """What a generator draws after feature maps that draw an object were ablated."""

    stage: str  # whose maps are ablated
    maps: Sequence[int]  # their numbers, largest weight first
    of: int  # how many maps the stage has
    before: Tensor  # images [n, C, S, S]
    after: Tensor  # of the same latents
    random: Tensor  # and with as many maps ablated at random
    fit: float  # proportion of held-out positions that the regression tells right
    inside: float | None  # mean absolute change of pixels where the object was, in levels of 255; None where nobody knows
    outside: float  # and elsewhere
    outside_random: float  # the mean change elsewhere with as many maps ablated at random
    with_object: Sequence[int] = ()  # numbers of the images in `before` that show the object; () where nobody knows
    rates: Rates | None = None  # None without a classifier
    saved: Path | None = None  # the model folder of the edited generator, if one was asked for

    def _describe(self) -> str:
        return f"of {len(self.maps)} of {self.of} maps of stage {self.stage}"

    def picture(self) -> Image.Image:
        """Samples with and without the object, and with random maps ablated; those that had the object come first."""
        ids = list(self.with_object[:_SHOWN]) or list(range(min(_SHOWN, len(self.before))))
        rows = {
            "before": self.before,
            f"after silencing {len(self.maps)} of {self.of} maps of stage {self.stage}": self.after,
            f"after silencing {len(self.maps)} maps at random": self.random,
        }
        return sheet([block(heading, images[ids], len(ids)) for heading, images in rows.items()])

    def to_json(self) -> dict[str, Any]:
        """Return the numbers, as plain data."""
        change = {"inside": self.inside, "outside": self.outside, "outside_random": self.outside_random}
        found: dict[str, Any] = {
            "stage": self.stage,
            "silenced": len(self.maps),
            "of": self.of,
            "maps": list(self.maps),
            "fit": round(self.fit, 4),
            "change": {name: round(value, 3) if value is not None else None for name, value in change.items()},
        }
        if (r := self.rates) is not None:
            found |= {name: getattr(r, name).to_json() for name in ("before", "after", "random")}
            found |= {**r.preservation.to_json(), "classifier_accuracy": next(iter(r.accuracy.right.values()), None)}
            found |= {"verdict": r.verdict, "verdict_kept": r.preservation.verdict}
        return {**found, "saved": str(self.saved)} if self.saved is not None else found


def forget(
    model: ModelLike,
    attribute: str | None = None,
    *,
    images: ImageSource = None,
    dataset: str | None = None,
    data: Place | None = None,
    options: Mapping[str, Any] | None = None,
    boxes: Place | None = None,
    most: int | Literal["all"] | None = None,
    samples: int = SAMPLES,
    tested: int = 256,
    searched: int = 1024,
    seed: int = 0,
    label: Label = None,
    save: Place | None = None,
    device: str = "auto",
    out: Place | None = None,
    report: Reporter = AUTOMATIC,
) -> Ablation:
    """Find the feature maps that draw something, and ablate them.

    Args:
        attribute: what to forget ("glasses", "mouth=smile"); see `zoo.analysis.labels`. May be left out with `boxes`, if
            nothing is to be measured.
        images: the labeled images that the classifier learns from; by default those that the model was trained on.
        dataset, data, options: the same by name, in place of `images`, as the command line takes them.
        boxes: a file that says where the object lies, instead of the classifier; see `zoo.analysis.localization.read_masks`.
        most: ablate only so many maps, those with the largest positive weights; by default a sixth of the stage's, which
            leaves the rest of the picture; "all" ablates every one with a positive weight, as the paper.
        samples: most samples from which the maps are found.
        tested: other samples on which it is measured.
        searched: samples among which the classifier looks for the object.
        save: a model folder to write, whose weights no longer draw it.
        seed, label: of the samples.
        device, out, report: as in `zoo.walk`.

    Raises:
        UsageError: the generator has too few stages, the word is unknown, or the object is in none of the samples.
        DataError: the file of boxes cannot be read.
    """
    images = request_images(images, dataset, data, options)
    if attribute is None and boxes is None:
        raise UsageError("say what to forget", hint="--attribute glasses, or --boxes FILE")
    check_count(samples, "the number of samples", 1)
    check_count(tested, "the number of tested samples", 2)
    if isinstance(most, int):
        check_count(most, "the number of maps to silence")
    elif most not in (None, "all"):
        raise UsageError(f"the number of maps to silence must be a number or 'all', not {most!r}")
    loaded, file = open_model(model, device, out)
    stage = second_highest_stage(loaded.generator)
    places = read_masks(Path(boxes), loaded.image.size, samples) if boxes is not None else None
    detector = None
    if attribute is not None:
        source = find_images(loaded, model, images)
        fact, holds = parse_fact(attribute, source.vocabulary())
        if not holds:
            raise UsageError(f"{attribute!r} is the absence of something; only what is drawn can be forgotten")
        detector = Detector(classifier_for(loaded, source, device=loaded.device, report=report), fact)
        if places is None:
            pool = search(loaded, detector.classifier, searched, seed=seed, label=label, report=report)
            having = pool.exemplars(Concept(((fact, True),)))[:samples]
            masks = detector.locate(pool.images[having])  # [N, h, w]
            located = masks.any((1, 2))
            if not bool(located.any()):
                seen = f"the classifier sees {fact.word} in {len(having)} samples and finds its place in none"
                raise UsageError(seen, hint="give --boxes FILE")
            places = having[located].tolist(), masks[located]
    assert places is not None
    ids, masks = places
    z = latents_for(loaded.generator, seed, ids)
    activations = stage_activations(loaded, stage, z, loaded.labels_of(ids, label))
    weights, fit = weigh_maps(activations, resize_masks(masks, *activations.shape[2:]), seed)
    limit = most if isinstance(most, int) else len(weights) if most == "all" else max(1, round(len(weights) / SHARE))
    maps = [int(m) for m in weights.argsort(descending=True) if weights[m] > 0][:limit]
    if not maps:
        raise UsageError(f"no feature map of stage {stage} has a positive weight: nothing there draws it more than the rest")
    first = searched if boxes is None else max(ids) + 1
    numbers = range(first, first + tested)
    z = latents_for(loaded.generator, seed, numbers)

    def draw_without(ablated: list[int]) -> Tensor:
        with ablate_units(loaded.generator.stages()[stage], ablated):
            return draw(loaded, z, label, numbers)

    before, after = draw_without([]), draw_without(maps)
    orders = [torch.randperm(len(weights), generator=generator_for(seed, "random maps", i)) for i in range(_CONTROLS)]
    controls = torch.cat([draw_without(order[: len(maps)].tolist()) for order in orders])
    found = Ablation(
        stage, maps, len(weights), before, after, controls[:tested], fit, **_compare(before, after, controls, detector)
    )
    if save is not None:
        why = f" to forget {attribute}" if attribute else ""
        what = f"{len(maps)} of {len(weights)} maps of stage {stage} silenced{why}"
        config = {**loaded.config, "weights": f"{loaded.config.get('weights', 'weights')}, {what}"}
        config.pop("sha256", None)
        edited = replace(loaded, generator=bake_ablation(loaded, stage, maps), config=config)
        found = replace(found, saved=write_model(edited, Path(save)))
    if file is not None:
        save_picture(found.picture(), file)
    return found


def _compare(before: Tensor, after: Tensor, controls: Tensor, detector: Detector | None) -> dict[str, Any]:
    """Return what an `Ablation` says of the differences; `controls` are the images without random maps, several times."""
    change, other_change = _measure_change(before, after), _measure_change(before, controls)
    place = torch.zeros_like(change, dtype=torch.bool)
    rates, with_object = None, []
    if detector is not None:
        attribute = detector.fact.attribute
        first, second, random = (detector.classifier.probabilities(images) for images in (before, after, controls))
        shown = detector.find(first)
        rates = Rates(
            before=Proportion.count_true(shown),
            after=Proportion.count_true(detector.find(second)),
            random=GroupedProportion.count_groups(detector.find(random), _CONTROLS),
            preservation=compare_preservation(first, second, random, {attribute}),
            accuracy=Accuracy.of(detector.classifier, [attribute]),
        )
        with_object = shown.nonzero().squeeze(1).tolist()
        place = resize_masks(detector.locate(before), *before.shape[2:]) & shown[:, None, None]
    return {
        "inside": float(change[place].mean()) if bool(place.any()) else None,
        "outside": float(change[~place].mean()),
        "outside_random": float(other_change[~place.repeat(_CONTROLS, 1, 1)].mean()),
        "with_object": with_object,
        "rates": rates,
    }


def _measure_change(before: Tensor, after: Tensor) -> Tensor:
    """Absolute change of pixels in levels of 255, mean over channels: [N, S, S]; `after` may hold `before` several times."""
    times = len(after) // len(before)
    return (after - before.repeat(times, 1, 1, 1)).abs().mean(1) * 127.5
