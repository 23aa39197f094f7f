"""One measurement of a model in training: distance to the data, diversity, collapse."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from zoo_core import FeatureExtractor, ZooError

from ..files import atomic_file
from ..models.model import Model
from ..packs import Pack, to_images
from ..progress import Reporter
from ..randomness import generator_for
from .distance import Gaussian, Moments, frechet_distance, mean_distance, nearest_distance

REAL = 10_000
"""Most real images that the reference is made of, chosen at random."""

COLLAPSED, REPEATING = 0.25, 0.1
"""Shares of the data's own diversity, and of its distance between nearest neighbors, below which samples have collapsed."""

_BLOCK = 128


@dataclass(frozen=True)
class Point:
    """What a model was worth at one moment of its training.

    Args:
        images, seconds: real images shown, and time of training, until then.
        distance: Fréchet distance between the features of its samples and those of the data.
        diversity: mean distance between two samples, as a share of that between two real images.
        nearest: median distance from a sample to the nearest other one, likewise; near 0, samples repeat each other.
    """

    images: int
    seconds: float
    distance: float
    diversity: float
    nearest: float

    @property
    def collapsed(self) -> bool:
        """Whether samples are nearly all alike, or repeat a few pictures."""
        return self.diversity < COLLAPSED or self.nearest < REPEATING


@dataclass(frozen=True)
class Reference:
    """The data in the space of the features.

    Args:
        gaussian: of the real images.
        count: how many there were.
        floor: distance between two halves of them, each as large as a measurement's samples where they suffice.
        floor_count: images of each half.
        mean_distance, nearest_distance: of the real images, see `Point`.
    """

    gaussian: Gaussian
    count: int
    floor: float
    floor_count: int
    mean_distance: float
    nearest_distance: float


@torch.no_grad()
def measure(model: Model, extractor: FeatureExtractor, reference: Reference, samples: int) -> tuple[float, float, float]:
    """Distance, diversity and nearest of `Point`, from `samples` pictures of latents that are always the same.

    Raises:
        ZooError: a feature is not finite.
    """
    moments = Moments.of_length(extractor.dim)
    for images in model.batches(samples):
        moments.add(_features(extractor, images.to(model.device)))
    diversity = mean_distance(moments.first) / reference.mean_distance
    nearest = nearest_distance(moments.first) / (reference.nearest_distance or 1.0)  # 0: the data repeat themselves
    return frechet_distance(reference.gaussian, moments.gaussian()), diversity, nearest


@torch.no_grad()
def measure_data(pack: Pack, extractor: FeatureExtractor, samples: int, device: torch.device, report: Reporter) -> Reference:
    """The reference, from at most `REAL` images.

    Raises:
        ZooError: there are too few images, they are all alike, or a feature is not finite.
    """
    if len(pack) < 4:
        raise ZooError(f"{len(pack)} images are too few to be compared with; the least is 4")
    chosen = torch.randperm(len(pack), generator=generator_for(0, "reference"))[:REAL]
    half = min(samples, len(chosen) // 2)
    parts = [Moments.of_length(extractor.dim) for _ in range(3)]  # the two halves, and what is left
    with report.task("features of the data", len(chosen), "images") as task:
        done = 0
        for moments, numbers in zip(parts, (chosen[:half], chosen[half : 2 * half], chosen[2 * half :]), strict=True):
            for images in _blocks(pack, numbers):
                moments.add(_features(extractor, images.to(device)))
                done += len(images)
                task.update(done)
    whole = Moments(
        sum(m.count for m in parts), sum_of(m.total for m in parts), sum_of(m.products for m in parts), parts[0].first
    )
    spread, nearest = mean_distance(whole.first), nearest_distance(whole.first)
    if not spread:
        raise ZooError("the images are all alike: nothing can be measured against them")
    floor = frechet_distance(parts[0].gaussian(), parts[1].gaussian())
    return Reference(whole.gaussian(), whole.count, floor, half, spread, nearest)


def kept_reference(path: Path) -> Reference | None:
    """What `keep_reference` wrote, None where it did not or the file is damaged."""
    try:
        tensors = load_file(path)
        numbers = json.loads(bytes(tensors["numbers"].tolist()))
        return Reference(Gaussian(tensors["mean"], tensors["covariance"]), **numbers)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError):
        return None


def keep_reference(reference: Reference, path: Path) -> None:
    """Write a reference as safetensors, so that a comparison that goes on needs not make it again."""
    numbers = {key: value for key, value in vars(reference).items() if key != "gaussian"}
    tensors = {
        "mean": reference.gaussian.mean,
        "covariance": reference.gaussian.covariance,
        "numbers": torch.tensor(list(json.dumps(numbers).encode()), dtype=torch.uint8),
    }
    with atomic_file(path) as temporary:
        save_file(tensors, temporary)


def sum_of(tensors: Iterable[Tensor]) -> Tensor:
    """Their sum."""
    return torch.stack(list(tensors)).sum(0)


def _blocks(pack: Pack, numbers: Tensor) -> Iterable[Tensor]:
    for start in range(0, len(numbers), _BLOCK):
        yield to_images(pack.gather(numbers[start : start + _BLOCK]))


def _features(extractor: FeatureExtractor, images: Tensor) -> Tensor:
    features: Tensor = extractor(images)
    if not math.isfinite(float(features.sum())):
        raise ZooError("a feature is no finite number")
    return features
