"""Directions of latent space along which pictures change most, found without labels, or along what labels name.

Three ways, each for any generator:

- "sefa": the directions that the first weights that the latents meet magnify most (Shen and Zhou 2021, arXiv:2007.06600):
  eigenvectors of WᵀW. W is read off the layer's outputs, so it does not matter how the layer is written.
- "pca": the principal components of a stage's activations over random latents, each carried back to the latents by
  regression (Härkönen et al. 2020, arXiv:2004.02546).
- "attributes": for what the images' labels name, the difference of the mean latents of samples that show it and that do
  not, each sample weighted by the attribute classifier's probability.

The number: how much a picture changes along a direction, beside random directions of the same length; and for an attribute
how far its probability rises.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from PIL import Image
from safetensors.torch import save
from torch import Tensor

from zoo_core import UsageError

from ..devices import exact_float32
from ..files import Place, atomic_file
from ..models.model import Model, ModelLike
from ..notebook import AUTOMATIC
from ..progress import Reporter
from ..randomness import generator_for, latents_for
from ..reports.displaying import Displayed
from ..reports.numbers import Verdict, judge
from ..reports.pictures import save_picture, sheet
from .attribute_classifier import AttributeClassifier
from .attribute_directions import check_words, find_attribute_directions
from .classifiers import classifier_for
from .labels import Fact, ImageSource, find_images, request_images
from .samples import Label, block, check_count, draw, open_model, round_values, search
from .weight_directions import find_component_directions, find_weight_directions

Method = Literal["sefa", "pca", "attributes"]
METHODS: tuple[Method, ...] = ("sefa", "pca", "attributes")

_RANDOM = 8  # directions beside which a change is measured
_SPREAD = 4096  # latents from which their spread along a direction is taken


@dataclass(frozen=True, repr=False)
class Directions(Displayed):
    """Directions of latent space; `latent + t · scale · vector` moves by t standard deviations along one."""

    method: str  # "sefa", "pca" or "attributes"
    names: tuple[str, ...]  # of the directions: "sefa 1", or what an attribute's is called: "glasses", "hair=long"
    vectors: Tensor  # [count, latent_dim], of length 1, strongest first
    scales: tuple[float, ...]  # standard deviation of the model's latents along each; 1 for normal latents
    positions: tuple[float, ...]  # of the pictures, in standard deviations; 0 is the sample itself
    images: Tensor  # [count, steps, C, S, S] in [−1, 1]: one sample at each position along each direction
    change: tuple[float, ...]  # root mean square difference of pictures at −1 and 1, in levels of 255
    random_change: float  # the mean of that along random directions
    probability: tuple[tuple[float, float], ...] = ()  # of an attribute at both ends, mean over samples; () without labels

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Whether each direction moves its attribute; by chance the probability is the same at both ends."""
        return tuple(judge(end - start, 0.0, 1.0) for start, end in self.probability)

    def _describe(self) -> str:
        return f"{self.method}: {', '.join(self.names)}"

    def picture(self) -> Image.Image:
        """Return a row for each direction."""
        rows = zip(self.names, self.images, strict=True)
        return sheet([block(name, images, len(images)) for name, images in rows])

    def to_json(self) -> dict[str, Any]:
        """Return the numbers, as plain data."""
        found: dict[str, Any] = {"method": self.method, "random_change": self.random_change, "directions": []}
        for i, name in enumerate(self.names):
            numbers: dict[str, Any] = {"name": name, "scale": self.scales[i], "change": self.change[i]}
            if self.probability:
                numbers |= {"probability": list(self.probability[i]), "verdict": self.verdicts[i]}
            found["directions"].append(numbers)
        return dict(round_values(found))

    def save(self, path: Place) -> Path:
        """Write the vectors [count, latent_dim] and scales [count] as safetensors, names and method as its metadata.

        Raises:
            ZooError: the place cannot be written.
        """
        with atomic_file(file := Path(path)) as temporary:
            temporary.write_bytes(self.to_bytes())
        return file

    def to_bytes(self) -> bytes:
        """Return what `save` writes."""
        tensors = {"vectors": self.vectors.contiguous(), "scales": torch.tensor(self.scales)}
        return save(tensors, {"method": self.method, "names": json.dumps(self.names)})


