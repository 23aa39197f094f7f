"""Feature extractors by name, the kind `features` of the registry, and features of many images.

network = extractor("discriminator", model=zoo.load("runs/dcgan-faces"))
vectors = extract(network, images)  # [N, C, S, S] in [−1, 1] → [N, dim]
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, adaptive_max_pool2d, interpolate

from zoo_core import (
    Discriminator,
    FeatureExtractor,
    ModelError,
    OptionError,
    UnknownNameError,
    UsageError,
    ZooError,
    registry,
)
from zoo_core.options import complete, parse, schema

from ..allocator import keep_freed_memory_during
from ..devices import CPU, bring_back, check_device, exact_float32, group_pieces, move_to
from ..models.model import Model
from ..progress import Reporter

BATCH = 64  # images that are looked at together
GRAY = (0.299, 0.587, 0.114)  # luma of red, green and blue (ITU-R BT.601)
Pool = Literal["max", "average"]


@dataclass(frozen=True)
class Extractor:
    """An extractor with what identifies it."""

    name: str  # "distribution:name" of the registry
    version: str  # of the distribution
    options: dict[str, Any]  # all of them
    network: FeatureExtractor  # in evaluation mode
    weights: str = ""  # what names its weights; "" for their checksum
    device: torch.device = CPU  # where it computes

    def describe(self) -> dict[str, Any]:
        """Name, version, options, and a checksum of the weights: equal for equal features. Plain data."""
        return {
            "name": self.name,
            "version": self.version,
            "options": self.options,
            "dim": self.network.dim,
            "weights": self.weights or checksum(self.network),
        }


def extractor(
    name: str,
    *,
    model: Model | None = None,
    options: Mapping[str, Any] | None = None,
    device: str | torch.device = "cpu",
) -> FeatureExtractor:
    """Return the feature extractor of a name: a module from images [N, 1 or 3, S, S] in [−1, 1], any S, to [N, dim].

    Args:
        name: in the registry: "inception", "discriminator", "pixels", those of plugins; "distribution:name" too.
        model: whose discriminator "discriminator" looks at, where `options` names no other.
        options: of the extractor; texts are read as `--set features.KEY=VALUE` reads them.

    Raises:
        UsageError: no such extractor, option or device; a discriminator of a model that has none.
        ZooError: it cannot be made (its weights cannot be had, …), in words.
    """
    return open_extractor(name, model=model, options=options, device=device).network


def open_extractor(
    name: str,
    *,
    model: Model | None = None,
    options: Mapping[str, Any] | None = None,
    device: str | torch.device = "cpu",
) -> Extractor:
    """Do what `extractor` does, and return name and options beside the network."""
    try:
        entry = registry.find("features", name)
    except UnknownNameError as error:
        error.hint = "zoo list features shows those that are installed; others come with packages: pip install …"
        raise
    target = registry.load("features", name)
    known = schema(target)
    given = {
        key: parse(known[key], value, key=f"features.{key}") if isinstance(value, str) and key in known else value
        for key, value in (options or {}).items()
    }
    full = complete(target, given, where="features", hint=f"to see them: zoo show {name}")
    network: FeatureExtractor
    if issubclass(target, StageFeatures) and model is not None and not full["model"]:
        discriminator = require_discriminator(model.discriminator, "this model")
        network = StageFeatures(discriminator, grid=full["grid"], pool=full["pool"])
    else:
        network = target(**full)
    place = device if isinstance(device, torch.device) else check_device(device)
    return Extractor(entry.qualified, entry.plugin.version, full, network.to(place).eval(), device=place)


def extract(
    network: FeatureExtractor,
    images: Tensor | Iterable[Tensor],
    *,
    batch: int = BATCH,
    total: int | None = None,
    label: str = "features",
    report: Reporter | None = None,
    on_device: bool = False,
) -> Tensor:
    """Compute features of images, in batches.

    Args:
        network: what `extractor` gave.
        images: [N, C, S, S] in [−1, 1], or pieces of it, on any device; one without weights looks at them there.
        total: N where `images` comes in pieces, for the progress, which is called `label`.
        on_device: leave the features where they were computed.

    Returns:
        float32 [N, dim] on the CPU.

    Raises:
        ZooError: features are not finite, or not [N, dim].
    """
    found, done = [], 0
    count = len(images) if isinstance(images, Tensor) else total
    with (report or Reporter()).task(label, count, "images") as task:
        for vectors in stream_features(network, images, batch=batch, on_device=on_device):
            found.append(vectors)
            task.update(done := done + len(vectors))
    return torch.cat(found) if found else torch.empty(0, network.dim)


def stream_features(
    network: FeatureExtractor, images: Tensor | Iterable[Tensor], *, batch: int = BATCH, on_device: bool = False
) -> Iterator[Tensor]:
    """Yield what `extract` returns, in pieces, so that any number of images fits in memory: of at most `batch` on a CPU, of
    `GROUP` times as many from a device, each of which comes back at once.

    What is freed stays meanwhile (`zoo.allocator`): networks for pictures are twice as fast with it on a CPU.
    """
    place, done = find_device(network), 0

    def compute() -> Iterator[Tensor]:
        for piece in (images,) if isinstance(images, Tensor) else images:
            for part in torch.split(piece, batch):
                with torch.no_grad(), exact_float32():
                    vectors = network(move_to(part, place) if place is not None else part).float()
                if list(vectors.shape) != (expected := [len(part), network.dim]):
                    raise ZooError(f"features of {len(part)} images are {list(vectors.shape)}, expected {expected}")
                yield vectors

    with keep_freed_memory_during():
        for vectors in group_pieces(compute()) if on_device else bring_back(compute()):
            finite = torch.isfinite(vectors).all(1)
            if not bool(finite.all()):
                raise ZooError(
                    f"features of image {done + int(finite.long().argmin())} are not finite",
                    hint="the weights of the model or of the extractor may be damaged; try other features: --features NAME",
                )
            done += len(vectors)
            yield vectors


def find_device(network: nn.Module) -> torch.device | None:
    """Return the device of a network; None for one without tensors, which computes where its input is."""
    first = next(chain(network.parameters(), network.buffers()), None)
    return first.device if first is not None else None


def checksum(network: nn.Module) -> str:
    """Return a checksum of a network's parameters and buffers, by name."""
    digest = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


