"""Forgetting to draw an object (Radford et al. 2015, section 6.3.1, Figure 6).

On the generator's second-highest convolutional stage, logistic regression tells activations inside the object's boxes from
others of the same images; every feature map with a positive weight is silenced. The number: how often the judge still sees
the object on the same latents, beside silencing as many maps chosen at random, and how much the rest of the picture changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from zoo_core import UsageError

from ..analysis.labeled import Images, images_for
from ..models.folder import write_model
from ..models.model import Model
from ..progress import Reporter
from ..randomness import generator_for
from .concepts import Concept, Fact, parse_fact
from .drawing import Label, check_count, draw, labels_of, opened, sample_latents
from .judging import AttributeClassifier, classifier_of
from .places import at_size, places_by_judge, read_places, spread
from .proportions import Proportion, mean_of
from .regression import activations_of, weights_of
from .searching import search
from .sheets import Block, check_picture_name, save_picture, sheet
from .stages import ablate_units, bake_ablation, second_highest

SAMPLES = 150
"""The paper's number of samples with boxes drawn on them."""

_SILENT = Reporter()
_CONTROLS = 5
_SHOWN = 8


@dataclass(frozen=True)
class Rates:
    """What the judge sees before and after, on the same latents.

    Args:
        before, after: how often the object is seen.
        random: the same after silencing as many maps at random, over several choices.
        kept: other attribute → share of samples whose judged value did not change.
        kept_random: the same for the random choices.
        accuracy: of the judge for the attribute, on held-out images.
    """

    before: Proportion
    after: Proportion
    random: Proportion
    kept: Mapping[str, float]
    kept_random: Mapping[str, float]
    accuracy: float


@dataclass(frozen=True)
class Forgotten:
    """A generator that no longer draws something.

    Args:
        stage: whose maps are silenced.
        maps: their numbers, largest weight first.
        of: how many maps the stage has.
        fit: share of held-out positions that the regression tells right.
        before, after, random: images [n, C, S, S] of the same latents; `random` with as many maps silenced at random.
        inside, outside: mean absolute change of pixels, in levels of 255, where the object was and elsewhere; `inside` is
            None where nobody knows where it was.
        outside_random: the mean change elsewhere with as many maps silenced at random.
        rates: None without a judge.
        saved: the model folder of the edited generator, if one was asked for.
    """

    stage: str
    maps: Sequence[int]
    of: int
    fit: float
    before: Tensor
    after: Tensor
    random: Tensor
    inside: float | None
    outside: float
    outside_random: float
    rates: Rates | None
    saved: Path | None = None
    chosen: Sequence[int] = field(default_factory=tuple)

    def picture(self) -> Image.Image:
        """Samples with and without the object, and with random maps silenced; those that had the object come first."""
        ids = list(self.chosen[:_SHOWN]) or list(range(min(_SHOWN, len(self.before))))
        rows = [
            Block("before", self.before[ids], len(ids)),
            Block(f"after silencing {len(self.maps)} of {self.of} maps of stage {self.stage}", self.after[ids], len(ids)),
            Block(f"after silencing {len(self.maps)} maps at random", self.random[ids], len(ids)),
        ]
        return sheet(rows)

    def to_json(self) -> dict[str, Any]:
        """The numbers, as plain data."""

        def rounded(values: Mapping[str, float]) -> dict[str, float]:
            return {name: round(value, 4) for name, value in values.items()}

        found: dict[str, Any] = {
            "stage": self.stage,
            "silenced": len(self.maps),
            "of": self.of,
            "maps": list(self.maps),
            "fit": round(self.fit, 4),
            "change": {
                "inside": round(self.inside, 3) if self.inside is not None else None,
                "outside": round(self.outside, 3),
                "outside_random": round(self.outside_random, 3),
            },
        }
        if self.rates is not None:
            r = self.rates
            found |= {
                "before": r.before.to_json(),
                "after": r.after.to_json(),
                "random": r.random.to_json(),
                "kept": rounded(r.kept),
                "kept_mean": mean_of(r.kept),
                "kept_random_mean": mean_of(r.kept_random),
                "judge_accuracy": r.accuracy,
            }
        if self.saved is not None:
            found["saved"] = str(self.saved)
        return found


