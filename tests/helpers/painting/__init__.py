"""A third party's generator that does what it says, and pictures that are labeled with it.

Latent 0 above 0 paints a red square in the middle, latent 1 makes the background blue (below 0) or green, latent 2 draws a
bright line at the bottom. So it is known what a picture shows, which feature map draws it, and which direction turns it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

import zoo
from zoo.analysis import attribute_classifier
from zoo.models.model import Model
from zoo_core import Discriminator, Generator, ImageDataset, ImageSpec, Listing, Picture, Plugin, Record, registry

SIZE = 16
SQUARE = (4, 4, 12, 12)
STEPS = 60


class _Maps(nn.Module):
    """Latents to [N, 4, 8, 8]: the square, blue, green, the line."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(4, 4, 1)
        self.mix.weight.data = torch.eye(4)[:, :, None, None]
        nn.init.zeros_(self.mix.bias)
        square = [[float(2 <= x < 6 and 2 <= y < 6) for x in range(8)] for y in range(8)]
        everywhere, line = [[1.0] * 8] * 8, [[float(y == 7)] * 8 for y in range(8)]
        self.register_buffer("shapes", torch.tensor([square, everywhere, everywhere, line]))

    def forward(self, z: Tensor) -> Tensor:
        amount = torch.stack([z[:, 0], -z[:, 1], z[:, 1], z[:, 2]], 1).mul(8).sigmoid()
        maps: Tensor = self.mix(amount[:, :, None, None] * self.shapes)
        return maps.relu()


class Painter(Generator):
    """Paints, see above."""

    tiny: Mapping[str, Any] = {"image": ImageSpec(SIZE)}

    def __init__(self, *, image: ImageSpec, latent_dim: int = 6, stages: int = 2) -> None:
        super().__init__(image=image, latent_dim=latent_dim)
        self.maps = _Maps()
        self.grow = nn.Upsample(scale_factor=image.size // 8)
        self.count = stages
        self.to_image = nn.Conv2d(4, 3, 1)
        colors = [[6.0, 0, 0, 6], [-3, 0, 3, 6], [-3, 3, 0, 6]]  # red square, blue, green, white line
        self.to_image.weight.data = torch.tensor(colors)[:, :, None, None]
        nn.init.constant_(self.to_image.bias, -1.5)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        image: Tensor = self.to_image(self.grow(self.maps(z)))
        return image.tanh()

    def stages(self) -> Mapping[str, nn.Module]:
        return dict([("8x8", self.maps), ("16x16", self.grow)][: self.count])


class Critic(Discriminator):
    """Convolutions with activations that are called as functions."""

    tiny: Mapping[str, Any] = {"image": ImageSpec(SIZE)}

    def __init__(self, *, image: ImageSpec, width: int = 8) -> None:
        super().__init__(image=image)
        self.first = nn.Conv2d(image.channels, width, 4, 2, 1)
        self.second = nn.Sequential(nn.Conv2d(width, width, 4, 2, 1), nn.BatchNorm2d(width), nn.LeakyReLU(0.2, inplace=True))
        self.logit = nn.Linear(width, 1)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        maps = self.second(torch.nn.functional.leaky_relu(self.first(x), 0.2))
        logits: Tensor = self.logit(maps.mean((2, 3)))
        return logits.squeeze(1)

    def stages(self) -> Mapping[str, nn.Module]:
        return {"8x8": self.first, "4x4": self.second}


class Paintings(ImageDataset):
    """Pictures like the painter's, with labels, and boxes of the square."""

    boxed = ("square",)
    default_channels = 3

    def __init__(self, *, data: str | None = None, split: str = "train", count: int = 400, labeled: bool = True) -> None:
        super().__init__(data=data, split=split)
        self.count, self.labeled = count, labeled
        if not labeled:
            self.boxed = ()

    def listing(self) -> Listing:
        rng = torch.Generator().manual_seed(0)
        bits = torch.randint(0, 2, (self.count, 3), generator=rng).tolist()
        named = {"square": ("none", "red"), "background": ("blue", "green"), "line": ("no", "yes")} if self.labeled else {}
        records = [Record(f"{i:04d}", b, attributes=tuple(b) if named else ()) for i, b in enumerate(bits)]
        return Listing(records, attributes=named)

    def decode(self, record: Record) -> Picture:
        square, green, line = record.source
        latent = torch.tensor([[float(v) * 2 - 1 for v in (square, green, line)] + [0.0] * 3])
        with torch.no_grad():
            pixels = zoo.to_pictures(Painter(image=ImageSpec(SIZE))(latent))[0]
        return Picture(pixels, {"square": SQUARE} if square and self.labeled else {})


@contextmanager
def painters() -> Iterator[None]:
    """Registers all of it, as a plugin of the distribution "painters"."""
    plugin = Plugin(
        generators={"painter": "helpers.painting:Painter"},
        discriminators={"critic": "helpers.painting:Critic"},
        datasets={"paintings": "helpers.painting:Paintings"},
    )
    steps = attribute_classifier.LEAST_STEPS, attribute_classifier.MOST_STEPS
    attribute_classifier.LEAST_STEPS = attribute_classifier.MOST_STEPS = STEPS
    try:
        with registry.add(plugin, distribution="painters"):
            yield
    finally:
        attribute_classifier.LEAST_STEPS, attribute_classifier.MOST_STEPS = steps


def painted_model(*, discriminator: bool = True, **options: Any) -> Model:
    """A model of the painter and the critic, as `zoo.load` would give it."""
    image = ImageSpec(SIZE)

    def named(kind: str, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
        return {"kind": kind, "name": name, "distribution": "painters", "version": "", "options": dict(given)}

    config = {
        "format": 2,
        "recipe": {"name": "painter", "summary": "", "paper": ""},
        "parts": {
            "generator": named("generators", "painter", {"latent_dim": 6, "stages": 2, **options}),
            **({"discriminator": named("discriminators", "critic", {"width": 8})} if discriminator else {}),
        },
        "image": {"size": SIZE, "channels": 3, "num_classes": 0},
        "classes": [],
        "latent": {"distribution": "normal"},
        "weights": "by hand",
        "provenance": {"dataset": {"name": "paintings", "split": "train"}},
    }
    torch.manual_seed(0)
    critic = Critic(image=image).eval() if discriminator else None
    return Model(Painter(image=image, **options).eval(), critic, config)


def paintings(**options: Any) -> zoo.Pack:
    """The pack of `Paintings`."""
    return zoo.build_pack(zoo.PackRequest("paintings", size=SIZE, options=options), workers=1)
