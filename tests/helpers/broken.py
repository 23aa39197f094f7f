"""Small components that keep their promises, for tests to break one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from PIL import Image
from torch import Tensor, nn

from zoo_core import (
    Algorithm,
    Augmentation,
    Discriminator,
    FeatureExtractor,
    Generator,
    ImageDataset,
    ImageSpec,
    Listing,
    Loss,
    Metric,
    Network,
    OptionError,
    Phase,
    Picture,
    Record,
    Sampler,
    Sampling,
    Step,
    Tracker,
)


class GoodGenerator(Generator):
    tiny: ClassVar[Mapping[str, Any]] = {"image": ImageSpec(8), "latent_dim": 6}

    def __init__(self, *, image: ImageSpec, latent_dim: int = 6) -> None:
        super().__init__(image=image, latent_dim=latent_dim)
        self.hidden = nn.Sequential(nn.Linear(latent_dim, 12), nn.BatchNorm1d(12), nn.SiLU())
        self.classes = nn.Embedding(image.num_classes, 12) if image.num_classes else None
        self.out = nn.Linear(12, image.channels * image.size**2)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        x = self.hidden(z)
        if self.classes is not None:
            x = x + self.classes(labels)
        return torch.tanh(self.out(x)).unflatten(1, self.image.shape)

    def stages(self) -> Mapping[str, nn.Module]:
        return {"hidden": self.hidden}


class GoodDiscriminator(Discriminator):
    tiny: ClassVar[Mapping[str, Any]] = {"image": ImageSpec(8)}

    def __init__(self, *, image: ImageSpec, width: int = 6) -> None:
        super().__init__(image=image)
        if image.num_classes:
            raise OptionError("this one knows no classes")
        self.first = nn.Sequential(nn.Conv2d(image.channels, width, 4, stride=2, padding=1), nn.SiLU())
        self.second = nn.Sequential(nn.Conv2d(width, width, 1), nn.BatchNorm2d(width), nn.SiLU())
        self.out = nn.Linear(width * (image.size // 2) ** 2, 1)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        logits: Tensor = self.out(self.second(self.first(x)).flatten(1))
        return logits.squeeze(1)

    def stages(self) -> Mapping[str, nn.Module]:
        return {"first": self.first, "second": self.second}


class GoodNetwork(Network):
    tiny: ClassVar[Mapping[str, Any]] = {"image": ImageSpec(8)}

    def __init__(self, *, image: ImageSpec, latent_dim: int) -> None:
        super().__init__(image=image)
        self.out = nn.Sequential(nn.Flatten(), nn.Linear(image.channels * image.size**2, latent_dim))

    def forward(self, x: Tensor) -> Tensor:
        latents: Tensor = self.out(x)
        return latents


class GoodAlgorithm(Algorithm):
    """A GAN whose encoder learns the latents of generated images."""

    parts: ClassVar[Mapping[str, str]] = {**Algorithm.parts, "encoder": "networks"}
    tiny: ClassVar[Mapping[str, Any]] = {"parts": {"encoder": "good"}}

    def __init__(self, *, every: int = 2) -> None:
        self.every = every

    def phases(self, parts: Mapping[str, Any]) -> Sequence[Phase]:
        return [
            Phase("discriminator", ("discriminator",)),
            Phase("generator", ("generator", "encoder"), self.every),
            Phase("extra", ("generator", "encoder"), self.every, joins=True),
        ]

    def losses(self, phase: str, step: Step) -> Iterator[Tensor]:
        generator, discriminator, loss = (step.parts[role] for role in ("generator", "discriminator", "loss"))
        if phase == "discriminator":
            fake = generator(step.z, step.labels).detach()
            yield loss.discriminator(discriminator(step.real, step.labels), discriminator(fake, step.labels))
            return
        fake = generator(step.z, step.labels)
        distance = (step.parts["encoder"](fake) - step.z).square().mean()
        yield distance if phase == "extra" else distance + loss.generator(discriminator(fake, step.labels))


class GoodLoss(Loss):
    separable = True

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return ((real_logits - 1) ** 2).mean() + (fake_logits**2).mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return ((fake_logits - 1) ** 2).mean()

    def penalty(
        self, discriminator: Discriminator, real: Tensor, fake: Tensor, labels: Tensor | None = None
    ) -> Tensor | None:
        x = real.detach().requires_grad_()
        (slope,) = torch.autograd.grad(discriminator(x).sum(), x, create_graph=True)
        return slope.square().sum(dim=(1, 2, 3)).mean()


class GoodDataset(ImageDataset):
    tiny: ClassVar[Mapping[str, Any] | None] = {"count": 5}
    boxed = ("mark",)

    def __init__(self, *, data: str | None = None, split: str = "train", count: int = 100) -> None:
        super().__init__(data=data, split=split)
        self.count = count

    def listing(self) -> Listing:
        records = [Record(f"{i}", i, label=i % 2, attributes=(i % 3,)) for i in range(self.count)]
        return Listing(records, classes=("even", "odd"), attributes={"mark": ("red", "green", "blue")})

    def decode(self, record: Record) -> Image.Image | Picture:
        return Picture(Image.new("RGB", (9, 7), (record.source, 0, 0)), {"mark": (0, 0, 3, 4)})


class GoodFeatures(FeatureExtractor):
    dim = 4

    def __init__(self, *, seed: int = 0) -> None:
        super().__init__()
        rng = torch.Generator().manual_seed(seed)
        self.register_buffer("weight", torch.randn(64, self.dim, generator=rng))

    def forward(self, x: Tensor) -> Tensor:
        gray = nn.functional.adaptive_avg_pool2d(x.mean(dim=1, keepdim=True), 8)
        out: Tensor = gray.flatten(1) @ self.weight
        return out


class GoodAugmentation(Augmentation):
    def __init__(self, *, strength: float = 0.5) -> None:
        self.strength = strength

    def __call__(self, images: Tensor) -> Tensor:
        return images + self.strength * torch.rand(len(images), 1, 1, 1, dtype=images.dtype, device=images.device)


class GoodMetric(Metric):
    def measure(self, real: Tensor, fake: Tensor) -> Mapping[str, float]:
        distance = float((real.mean(0) - fake.mean(0)).norm())
        return {"distance": distance, "squared": distance**2}


class GoodTracker(Tracker):
    def scalars(self, values: Mapping[str, float], images: int) -> None:
        with (self.folder / "mine.txt").open("a") as file:
            file.write(f"{images} {dict(values)}\n")

    def picture(self, name: str, image: Tensor, images: int) -> None:
        Path(self.folder, f"{name}-{images}.txt").write_text(str(image.tolist()))


class GoodSampler(Sampler):
    def __init__(self, *, more: int = 1) -> None:
        self.more = more

    def __call__(self, sampling: Sampling, numbers: Sequence[int]) -> Tensor:
        tried = [sampling.latents(numbers, turn) for turn in range(1 + self.more)]
        logits = torch.stack([sampling.logits(z, numbers) for z in tried])
        return torch.stack(tried)[logits.argmax(0), torch.arange(len(numbers))]


GOOD: dict[str, type] = {
    "algorithms": GoodAlgorithm,
    "networks": GoodNetwork,
    "augmentations": GoodAugmentation,
    "metrics": GoodMetric,
    "trackers": GoodTracker,
    "samplers": GoodSampler,
    "generators": GoodGenerator,
    "discriminators": GoodDiscriminator,
    "losses": GoodLoss,
    "datasets": GoodDataset,
    "features": GoodFeatures,
}