def forget(
    model: Model | str | Path,
    attribute: str | None = None,
    *,
    images: Images = None,
    boxes: str | Path | None = None,
    most: int | None = None,
    samples: int = SAMPLES,
    tested: int = 256,
    searched: int = 1024,
    seed: int = 0,
    label: Label = None,
    save: str | Path | None = None,
    device: str = "cpu",
    out: str | Path | None = None,
    report: Reporter = _SILENT,
) -> Forgotten:
    """Find the feature maps that draw something, and silence them.

    Args:
        model: a model, or where one lies.
        attribute: what to forget ("glasses", "mouth=smile"); see `zoo.analysis.concepts`. May be left out with `boxes`, if
            nothing is to be measured.
        images: the labeled images that the judge learns from; by default those that the model was trained on.
        boxes: a file that says where the object lies, instead of the judge; see `zoo.analysis.places.read_places`.
        most: silence only so many maps, those with the largest positive weights; None silences all of them, as the paper.
        samples: most samples from which the maps are found.
        tested: other samples on which it is measured.
        searched: samples among which the judge looks for the object.
        seed, label: of the samples.
        save: a model folder to write, whose weights no longer draw it.
        device: where a model that is named by its place goes; see `zoo.load`.
        out: a picture to write.
        report: hears the progress.

    Raises:
        UsageError: the generator has too few stages, the word is unknown, or the object is in none of the samples.
        DataError: the file of boxes cannot be read.
    """
    if attribute is None and boxes is None:
        raise UsageError("say what to forget", hint="--attribute glasses, or --boxes FILE")
    check_count(samples, "the number of samples", 1)
    check_count(tested, "the number of tested samples", 2)
    check_count(1 if most is None else most, "the number of maps to silence")
    file = check_picture_name(out) if out is not None else None
    loaded = opened(model, device)
    stage = second_highest(loaded.generator)
    judge, fact = None, None
    if attribute is not None:
        judge = classifier_of(images_for(loaded, model, images, report=report), report=report)
        fact, holds = parse_fact(attribute, judge.attributes)
        if not holds:
            raise UsageError(f"{attribute!r} is the absence of something; only what is drawn can be forgotten")
    ids, masks = _where(loaded, judge, fact, boxes, samples, searched, seed, label, report)
    first = searched if boxes is None else max(ids) + 1
    tests = range(first, first + tested)
    activations = activations_of(loaded, stage, sample_latents(loaded, ids, seed=seed), labels_of(loaded, ids, label))
    weights, fit = weights_of(activations, at_size(masks, *activations.shape[2:]), seed)
    maps = [int(m) for m in weights.argsort(descending=True) if weights[m] > 0][:most]
    if not maps:
        raise UsageError(f"no feature map of stage {stage} has a positive weight: nothing there draws it more than the rest")
    found = _compare(loaded, stage, maps, len(weights), fit, tests, judge, fact, seed, label)
    if save is not None:
        new = Model(bake_ablation(loaded, stage, maps), loaded.discriminator, dict(loaded.config))
        what = f"{len(maps)} of {len(weights)} maps of stage {stage} silenced" + (
            f" to forget {attribute}" if attribute else ""
        )
        new.config["weights"] = f"{loaded.config.get('weights', 'weights')}, {what}"
        new.config.pop("sha256", None)
        found = Forgotten(**{**vars(found), "saved": write_model(new, Path(save))})
    if file is not None:
        save_picture(found.picture(), file)
    return found