def find_directions(
    model: ModelLike,
    *,
    method: Method = "sefa",
    count: int = 8,
    stage: str | None = None,
    attributes: Sequence[str] = (),
    reach: float = 3.0,
    steps: int = 7,
    samples: int = 32,
    images: ImageSource = None,
    dataset: str | None = None,
    data: Place | None = None,
    options: Mapping[str, Any] | None = None,
    searched: int = 2048,
    seed: int = 0,
    label: Label = None,
    device: str = "auto",
    out: Place | None = None,
    vectors: Place | None = None,
    report: Reporter = AUTOMATIC,
) -> Directions:
    """Find directions of a model's latent space along which its pictures change.

    Args:
        method: "sefa", "pca" or "attributes"; see above.
        count: how many, at most; the strongest come first.
        stage: whose activations "pca" takes; the first by default.
        attributes: words of "attributes" ("glasses", "hair=long"); by default those that latents tell best.
        reach: how far the pictures go to either side, in standard deviations.
        steps: pictures from −reach to reach.
        samples: by which it is measured what a direction changes.
        images, dataset, data, options, searched: for "attributes", as in `zoo.turn`.
        seed, label, device, out, report: as in `zoo.walk`; the pictures are of sample 0.
        vectors: a .safetensors file to write.

    Raises:
        UsageError: a number is impossible, the stage or a word is unknown, the images have no labels, or no layer of the
            generator is given the latents ("sefa").
    """
    images = request_images(images, dataset, data, options)
    if method not in METHODS:
        raise UsageError(f"unknown method {method!r}; valid: {', '.join(METHODS)}")
    _check_belonging(method, stage, attributes, images)
    check_count(count, "the number of directions", 1, 512)
    check_count(steps, "the number of steps", 3, 101)
    check_count(samples, "the number of samples", 2, 100_000)
    check_count(searched, "the number of samples to search", 20)
    if not 0 < reach <= 100:
        raise UsageError(f"the reach must be above 0 and at most 100, not {reach:g}")
    if vectors is not None and Path(vectors).suffix != ".safetensors":
        raise UsageError(f"{Path(vectors).name!r} does not end in .safetensors", hint="for example: directions.safetensors")
    loaded, file = open_model(model, device, out)
    label = 0 if label is None and loaded.image.num_classes else label  # what is compared should be of one class
    classifier: AttributeClassifier | None = None
    facts: tuple[Fact, ...] = ()
    if method == "sefa":
        found = find_weight_directions(loaded, count, label)
    elif method == "pca":
        found = find_component_directions(loaded, count, stage, label, seed)
    else:
        source = find_images(loaded, model, images)
        check_words(attributes, source.vocabulary())  # before a classifier is trained and samples are searched
        classifier = classifier_for(loaded, source, device=loaded.device, report=report)
        pool = search(loaded, classifier, searched, seed=seed, label=label, report=report)
        facts, found = find_attribute_directions(pool, attributes, count)
    names = tuple(fact.word for fact in facts) or tuple(f"{method} {i}" for i in range(1, len(found) + 1))
    directions = _look(loaded, method, names, found, (reach, steps, samples, seed, label), classifier, facts, report)
    if file is not None:
        save_picture(directions.picture(), file)
    if vectors is not None:
        directions.save(vectors)
    return directions


def _check_belonging(method: str, stage: str | None, attributes: Sequence[str], images: ImageSource) -> None:
    """Raise `UsageError` for what another method takes."""
    if stage is not None and method != "pca":
        raise UsageError(f"a stage belongs to the method pca, not to {method}", hint="add: --method pca")
    if method != "attributes" and (attributes or images is not None):
        what = "attributes belong" if attributes else "images belong"
        raise UsageError(f"{what} to the method attributes, not to {method}", hint="add: --method attributes")


def _look(
    model: Model,
    method: str,
    names: tuple[str, ...],
    found: Tensor,
    how: tuple[float, int, int, int, Label],
    classifier: AttributeClassifier | None,
    facts: Sequence[Fact],
    report: Reporter,
) -> Directions:
    """Draw what directions [K, D] do, and measure it."""
    reach, steps, samples, seed, label = how
    count, shape = len(found), model.image.shape
    cloud = model.generator.sample_latent(_SPREAD, generator_for(seed, "spread"))
    scales = (cloud @ found.T).std(0)  # [K]
    spread = float(cloud.std())
    z = latents_for(model.generator, seed, range(1, 1 + samples))
    random = torch.randn(_RANDOM, found.shape[1], generator=generator_for(seed, "directions"))
    random = spread * random / random.norm(dim=1, keepdim=True)
    along = torch.cat([found * scales[:, None], random])  # [K + R, D]
    positions = torch.linspace(-reach, reach, steps)
    row = latents_for(model.generator, seed, [0]) + positions[None, :, None] * along[:count, None]  # [K, steps, D]
    images = draw(model, row.flatten(0, 1), label, report=report).view(count, steps, *shape)

    def ends(vector: Tensor, at: float) -> Tensor:
        """Draw all measured samples at both ends of one direction: [2, N, C, S, S]."""
        return draw(model, torch.cat([z - at * vector, z + at * vector]), label).view(2, len(z), *shape)

    change, probability = [], []
    with report.task("measuring directions", len(along), "directions") as task, exact_float32():
        for i, vector in enumerate(along):
            change.append(float(ends(vector, 1.0).diff(dim=0).square().mean((0, 2, 3, 4)).sqrt().mean()) * 127.5)
            if classifier is not None and i < count:
                seen = classifier.probabilities(ends(vector, reach).flatten(0, 1))
                start, end = facts[i].probability(seen, classifier.attributes).view(2, -1).mean(1).tolist()
                probability.append((start, end))
            task.update(i + 1)
    return Directions(
        method=method,
        names=names,
        vectors=found,
        scales=tuple(scales.tolist()),
        positions=tuple(positions.tolist()),
        images=images,
        change=tuple(change[:count]),
        random_change=sum(change[count:]) / _RANDOM,
        probability=tuple(probability),
    )
