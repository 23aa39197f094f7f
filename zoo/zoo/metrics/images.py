"""Real images of a dataset and samples of a model, in an order that can be read from anywhere on after an interruption."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from zoo_core import DataError, ImageSpec, OptionError, UsageError
from zoo_core.errors import unknown

from ..devices import move_to
from ..models.model import Model
from ..packs import Pack, PackRequest, build_pack, open_pack, to_images, to_uint8
from ..packs.request import find_given_pack
from ..progress import SILENT, Reporter
from ..randomness import generator_for
from .extractors import BATCH, checksum


@dataclass(frozen=True)
class Images:
    """Images in a fixed order."""

    key: str  # names the content: equal keys, equal images
    count: int
    label: str  # what they are, for people
    # from the image of this number on, in pieces [n, C, S, S] in [−1, 1], on a device
    pieces: Callable[[int, torch.device], Iterator[Tensor]]


def read_images(pack: Pack, chosen: Tensor | None = None, *, label: str = "real images") -> Images:
    """Return images of a pack: all of them, or those with the given numbers (int64 [n])."""
    numbers = torch.arange(len(pack)) if chosen is None else chosen

    def pieces(first: int, device: torch.device) -> Iterator[Tensor]:
        for part in torch.split(numbers[first:], BATCH):
            yield to_images(move_to(pack.gather(part), device))

    named = hashlib.sha256(numbers.numpy().tobytes()).hexdigest()
    return Images(hash_json({"pack": pack.key, "images": named}), len(numbers), label, pieces)


def choose_images(pack: Pack, most: int, *, seed: int = 0) -> Images:
    """Return at most `most` images of a pack, chosen at random from `seed` where it has more."""
    if most < 1:
        raise OptionError(f"the number of real images must be at least 1, not {most}")
    if most >= len(pack):
        return read_images(pack)
    order = torch.randperm(len(pack), generator=generator_for(seed, "real images"))
    return read_images(pack, order[:most].sort().values)


def generate_images(model: Model, n: int, *, seed: int = 0) -> Images:
    """Return samples of a model, rounded to 8 bits as in a picture file; of a conditional one, classes as in its data."""
    if n < 1:
        raise OptionError(f"the number of samples must be at least 1, not {n}", hint="for example: --samples 10000")

    model = model.mix_classes()

    def pieces(first: int, device: torch.device) -> Iterator[Tensor]:
        for images in model.batches(n, seed=seed, first=first, on_device=True):
            yield to_images(move_to(to_uint8(images), device))

    part = model.config["parts"]["generator"]
    made = {"generator": checksum(model.generator), "latent": model.generator.latent, "config": part}
    device = model.device.type  # kernels of another device round differently
    made |= {"sampler": model.sampler.describe()} if model.sampler else {}
    made |= {"class_counts": model.generator.class_counts} if model.mixed else {}
    return Images(hash_json({**made, "seed": seed, "n": n, "device": device}), n, "samples", pieces)


def spread_numbers(count: int, most: int | None) -> Tensor:
    """Return at most `most` of the numbers below `count`, evenly spread; None or 0 for all of them."""
    return torch.arange(count)[:: max(1, count // most)][:most] if most else torch.arange(count)


def spread_images(images: Images, most: int, device: torch.device) -> Tensor:
    """Return about `most` images [n, C, S, S] on a device, evenly spread, or all where there are fewer."""
    step = max(1, images.count // most)
    found, start = [], 0
    for piece in images.pieces(0, device):
        found.append(piece[-start % step :: step])
        start += len(piece)
        if sum(map(len, found)) >= most:
            break
    return torch.cat(found)


def open_data(image: ImageSpec, request: PackRequest, *, report: Reporter = SILENT) -> Pack:
    """Build or find the pack of a dataset, at the size and channels of a model's images whatever the request says.

    Raises `UsageError` where its `data` is a pack of other images than the model's, and as `build_pack` does.
    """
    if (folder := find_given_pack(request.data)) is not None:
        spec = open_pack(folder).spec
        if (spec.size, spec.channels) != (image.size, image.channels):
            theirs, ours = (f"{i.size}×{i.size}, {'gray' if i.channels == 1 else 'color'}" for i in (spec, image))
            raise UsageError(
                f"{folder} holds images of {theirs}, and the model's are {ours}",
                hint=f"give the source of the pictures, or build such a pack: zoo data build {request.dataset} "
                f"--size {image.size} --channels {image.channels}",
            )
    request = replace(request, size=image.size)
    if request.channels is None:  # as trainings ask, whose pack is there already
        pack = build_pack(request, report=report)
        if pack.spec.channels == image.channels:
            return pack
    return build_pack(replace(request, channels=image.channels), report=report)


def require_labels(pack: Pack, what: str, attribute: str | None = None) -> Tensor:
    """Return the labels [N] of a pack, or the values of an attribute, none missing.

    Raises `DataError` where there are none, `UsageError` where there is no such attribute.
    """
    name = str(pack.info["dataset"]["name"]).partition(":")[2]
    if attribute is not None:
        if attribute not in pack.attributes:
            raise unknown(f"attribute of {name}", attribute, pack.attributes)
        values: Tensor = pack.attributes[attribute].long()
        if absent := int((values < 0).sum()):
            raise DataError(f"{what} needs a label for every image; {attribute} of {absent:,} of {len(pack):,} is unknown")
        return values
    if pack.labels is None or not pack.info["classes"]:
        raise DataError(f"{what} needs labels, and the images of {name} have none", hint="choose a dataset with classes")
    if absent := int((pack.labels < 0).sum()):
        raise DataError(f"{what} needs a label for every image; {absent:,} of {len(pack):,} images of {name} have none")
    return pack.labels


def hash_json(value: Any) -> str:
    """Return the SHA-256 of plain data, in hexadecimal."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