def _where(
    model: Model,
    judge: AttributeClassifier | None,
    fact: Fact | None,
    boxes: str | Path | None,
    samples: int,
    searched: int,
    seed: int,
    label: Label,
    report: Reporter,
) -> tuple[list[int], Tensor]:
    """Numbers of samples that show the object, and where: bool [N, h, w]."""
    if boxes is not None:
        found = read_places(boxes, model.image.size)
        if isinstance(found, dict):
            return spread(found)
        return list(range(samples)), found.expand(samples, -1, -1)
    assert judge is not None
    assert fact is not None
    pool = search(model, judge, searched, seed=seed, label=label, report=report)
    ids = pool.exemplars(Concept(((fact, True),)), judge, 1)[:samples]
    masks = places_by_judge(judge, pool.images[ids], fact)
    seen = masks.flatten(1).any(1)
    if not bool(seen.any()):
        raise UsageError(
            f"the judge sees {fact.word} in {len(ids)} samples and finds its place in none", hint="give --boxes FILE"
        )
    return ids[seen].tolist(), masks[seen]


def _compare(
    model: Model,
    stage: str,
    maps: list[int],
    of: int,
    fit: float,
    tests: range,
    judge: AttributeClassifier | None,
    fact: Fact | None,
    seed: int,
    label: Label,
) -> Forgotten:
    """Draw the same latents with and without, and with random maps silenced; look at the difference."""
    z, labels = sample_latents(model, tests, seed=seed), labels_of(model, list(tests), label)
    module = model.generator.stages()[stage]
    before = draw(model, z, labels)
    with ablate_units(module, maps):
        after = draw(model, z, labels)
    random = []
    for i in range(_CONTROLS):
        other = torch.randperm(of, generator=generator_for(seed, "random maps", i))[: len(maps)].tolist()
        with ablate_units(module, other):
            random.append(draw(model, z, labels))
    inside, rates, chosen = None, None, torch.arange(0)
    place = torch.zeros(len(z), model.image.size, model.image.size, dtype=torch.bool)
    having = torch.ones(len(z), dtype=torch.bool)
    if judge is not None and fact is not None:
        judged = judge.probabilities(before)
        having = fact.probability(judged, judge.attributes) > 0.5
        chosen = having.nonzero().squeeze(1)
        place = at_size(places_by_judge(judge, before, fact), model.image.size, model.image.size) & having[:, None, None]
        rates = _rates(judge, fact, judged, after, random)
    change, other_change = (_levels(before, images) for images in (after, torch.stack(random).flatten(0, 1)))
    if bool(place.any()):
        inside = float(change[place].mean())
    return Forgotten(
        stage=stage,
        maps=maps,
        of=of,
        fit=fit,
        before=before,
        after=after,
        random=random[0],
        inside=inside,
        outside=float(change[~place].mean()),
        outside_random=float(other_change[~place.repeat(_CONTROLS, 1, 1)].mean()),
        rates=rates,
        chosen=chosen.tolist(),
    )


def _rates(
    judge: AttributeClassifier, fact: Fact, before: Mapping[str, Tensor], after: Tensor, random: Sequence[Tensor]
) -> Rates:
    def share(judged: Mapping[str, Tensor]) -> Proportion:
        p = fact.probability(judged, judge.attributes)
        return Proportion(int((p > 0.5).sum()), len(p))

    def kept(judged: Mapping[str, Tensor], times: int = 1) -> dict[str, float]:
        return {
            name: float((p.argmax(1) == before[name].argmax(1).repeat(times)).float().mean())
            for name, p in judged.items()
            if name != fact.attribute
        }

    left, other = judge.probabilities(after), judge.probabilities(torch.cat(list(random)))
    return Rates(
        share(before),
        share(left),
        share(other),
        kept(left),
        kept(other, len(random)),
        judge.accuracy.get(fact.attribute, 0.0),
    )


def _levels(before: Tensor, after: Tensor) -> Tensor:
    """Absolute change of pixels in levels of 255, mean over channels: [N, S, S]; `after` may hold `before` several times."""
    times = len(after) // len(before)
    return (after - before.repeat(times, 1, 1, 1)).abs().mean(1) * 127.5
