"""What the tests of evaluation share: pictures of ellipses, and networks that replay pictures."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn

import zoo
from helpers.reporters import Heard as Heard
from zoo.models.model import Model
from zoo.packs import to_images
from zoo_core import FeatureExtractor, Generator, ImageDataset, ImageSpec, Listing, Plugin, Recipe, Record, registry

torch.set_num_threads(1)

SIZE = 16
COUNTS = {"train": 200, "test": 120, "fresh": 200, "few": 12}
COLORS = ((200, 60, 60), (60, 60, 200))


def picture(split: str, i: int) -> Image.Image:
    """An ellipse, red or blue by turns, anywhere, of any size, on a noisy ground."""
    rng = np.random.default_rng([sorted(COUNTS).index(split), i])
    ground = rng.integers(90, 160, (SIZE, SIZE, 3), np.uint8)
    image = Image.fromarray(ground)
    x, y, w, h = rng.uniform(1, 7), rng.uniform(1, 7), rng.uniform(4, 9), rng.uniform(4, 9)
    shade = tuple(int(c + rng.integers(-40, 40)) for c in COLORS[i % 2])
    ImageDraw.Draw(image).ellipse([x, y, x + w, y + h], fill=shade)
    return image


class Ellipses(ImageDataset):
    """Two classes, several splits; `missing` leaves a class out, `unlabeled` leaves out all labels."""

    default_channels = 3

    def __init__(self, *, data: str | None = None, split: str = "train", missing: int = -1, unlabeled: bool = False) -> None:
        super().__init__(data=data, split=split)
        self.missing, self.unlabeled = missing, unlabeled

    def listing(self) -> Listing:
        numbers = [i for i in range(COUNTS[self.split]) if i % 2 != self.missing]
        records = [Record(f"{self.split}-{i}", source=i, label=-1 if self.unlabeled else i % 2) for i in numbers]
        return Listing(records, classes=() if self.unlabeled else ("red", "blue"))

    def decode(self, record: Record) -> Image.Image:
        return picture(self.split, record.source)


class OneClass(Ellipses):
    """Without blue ones."""

    def __init__(self, *, data: str | None = None, split: str = "train") -> None:
        super().__init__(data=data, split=split, missing=1)


class Unlabeled(Ellipses):
    """Without labels."""

    def __init__(self, *, data: str | None = None, split: str = "train") -> None:
        super().__init__(data=data, split=split, unlabeled=True)


class Replaying(Generator):
    """Draws the pictures that it holds, one chosen by the latent, or by label and latent."""

    def __init__(self, *, image: ImageSpec, pictures: int = 1) -> None:
        super().__init__(image=image, latent_dim=1)
        self.held = nn.Parameter(torch.zeros(pictures, *image.shape))
        self.body = nn.Identity()

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        share = torch.special.ndtr(self.body(z)[:, 0]).clamp(0, 1 - 1e-6)
        classes = max(1, self.image.num_classes)
        number = (share * (len(self.held) // classes)).long() * classes
        return self.held[number + (0 if labels is None else labels)]

    def stages(self) -> Mapping[str, nn.Module]:
        return {"body": self.body}


class Counting(FeatureExtractor):
    """Means of quarters of the picture; counts the images that it saw, and breaks at one if told to."""

    dim = 12
    seen = 0
    breaks_at = -1
    fill = 0.0

    def __init__(self, *, bad: float = 0.0) -> None:
        super().__init__()
        self.bad = bad

    def forward(self, x: Tensor) -> Tensor:
        Counting.seen += len(x)
        if 0 <= Counting.breaks_at <= Counting.seen:
            raise KeyboardInterrupt
        out = nn.functional.adaptive_avg_pool2d(x.expand(-1, 3, -1, -1), 2).flatten(1)
        return out + self.bad if self.bad else out


def components() -> AbstractContextManager[None]:
    """Registers all of this."""
    here = "helpers.metrics"
    plugin = Plugin(
        generators={"replaying": f"{here}:Replaying"},
        datasets={"ellipses": f"{here}:Ellipses", "one-class": f"{here}:OneClass", "unlabeled": f"{here}:Unlabeled"},
        features={"counting": f"{here}:Counting"},
        recipes=[
            Recipe(
                "replaying",
                base="dcgan",
                generator="replaying",
                options={"training.size": SIZE, "discriminator.width": 8},
            )
        ],
    )
    return registry.add(plugin, distribution="samples")  # type: ignore[no-any-return]


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    """All of this, and nothing counted so far."""
    Counting.seen, Counting.breaks_at = 0, -1
    with components():
        yield


def pack(split: str = "train", dataset: str = "ellipses") -> zoo.Pack:
    """The pictures of a split."""
    return zoo.build_pack(zoo.PackRequest(dataset, split=split, size=SIZE, channels=3), workers=1)


def pictures(split: str = "train") -> Tensor:
    """[n, 3, S, S] in [−1, 1]."""
    held = pack(split)
    return to_images(held.gather(torch.arange(len(held))))


def replaying(images: Tensor, classes: int = 0) -> Model:
    """A model that draws `images`; of a conditional one, image i has class i mod classes."""
    options = {"generator.pictures": len(images), **({"algorithm.conditional": True} if classes else {})}
    model = zoo.create("replaying", num_classes=classes, options=options)
    model.generator.held.data.copy_(images)
    if classes:
        model.config["classes"] = ["red", "blue"]
    return model


def saved(model: Model, folder: Path) -> Path:
    """Its model folder, from a dataset that it says it was trained on."""
    from zoo.models.folder import write_model

    model.config["provenance"] = {"dataset": {"name": "ellipses", "split": "train", "count": COUNTS["train"]}}
    return write_model(model, folder)


def plain(value: Any) -> Any:
    """Through JSON and back."""
    return json.loads(json.dumps(value, allow_nan=False))