class StageFeatures(FeatureExtractor):
    """Every convolutional stage of a discriminator, pooled to grid × grid, flattened and concatenated, lowest first.

    Radford et al. 2015, arXiv:1511.06434, section 5: `grid=4` by maxima, for a linear classifier. For distances between
    distributions that is too many numbers; `grid=1` by averages gives one for each feature map.

    Stages that are no feature maps count only where there are no others (a network of fully connected layers); a map that is
    smaller than the grid stays as it is. Images of another size or of other channels are resized, antialiased, and made gray
    or three equal channels. A conditional discriminator is told class 0 throughout.

    The discriminator is in evaluation mode from now on. Raises `ModelError` for one without stages.
    """

    resizing: ClassVar[str] = "bilinear, antialiased, where the size differs from the discriminator's"

    def __init__(self, discriminator: Discriminator, *, grid: int = 4, pool: Pool = "max") -> None:
        super().__init__()
        if grid < 1:
            raise OptionError(f"grid must be at least 1, not {grid}")
        self.discriminator = discriminator.eval().requires_grad_(False)
        self.grid, self.pool = grid, adaptive_max_pool2d if pool == "max" else adaptive_avg_pool2d
        place = next(discriminator.parameters()).device
        with torch.no_grad():
            maps = self.pool_stages(torch.zeros(1, *discriminator.image.shape, device=place))
        self.sizes = {name: int(stage.shape[1]) for name, stage in maps.items()}  # how many features are of each stage
        self.dim = sum(self.sizes.values())

    def train(self, mode: bool = True) -> StageFeatures:
        """Stays in evaluation mode: features must not depend on batch mates."""
        super().train(False)
        return self

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat(list(self.pool_stages(x).values()), dim=1)  # [N, dim]

    def pool_stages(self, x: Tensor) -> dict[str, Tensor]:
        """Return the features [N, …] of each stage, lowest first."""
        image = self.discriminator.image
        if x.shape[1] != image.channels:
            weights = torch.tensor(GRAY, device=x.device, dtype=x.dtype)[:, None, None]
            x = x.expand(-1, image.channels, -1, -1) if x.shape[1] == 1 else (x * weights).sum(1, keepdim=True)
        if x.shape[-2:] != (image.size, image.size):
            x = interpolate(x, size=(image.size, image.size), mode="bilinear", antialias=True, align_corners=False)
        labels = torch.zeros(len(x), dtype=torch.int64, device=x.device) if image.num_classes else None
        stages = dict(zip(self.discriminator.stages(), self.discriminator.features(x, labels), strict=True))
        if not stages:
            raise ModelError("this discriminator names no stages, so it has no features")
        maps = {n: self.pool(stage, min(self.grid, *stage.shape[2:])) for n, stage in stages.items() if stage.ndim == 4}
        return {name: stage.flatten(1) for name, stage in (maps or stages).items()}


class MirroredFeatures(FeatureExtractor):
    """Means of the features of images and of their mirror images."""

    def __init__(self, network: FeatureExtractor) -> None:
        super().__init__()
        self.network, self.dim = network, network.dim
        self.resizing = network.resizing  # type: ignore[misc]

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = (self.network(x) + self.network(x.flip(3))) / 2
        return found


def require_discriminator(discriminator: Discriminator | None, where: object) -> Discriminator:
    """Return the discriminator; raises `UsageError` for a model that has none."""
    if discriminator is None:
        hint = "choose other features: zoo list features shows them"
        raise UsageError(f"{where} was published without its discriminator", hint=hint)
    return discriminator
