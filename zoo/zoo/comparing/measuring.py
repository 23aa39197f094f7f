"""One measurement of a model in training: distance to the data, diversity, collapse."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from zoo_core import ZooError
from zoo_core.words import are, plural

from ..metrics.images import read_images
from ..metrics.measuring import Criterion
from ..metrics.store import cache_features
from ..models.model import Model
from ..packs import Pack
from ..progress import Reporter
from ..randomness import generator_for

REAL = 10_000  # most real images that are compared with, chosen at random
PAIRS = 512  # pictures among which pairs are looked at, the first ones
COLLAPSED, REPEATING = 0.25, 0.1  # diversity and nearest, see `Point`, below which samples have collapsed


@dataclass(frozen=True)
class Point:
    """What a model was worth at one moment of its training."""

    images: int  # real ones, shown until then
    seconds: float  # of training, until then
    distance: float  # the metric between its samples and the data
    diversity: float  # mean distance between two samples, as a share of that between two real images
    nearest: float  # median distance from a sample to the nearest other one, likewise; near 0, samples repeat each other

    @property
    def collapsed(self) -> bool:
        """Whether samples are nearly all alike, or repeat a few pictures."""
        return self.diversity < COLLAPSED or self.nearest < REPEATING

    @property
    def images_per_s(self) -> float:
        """Of training alone, from its beginning."""
        return self.images / max(self.seconds, 1e-9)


@dataclass(frozen=True)
class Reference:
    """The data, as the metric sees them."""

    real: Tensor  # what the metric is given of them
    count: int  # of images
    floor: float  # the metric between two halves of them
    floor_count: int  # images of each half: as many as a measurement's samples where they suffice
    mean_distance: float  # between real images, see `Point`
    nearest_distance: float


def measure(model: Model, criterion: Criterion, reference: Reference, samples: int) -> tuple[float, float, float]:
    """Return distance, diversity and nearest of `Point`, from `samples` pictures of latents that are always the same."""
    drawn, features = criterion.inputs(model.mix_classes().batches(samples, on_device=True))
    diversity = mean_distance(features) / reference.mean_distance
    nearest = nearest_distance(features) / (reference.nearest_distance or 1.0)  # 0: the data repeat themselves
    return criterion.measure(reference.real, drawn), diversity, nearest


def measure_data(pack: Pack, criterion: Criterion, samples: int, report: Reporter, *, most: int = REAL) -> Reference:
    """Return the reference, from at most `most` images; raises `ZooError` where they are too few, or all alike."""
    try:
        least = max(4, 2 * criterion.metric.minimum)
        if len(pack) < least:
            few = f"{plural(len(pack), 'image')} {are(len(pack))} too few to be compared with"
            raise ZooError(f"{few}; the least is {least}")
        chosen = torch.randperm(len(pack), generator=generator_for(0, "reference"))[:most]
        images = read_images(pack, chosen, label="the data")
        features = real = cache_features(criterion.extractor, images, report=report)
        if criterion.metric.needs == "images":
            real, _ = criterion.inputs(images.pieces(0, criterion.extractor.device), report=report)
        half = min(samples, len(real) // 2)
        spread, nearest = mean_distance(features[:half]), nearest_distance(features[:half])
        if not spread:
            raise ZooError("the images are all alike: nothing can be measured against them")
        return Reference(real, len(chosen), criterion.measure(real[:half], real[half : 2 * half]), half, spread, nearest)
    except ZooError as error:
        error.message = f"metric {criterion.title!r}: {error.message}"
        raise


def mean_distance(features: Tensor) -> float:
    """Return the mean Euclidean distance of all pairs among the first vectors [n, d], n at least 2."""
    return float(torch.pdist(features[:PAIRS].double()).mean())


def nearest_distance(features: Tensor) -> float:
    """Return the median Euclidean distance from one of the first vectors [n, d] to the nearest other one, n at least 2."""
    first = features[:PAIRS].double()
    distances = torch.cdist(first, first, compute_mode="donot_use_mm_for_euclid_dist")
    return float(distances.fill_diagonal_(float("inf")).amin(1).median())
